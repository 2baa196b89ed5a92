//! Part two: a busy server with the same popularity law, where exact counting stops being free.

use crate::exact::Exact;
use crate::keys::Keys;
use crate::meter::Meter;
use archstone_sketch::TopK;
use kit::{Progress, RankCurve, Seed, Stream};

/// The list that 64 KiB have to keep.
pub const K: usize = 100;

/// What the two did with the same stream.
#[derive(Clone, Debug)]
pub struct Big {
    /// Events generated.
    pub events: u64,
    /// Distinct keys among them.
    pub distinct: u64,
    /// How many of the true top hundred the small one has.
    pub kept: u64,
    /// The largest relative error of a listed count.
    pub worst_share: f64,
    /// Listed counts, and how many of them had their truth at or above their lower bound.
    pub lower: (u64, u64),
    /// Exact counting.
    pub exact: Meter,
    /// The 64 KiB.
    pub small: Meter,
    /// The exponent of the law's tail.
    pub exponent: f64,
    /// Keys for the workers' experiment: the first of the stream.
    pub sample: Keys,
}

/// The law of measured counts, lengthened to `ranks` by its own slope.
#[must_use]
pub fn law(counts: &[u64], ranks: u64) -> Option<(RankCurve, f64)> {
    let curve = RankCurve::new(counts)?;
    // A log of a few lines has no slope; 1 is the textbook's.
    let exponent = curve.tail_exponent().filter(|e| (0.1..4.0).contains(e)).unwrap_or(1.0);
    Some((curve.extend(ranks, exponent), exponent))
}

/// Counts `events` generated events both ways, batch by batch on one core.
#[must_use]
pub fn run(counts: &[u64], events: u64, seed: Seed, progress: &Progress) -> Option<Big> {
    let (law, exponent) = law(counts, events.saturating_mul(RANKS_AN_EVENT))?;
    let mut stream = seed.stream("part two");
    let mut batch = Keys::default();
    let mut sample = Keys::default();
    let (mut exact_meter, mut small_meter) = (Meter::default(), Meter::default());
    let mut exact = Exact::new(usize::MAX);
    let mut small =
        small_meter.run(0, || TopK::<String>::with_memory(K, SLOT_BYTES).expect("k slots fit"));
    let mut left = events;
    while left > 0 {
        let n = left.min(8192);
        left -= n;
        fill(&mut batch, n, &law, &mut stream);
        exact_meter.run(n, || batch.iter().for_each(|key| exact.add(key)));
        small_meter.run(n, || batch.iter().for_each(|key| drop(small.add(key))));
        if sample.len() < SAMPLE {
            batch.iter().for_each(|key| sample.push(key));
        }
        progress.add(n);
    }
    let kth = exact.kth(K);
    let list = small.top();
    let truth = |hit: &archstone_sketch::Hitter<'_, String>| exact.count(hit.item).unwrap_or(0);
    let kept = list.iter().filter(|hit| truth(hit) >= kth).count() as u64;
    let lower = list.iter().filter(|hit| truth(hit) >= hit.count - hit.error).count() as u64;
    let share = |hit: &archstone_sketch::Hitter<'_, String>| {
        truth(hit).abs_diff(hit.count) as f64 / truth(hit).max(1) as f64
    };
    let worst_share = list.iter().map(share).fold(0.0, f64::max);
    Some(Big {
        events,
        distinct: exact.len() as u64,
        kept,
        worst_share,
        lower: (list.len() as u64, lower),
        exact: exact_meter,
        small: small_meter,
        exponent,
        sample,
    })
}

/// Bytes for the slots; what is left of 64 KiB is the text of the keys, 20 bytes each.
const SLOT_BYTES: usize = 43 << 10;

/// Keys that exist for each event that happens: most are never asked for.
const RANKS_AN_EVENT: u64 = 40;

/// Keys that are kept for other experiments.
const SAMPLE: usize = 1_000_000;

/// `/item/00c0ffee.html`, the number a fixed scramble of the rank.
fn fill(batch: &mut Keys, n: u64, law: &RankCurve, stream: &mut Stream) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    batch.clear();
    for _ in 0..n {
        // Odd, so that no two ranks share a number.
        let item = (law.sample(stream) as u32).wrapping_mul(0x9E37_79B1);
        let digit = |place: u32| char::from(HEX[(item >> (4 * place)) as usize & 15]);
        batch.push_with(|text| {
            text.push_str("/item/");
            (0..8).rev().for_each(|place| text.push(digit(place)));
            text.push_str(".html");
        });
    }
}
