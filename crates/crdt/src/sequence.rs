//! A list whose order concurrent inserts do not tear (Weidner, Kleppmann: The art of the Fugue,
//! arXiv 2305.00583).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::clock::CausalContext;
use crate::id::{Dot, Exhausted, ReplicaId};
use crate::lattice::{Delta, Lattice};

/// Up to this many nodes find their places one by one, more by a walk of the whole tree.
const FEW: usize = 32;

/// On which side of its parent a node hangs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    Left,
    Right,
}

/// One value that was ever inserted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node<T> {
    /// `None` is the root.
    pub(crate) parent: Option<Dot>,
    pub(crate) side: Side,
    /// `None` once deleted.
    pub(crate) value: Option<T>,
    /// The least of the events that deleted it.
    pub(crate) deleted: Option<Dot>,
}

/// A list of values: playlists, to-do lists, the blocks of a page.
///
/// Runs that replicas insert at one place at the same time, forwards or backwards, stay whole
/// beside each other (maximal non-interleaving is what Fugue's tree is for). An index may change
/// by what others do, an [`id`](Self::id_at) never. A deleted value keeps its place, 50 bytes
/// without the value, for ever: [`Stability`](crate::sync::Stability) says when a fresh copy can
/// be made instead.
///
/// Insert and delete by index are O(n) moves of 16 bytes, a remote insert O(n) to find its place;
/// meant for lists of thousands, not for text.
///
/// ```
/// use archstone_crdt::{Lattice, ReplicaId, sequence::Sequence};
///
/// let (ann, bob) = (ReplicaId(1), ReplicaId(2));
/// let mut songs = Sequence::new();
/// songs.push(ann, "intro")?;
/// let mut copy = songs.clone();
/// songs.insert(ann, 1, "a1")?;
/// songs.insert(ann, 2, "a2")?;
/// copy.insert(bob, 1, "b1")?;
/// copy.insert(bob, 2, "b2")?;
/// songs.merge(&copy);
/// assert_eq!(songs.iter().collect::<Vec<_>>(), [&"intro", &"a1", &"a2", &"b1", &"b2"]);
/// # Ok::<(), archstone_crdt::sequence::SequenceError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Sequence<T> {
    nodes: BTreeMap<Dot, Node<T>>,
    /// All placed nodes in the order of the list, deleted ones included.
    order: Vec<Dot>,
    /// The dots of `order`.
    placed: BTreeSet<Dot>,
    /// The children of each node and side, by id; the root under `None`.
    children: BTreeMap<(Option<Dot>, Side), Vec<Dot>>,
    context: CausalContext,
    live: usize,
}

/// Why a list was not changed.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SequenceError {
    /// An index past the end.
    OutOfBounds {
        /// The index.
        index: usize,
        /// How many values there are.
        len: usize,
    },
    /// After `u64::MAX` events.
    Exhausted(Exhausted),
}

impl core::fmt::Display for SequenceError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::OutOfBounds { index, len } => write!(f, "index {index} in a list of {len}"),
            Self::Exhausted(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for SequenceError {}

impl From<Exhausted> for SequenceError {
    fn from(error: Exhausted) -> Self {
        Self::Exhausted(error)
    }
}

impl<T: Clone> Sequence<T> {
    /// An empty list.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            nodes: BTreeMap::new(),
            order: Vec::new(),
            placed: BTreeSet::new(),
            children: BTreeMap::new(),
            context: CausalContext::new(),
            live: 0,
        }
    }

    /// Values.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.live
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// The values in order.
    pub fn iter(&self) -> impl Iterator<Item = &T> + '_ {
        self.order.iter().filter_map(|dot| self.nodes.get(dot)?.value.as_ref())
    }

    /// The value at `index`. O(n).
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&T> {
        self.iter().nth(index)
    }

    /// What names the value at `index` for good.
    #[must_use]
    pub fn id_at(&self, index: usize) -> Option<Dot> {
        self.order.get(self.place_of(index)?).copied()
    }

    /// Where the value `id` is now, or where it was before it was deleted.
    #[must_use]
    pub fn index_of(&self, id: Dot) -> Option<usize> {
        let place = self.order.iter().position(|&dot| dot == id)?;
        Some(self.order[..place].iter().filter(|dot| self.is_live(**dot)).count())
    }

    fn is_live(&self, dot: Dot) -> bool {
        self.nodes.get(&dot).is_some_and(|node| node.value.is_some())
    }

    /// The place in `order` of the live value at `index`.
    fn place_of(&self, index: usize) -> Option<usize> {
        let mut live = self.order.iter().enumerate().filter(|(_, dot)| self.is_live(**dot));
        live.nth(index).map(|(place, _)| place)
    }

    /// Inserts `value` so that it stands at `index`; the delta.
    ///
    /// # Errors
    /// [`SequenceError`]; nothing was changed.
    pub fn insert(&mut self, me: ReplicaId, index: usize, value: T) -> Result<Self, SequenceError> {
        if index > self.live {
            return Err(SequenceError::OutOfBounds { index, len: self.live });
        }
        // Right after the value before it: as its right child, or, where that has some already,
        // as a left child of what follows. So a run is a chain, which nothing can get into.
        let left = index.checked_sub(1).and_then(|before| self.place_of(before));
        let left_dot = left.map(|place| self.order[place]);
        let next = left.map_or(0, |place| place + 1);
        let (parent, side) = if self.children.contains_key(&(left_dot, Side::Right)) {
            (self.order.get(next).copied(), Side::Left)
        } else {
            (left_dot, Side::Right)
        };
        let dot = self.context.next(me)?;
        let node = Node { parent, side, value: Some(value), deleted: None };
        self.add(dot, node.clone());
        Ok(Self::fragment(dot, node, dot))
    }

    /// Appends `value`; the delta.
    ///
    /// # Errors
    /// [`SequenceError::Exhausted`]; nothing was changed.
    pub fn push(&mut self, me: ReplicaId, value: T) -> Result<Self, SequenceError> {
        self.insert(me, self.live, value)
    }

    /// Deletes the value at `index`; the delta.
    ///
    /// # Errors
    /// [`SequenceError`]; nothing was changed.
    pub fn remove(&mut self, me: ReplicaId, index: usize) -> Result<Self, SequenceError> {
        let out = SequenceError::OutOfBounds { index, len: self.live };
        let id = self.id_at(index).ok_or(out)?;
        let event = self.context.next(me)?;
        self.delete(id, event);
        let node = self.nodes.get(&id).cloned().ok_or(out)?;
        Ok(Self::fragment(id, node, event))
    }

    /// One node alone.
    fn fragment(dot: Dot, node: Node<T>, event: Dot) -> Self {
        let mut delta = Self::new();
        delta.context.insert(dot);
        delta.context.insert(event);
        delta.add(dot, node);
        delta
    }

    fn delete(&mut self, id: Dot, event: Dot) -> bool {
        let Some(node) = self.nodes.get_mut(&id) else { return false };
        if node.value.take().is_some() && self.placed.contains(&id) {
            self.live -= 1;
        }
        let least = node.deleted.map_or(event, |deleted| deleted.min(event));
        let news = node.deleted != Some(least);
        node.deleted = Some(least);
        news
    }

    /// Adds a node, and gives a place to it and to those that waited for it.
    fn add(&mut self, dot: Dot, node: Node<T>) {
        let parent = node.parent;
        self.link(dot, node);
        if parent.is_none_or(|parent| self.placed.contains(&parent)) {
            self.place(dot);
        }
    }

    /// Adds a node without a place; [`arrange`](Self::arrange) gives it one.
    pub(crate) fn link(&mut self, dot: Dot, node: Node<T>) {
        let siblings = self.children.entry((node.parent, node.side)).or_default();
        if let Err(at) = siblings.binary_search(&dot) {
            siblings.insert(at, dot);
        }
        self.nodes.insert(dot, node);
    }

    /// Places all nodes anew by one walk of the tree. O(n log n).
    pub(crate) fn arrange(&mut self) {
        self.order.clear();
        self.placed.clear();
        self.live = 0;
        let children = |parent, side| self.children.get(&(parent, side)).into_iter().flatten();
        // What is still to come, last first: whole subtrees, or a node whose left side is done.
        let mut to_come: Vec<(Dot, bool)> =
            children(None, Side::Right).rev().map(|&dot| (dot, false)).collect();
        while let Some((dot, left_is_done)) = to_come.pop() {
            if left_is_done {
                self.order.push(dot);
                self.placed.insert(dot);
                self.live += usize::from(self.nodes.get(&dot).is_some_and(|n| n.value.is_some()));
                continue;
            }
            to_come.extend(children(Some(dot), Side::Right).rev().map(|&dot| (dot, false)));
            to_come.push((dot, true));
            to_come.extend(children(Some(dot), Side::Left).rev().map(|&dot| (dot, false)));
        }
    }

    /// Gives `dot`, whose parent has its place, and all under it theirs.
    fn place(&mut self, dot: Dot) {
        let mut to_place = alloc::vec![dot];
        while let Some(dot) = to_place.pop() {
            let Some(node) = self.nodes.get(&dot) else { continue };
            if self.placed.contains(&dot) {
                continue;
            }
            let at = self.position(dot, node.parent, node.side);
            self.live += usize::from(node.value.is_some());
            self.order.insert(at, dot);
            self.placed.insert(dot);
            for side in [Side::Left, Side::Right] {
                to_place.extend(self.children.get(&(Some(dot), side)).into_iter().flatten());
            }
        }
    }

    /// Before which place a node without children stands: left children, node, right children, by
    /// id on each side.
    fn position(&self, dot: Dot, parent: Option<Dot>, side: Side) -> usize {
        let place = |dot: Dot| self.order.iter().position(|&d| d == dot);
        let siblings = self.children.get(&(parent, side)).map_or(&[][..], Vec::as_slice);
        let placed = |d: &&Dot| self.placed.contains(d);
        match side {
            Side::Right => {
                let before = siblings.iter().filter(placed).rfind(|d| **d < dot);
                match (before, parent) {
                    (Some(&before), _) => place(self.last_under(before)).map_or(0, |at| at + 1),
                    (None, Some(parent)) => place(parent).map_or(0, |at| at + 1),
                    (None, None) => 0,
                }
            }
            Side::Left => {
                let after = siblings.iter().filter(placed).find(|d| **d > dot);
                match (after, parent) {
                    (Some(&after), _) => place(self.first_under(after)).unwrap_or(0),
                    (None, Some(parent)) => place(parent).unwrap_or(0),
                    (None, None) => 0,
                }
            }
        }
    }

    fn last_under(&self, mut dot: Dot) -> Dot {
        while let Some(&last) = self.placed_children(dot, Side::Right).next_back() {
            dot = last;
        }
        dot
    }

    fn first_under(&self, mut dot: Dot) -> Dot {
        while let Some(&first) = self.placed_children(dot, Side::Left).next() {
            dot = first;
        }
        dot
    }

    fn placed_children(&self, dot: Dot, side: Side) -> impl DoubleEndedIterator<Item = &Dot> + '_ {
        let children = self.children.get(&(Some(dot), side)).map_or(&[][..], Vec::as_slice);
        children.iter().filter(|d| self.placed.contains(d))
    }

    /// The events that were seen.
    #[must_use]
    pub const fn context(&self) -> &CausalContext {
        &self.context
    }

    /// Values that are here and wait for the one beside which they were inserted.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.nodes.len() - self.order.len()
    }

    pub(crate) const fn nodes(&self) -> &BTreeMap<Dot, Node<T>> {
        &self.nodes
    }

    pub(crate) fn empty_at(context: CausalContext) -> Self {
        Self { context, ..Self::new() }
    }
}

impl<T: Clone> Default for Sequence<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Clone> Lattice for Sequence<T> {
    fn merge(&mut self, other: &Self) -> bool {
        let (mut news, mut added) = (false, Vec::new());
        for (&dot, node) in &other.nodes {
            match (self.nodes.contains_key(&dot), node.deleted) {
                (false, _) => added.push((dot, node)),
                (true, Some(event)) => news |= self.delete(dot, event),
                (true, None) => {}
            }
        }
        news |= !added.is_empty();
        if added.len() < FEW {
            added.into_iter().for_each(|(dot, node)| self.add(dot, node.clone()));
        } else {
            added.into_iter().for_each(|(dot, node)| self.link(dot, node.clone()));
            self.arrange();
        }
        self.context.merge(&other.context) || news
    }
}

impl<T: Clone> Delta for Sequence<T> {
    type Version = CausalContext;

    fn version(&self) -> CausalContext {
        self.context.clone()
    }

    /// Nodes that were inserted or deleted since.
    fn delta_since(&self, seen: &CausalContext) -> Self {
        let mut part = Self::empty_at(self.context.delta_since(seen));
        for (&dot, node) in &self.nodes {
            let deleted = node.deleted.is_some_and(|event| !seen.contains(event));
            if !seen.contains(dot) || deleted {
                part.context.insert(dot);
                part.add(dot, node.clone());
            }
        }
        part
    }
}

/// The same values, deleted ones included, in the same places.
impl<T: Clone + PartialEq> PartialEq for Sequence<T> {
    fn eq(&self, other: &Self) -> bool {
        self.nodes == other.nodes && self.context == other.context
    }
}

impl<T: Clone + Eq> Eq for Sequence<T> {}
