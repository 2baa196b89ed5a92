//! Circular doubly linked lists over slots, eight bytes a slot.
//!
//! The heads of the `Q` lists are the first nodes of the same vector, so that neither linking nor
//! unlinking has a case for an end: an empty list is a head linked to itself.
//!
//! Invariant: every `prev` and `next` is below the number of nodes, which never falls. So only a slot
//! that comes from outside is checked; its neighbours need not be. A hit of an LRU follows four of
//! them: unchecked, it is a sixth faster (bench `cache.P1`, 1 K entries).
#![allow(unsafe_code)]

use alloc::vec::Vec;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Link {
    /// Towards the newer end.
    prev: u32,
    /// Towards the older end.
    next: u32,
}

/// `Q` lists; a slot is in at most one of them.
#[derive(Debug)]
pub(crate) struct Links<const Q: usize> {
    nodes: Vec<Link>,
}

impl<const Q: usize> Links<Q> {
    pub(crate) fn new() -> Self {
        let mut nodes = Vec::new();
        nodes.extend((0..Q as u32).map(|node| Link { prev: node, next: node }));
        Self { nodes }
    }

    /// Makes room for slots below `slots`.
    pub(crate) fn reserve(&mut self, slots: usize) {
        let (from, to) = (self.nodes.len(), slots + Q);
        self.nodes.reserve_exact(to.saturating_sub(from));
        self.nodes.extend((from..to).map(|node| Link { prev: node as u32, next: node as u32 }));
    }

    #[inline(always)]
    const fn node(slot: u32) -> u32 {
        slot + Q as u32
    }

    /// The slot of a node, unless it is a head.
    #[inline(always)]
    fn slot(node: u32) -> Option<u32> {
        node.checked_sub(Q as u32)
    }

    /// A node that a link leads to.
    #[inline(always)]
    fn at(&mut self, node: u32) -> &mut Link {
        debug_assert!((node as usize) < self.nodes.len());
        // SAFETY: private, and called with heads, with nodes that were checked and with what their
        // links say; by the invariant all are below the length.
        unsafe { self.nodes.get_unchecked_mut(node as usize) }
    }

    /// Links a node that has been checked, next to one that is linked.
    #[inline(always)]
    fn link_after(&mut self, node: u32, newer: u32) {
        let older = self.at(newer).next;
        *self.at(node) = Link { prev: newer, next: older };
        self.at(newer).next = node;
        self.at(older).prev = node;
    }

    /// The node of a slot, checked.
    #[inline(always)]
    fn checked(&self, slot: u32) -> u32 {
        let node = Self::node(slot);
        assert!((node as usize) < self.nodes.len(), "a slot that was not reserved");
        node
    }

    /// The head of a list, checked.
    #[inline(always)]
    fn head(q: usize) -> u32 {
        assert!(q < Q);
        q as u32
    }

    /// Puts a slot that is in no list at the newer end of list `q`.
    #[inline(always)]
    pub(crate) fn push_newest(&mut self, q: usize, slot: u32) {
        let node = self.checked(slot);
        self.link_after(node, Self::head(q));
    }

    /// Puts a slot that is in no list at the older end of list `q`.
    pub(crate) fn push_oldest(&mut self, q: usize, slot: u32) {
        let (node, newer) = (self.checked(slot), self.nodes[q].prev);
        self.link_after(node, newer);
    }

    /// Puts a slot that is in no list next to `other`, towards the newer end.
    pub(crate) fn insert_newer_than(&mut self, other: u32, slot: u32) {
        let newer = self.nodes[Self::node(other) as usize].prev;
        let node = self.checked(slot);
        self.link_after(node, newer);
    }

    /// Takes a slot out of its list; does nothing if it is in none.
    #[inline(always)]
    pub(crate) fn unlink(&mut self, slot: u32) {
        let node = self.checked(slot);
        let Link { prev, next } = *self.at(node);
        self.at(prev).next = next;
        self.at(next).prev = prev;
        *self.at(node) = Link { prev: node, next: node };
    }

    /// Moves a slot to the newer end of list `q`, whatever list it was in.
    #[inline(always)]
    pub(crate) fn move_to_newest(&mut self, q: usize, slot: u32) {
        let node = self.checked(slot);
        let Link { prev, next } = *self.at(node);
        if prev == Self::head(q) {
            return;
        }
        self.at(prev).next = next;
        self.at(next).prev = prev;
        self.link_after(node, Self::head(q));
    }

    /// The slot at the older end.
    #[inline(always)]
    pub(crate) fn oldest(&self, q: usize) -> Option<u32> {
        Self::slot(self.nodes[q].prev)
    }

    /// The slot at the newer end.
    pub(crate) fn newest(&self, q: usize) -> Option<u32> {
        Self::slot(self.nodes[q].next)
    }

    /// The neighbour towards the newer end; `None` at the end.
    #[inline(always)]
    pub(crate) fn newer(&self, slot: u32) -> Option<u32> {
        Self::slot(self.nodes[Self::node(slot) as usize].prev)
    }

    /// The neighbour towards the older end; `None` at the end.
    pub(crate) fn older(&self, slot: u32) -> Option<u32> {
        Self::slot(self.nodes[Self::node(slot) as usize].next)
    }

    pub(crate) fn is_empty(&self, q: usize) -> bool {
        self.nodes[q].next == q as u32
    }

    /// From the oldest to the newest, checking that both directions agree.
    pub(crate) fn for_each(&self, q: usize, mut each: impl FnMut(u32)) {
        let (mut node, mut steps) = (self.nodes[q].prev, 0);
        let mut older = q as u32;
        while node != q as u32 {
            assert_eq!(self.nodes[node as usize].next, older, "links of list {q} disagree");
            steps += 1;
            assert!(steps < self.nodes.len(), "list {q} does not end");
            each(node - Q as u32);
            older = node;
            node = self.nodes[node as usize].prev;
        }
        assert_eq!(self.nodes[q].next, older, "the head of list {q}");
    }

    /// Empties every list.
    pub(crate) fn clear(&mut self) {
        for (node, link) in self.nodes.iter_mut().enumerate() {
            *link = Link { prev: node as u32, next: node as u32 };
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<Link>()
    }
}
