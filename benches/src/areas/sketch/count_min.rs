//! P1: Count-Min update and estimate, four rows. P2: conservative updates on a loaded table.
//! Both on 4 Mi keys of Zipf 1.1 over 1 Mi ids.

use std::sync::Arc;

use archstone_sketch::CountMin;
use count_min_sketch::CountMinSketch32;
use datasketches::countmin::CountMinSketch;

use crate::areas::Area;
use crate::measure::{Race, Runner};
use crate::memory;
use crate::row::{Better, Row, Side, Subject, Unit};
use crate::workload::{count, zipf_keys};

const DEPTH: u8 = 4;
const EVENTS: usize = 4 << 20;
const WORKLOAD: &str = "4 Mi u64, Zipf 1.1 over 1 Mi ids, 4 rows";

pub(super) fn entries(area: &mut Area) {
    for (lg_width, goal) in [(14, 3.0), (20, 2.0)] {
        let id = format!("sketch.P1/w=2^{lg_width}");
        let width = 1 << lg_width;
        area.race(format!("{id}/update"), move |_| update(width, goal));
        area.race(format!("{id}/estimate"), move |_| estimate(width));
        let subject = format!("{id}/quality");
        area.rows(subject.clone(), move |_| quality(&subject, width));
    }
    area.race("sketch.P2/rows", |_| conservative::<Conservative>());
    area.race("sketch.P2/line", |_| conservative::<Line>());
    area.rows("sketch.P2/over-count", |_| loaded_quality());
}

/// P2's width: 350 k distinct keys, so 85 a column.
const LOADED: u32 = 1 << 12;

trait Contender: 'static {
    const NAME: &'static str;
    fn new(width: u32) -> Self;
    fn add(&mut self, key: u64);
    fn estimate(&self, key: u64) -> u64;
}

impl Contender for CountMin<u32> {
    const NAME: &'static str = "archstone-sketch u32 rows";
    fn new(width: u32) -> Self {
        Self::new(DEPTH.into(), width.into()).unwrap()
    }
    #[inline]
    fn add(&mut self, key: u64) {
        self.add(&key);
    }
    #[inline]
    fn estimate(&self, key: u64) -> u64 {
        u64::from(self.count(&key))
    }
}

/// Ours with conservative updates, in rows.
struct Conservative(CountMin<u32>);

/// Ours with conservative updates, an item's four cells in one cache line.
struct Line(CountMin<u32>);

macro_rules! ours {
    ($type:ident, $name:literal, $width:ident => $new:expr) => {
        impl Contender for $type {
            const NAME: &'static str = $name;
            fn new($width: u32) -> Self {
                Self($new.unwrap().conservative())
            }
            #[inline]
            fn add(&mut self, key: u64) {
                self.0.add(&key);
            }
            #[inline]
            fn estimate(&self, key: u64) -> u64 {
                u64::from(self.0.count(&key))
            }
        }
    };
}

ours!(Conservative, "archstone-sketch conservative rows", width => CountMin::new(DEPTH.into(), width.into()));
// Sixteen cells a line, so as many bytes as four rows.
ours!(Line, "archstone-sketch conservative line", width => CountMin::lines(u64::from(width) / 4));

impl Contender for CountMinSketch32<u64> {
    const NAME: &'static str = "count-min-sketch (conservative)";
    fn new(width: u32) -> Self {
        // Four rows by its rule for 95 %; its width is twice the capacity over the tolerance.
        Self::new(width as usize / 2, 0.95, 1.0).unwrap()
    }
    #[inline]
    fn add(&mut self, key: u64) {
        self.increment(&key);
    }
    #[inline]
    fn estimate(&self, key: u64) -> u64 {
        u64::from(self.estimate(&key))
    }
}

impl Contender for CountMinSketch<u32> {
    const NAME: &'static str = "datasketches u32";
    fn new(width: u32) -> Self {
        Self::new(DEPTH, width).unwrap()
    }
    #[inline]
    fn add(&mut self, key: u64) {
        self.update(key);
    }
    #[inline]
    fn estimate(&self, key: u64) -> u64 {
        u64::from(self.estimate(key))
    }
}

impl Contender for CountMinSketch<u64> {
    const NAME: &'static str = "datasketches u64";
    fn new(width: u32) -> Self {
        Self::new(DEPTH, width).unwrap()
    }
    #[inline]
    fn add(&mut self, key: u64) {
        self.update(key);
    }
    #[inline]
    fn estimate(&self, key: u64) -> u64 {
        self.estimate(key)
    }
}

fn keys() -> Arc<[u64]> {
    zipf_keys(1, 1.1, 1 << 20, EVENTS).into()
}

fn fill<C: Contender>(width: u32, keys: &[u64]) -> C {
    let mut sketch = C::new(width);
    keys.iter().for_each(|&key| sketch.add(key));
    sketch
}

fn updater<C: Contender>(width: u32, keys: &Arc<[u64]>) -> Runner {
    let state = (C::new(width), Arc::clone(keys));
    Runner::steady(C::NAME, keys.len(), state, |(sketch, keys)| {
        keys.iter().for_each(|&key| sketch.add(key));
    })
}

fn estimator<C: Contender>(width: u32, keys: &Arc<[u64]>) -> Runner {
    let state = (fill::<C>(width, keys), Arc::clone(keys));
    Runner::steady(C::NAME, keys.len(), state, |(sketch, keys)| {
        keys.iter().fold(0, |sum, &key| sum ^ sketch.estimate(key))
    })
}

fn update(width: u32, goal: f64) -> Race {
    let keys = keys();
    Race::new(WORKLOAD, updater::<CountMin<u32>>(width, &keys))
        .beats("datasketches-u32", updater::<CountMinSketch<u32>>(width, &keys), goal)
        .beside("datasketches-u64", updater::<CountMinSketch<u64>>(width, &keys))
}

fn estimate(width: u32) -> Race {
    let keys = keys();
    Race::new(WORKLOAD, estimator::<CountMin<u32>>(width, &keys))
        .beside("datasketches-u32", estimator::<CountMinSketch<u32>>(width, &keys))
        .beside("datasketches-u64", estimator::<CountMinSketch<u64>>(width, &keys))
}

/// Mean over-count of the distinct keys, and bytes.
fn measured<C: Contender>(width: u32, keys: &[u64]) -> (Side, Side) {
    let (sketch, used) = memory::used(|| fill::<C>(width, keys));
    let truth = count(keys.iter().copied());
    let over: u64 = truth.iter().map(|(&key, &count)| sketch.estimate(key) - count).sum();
    let mean = over as f64 / truth.len() as f64;
    (Side::new(C::NAME, mean), Side::new(C::NAME, used.live as f64))
}

fn quality(id: &str, width: u32) -> Vec<Row> {
    let keys = keys();
    let (our_over, our_bytes) = measured::<CountMin<u32>>(width, &keys);
    let (over, bytes) = measured::<CountMinSketch<u32>>(width, &keys);
    let subject =
        |name, unit| Subject::new(&format!("{id}/{name}"), WORKLOAD, unit, Better::Lower);
    vec![
        subject("over-count/datasketches-u32", Unit::Count).against(our_over, over, None),
        subject("bytes/datasketches-u32", Unit::Bytes).against(our_bytes, bytes, None),
    ]
}

fn conservative<Ours: Contender>() -> Race {
    let keys = keys();
    Race::new(format!("{WORKLOAD}, w=2^12, conservative"), updater::<Ours>(LOADED, &keys))
        .beats("count-min-sketch", updater::<CountMinSketch32<u64>>(LOADED, &keys), 2.0)
}

fn loaded_quality() -> Vec<Row> {
    let keys = keys();
    let (rows, rows_bytes) = measured::<Conservative>(LOADED, &keys);
    let (line, line_bytes) = measured::<Line>(LOADED, &keys);
    let (peer, peer_bytes) = measured::<CountMinSketch32<u64>>(LOADED, &keys);
    let (plain, _) = measured::<CountMin<u32>>(LOADED, &keys);
    let subject = |id: &str, unit| {
        Subject::new(
            &format!("sketch.P2/{id}"),
            "4 Mi u64, Zipf 1.1 over 1 Mi ids, w=2^12 (85 keys a column)",
            unit,
            Better::Lower,
        )
    };
    let floor = Side { name: format!("floor: {} (plain)", plain.name), ..plain };
    vec![
        // Equal but for the hash: two hashes differ by some per cent.
        subject("over-count/rows/count-min-sketch", Unit::Count).against(rows, peer, Some(0.95)),
        subject("over-count/line/plain-rows", Unit::Count).against(line, floor, Some(1.0 / 0.8)),
        subject("bytes/rows/count-min-sketch", Unit::Bytes).against(
            rows_bytes,
            peer_bytes.clone(),
            None,
        ),
        subject("bytes/line/count-min-sketch", Unit::Bytes).against(line_bytes, peer_bytes, None),
    ]
}
