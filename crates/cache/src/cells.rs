//! Where keys and values lie: [`Owned`] for any type, [`Words`] for those that are plain words and
//! can be read while they are being written.

use alloc::sync::Arc;
use alloc::vec::Vec;
use archstone_core::shim::atomic::{AtomicU64, Ordering::Relaxed};
use core::mem::MaybeUninit;

/// A type that is a few words of which every pattern is a value, so that a reader may copy it while
/// a writer is at work and look afterwards whether the copy is whole.
///
/// Implemented for integers, floats, `bool`, `char`, `()`, arrays and pairs of such. For a struct:
///
/// ```
/// use archstone_cache::{Plain, Word};
///
/// #[derive(Clone, Copy, PartialEq, Debug)]
/// struct Point { x: i32, y: i32 }
///
/// impl Plain for Point {
///     const WORDS: usize = 1;
///     fn store(self, to: &[Word]) {
///         to[0].set(u64::from(self.x as u32) << 32 | u64::from(self.y as u32));
///     }
///     fn load(from: &[Word]) -> Self {
///         let word = from[0].get();
///         Self { x: (word >> 32) as i32, y: word as i32 }
///     }
/// }
/// ```
pub trait Plain: Copy {
    /// Words of 64 bits that it takes.
    const WORDS: usize;
    /// Writes itself to `to`, which has `WORDS` words.
    fn store(self, to: &[Word]);
    /// Reads itself from `from`, which has `WORDS` words. They may be of two different values, so
    /// every pattern must give some value; the cache then throws it away.
    fn load(from: &[Word]) -> Self;
}

/// 64 bits that one thread may write while others read.
#[derive(Debug)]
pub struct Word(AtomicU64);

impl Word {
    /// The bits.
    #[inline(always)]
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }

    /// Replaces the bits.
    #[inline(always)]
    pub fn set(&self, bits: u64) {
        self.0.store(bits, Relaxed);
    }
}

macro_rules! plain {
    ($($type:ty: $value:ident => $to:expr, $bits:ident => $from:expr;)*) => {$(
        impl Plain for $type {
            const WORDS: usize = 1;
            #[inline(always)]
            fn store(self, to: &[Word]) {
                let $value = self;
                to[0].set($to);
            }
            #[inline(always)]
            fn load(from: &[Word]) -> Self {
                let $bits = from[0].get();
                $from
            }
        }
    )*};
}

plain! {
    u8: v => u64::from(v), b => b as Self;
    u16: v => u64::from(v), b => b as Self;
    u32: v => u64::from(v), b => b as Self;
    u64: v => v, b => b;
    usize: v => v as u64, b => b as Self;
    i8: v => v as u64, b => b as Self;
    i16: v => v as u64, b => b as Self;
    i32: v => v as u64, b => b as Self;
    i64: v => v as u64, b => b as Self;
    isize: v => v as u64, b => b as Self;
    f32: v => u64::from(v.to_bits()), b => Self::from_bits(b as u32);
    f64: v => v.to_bits(), b => Self::from_bits(b);
    bool: v => u64::from(v), b => b != 0;
    char: v => u64::from(v), b => Self::from_u32(b as u32).unwrap_or(Self::REPLACEMENT_CHARACTER);
}

impl Plain for () {
    const WORDS: usize = 0;
    fn store(self, _: &[Word]) {}
    fn load(_: &[Word]) -> Self {}
}

impl Plain for u128 {
    const WORDS: usize = 2;
    fn store(self, to: &[Word]) {
        to[0].set(self as u64);
        to[1].set((self >> 64) as u64);
    }
    fn load(from: &[Word]) -> Self {
        Self::from(from[1].get()) << 64 | Self::from(from[0].get())
    }
}

impl<A: Plain, B: Plain> Plain for (A, B) {
    const WORDS: usize = A::WORDS + B::WORDS;
    #[inline(always)]
    fn store(self, to: &[Word]) {
        self.0.store(&to[..A::WORDS]);
        self.1.store(&to[A::WORDS..]);
    }
    #[inline(always)]
    fn load(from: &[Word]) -> Self {
        (A::load(&from[..A::WORDS]), B::load(&from[A::WORDS..]))
    }
}

impl<T: Plain, const N: usize> Plain for [T; N] {
    const WORDS: usize = T::WORDS * N;
    fn store(self, to: &[Word]) {
        for (i, item) in self.into_iter().enumerate() {
            item.store(&to[i * T::WORDS..(i + 1) * T::WORDS]);
        }
    }
    fn load(from: &[Word]) -> Self {
        core::array::from_fn(|i| T::load(&from[i * T::WORDS..(i + 1) * T::WORDS]))
    }
}

/// Storage of keys and values by slot. Not for users to implement: it is the choice between
/// [`Owned`] and [`Words`].
#[allow(unsafe_code)] // The contract is that of `Table`, its only caller.
pub trait Cells<K, V>: sealed::Sealed {
    /// Whether [`Cells::peek`] may be called beside a writer.
    const SHARED: bool;
    /// A handle for readers without the lock.
    type View: Clone + Send + Sync;

    #[doc(hidden)]
    fn new() -> Self;
    #[doc(hidden)]
    fn reserve(&mut self, slots: usize);
    #[doc(hidden)]
    fn view(&self) -> Self::View;
    /// The value of `slot` if `is_it` says yes to its key. Of a slot that is being written beside
    /// it, or was never written, it gives any key and any value.
    #[doc(hidden)]
    fn peek(view: &Self::View, slot: u32, is_it: impl FnOnce(&K) -> bool) -> Option<V>;
    /// # Safety
    /// The slot is below what was reserved, and empty.
    #[doc(hidden)]
    unsafe fn put(&mut self, slot: u32, key: K, value: V);
    /// # Safety
    /// The slot is occupied; it is empty afterwards.
    #[doc(hidden)]
    unsafe fn take(&mut self, slot: u32) -> (K, V);
    /// # Safety
    /// The slot is occupied.
    #[doc(hidden)]
    unsafe fn with<R>(&self, slot: u32, see: impl FnOnce(&K, &V) -> R) -> R;
    #[doc(hidden)]
    fn bytes(&self) -> usize;
}

mod sealed {
    pub trait Sealed {}
}

/// Any key and value, read under the lock of their shard.
pub struct Owned<K, V>(Vec<MaybeUninit<(K, V)>>);

impl<K, V> sealed::Sealed for Owned<K, V> {}

#[allow(unsafe_code)]
impl<K, V> Cells<K, V> for Owned<K, V> {
    const SHARED: bool = false;
    type View = ();

    fn new() -> Self {
        Self(Vec::new())
    }

    fn reserve(&mut self, slots: usize) {
        self.0.reserve_exact(slots.saturating_sub(self.0.len()));
        // SAFETY: the capacity is at least `slots`, and `MaybeUninit` needs no initialisation.
        unsafe { self.0.set_len(slots.max(self.0.len())) };
    }

    fn view(&self) {}

    fn peek((): &(), _: u32, _: impl FnOnce(&K) -> bool) -> Option<V> {
        None
    }

    #[inline(always)]
    unsafe fn put(&mut self, slot: u32, key: K, value: V) {
        debug_assert!((slot as usize) < self.0.len());
        // SAFETY: below the length by the contract.
        unsafe { self.0.get_unchecked_mut(slot as usize) }.write((key, value));
    }

    #[inline(always)]
    unsafe fn take(&mut self, slot: u32) -> (K, V) {
        debug_assert!((slot as usize) < self.0.len());
        // SAFETY: occupied by the contract, so below the length; the caller will not read it again.
        unsafe { self.0.get_unchecked(slot as usize).assume_init_read() }
    }

    #[inline(always)]
    unsafe fn with<R>(&self, slot: u32, see: impl FnOnce(&K, &V) -> R) -> R {
        // SAFETY: occupied by the contract, so below the length and initialised.
        let (key, value) = unsafe { self.0.get_unchecked(slot as usize).assume_init_ref() };
        see(key, value)
    }

    fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<(K, V)>()
    }
}

impl<K, V> Owned<K, V> {
    /// # Safety
    /// The slot is occupied.
    #[inline(always)]
    #[allow(unsafe_code)]
    pub(crate) unsafe fn entry(&self, slot: u32) -> (&K, &V) {
        // SAFETY: occupied by the contract, so below the length and initialised.
        let (key, value) = unsafe { self.0.get_unchecked(slot as usize).assume_init_ref() };
        (key, value)
    }

    /// # Safety
    /// The slot is occupied.
    #[inline(always)]
    #[allow(unsafe_code)]
    pub(crate) unsafe fn value_mut(&mut self, slot: u32) -> &mut V {
        // SAFETY: occupied by the contract, so below the length and initialised.
        unsafe { &mut self.0.get_unchecked_mut(slot as usize).assume_init_mut().1 }
    }
}

/// Keys and values that are [`Plain`], readable without the lock of their shard.
///
/// Slots are reserved once: a reader must not find that its words have moved.
pub struct Words<K, V> {
    words: Arc<[Word]>,
    types: core::marker::PhantomData<fn() -> (K, V)>,
}

impl<K, V> sealed::Sealed for Words<K, V> {}

impl<K: Plain, V: Plain> Words<K, V> {
    const EACH: usize = K::WORDS + V::WORDS;

    #[inline(always)]
    fn of(words: &[Word], slot: u32) -> Option<(&[Word], &[Word])> {
        let from = slot as usize * Self::EACH;
        Some(words.get(from..from + Self::EACH)?.split_at(K::WORDS))
    }
}

#[allow(unsafe_code)]
impl<K: Plain, V: Plain> Cells<K, V> for Words<K, V> {
    const SHARED: bool = true;
    type View = Arc<[Word]>;

    fn new() -> Self {
        Self { words: Arc::default(), types: core::marker::PhantomData }
    }

    fn reserve(&mut self, slots: usize) {
        if self.words.is_empty() {
            let words: Vec<Word> =
                (0..slots * Self::EACH).map(|_| Word(AtomicU64::new(0))).collect();
            self.words = words.into();
        }
    }

    fn view(&self) -> Arc<[Word]> {
        Arc::clone(&self.words)
    }

    #[inline(always)]
    fn peek(view: &Arc<[Word]>, slot: u32, is_it: impl FnOnce(&K) -> bool) -> Option<V> {
        let (key, value) = Self::of(view, slot)?;
        is_it(&K::load(key)).then(|| V::load(value))
    }

    unsafe fn put(&mut self, slot: u32, key: K, value: V) {
        if let Some((k, v)) = Self::of(&self.words, slot) {
            key.store(k);
            value.store(v);
        }
    }

    unsafe fn take(&mut self, slot: u32) -> (K, V) {
        // SAFETY: the caller's contract, unchanged.
        unsafe { self.with(slot, |key, value| (*key, *value)) }
    }

    #[inline(always)]
    unsafe fn with<R>(&self, slot: u32, see: impl FnOnce(&K, &V) -> R) -> R {
        let from = slot as usize * Self::EACH;
        let (key, value) = self.words[from..from + Self::EACH].split_at(K::WORDS);
        see(&K::load(key), &V::load(value))
    }

    fn bytes(&self) -> usize {
        size_of_val::<[Word]>(&self.words)
    }
}

impl<K, V> core::fmt::Debug for Owned<K, V> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Owned({} slots)", self.0.len())
    }
}

impl<K, V> core::fmt::Debug for Words<K, V> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Words({} words)", self.words.len())
    }
}
