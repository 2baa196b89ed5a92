//! How likely a read misses a write that was done before it: measured for every R and W (Bailis et
//! al., Probabilistically bounded staleness, VLDB 2012), with nothing repaired, so that only the
//! quorums count.

use crate::cluster::{Cluster, Happening};
use crate::config::{Config, Rules};
use crate::message::{Answer, Op};
use crate::registers;
use archstone_crdt::clock::VersionVector;
use archstone_crdt::quorum::Quorum;
use kit::{Failure, Latencies, Seed, Time};
use std::collections::BTreeMap;
use std::time::Duration;

/// What was measured for one R and W.
#[derive(Clone, Debug)]
pub struct Measured {
    /// N, R and W.
    pub quorum: Quorum,
    /// Reads, and those that missed.
    pub reads: u64,
    /// See `reads`.
    pub stale: u64,
    /// As clients saw them.
    pub latency: Latencies,
    /// Simulated events.
    pub events: u64,
}

impl Measured {
    /// The share of reads that missed.
    #[must_use]
    pub fn share(&self) -> f64 {
        self.stale as f64 / self.reads.max(1) as f64
    }

    /// 99 of 100 calls took no longer.
    #[must_use]
    pub fn p99(&self, what: &str) -> Option<Duration> {
        self.latency.percentiles(what).map(|p| Duration::from_nanos(p.p99))
    }
}

/// A store without repairs and without stand-ins.
fn bare(quorum: Quorum) -> Config {
    let rules = Rules { read_repair: false, anti_entropy: false, ..Rules::ALL };
    Config { nodes: 6, rules, ..Config::usual() }.strict(quorum)
}

/// Writes `pairs` fresh keys, each read once `gap` after its write was done.
///
/// # Errors
/// When the configuration makes no cluster.
pub fn measure(quorum: Quorum, gap: Duration, pairs: u64, seed: Seed) -> Result<Measured, Failure> {
    let config = bare(quorum);
    let mut cluster = Cluster::new(config, 0.0, seed)?;
    let mut random = seed.stream("pairs");
    let mut measured =
        Measured { quorum, reads: 0, stale: 0, latency: Latencies::default(), events: 0 };
    for pair in 0..pairs {
        cluster.alarm(Time::from_micros(500 * pair), pair);
    }
    let end = Time::from_micros(500 * pairs) + Duration::from_secs(2);
    let mut written: BTreeMap<u64, ()> = BTreeMap::new();
    while let Some(happening) = cluster.next(end) {
        let node = random.below(config.nodes as u64) as usize;
        match happening {
            Happening::Alarm(pair) => {
                let key = pair.to_le_bytes();
                let op = match written.remove(&pair) {
                    Some(()) => Op::Get,
                    None => Op::Put { context: VersionVector::new(), value: vec![1] },
                };
                cluster.call(pair as usize, node, &key, op);
            }
            Happening::Ended(call) => match call.returned {
                Some((at, Answer::Written)) => {
                    measured.latency.record("write", at.since(call.invoked));
                    written.insert(call.client as u64, ());
                    cluster.alarm(cluster.now() + gap, call.client as u64);
                }
                Some((at, Answer::Read { values, .. })) => {
                    measured.latency.record("read", at.since(call.invoked));
                    measured.reads += 1;
                    measured.stale += u64::from(values.is_empty());
                }
                _ => {}
            },
        }
    }
    measured.events = cluster.events();
    Ok(measured)
}

/// Every R and W of three copies, read at once.
///
/// # Errors
/// As [`measure`].
pub fn table(pairs: u64, seed: Seed) -> Result<Vec<Measured>, Failure> {
    let mut all = Vec::new();
    for w in 1..=3 {
        for r in 1..=3 {
            let quorum = Quorum::new(3, r, w)?;
            let own = seed.child(&format!("r{r} w{w}"));
            all.push(measure(quorum, Duration::ZERO, pairs, own)?);
        }
    }
    Ok(all)
}

/// The gaps of the curves.
pub const GAPS: [u64; 7] = [0, 1, 2, 3, 5, 8, 12];

/// R, W and the share of stale reads at each of [`GAPS`], in milliseconds after the write.
pub type Curve = (u32, u32, Vec<f64>);

/// The three settings that can be stale.
///
/// # Errors
/// As [`measure`].
pub fn curves(pairs: u64, seed: Seed) -> Result<Vec<Curve>, Failure> {
    let mut curves = Vec::new();
    for (r, w) in [(1, 1), (2, 1), (1, 2)] {
        let mut shares = Vec::new();
        for gap in GAPS {
            let own = seed.child(&format!("curve r{r} w{w} {gap}"));
            let measured = measure(Quorum::new(3, r, w)?, Duration::from_millis(gap), pairs, own)?;
            shares.push(measured.share());
        }
        curves.push((r, w, shares));
    }
    Ok(curves)
}

/// What clients of registers saw under one setting.
#[derive(Clone, Debug)]
pub struct Setting {
    /// In words.
    pub name: &'static str,
    /// Reads answered.
    pub reads: u64,
    /// Older than a write done before.
    pub stale: u64,
    /// Older than a read done before.
    pub back: u64,
    /// Registers that one order explains, of those decided.
    pub explained: (u64, u64),
    /// Calls without an answer.
    pub refused: u64,
    /// Simulated events.
    pub events: u64,
}

/// The same clients and troubles under six settings.
///
/// # Errors
/// As [`measure`].
pub fn settings(seed: Seed, seeds: u64, size: registers::Size) -> Result<Vec<Setting>, Failure> {
    let strict = |r, w| -> Result<Config, Failure> {
        Ok(Config { nodes: 6, ..Config::usual() }.strict(Quorum::new(3, r, w)?))
    };
    let usual = strict(2, 2)?;
    let no_repair = Rules { read_repair: false, ..Rules::ALL };
    let all = [
        ("R=1 W=1", strict(1, 1)?),
        ("R=1 W=3", strict(1, 3)?),
        ("R=3 W=1", strict(3, 1)?),
        ("R=2 W=2", usual),
        ("R=2 W=2, no read repair", Config { rules: no_repair, ..usual }),
        ("R=2 W=2, sloppy", Config { sloppy: true, ..usual }),
    ];
    let mut settings = Vec::new();
    for (name, config) in all {
        let mut sum =
            Setting { name, reads: 0, stale: 0, back: 0, explained: (0, 0), refused: 0, events: 0 };
        for nth in 0..seeds {
            let own = seed.child(&format!("setting {nth}"));
            let troubles = registers::attack(own, config.nodes);
            let outcome = registers::run(config, size, troubles, 0.04, own)?;
            let (explained, decided, _) = outcome.linearizable(size.keys);
            sum.reads += outcome.reads();
            sum.stale += outcome.stale(size.keys).len() as u64;
            sum.back += outcome.back(size.keys).len() as u64;
            sum.explained.0 += explained;
            sum.explained.1 += decided;
            sum.refused += outcome.refused;
            sum.events += outcome.events;
        }
        settings.push(sum);
    }
    Ok(settings)
}
