//! One key as a limit of its own, and what a key is made of.

use super::{Keyed, Tier};
use crate::{Algorithm, Grant, Limit, Time, Verdict};
use alloc::borrow::ToOwned;
use core::borrow::Borrow;
use core::fmt;
use core::hash::{BuildHasher, Hash};
use core::net::{IpAddr, Ipv6Addr};

/// One key of a [`Keyed`] as a [`Limit`]: see [`Keyed::key`].
pub struct KeyLimit<'a, K, A: Algorithm, C, H, Q: ?Sized> {
    pub(super) store: &'a Keyed<K, A, C, H>,
    pub(super) key: &'a Q,
    pub(super) tier: Tier,
}

impl<K, A: Algorithm, C, H, Q: ?Sized> KeyLimit<'_, K, A, C, H, Q> {
    /// The same key in `tier`.
    #[must_use]
    pub const fn in_tier(self, tier: Tier) -> Self {
        Self { tier, ..self }
    }
}

impl<K, A: Algorithm, C, H, Q: ?Sized> fmt::Debug for KeyLimit<'_, K, A, C, H, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyLimit").field("tier", &self.tier).finish_non_exhaustive()
    }
}

impl<K, A, C, H, Q> Limit for KeyLimit<'_, K, A, C, H, Q>
where
    K: Borrow<Q> + Hash + Eq + Send,
    A: Algorithm,
    C: Send + Sync,
    H: BuildHasher + Send + Sync,
    Q: Hash + Eq + ToOwned<Owned = K> + Sync + ?Sized,
{
    fn check_at(&self, now: Time, cost: u64) -> Verdict {
        self.store.check_tier_at(now, self.key, self.tier, cost)
    }
    fn peek_at(&self, now: Time, cost: u64) -> Verdict {
        self.store.peek_tier_at(now, self.key, self.tier, cost)
    }
    fn refund_at(&self, now: Time, grant: &Grant, units: u64) -> u64 {
        self.store.refund_at(now, self.key, grant, units)
    }
}

/// The key of a client by its address: IPv4 as it is, IPv6 as its /64 network, which is what one
/// customer has. IPv4 in IPv6 is IPv4.
#[must_use]
pub fn client_network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}
