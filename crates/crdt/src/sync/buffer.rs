use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;

use crate::clock::VersionVector;
use crate::id::{Dot, ReplicaId};
use crate::lattice::Lattice;

/// A message that was refused because too many wait already; ask its sender again later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BufferFull<M> {
    /// The message, given back.
    pub message: M,
    /// How many wait, which is the limit.
    pub limit: usize,
}

impl<M> fmt::Display for BufferFull<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} messages wait for what is missing, no more are kept", self.limit)
    }
}

impl<M: fmt::Debug> core::error::Error for BufferFull<M> {}

/// Hands messages on in causal order: each after all that its sender had seen, each once.
///
/// A message that comes too early waits under the first event that it lacks and is looked at again
/// when that arrives, so a push costs O((log waiting) · events it waits for). At most `limit`
/// messages wait; one more is refused, unless its turn has come.
///
/// ```
/// use archstone_crdt::{Dot, ReplicaId, clock::VersionVector, sync::CausalBuffer};
///
/// let (ann, bob) = (ReplicaId(1), ReplicaId(2));
/// let question = (Dot::new(ann, 1), VersionVector::new());
/// let answer = (Dot::new(bob, 1), VersionVector::from_iter([(ann, 1)]));
/// let mut inbox = CausalBuffer::new(100);
/// assert!(inbox.push(answer.0, answer.1, "at eight")?.is_empty());
/// assert_eq!(inbox.missing(), [(ann, 1, 1)]);
/// let ready = inbox.push(question.0, question.1, "when?")?;
/// assert_eq!(ready, [(question.0, "when?"), (answer.0, "at eight")]);
/// # Ok::<(), archstone_crdt::sync::BufferFull<&str>>(())
/// ```
#[derive(Clone, Debug)]
pub struct CausalBuffer<M> {
    seen: VersionVector,
    waiting: BTreeMap<Dot, (VersionVector, M)>,
    /// Who waits for an event, by that event.
    parked: BTreeMap<Dot, Vec<Dot>>,
    limit: usize,
    duplicates: u64,
}

impl<M> CausalBuffer<M> {
    /// An empty buffer in which at most `limit` messages wait.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self::after(VersionVector::new(), limit)
    }

    /// A buffer of a replica that has seen `seen`.
    #[must_use]
    pub const fn after(seen: VersionVector, limit: usize) -> Self {
        Self { seen, waiting: BTreeMap::new(), parked: BTreeMap::new(), limit, duplicates: 0 }
    }

    /// The first event that a message lacks.
    fn lacks(&self, dot: Dot, deps: &VersionVector) -> Option<Dot> {
        let before = Dot::new(dot.replica, dot.counter - 1);
        if before.counter > 0 && !self.seen.contains(before) {
            // The one right after what was seen: the chain of its sender comes one by one.
            return Some(Dot::new(dot.replica, self.seen.get(dot.replica) + 1));
        }
        let others = deps.iter().filter(|&(replica, _)| replica != dot.replica);
        others
            .map(|(replica, count)| (replica, count, self.seen.get(replica)))
            .find(|&(_, count, seen)| count > seen)
            .map(|(replica, _, seen)| Dot::new(replica, seen + 1))
    }

    /// Takes a message in that its sender sent as event `dot` after seeing `deps`; the messages
    /// whose turn has come, in causal order. A message that was here before is dropped.
    ///
    /// # Errors
    /// [`BufferFull`] with the message when it would have to wait and `limit` do.
    pub fn push(
        &mut self,
        dot: Dot,
        deps: VersionVector,
        message: M,
    ) -> Result<Vec<(Dot, M)>, BufferFull<M>> {
        if dot.counter == 0 || self.seen.contains(dot) || self.waiting.contains_key(&dot) {
            self.duplicates = self.duplicates.saturating_add(1);
            return Ok(Vec::new());
        }
        if let Some(lacking) = self.lacks(dot, &deps) {
            if self.waiting.len() >= self.limit {
                return Err(BufferFull { message, limit: self.limit });
            }
            self.waiting.insert(dot, (deps, message));
            self.parked.entry(lacking).or_default().push(dot);
            return Ok(Vec::new());
        }
        self.seen.witness(dot.replica, dot.counter);
        let mut ready = alloc::vec![(dot, message)];
        let mut at = 0;
        while at < ready.len() {
            self.wake(ready[at].0, &mut ready);
            at += 1;
        }
        Ok(ready)
    }

    /// Looks again at those that waited for `dot`.
    fn wake(&mut self, dot: Dot, ready: &mut Vec<(Dot, M)>) {
        for waiter in self.parked.remove(&dot).unwrap_or_default() {
            let Some((deps, _)) = self.waiting.get(&waiter) else { continue };
            match self.lacks(waiter, deps) {
                Some(lacking) => self.parked.entry(lacking).or_default().push(waiter),
                None => {
                    if let Some((_, message)) = self.waiting.remove(&waiter) {
                        self.seen.witness(waiter.replica, waiter.counter);
                        ready.push((waiter, message));
                    }
                }
            }
        }
    }

    /// The events that waiting messages lack and that are not waiting themselves: replica, first
    /// and last. What to ask the others for.
    #[must_use]
    pub fn missing(&self) -> Vec<(ReplicaId, u64, u64)> {
        let mut wanted = VersionVector::new();
        for (dot, (deps, _)) in &self.waiting {
            wanted.merge(deps);
            wanted.witness(dot.replica, dot.counter - 1);
        }
        let mut missing = Vec::new();
        for (replica, last) in wanted.iter() {
            let mut next = self.seen.get(replica) + 1;
            if next > last {
                continue;
            }
            let here = self.waiting.range(Dot::new(replica, next)..=Dot::new(replica, last));
            for (dot, _) in here {
                if next < dot.counter {
                    missing.push((replica, next, dot.counter - 1));
                }
                next = dot.counter.saturating_add(1);
            }
            if next <= last {
                missing.push((replica, next, last));
            }
        }
        missing
    }

    /// What was handed on.
    #[must_use]
    pub const fn seen(&self) -> &VersionVector {
        &self.seen
    }

    /// Messages that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Messages that came again.
    #[must_use]
    pub const fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// Gives up on what is missing (its sender is gone, or a state transfer covers it): all of
    /// `seen` counts as handed on. The messages whose turn has come by that.
    pub fn skip_to(&mut self, seen: &VersionVector) -> Vec<(Dot, M)> {
        self.seen.merge(seen);
        let covered = |dot: &Dot| self.seen.contains(*dot);
        let old: Vec<Dot> = self.waiting.keys().copied().filter(covered).collect();
        for dot in old {
            self.waiting.remove(&dot);
        }
        self.parked.clear();
        let mut ready = Vec::new();
        let waiting: Vec<Dot> = self.waiting.keys().copied().collect();
        for dot in waiting {
            let Some((deps, _)) = self.waiting.get(&dot) else { continue };
            match self.lacks(dot, deps) {
                Some(lacking) => self.parked.entry(lacking).or_default().push(dot),
                None => {
                    if let Some((_, message)) = self.waiting.remove(&dot) {
                        self.seen.witness(dot.replica, dot.counter);
                        let at = ready.len();
                        ready.push((dot, message));
                        for next in at.. {
                            let Some(&(dot, _)) = ready.get(next) else { break };
                            self.wake(dot, &mut ready);
                        }
                    }
                }
            }
        }
        ready
    }
}
