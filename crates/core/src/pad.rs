//! Keeping hot words apart.

use core::ops::{Deref, DerefMut};

/// A value alone on its cache line, so that writers of neighbours do not slow each other.
///
/// 128 bytes on x86-64 and AArch64, whose prefetchers pull lines in pairs; 64 elsewhere.
///
/// ```
/// use archstone_core::pad::CachePadded;
///
/// let pair = [CachePadded::new(1_u64), CachePadded::new(2)];
/// let distance = std::ptr::from_ref(&*pair[1]) as usize - std::ptr::from_ref(&*pair[0]) as usize;
/// assert!(distance >= 64);
/// ```
#[cfg_attr(any(target_arch = "x86_64", target_arch = "aarch64"), repr(align(128)))]
#[cfg_attr(not(any(target_arch = "x86_64", target_arch = "aarch64")), repr(align(64)))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CachePadded<T>(T);

impl<T> CachePadded<T> {
    /// Pads `value`.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value without its padding.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for CachePadded<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for CachePadded<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}
