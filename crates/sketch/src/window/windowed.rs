use alloc::boxed::Box;
use alloc::vec::Vec;

use archstone_core::bytes::{DecodeError, Reader, Why, Writer};

use crate::wire::serde_as_wire;
use crate::{Incompatible, Merge, ParamError, Wire, kinds};

/// A sketch over a sliding window: a ring of panes of equal length, merged when asked.
///
/// An event of time `t` goes into pane `t / pane`. A query over k panes at time `now` covers pane
/// `now / pane` and the k - 1 before it: at least `(k - 1) * pane` and at most `k * pane` of time.
/// One pane is a tumbling window.
///
/// Events may come late or out of order as long as their pane is still in the ring; what is older
/// is refused and counted in [`late`](Self::late). A jump forward empties what it leaves behind.
///
/// **Error** that of the sketch on the events of the panes asked for. **Memory** `panes` sketches.
/// **Cost** that of the sketch; a query is up to `panes` merges.
///
/// ```
/// use archstone_sketch::{TopK, window::Windowed};
///
/// // The last hour in panes of five minutes, time in seconds.
/// let empty = TopK::<String>::with_memory(10, 16 * 1024)?;
/// let mut pages = Windowed::new(300, 12, empty)?;
/// if let Some(pane) = pages.at(10_000) {
///     pane.add("/index.html");
/// }
/// assert_eq!(pages.over(10_100, 12)?.top()[0].count, 1);
/// assert!(pages.over(20_000, 12)?.top().is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Windowed<S> {
    empty: S,
    /// Boxed, so that an empty place costs a word, in memory and to a decoder.
    panes: Box<[Option<Box<Pane<S>>>]>,
    length: u64,
    /// The newest pane an event came for.
    newest: u64,
    late: u64,
}

#[derive(Clone, Debug)]
struct Pane<S> {
    number: u64,
    sketch: S,
}

impl<S: Merge + Clone> Windowed<S> {
    /// The most panes.
    pub const MAX_PANES: u64 = 1 << 16;

    /// A ring of `panes` of `length` each, all of them copies of `empty`.
    ///
    /// # Errors
    /// When `length` or `panes` is 0 or `panes` over [`MAX_PANES`](Self::MAX_PANES).
    pub fn new(length: u64, panes: usize, empty: S) -> Result<Self, ParamError> {
        ParamError::whole("pane length", length, 1, u64::MAX)?;
        ParamError::whole("panes", panes as u64, 1, Self::MAX_PANES)?;
        Ok(Self::build(length, panes, empty))
    }

    fn build(length: u64, panes: usize, empty: S) -> Self {
        let panes = (0..panes).map(|_| None).collect();
        Self { empty, panes, length, newest: 0, late: 0 }
    }

    /// The sketch for events of time `now`; `None` when that pane has left the ring (or would have,
    /// had the newest event come in time).
    pub fn at(&mut self, now: u64) -> Option<&mut S> {
        let number = now / self.length;
        let panes = self.panes.len() as u64;
        if self.newest.saturating_sub(number) >= panes {
            self.late = self.late.saturating_add(1);
            return None;
        }
        self.newest = self.newest.max(number);
        let pane = &mut self.panes[(number % panes) as usize];
        match pane {
            Some(pane) if pane.number == number => {}
            _ => *pane = Some(Box::new(Pane { number, sketch: self.empty.clone() })),
        }
        pane.as_mut().map(|pane| &mut pane.sketch)
    }

    /// Everything of the last `panes` panes up to the one of `now`, in one sketch.
    ///
    /// # Errors
    /// When a pane was replaced through [`at`](Self::at) by a sketch that does not fit the others.
    pub fn over(&self, now: u64, panes: usize) -> Result<S, Incompatible> {
        let last = now / self.length;
        let mut all = self.empty.clone();
        for pane in self.oldest_first() {
            if pane.number <= last && last - pane.number < panes as u64 {
                all.merge(&pane.sketch)?;
            }
        }
        Ok(all)
    }

    /// The pane of `now`, if an event came for it.
    #[must_use]
    pub fn pane(&self, now: u64) -> Option<&S> {
        let number = now / self.length;
        let pane = self.panes[(number % self.panes.len() as u64) as usize].as_ref()?;
        (pane.number == number).then_some(&pane.sketch)
    }

    /// The panes with events and the time at which each starts, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &S)> {
        self.oldest_first().into_iter().map(|pane| (pane.number * self.length, &pane.sketch))
    }

    /// Events that came after their pane had left the ring.
    #[must_use]
    pub const fn late(&self) -> u64 {
        self.late
    }

    /// The length of a pane.
    #[must_use]
    pub const fn pane_length(&self) -> u64 {
        self.length
    }

    /// Panes of the ring.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.panes.len()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.panes.fill_with(|| None);
        (self.newest, self.late) = (0, 0);
    }

    /// The panes that are in the ring now; one that a jump left behind may still hold its place.
    fn oldest_first(&self) -> Vec<&Pane<S>> {
        let size = self.panes.len() as u64;
        let current = |pane: &&Pane<S>| self.newest - pane.number < size;
        let panes = self.panes.iter().flatten().map(|pane| &**pane);
        let mut panes: Vec<_> = panes.filter(current).collect();
        panes.sort_by_key(|pane| pane.number);
        panes
    }
}

impl<S: Merge + Clone> Merge for Windowed<S> {
    /// Pane by pane. What the other has of panes older than the ring's is left out.
    fn merge(&mut self, other: &Self) -> Result<(), Incompatible> {
        Incompatible::unless_equal("pane length", self.length, other.length)?;
        let (ours, theirs) = (self.panes.len() as u64, other.panes.len() as u64);
        Incompatible::unless_equal("panes", ours, theirs)?;
        // All that can fail first, on a copy, so that an error leaves nothing half done.
        let mut merged = self.clone();
        merged.empty.merge(&other.empty)?;
        merged.empty = self.empty.clone();
        merged.newest = self.newest.max(other.newest);
        for pane in other.oldest_first() {
            if merged.newest - pane.number < ours {
                if let Some(sketch) = merged.at(pane.number.saturating_mul(self.length)) {
                    sketch.merge(&pane.sketch)?;
                }
            }
        }
        merged.late = self.late.saturating_add(other.late);
        *self = merged;
        Ok(())
    }
}

impl<S: Merge + Clone + Wire> Wire for Windowed<S> {
    fn encode_to(&self, out: &mut Writer) {
        out.header(kinds::WINDOWED, 1);
        out.varint(self.length);
        out.varint(self.newest);
        out.varint(self.late);
        self.empty.encode_to(out);
        // A byte for each place of the ring, so that a short input is a small ring.
        out.varint(self.panes.len() as u64);
        for pane in &self.panes {
            let current =
                pane.as_ref().filter(|p| self.newest - p.number < self.panes.len() as u64);
            out.u8(current.is_some().into());
            if let Some(pane) = current {
                out.varint(pane.number);
                pane.sketch.encode_to(out);
            }
        }
    }

    fn decode_from(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.header(kinds::WINDOWED, 1)?;
        let length = input.varint("pane length")?;
        let newest = input.varint("newest pane")?;
        let late = input.varint("late events")?;
        let empty = S::decode_from(input)?;
        let count = input.count(1, "panes")? as u64;
        if length == 0 || count == 0 || count > Self::MAX_PANES || newest > u64::MAX / length {
            return Err(input.error("panes", Why::Invalid("outside the limits")));
        }
        let mut panes = Vec::new();
        for place in 0..count {
            let start = input.clone();
            panes.push(match input.u8("pane")? {
                0 => None,
                1 => {
                    let number = input.varint_up_to(newest, "pane number")?;
                    if number % count != place || newest - number >= count {
                        return Err(start.error("pane number", Why::Invalid("in the wrong place")));
                    }
                    let sketch = S::decode_from(input)?;
                    if empty.clone().merge(&sketch).is_err() {
                        return Err(start.error("pane", Why::Invalid("does not fit the others")));
                    }
                    Some(Box::new(Pane { number, sketch }))
                }
                _ => return Err(start.error("pane", Why::Invalid("neither 0 nor 1"))),
            });
        }
        Ok(Self { empty, panes: panes.into(), length, newest, late })
    }
}

serde_as_wire!([W: Merge + Clone + Wire] Windowed<W>);
