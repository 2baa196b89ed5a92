//! Temporary.
use archstone_sketch::Merge;
#[derive(Clone, Debug)]
pub struct Windowed<S> { pane: u64, panes: Vec<Option<(u64, S)>>, empty: S }
impl<S: Merge + Clone> Windowed<S> {
    pub fn new(pane: u64, panes: usize, empty: S) -> Self { Self { pane, panes: vec![None; panes], empty } }
    pub fn at(&mut self, now: u64) -> &mut S {
        let index = now / self.pane; let n = self.panes.len() as u64;
        let slot = &mut self.panes[(index % n) as usize];
        if slot.as_ref().is_none_or(|(at, _)| *at != index) { *slot = Some((index, self.empty.clone())); }
        &mut slot.as_mut().unwrap().1
    }
    pub fn over(&self, now: u64, panes: usize) -> S {
        let index = now / self.pane; let first = (index + 1).saturating_sub(panes as u64);
        let mut all = self.empty.clone();
        let mut live: Vec<_> = self.panes.iter().flatten().filter(|(at, _)| (first..=index).contains(at)).collect();
        live.sort_by_key(|(at, _)| *at);
        for (_, s) in live { all.merge(s).unwrap(); }
        all
    }
}
