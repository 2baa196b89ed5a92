//! Leases, ranges, idempotency and transactions.

mod idem;
mod leases;
mod protocols;
mod ranges;
mod waits;

use super::Area;

pub(super) fn area() -> Area {
    const PEERS: &[&str] = &["lockable", "keyed-lock", "lock-db", "dashmap", "moka", "tokio", "async-lock"];
    let mut area = Area::new("lock", PEERS);
    leases::entries(&mut area);
    ranges::entries(&mut area);
    idem::entries(&mut area);
    waits::entries(&mut area);
    protocols::entries(&mut area);
    area
}

const OURS: &str = "archstone-lock";
