//! Caches: one owner (P1, P2), threads (P3, P4), bytes (P5), hit ratios (P6, P7),
//! a change of phase (P8), bounds and pauses (P9), expiry (P10), loading (P11), the simulator (P12).

mod bounds;
mod load;
mod one_owner;
mod peers;
mod quality;
mod threads;

use super::Area;

pub(super) fn area() -> Area {
    let mut area = Area::new("cache", CRATES);
    one_owner::entries(&mut area);
    threads::entries(&mut area);
    quality::entries(&mut area);
    bounds::entries(&mut area);
    load::entries(&mut area);
    area
}

const CRATES: &[&str] = &[
    "TinyUFO",
    "ahash",
    "foyer-memory",
    "hashbrown",
    "hashlink",
    "lru",
    "mini-moka",
    "moka",
    "parking_lot",
    "quick_cache",
    "schnellru",
];
