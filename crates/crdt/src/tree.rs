//! A tree whose nodes move (Kleppmann, Mulligan, Gomes, Beresford: A highly-available move
//! operation for replicated trees, IEEE TPDS 2021).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::clock::{Timestamp, VersionVector};
use crate::lattice::{Delta, Lattice};

/// One move.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Move<K> {
    pub(crate) child: K,
    pub(crate) parent: K,
}

/// A forest in which replicas create, move and remove nodes at the same time, without cycles.
///
/// All moves count in the order of their stamps, and one that would put a node under itself is
/// skipped. Everybody who has the same moves has the same tree. A node that no move has placed is
/// a root; removing is moving to a root of your own, such as `"trash"`.
///
/// A move costs O(depth) when it is the latest; one that arrives late also undoes and redoes what
/// came after it. The log is kept until [`forget_before`](Self::forget_before).
///
/// ```
/// use archstone_crdt::{Lattice, ReplicaId, clock::Timestamp, tree::MoveTree};
///
/// let (ann, bob) = (ReplicaId(1), ReplicaId(2));
/// let mut here = MoveTree::new();
/// here.place(Timestamp::from_u64(1, ann), "a", "root");
/// here.place(Timestamp::from_u64(2, ann), "b", "root");
/// let mut there = here.clone();
/// here.place(Timestamp::from_u64(3, ann), "a", "b");
/// there.place(Timestamp::from_u64(3, bob), "b", "a");   // together they would be a cycle
/// here.merge(&there);
/// assert_eq!((here.parent("a"), here.parent("b")), (Some(&"b"), Some(&"root")));
/// ```
#[derive(Clone, Debug)]
pub struct MoveTree<K> {
    /// The moves by stamp, each with the parent that it replaced, or skipped.
    log: BTreeMap<Timestamp, (Move<K>, Effect<K>)>,
    parents: BTreeMap<K, K>,
    children: BTreeMap<K, BTreeSet<K>>,
    /// What was forgotten: parents as of that stamp.
    base: BTreeMap<K, K>,
    forgotten: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Effect<K> {
    Skipped,
    Done { before: Option<K> },
}

impl<K: Ord + Clone> MoveTree<K> {
    /// An empty forest.
    #[must_use]
    pub fn new() -> Self {
        Self {
            log: BTreeMap::new(),
            parents: BTreeMap::new(),
            children: BTreeMap::new(),
            base: BTreeMap::new(),
            forgotten: Timestamp::default(),
        }
    }

    /// Puts `child` under `parent`, a new node or one that is moved; the delta. Stamps are the
    /// replica's own, each used once, as a [`HybridClock`](crate::clock::HybridClock) makes them.
    #[must_use = "the delta is what other replicas need"]
    pub fn place_delta(&mut self, stamp: Timestamp, child: K, parent: K) -> Self {
        let mut delta = Self::new();
        delta.place(stamp, child.clone(), parent.clone());
        self.place(stamp, child, parent);
        delta
    }

    /// [`place_delta`](Self::place_delta) without a delta; whether it was news.
    pub fn place(&mut self, stamp: Timestamp, child: K, parent: K) -> bool {
        self.take(stamp, Move { child, parent })
    }

    pub(crate) fn take(&mut self, stamp: Timestamp, new: Move<K>) -> bool {
        if stamp < self.forgotten {
            return false;
        }
        if let Some((old, _)) = self.log.get(&stamp) {
            // One stamp for two moves is a broken clock; the greater counts everywhere.
            if *old >= new {
                return false;
            }
        }
        let later: Vec<Timestamp> = self.log.range(stamp..).map(|entry| *entry.0).rev().collect();
        for at in &later {
            self.undo(*at);
        }
        self.log.insert(stamp, (new, Effect::Skipped));
        self.redo(stamp);
        for at in later.into_iter().rev().filter(|&at| at != stamp) {
            self.redo(at);
        }
        true
    }

    fn undo(&mut self, stamp: Timestamp) {
        let Some((Move { child, .. }, Effect::Done { before })) = self.log.get(&stamp).cloned()
        else {
            return;
        };
        self.set_parent(child, before);
    }

    fn redo(&mut self, stamp: Timestamp) {
        let Some((Move { child, parent }, _)) = self.log.get(&stamp).cloned() else { return };
        let effect = if self.is_under(&parent, &child) {
            Effect::Skipped
        } else {
            let before = self.parents.get(&child).cloned();
            self.set_parent(child, Some(parent));
            Effect::Done { before }
        };
        if let Some(entry) = self.log.get_mut(&stamp) {
            entry.1 = effect;
        }
    }

    fn set_parent(&mut self, child: K, parent: Option<K>) {
        if let Some(old) = self.parents.get(&child) {
            if let Some(siblings) = self.children.get_mut(old) {
                siblings.remove(&child);
                if siblings.is_empty() {
                    self.children.remove(old);
                }
            }
        }
        match parent {
            Some(parent) => {
                self.children.entry(parent.clone()).or_default().insert(child.clone());
                self.parents.insert(child, parent);
            }
            None => {
                self.parents.remove(&child);
            }
        }
    }

    /// Whether `node` is `above` or lies under it.
    fn is_under(&self, node: &K, above: &K) -> bool {
        core::iter::successors(Some(node), |at| self.parents.get(at)).any(|at| at == above)
    }

    /// What `node` lies under; `None` for roots.
    #[must_use]
    pub fn parent<Q: Ord + ?Sized>(&self, node: &Q) -> Option<&K>
    where
        K: core::borrow::Borrow<Q>,
    {
        self.parents.get(node)
    }

    /// What lies under `node`, sorted.
    pub fn children<Q: Ord + ?Sized>(&self, node: &Q) -> impl Iterator<Item = &K> + '_
    where
        K: core::borrow::Borrow<Q>,
    {
        self.children.get(node).into_iter().flatten()
    }

    /// Every placed node with what it lies under, by node.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&K, &K)> + '_ {
        self.parents.iter()
    }

    /// Placed nodes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.parents.len()
    }

    /// Whether nothing was placed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parents.is_empty()
    }

    /// Moves that are kept.
    #[must_use]
    pub fn log_len(&self) -> usize {
        self.log.len()
    }

    /// Forgets the moves before `stable`, a stamp before which every replica has seen all; how
    /// many. From then on earlier moves are ignored.
    pub fn forget_before(&mut self, stable: Timestamp) -> usize {
        let kept = self.log.split_off(&stable);
        let gone = core::mem::replace(&mut self.log, kept);
        for (Move { child, parent }, effect) in gone.values() {
            if matches!(effect, Effect::Done { .. }) {
                self.base.insert(child.clone(), parent.clone());
            }
        }
        self.forgotten = self.forgotten.max(stable);
        gone.len()
    }

    pub(crate) fn moves(&self) -> impl ExactSizeIterator<Item = (Timestamp, &Move<K>)> + '_ {
        self.log.iter().map(|(stamp, entry)| (*stamp, &entry.0))
    }

    pub(crate) const fn base(&self) -> (&BTreeMap<K, K>, Timestamp) {
        (&self.base, self.forgotten)
    }

    /// Starts from what was forgotten.
    pub(crate) fn restore(base: BTreeMap<K, K>, forgotten: Timestamp) -> Self {
        let mut tree = Self { base: base.clone(), forgotten, ..Self::new() };
        for (child, parent) in base {
            tree.set_parent(child, Some(parent));
        }
        tree
    }
}

impl<K: Ord + Clone> Default for MoveTree<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Ord + Clone> Lattice for MoveTree<K> {
    /// A tree that has forgotten more is taken over whole, and the moves since then are added to it.
    fn merge(&mut self, other: &Self) -> bool {
        let mut news = false;
        if other.forgotten > self.forgotten {
            let mut from = Self::restore(other.base.clone(), other.forgotten);
            for (stamp, step) in self.moves() {
                from.take(stamp, step.clone());
            }
            *self = from;
            news = true;
        }
        for (stamp, step) in other.moves() {
            news |= self.take(stamp, step.clone());
        }
        news
    }
}

impl<K: Ord + Clone> Delta for MoveTree<K> {
    /// The latest stamp of each replica, as for [`LwwMap`](crate::map::LwwMap).
    type Version = VersionVector;

    fn version(&self) -> VersionVector {
        self.log.keys().map(|stamp| (stamp.replica(), stamp.as_u64())).collect()
    }

    fn delta_since(&self, seen: &VersionVector) -> Self {
        let mut part = Self::new();
        for (stamp, step) in self.moves() {
            let known = seen.get(stamp.replica());
            if stamp.as_u64() > known || known == 0 {
                part.take(stamp, step.clone());
            }
        }
        part
    }
}

/// The same moves and the same tree.
impl<K: Ord + Clone> PartialEq for MoveTree<K> {
    fn eq(&self, other: &Self) -> bool {
        self.moves().eq(other.moves()) && self.parents == other.parents
    }
}

impl<K: Ord + Clone> Eq for MoveTree<K> {}
