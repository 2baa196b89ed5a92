//! C4 and C5: hybrid logical clocks and interval tree clocks.

use core::time::Duration;
use std::time::SystemTime;

use archstone_crdt::ReplicaId;
use archstone_crdt::clock::{HybridClock, Timestamp, itc::Stamp};
use archstone_crdt::codec::Wire;
use hlc_gen::HlcGenerator;
use itc::{IntervalTreeClock, Stamp as PeerStamp};

use super::{Area, OURS};
use crate::measure::{Race, Runner};
use crate::row::{Better, Row, Side, Subject, Unit};
use crate::workload::Rng;

const CALLS: usize = 2_000;

pub(super) fn add(area: &mut Area) {
    area.race("crdt.C4/fixed", |_| fixed_clock());
    area.race("crdt.C4/system", |_| system_clock());
    area.rows("crdt.C4/bytes", |_| {
        let subject = Subject::new(
            "crdt.C4/bytes",
            "bytes of a stamp, node id included",
            Unit::Bytes,
            Better::Lower,
        );
        vec![subject.limit(Side::new(OURS, size_of::<Timestamp>() as f64), 16.0)]
    });
    for operation in ["event", "join", "leq"] {
        area.race(format!("crdt.C5/{operation}"), move |_| tree_clock(operation));
    }
    area.rows("crdt.C5/bytes", |_| vec![stamp_bytes()]);
}

fn hlc(now: impl Fn() -> u64 + 'static) -> Runner {
    let clock = HybridClock::new(ReplicaId(7), Duration::from_secs(3_600));
    Runner::steady(OURS, CALLS, clock, move |clock| {
        for _ in 0..CALLS {
            std::hint::black_box(clock.stamp(now()).ok());
        }
    })
}

fn uhlc(clock: fn() -> uhlc::NTP64) -> Runner {
    let id = uhlc::ID::try_from([7_u8]).expect("an id");
    let clock = uhlc::HLCBuilder::new().with_id(id).with_clock(clock).build();
    Runner::steady("uhlc", CALLS, clock, |clock| {
        for _ in 0..CALLS {
            std::hint::black_box(clock.new_timestamp());
        }
    })
}

fn fixed_clock() -> Race {
    let ours = hlc(|| 1_000);
    Race::new("a stamp, the wall clock standing still", ours)
        .beats("uhlc", uhlc(uhlc::zero_clock), 2.0)
        .missing(
            "hlc-gen",
            "hlc-gen",
            None,
            "gives None after 4,194,303 stamps of one millisecond",
        )
}

fn system_clock() -> Race {
    let ours = hlc(|| {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        since.map_or(0, |since| since.as_millis() as u64)
    });
    let generator = HlcGenerator::new(0);
    let hlc_gen = Runner::steady("hlc-gen", CALLS, generator, |clock| {
        for _ in 0..CALLS {
            std::hint::black_box(clock.next_timestamp());
        }
    });
    Race::new("a stamp, the system's clock read each time", ours)
        .beats("uhlc", uhlc(uhlc::system_time_clock), 1.3)
        .beats("hlc-gen", hlc_gen, 1.3)
}

const REPLICAS: usize = 100;

/// 100 replicas after 2,000 random events and gossips, the same for both.
fn grown() -> (Vec<Stamp>, Vec<PeerStamp>) {
    let mut rng = Rng::new(3);
    let (mut ours, mut theirs) = (vec![Stamp::seed()], vec![PeerStamp::seed()]);
    while ours.len() < REPLICAS {
        let at = rng.below(ours.len() as u64) as usize;
        let right = ours[at].fork().expect("not that deep");
        ours.push(right);
        let (left, right) = theirs[at].fork();
        theirs[at] = left;
        theirs.push(right);
    }
    for _ in 0..2_000 {
        let (a, b) = (rng.below(REPLICAS as u64) as usize, rng.below(REPLICAS as u64) as usize);
        ours[a].event().expect("few events");
        theirs[a] = theirs[a].event();
        if a != b {
            let message = ours[a].message();
            ours[b].receive(&message).expect("disjoint");
            theirs[b] = theirs[b].join(&theirs[a].peek().0);
        }
    }
    (ours, theirs)
}

fn tree_clock(operation: &'static str) -> Race {
    let (ours, theirs) = grown();
    let calls = REPLICAS;
    let mine = Runner::steady(OURS, calls, ours, move |stamps| {
        for at in 0..REPLICAS {
            let other = &stamps[(at + 37) % REPLICAS];
            match operation {
                "event" => {
                    let mut stamp = stamps[at].clone();
                    stamp.event().expect("few events");
                    std::hint::black_box(stamp);
                }
                "join" => {
                    let mut stamp = stamps[at].clone();
                    stamp.receive(&other.message()).expect("disjoint");
                    std::hint::black_box(stamp);
                }
                _ => {
                    std::hint::black_box(stamps[at].leq(other));
                }
            }
        }
    });
    let itc = Runner::steady("itc", calls, theirs, move |stamps| {
        use itc::LessThanOrEqual;
        for at in 0..REPLICAS {
            let other = &stamps[(at + 37) % REPLICAS];
            match operation {
                "event" => drop(std::hint::black_box(stamps[at].event())),
                "join" => drop(std::hint::black_box(stamps[at].join(&other.peek().0))),
                _ => {
                    std::hint::black_box(stamps[at].leq(other));
                }
            }
        }
    });
    let race = Race::new(format!("{operation}, 100 replicas, 2,000 events and gossips"), mine);
    race.beats("itc", itc, if operation == "leq" { 1.0 } else { 20.0 })
}

fn stamp_bytes() -> Row {
    let (ours, theirs) = grown();
    let bytes: usize = ours.iter().map(|stamp| stamp.encode().len()).sum();
    let text: usize = theirs.iter().map(|stamp| stamp.to_string().len()).sum();
    let subject =
        Subject::new("crdt.C5/bytes/itc", "bytes of a stamp", Unit::Bytes, Better::Lower);
    let side = |name: &str, sum: usize| Side::new(name, sum as f64 / REPLICAS as f64);
    subject.against(side(OURS, bytes), side("itc, text", text), Some(4.0))
}
