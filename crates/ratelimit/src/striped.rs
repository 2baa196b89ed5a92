//! One hot limit for many cores.
//!
//! A single word moves between the cores that write it, about 20 ns each time. Here each lane
//! leases permits from the word in batches and spends them alone.
//!
//! Invariant: the central bucket is as much smaller than the burst as all lanes may hold together,
//! so at any instant `central + leased <= burst`. In any window the admitted cost is then at most
//! what was leased at its start, plus what the central bucket gives in it: at most
//! `burst + rate * length`, as for one exact bucket. It never over-admits. What it may deny too
//! early is what is set aside for the lanes and what they hold: at most `2 * lanes * batch` units.

use crate::{Denial, Gcra, Quota, Shared, Time};
use alloc::boxed::Box;
use archstone_core::pad::CachePadded;
use archstone_core::shim::atomic::{AtomicU64, Ordering};

/// The most units of one lease: at a thousand, the shared word is a thousandth of the cost.
const MOST_LEASED: u64 = 1_024;

/// A stripe is being refilled, or a [`Lane`] owns it: its permits are elsewhere.
const TAKEN: u64 = 1 << 63;

/// GCRA for a limit that many cores check at once.
///
/// [`check_at`](Self::check_at) spends from the stripe of the calling thread, one uncontended
/// compare-exchange. A [`lane`](Self::lane) belongs to its holder and costs a subtraction. Both
/// reach for the shared word once in [`batch`](Self::batch) units.
///
/// Never over-admits. May deny while up to [`stranded`](Self::stranded) units are left, at most a
/// quarter of the burst; the rate in the long run is the whole one. The largest cost that can pass
/// is the burst less a batch a stripe. Memory: 128 bytes a stripe.
#[derive(Debug)]
pub struct Striped {
    central: Shared<Gcra>,
    stripes: Box<[CachePadded<AtomicU64>]>,
    batch: u64,
    quota: Quota,
}

impl Striped {
    /// `quota` over `stripes` stripes (at least 1), one for each core that checks. An eighth of the
    /// burst is for leases, at most 1024 units a stripe: more would strand more and not be felt. A
    /// burst below eight times the stripes leaves none, and every check is central.
    #[must_use]
    pub fn new(quota: Quota, stripes: usize) -> Self {
        let stripes = stripes.clamp(1, 1 << 16);
        let batch = (quota.burst() / (8 * stripes as u64)).min(MOST_LEASED);
        let central = quota.with_burst(quota.burst() - batch * stripes as u64);
        Self {
            central: Shared::new(Gcra::new(central)),
            stripes: (0..stripes).map(|_| CachePadded::new(AtomicU64::new(0))).collect(),
            batch,
            quota,
        }
    }

    /// The quota.
    #[must_use]
    pub const fn quota(&self) -> Quota {
        self.quota
    }

    /// Units that a stripe leases at once; 0 when the burst is too small for leases.
    #[must_use]
    pub const fn batch(&self) -> u64 {
        self.batch
    }

    /// The most units that may be left, of the burst, when a check is denied: a batch is set aside
    /// for each stripe, and each may hold one.
    #[must_use]
    pub fn stranded(&self) -> u64 {
        2 * self.batch * self.stripes.len() as u64
    }

    /// Charges `cost` if it may pass at `now`, from the stripe of this thread.
    ///
    /// # Errors
    /// The denial, with the wait of the central bucket.
    #[cfg(feature = "std")]
    #[inline]
    pub fn check_at(&self, now: Time, cost: u64) -> Result<(), Denial> {
        self.check_in_at(thread_number(), now, cost)
    }

    /// Charges `cost` if it may pass at `now`, from stripe `stripe` modulo their number: for who
    /// knows its core.
    ///
    /// # Errors
    /// The denial, with the wait of the central bucket.
    #[inline]
    pub fn check_in_at(&self, stripe: usize, now: Time, cost: u64) -> Result<(), Denial> {
        let stripe = &*self.stripes[stripe % self.stripes.len()];
        let mut held = stripe.load(Ordering::Relaxed);
        while held & TAKEN == 0 {
            let Some(left) = held.checked_sub(cost) else {
                return self.refill(stripe, held, now, cost);
            };
            let swap =
                stripe.compare_exchange_weak(held, left, Ordering::Relaxed, Ordering::Relaxed);
            match swap {
                Ok(_) => return Ok(()),
                Err(other) => held = other,
            }
        }
        self.central.check_at(now, cost).ok().map(drop)
    }

    /// Takes a stripe for one holder, at most one for each stripe; `None` when all are taken.
    pub fn lane(&self) -> Option<Lane<'_>> {
        for stripe in &self.stripes {
            let held = stripe.load(Ordering::Relaxed);
            let free = held & TAKEN == 0;
            if free && take(stripe, held) {
                return Some(Lane { of: self, stripe, held });
            }
        }
        None
    }

    /// Fills a stripe that holds less than `cost` up to a batch and spends from it.
    #[cold]
    fn refill(&self, stripe: &AtomicU64, held: u64, now: Time, cost: u64) -> Result<(), Denial> {
        if cost > self.batch || !take(stripe, held) {
            return self.central.check_at(now, cost).ok().map(drop);
        }
        let held = self.lease(held, now);
        let (left, result) = self.spend(held, now, cost);
        stripe.store(left, Ordering::Relaxed);
        result
    }

    /// What a stripe holds after leasing up to a batch.
    fn lease(&self, held: u64, now: Time) -> u64 {
        held + self.central.take_up_to_at(now, self.batch.saturating_sub(held)).cost()
    }

    fn spend(&self, held: u64, now: Time, cost: u64) -> (u64, Result<(), Denial>) {
        match held.checked_sub(cost) {
            Some(left) => (left, Ok(())),
            None => (held, self.central.check_at(now, cost).ok().map(drop)),
        }
    }
}

/// Takes the permits out of a stripe. Only one can: the word is never `TAKEN | held` otherwise.
fn take(stripe: &AtomicU64, held: u64) -> bool {
    stripe.compare_exchange(held, TAKEN, Ordering::Relaxed, Ordering::Relaxed).is_ok()
}

/// A stripe of a [`Striped`] with one holder: a check is a subtraction.
///
/// Dropping it puts what it holds back.
#[derive(Debug)]
pub struct Lane<'a> {
    of: &'a Striped,
    stripe: &'a AtomicU64,
    held: u64,
}

impl Lane<'_> {
    /// Charges `cost` if it may pass at `now`. The time is looked at once a batch only.
    ///
    /// # Errors
    /// The denial, with the wait of the central bucket.
    #[inline]
    pub fn check_at(&mut self, now: Time, cost: u64) -> Result<(), Denial> {
        match self.held.checked_sub(cost) {
            Some(left) => {
                self.held = left;
                Ok(())
            }
            None => self.refill(now, cost),
        }
    }

    #[cold]
    fn refill(&mut self, now: Time, cost: u64) -> Result<(), Denial> {
        if cost <= self.of.batch {
            self.held = self.of.lease(self.held, now);
        }
        let (left, result) = self.of.spend(self.held, now, cost);
        self.held = left;
        result
    }
}

impl Drop for Lane<'_> {
    fn drop(&mut self) {
        self.stripe.store(self.held, Ordering::Relaxed);
    }
}

/// A small number for each thread, in the order in which they first ask.
#[cfg(feature = "std")]
fn thread_number() -> usize {
    use core::sync::atomic::AtomicUsize;
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    std::thread_local! {
        static NUMBER: usize = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    NUMBER.with(|number| *number)
}
