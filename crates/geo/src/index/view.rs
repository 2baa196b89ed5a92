//! The index as bytes, and asking them where they lie.

use alloc::vec::Vec;
use core::fmt;

use archstone_core::bytes::{DecodeError, Reader, Why, Writer};

use super::tree::{Layout, Tree};
use super::{Ids, InBox, Near, PlaceIndex};
use crate::bounds::LatLngBox;
use crate::coord::LatLng;

/// The first byte of an encoded index.
pub(crate) const KIND: u8 = 0x80;
const VERSION: u8 = 1;

/// An encoded [`PlaceIndex`], asked in place: a file that is mapped, a part of a message.
///
/// Items are numbers. [`View::new`] looks at every byte once, O(n), so that no bytes whatever lead
/// to a panic or a wrong answer later.
///
/// ```
/// use archstone_geo::{LatLng, PlaceIndex, View};
///
/// let bytes = PlaceIndex::new([(LatLng::new(48.8584, 2.2945)?, 7_u64)]).encode();
/// let view = View::new(&bytes)?;
/// assert_eq!(view.near(LatLng::new(48.0, 2.0)?).collect()[0].item, 7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct View<'a> {
    tree: Tree<&'a [u8]>,
    items: Ids<'a>,
}

impl<T: Copy + Into<u64>> PlaceIndex<T> {
    /// Its bytes: a header of 7, the tree as `src/index/tree.rs` lays it out, 8 an item.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new();
        out.header(KIND, VERSION);
        out.u8(u8::from(self.tree.layout.is_compact()));
        // At most u32::MAX places, by `build`.
        out.u32(self.items.len() as u32);
        out.bytes(&self.tree.bytes);
        for &item in &self.items {
            out.u64(item.into());
        }
        out.into_vec()
    }
}

impl<'a> View<'a> {
    /// The index in `bytes`.
    ///
    /// # Errors
    /// Bytes that [`PlaceIndex::encode`] does not write.
    pub fn new(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::new(bytes);
        input.header(KIND, VERSION)?;
        let before = input.clone();
        let compact = match input.u8("form")? {
            0 => false,
            1 => true,
            value => return Err(before.error("form", Why::Limit { value: value.into(), limit: 1 })),
        };
        let len = input.u32("places")? as usize;
        let layout = Layout::of(len, compact);
        let start = input.position();
        let tree = Tree { layout, bytes: input.bytes(layout.bytes, "tree")? };
        let items = Ids(input.bytes(8 * len, "items")?);
        input.finish()?;
        tree.check().map_err(|(at, why)| DecodeError {
            at: start + at,
            what: "tree",
            why: Why::Invalid(why),
        })?;
        Ok(Self { tree, items })
    }

    /// How many places.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tree.layout.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn tree(&self) -> Tree<&'a [u8]> {
        self.tree
    }

    pub(super) fn items(&self) -> Ids<'a> {
        self.items
    }

    /// Asks what is near `center`.
    pub fn near(&self, center: LatLng) -> Near<'a, Ids<'a>> {
        Near::new(self.tree, self.items, center)
    }

    /// The places in a box, in the order of the tree.
    pub fn in_box<'b>(&self, area: &'b LatLngBox) -> InBox<'b, Ids<'b>>
    where
        'a: 'b,
    {
        InBox::new(self.tree, self.items, area)
    }
}

impl fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "View({} places)", self.len())
    }
}
