//! Rate limiters: one limit, many threads, many keys, and how exact they are.

mod direct;
mod exact;
mod keyed;

use super::Area;

pub(super) fn area() -> Area {
    const PEERS: &[&str] =
        &["governor", "rate-net", "ratelimit", "leaky-bucket", "better-bucket", "gcra"];
    let mut area = Area::new("ratelimit", PEERS);
    direct::entries(&mut area);
    keyed::entries(&mut area);
    exact::entries(&mut area);
    area
}
