//! Keys and node identities as 64 stable bits.

use alloc::string::String;
use alloc::vec::Vec;
use archstone_core::hash::{hash, hash_u64};

/// A key that has been hashed: what every placement takes.
///
/// Wrap a value of your own with `Hashed(bits)` when you hash elsewhere; the bits must be uniform.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Hashed(pub u64);

/// A value that can be placed: its bytes are hashed by the family's stable hash, so that every
/// process, platform and release agrees on who owns it.
///
/// Integers hash as their 8 little-endian bytes, text as its UTF-8, pairs as the second part under
/// the hash of the first: `("a", "bc")` and `("ab", "c")` are different keys. [`Hashed`] passes
/// through.
///
/// ```
/// use archstone_hashring::{Hashed, Key};
///
/// assert_eq!("user:42".hashed(0), b"user:42"[..].hashed(0));
/// assert_eq!(7_u64.hashed(0), 7_u32.hashed(0));
/// assert_ne!(("a", "bc").hashed(0), ("ab", "c").hashed(0));
/// assert_eq!(Hashed(9).hashed(0), Hashed(9));
/// ```
pub trait Key {
    /// The key under `seed`; clusters that must place independently use different seeds.
    fn hashed(&self, seed: u64) -> Hashed;
}

impl Key for Hashed {
    #[inline]
    fn hashed(&self, _: u64) -> Hashed {
        *self
    }
}

impl Key for [u8] {
    #[inline]
    fn hashed(&self, seed: u64) -> Hashed {
        Hashed(hash(self, seed))
    }
}

impl<const N: usize> Key for [u8; N] {
    #[inline]
    fn hashed(&self, seed: u64) -> Hashed {
        self[..].hashed(seed)
    }
}

impl Key for str {
    #[inline]
    fn hashed(&self, seed: u64) -> Hashed {
        self.as_bytes().hashed(seed)
    }
}

impl Key for String {
    #[inline]
    fn hashed(&self, seed: u64) -> Hashed {
        self.as_bytes().hashed(seed)
    }
}

impl Key for Vec<u8> {
    #[inline]
    fn hashed(&self, seed: u64) -> Hashed {
        self[..].hashed(seed)
    }
}

impl<K: Key + ?Sized> Key for &K {
    #[inline]
    fn hashed(&self, seed: u64) -> Hashed {
        (**self).hashed(seed)
    }
}

impl<A: Key, B: Key> Key for (A, B) {
    #[inline]
    fn hashed(&self, seed: u64) -> Hashed {
        self.1.hashed(self.0.hashed(seed).0)
    }
}

macro_rules! integer_keys {
    ($($int:ty),*) => {$(
        impl Key for $int {
            #[inline]
            fn hashed(&self, seed: u64) -> Hashed {
                Hashed(hash_u64(*self as u64, seed))
            }
        }
    )*};
}
integer_keys!(u8, u16, u32, u64, usize, i8, i16, i32, i64, isize);

/// A node's identity to a placement: 64 bits of its name. Points, scores and ties follow from it,
/// never from the order of joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct NodeId(pub u64);

impl NodeId {
    /// The identity of a node of that name.
    #[must_use]
    pub fn of(name: &str) -> Self {
        // A seed of its own, so that a key equal to a node's name is not drawn to that node.
        Self(hash(name.as_bytes(), 0x006e_6f64_6573))
    }
}
