//! Causal contexts: which events were seen, gaps allowed (Almeida, Shoker, Baquero,
//! arXiv 1603.01529, section 7).

use alloc::vec::Vec;
use core::fmt;

use super::VersionVector;
use crate::dots::ranges::Ranges;
use crate::id::{Dot, Exhausted, ReplicaId};
use crate::lattice::{Delta, Lattice};

/// The events that were seen: a version vector, and a cloud of dots beyond it.
///
/// The cloud holds what came before its turn, as runs; a run moves into the vector as soon as
/// those before it are there, so a replica that misses nothing has an empty cloud. 16 bytes a
/// replica (none on the heap up to 4), 16 a run of the cloud.
///
/// ```
/// use archstone_crdt::{Dot, ReplicaId, clock::CausalContext};
///
/// let ann = ReplicaId(1);
/// let mut seen = CausalContext::new();
/// seen.insert(Dot::new(ann, 2));
/// assert!(seen.contains(Dot::new(ann, 2)) && !seen.contains(Dot::new(ann, 1)));
/// assert_eq!(seen.gaps().next(), Some((ann, 1, 1)));
/// seen.insert(Dot::new(ann, 1));
/// assert!(seen.is_compact());
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct CausalContext {
    vector: VersionVector,
    /// By replica; no empty sets, and every run starts at least 2 after the vector's count.
    cloud: Vec<(ReplicaId, Ranges)>,
}

impl CausalContext {
    /// Nothing seen.
    #[must_use]
    pub const fn new() -> Self {
        Self { vector: VersionVector::new(), cloud: Vec::new() }
    }

    /// The gap-free part.
    #[must_use]
    pub const fn vector(&self) -> &VersionVector {
        &self.vector
    }

    /// Whether there are no gaps.
    #[must_use]
    pub fn is_compact(&self) -> bool {
        self.cloud.is_empty()
    }

    /// Whether nothing was seen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.vector.is_empty() && self.cloud.is_empty()
    }

    /// Events seen in all, saturating.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.cloud.iter().fold(self.vector.total(), |sum, (_, runs)| sum.saturating_add(runs.len()))
    }

    fn find(&self, replica: ReplicaId) -> Result<usize, usize> {
        self.cloud.binary_search_by_key(&replica, |entry| entry.0)
    }

    fn cloud_of(&self, replica: ReplicaId) -> Option<&Ranges> {
        if self.cloud.is_empty() {
            return None;
        }
        self.find(replica).ok().map(|at| &self.cloud[at].1)
    }

    /// Whether the event was seen. The zeroth event is none, and always "seen".
    #[inline]
    #[must_use]
    pub fn contains(&self, dot: Dot) -> bool {
        self.vector.contains(dot)
            || self.cloud_of(dot.replica).is_some_and(|runs| runs.contains(dot.counter))
    }

    /// The greatest event number of `replica` that was seen.
    #[must_use]
    pub fn max(&self, replica: ReplicaId) -> u64 {
        let cloud = self.cloud_of(replica).and_then(Ranges::max).unwrap_or(0);
        cloud.max(self.vector.get(replica))
    }

    /// Sees one event; whether it was new.
    pub fn insert(&mut self, dot: Dot) -> bool {
        dot.counter > 0 && self.insert_run(dot.replica, dot.counter, dot.counter)
    }

    /// Sees the events `first..=last` of `replica`; whether one was new. `first` is 1 or more.
    pub(crate) fn insert_run(&mut self, replica: ReplicaId, first: u64, last: u64) -> bool {
        let prefix = self.vector.get(replica);
        if last <= prefix {
            return false;
        }
        let slot = if self.cloud.is_empty() { Err(0) } else { self.find(replica) };
        if first - 1 <= prefix {
            match slot {
                Err(_) => self.vector.witness(replica, last),
                Ok(at) => {
                    let news = !self.cloud[at].1.covers(prefix + 1, last);
                    self.vector.witness(replica, last);
                    self.settle(at);
                    news
                }
            }
        } else {
            let at = slot.unwrap_or_else(|at| {
                self.cloud.insert(at, (replica, Ranges::new()));
                at
            });
            // It starts at least 2 after the vector's count, so it cannot close that gap.
            self.cloud[at].1.insert(first, last)
        }
    }

    /// Moves what has no gap before it any more from cloud entry `at` into the vector.
    fn settle(&mut self, at: usize) {
        let (replica, ref mut runs) = self.cloud[at];
        let mut prefix = self.vector.get(replica);
        runs.remove_up_to(prefix);
        if let Some(&(first, last)) = runs.runs().first() {
            if first - 1 <= prefix {
                prefix = last;
                runs.remove_up_to(prefix);
            }
        }
        if runs.is_empty() {
            self.cloud.remove(at);
        }
        self.vector.witness(replica, prefix);
    }

    /// The next event of `me`, whose own context this is; it is seen at once.
    ///
    /// # Errors
    /// After `u64::MAX` events.
    pub fn next(&mut self, me: ReplicaId) -> Result<Dot, Exhausted> {
        if self.cloud.is_empty() {
            return self.vector.increment(me);
        }
        // Past the cloud, where a replica finds its own dots after a restart from its peers.
        let at = self.max(me);
        let counter = at.checked_add(1).ok_or(Exhausted { replica: me, at, by: 1 })?;
        let dot = Dot::new(me, counter);
        self.insert(dot);
        Ok(dot)
    }

    /// An event of `me` that `other` has seen and this context, `me`'s own, has not: another
    /// writer uses the id, or this one has lost state.
    #[must_use]
    pub fn twin(&self, me: ReplicaId, other: &Self) -> Option<Dot> {
        let (ours, theirs) = (self.max(me), other.max(me));
        (theirs > ours).then(|| Dot::new(me, theirs))
    }

    /// What is seen of one replica, looked up once.
    #[inline]
    pub(crate) fn view(&self, replica: ReplicaId) -> View<'_> {
        View { prefix: self.vector.get(replica), cloud: self.cloud_of(replica) }
    }

    /// The runs of the cloud: replica, first and last event.
    pub fn cloud(&self) -> impl Iterator<Item = (ReplicaId, u64, u64)> + '_ {
        let row = |replica: ReplicaId| move |&(first, last): &(u64, u64)| (replica, first, last);
        self.cloud.iter().flat_map(move |(replica, runs)| runs.runs().iter().map(row(*replica)))
    }

    pub(crate) fn cloud_sets(&self) -> &[(ReplicaId, Ranges)] {
        &self.cloud
    }

    /// What is missing before something that was seen: replica, first and last missing event of
    /// its first gap. What to ask for.
    pub fn gaps(&self) -> impl Iterator<Item = (ReplicaId, u64, u64)> + '_ {
        self.cloud.iter().filter_map(|(replica, runs)| {
            let next = runs.runs().first()?.0;
            Some((*replica, self.vector.get(*replica) + 1, next - 1))
        })
    }

    /// This context without `dots`: sorted, without doubles. O(replicas + runs + dots).
    pub(crate) fn without(&self, dots: &[Dot]) -> Self {
        if dots.is_empty() {
            return self.clone();
        }
        let mut out = Self::new();
        let vector = self.vector.iter().map(|(replica, count)| (replica, 1, count));
        for (replica, first, last) in vector.chain(self.cloud()) {
            let from = dots.partition_point(|&dot| dot < Dot::new(replica, first));
            let mut next = first;
            for dot in &dots[from..] {
                if dot.replica != replica || dot.counter > last {
                    break;
                }
                if next < dot.counter {
                    out.insert_run(replica, next, dot.counter - 1);
                }
                next = dot.counter.saturating_add(1);
                if dot.counter == u64::MAX {
                    break;
                }
            }
            let ended = dots.last().is_some_and(|dot| *dot == Dot::new(replica, u64::MAX));
            if next <= last && !ended {
                out.insert_run(replica, next, last);
            }
        }
        out
    }

    /// Drops a replica that is gone for good, as [`VersionVector::retire`] does.
    pub fn retire(&mut self, replica: ReplicaId) -> u64 {
        self.cloud.retain(|entry| entry.0 != replica);
        self.vector.retire(replica)
    }
}

/// What a context has seen of one replica.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    prefix: u64,
    cloud: Option<&'a Ranges>,
}

impl View<'_> {
    #[inline]
    pub(crate) fn contains(&self, counter: u64) -> bool {
        counter <= self.prefix || self.cloud.is_some_and(|runs| runs.contains(counter))
    }

    /// The numbers `64 * word..64 * word + 64` that were seen, as bits.
    #[inline]
    pub(crate) fn word(&self, word: u64) -> u64 {
        let start = word << 6;
        let prefix =
            if self.prefix < start { 0 } else { u64::MAX >> (63 - (self.prefix - start).min(63)) };
        prefix | self.cloud.map_or(0, |runs| runs.word(word))
    }

    fn covers(&self, first: u64, last: u64) -> bool {
        last <= self.prefix
            || self.cloud.is_some_and(|runs| {
                first > self.prefix && runs.covers(first, last)
                    || first <= self.prefix && runs.covers(self.prefix + 1, last)
            })
    }
}

impl Lattice for CausalContext {
    fn merge(&mut self, other: &Self) -> bool {
        if self.cloud.is_empty() && other.cloud.is_empty() {
            return self.vector.merge(&other.vector);
        }
        let mut news = false;
        for (replica, count) in other.vector.iter() {
            news |= self.insert_run(replica, 1, count);
        }
        for (replica, first, last) in other.cloud() {
            news |= self.insert_run(replica, first, last);
        }
        news
    }

    fn includes(&self, other: &Self) -> bool {
        let vector = other.vector.iter().map(|(replica, count)| (replica, 1, count));
        vector
            .chain(other.cloud())
            .all(|(replica, first, last)| self.view(replica).covers(first, last))
    }
}

impl Delta for CausalContext {
    type Version = Self;

    fn version(&self) -> Self {
        self.clone()
    }

    /// What was seen here and not there, in whole prefixes and runs.
    fn delta_since(&self, seen: &Self) -> Self {
        let mut part = Self::new();
        let vector = self.vector.iter().map(|(replica, count)| (replica, 1, count));
        for (replica, first, last) in vector.chain(self.cloud()) {
            if !seen.view(replica).covers(first, last) {
                part.insert_run(replica, first, last);
            }
        }
        part
    }
}

impl From<VersionVector> for CausalContext {
    fn from(vector: VersionVector) -> Self {
        Self { vector, cloud: Vec::new() }
    }
}

impl FromIterator<Dot> for CausalContext {
    fn from_iter<I: IntoIterator<Item = Dot>>(dots: I) -> Self {
        let mut context = Self::new();
        for dot in dots {
            context.insert(dot);
        }
        context
    }
}

impl fmt::Debug for CausalContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.vector)?;
        for (replica, first, last) in self.cloud() {
            write!(f, " + {replica:?}:{first}..={last}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use proptest::prelude::*;

    type Model = BTreeSet<Dot>;

    fn dots() -> impl Strategy<Value = Model> {
        let dot = (0_u64..4, 1_u64..150).prop_map(|(r, c)| Dot::new(ReplicaId(r), c));
        let runs = prop::collection::vec((0_u64..4, 1_u64..150, 0_u64..80), 0..5);
        (prop::collection::btree_set(dot, 0..30), runs).prop_map(|(mut set, runs)| {
            for (r, first, more) in runs {
                set.extend((first..=first + more).map(|c| Dot::new(ReplicaId(r), c)));
            }
            set
        })
    }

    fn flat(context: &CausalContext) -> Model {
        let vector = context.vector.iter().map(|(replica, count)| (replica, 1, count));
        let all = vector.chain(context.cloud());
        all.flat_map(|(r, first, last)| (first..=last).map(move |c| Dot::new(r, c))).collect()
    }

    proptest! {
        #[test]
        fn a_context_is_a_set_of_dots(a in dots(), b in dots()) {
            let (mut ours, theirs): (CausalContext, CausalContext) =
                (a.iter().copied().collect(), b.iter().rev().copied().collect());
            prop_assert_eq!(&flat(&ours), &a);
            prop_assert_eq!(ours.len(), a.len() as u64);
            prop_assert_eq!(ours.includes(&theirs), b.is_subset(&a));
            prop_assert_eq!(ours.includes(&ours), true);
            for r in 0..4 {
                let view = ours.view(ReplicaId(r));
                for n in 0..5 {
                    for bit in u64::from(n == 0)..64 {
                        let dot = Dot::new(ReplicaId(r), n << 6 | bit);
                        prop_assert_eq!(view.word(n) >> bit & 1 == 1, a.contains(&dot));
                        prop_assert_eq!(ours.contains(dot), a.contains(&dot));
                    }
                }
            }
            let less: Vec<Dot> = b.iter().copied().collect();
            prop_assert_eq!(flat(&ours.without(&less)), &a - &b);
            let mut caught_up = theirs.clone();
            caught_up.merge(&ours.delta_since(&theirs));
            let mut whole = theirs.clone();
            whole.merge(&ours);
            prop_assert_eq!(&caught_up, &whole);
            prop_assert_eq!(ours.delta_since(&theirs).is_empty(), theirs.includes(&ours));
            prop_assert_eq!(ours.merge(&theirs), !b.is_subset(&a));
            prop_assert_eq!(flat(&ours), &a | &b);
            // One set, one representation.
            prop_assert_eq!(ours, (&a | &b).into_iter().collect::<CausalContext>());
        }
    }

    #[test]
    fn the_ends_of_the_range_are_no_trap() {
        let me = ReplicaId(u64::MAX);
        let mut context = CausalContext::new();
        assert!(!context.insert(Dot::new(me, 0)));
        assert!(context.insert_run(me, 2, u64::MAX));
        assert_eq!(context.gaps().next(), Some((me, 1, 1)));
        assert_eq!(context.next(me), Err(Exhausted { replica: me, at: u64::MAX, by: 1 }));
        assert!(context.insert(Dot::new(me, 1)) && context.is_compact());
        assert_eq!(context.len(), u64::MAX);
        let without = context.without(&[Dot::new(me, 5), Dot::new(me, u64::MAX)]);
        assert_eq!(without.cloud().collect::<Vec<_>>(), [(me, 6, u64::MAX - 1)]);
        assert_eq!(without.vector().get(me), 4);
    }

    #[test]
    fn a_second_writer_under_one_id_is_noticed() {
        let me = ReplicaId(7);
        let (mut ours, mut twin) = (CausalContext::new(), CausalContext::new());
        ours.next(me).unwrap();
        assert_eq!(ours.twin(me, &twin), None);
        twin.next(me).unwrap();
        twin.next(me).unwrap();
        assert_eq!(ours.twin(me, &twin), Some(Dot::new(me, 2)));
    }
}
