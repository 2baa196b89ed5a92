//! P3 and P4: the 100 most frequent of a stream; time, recall, error and bytes.

use std::borrow::Borrow;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use archstone_sketch::{Item, TopK};
use datasketches::frequencies::{ErrorType, FrequentItemsSketch};
use heavykeeper::{BucketedTopK, CuckooTopK, TopK as HeavyKeeper};
use topk::FilteredSpaceSaving;

use crate::areas::{Area, Run};
use crate::measure::{Race, Runner};
use crate::memory::{self, Used};
use crate::row::{Better, Row, Side, Subject, Unit};
use crate::workload::{count, nasa_day, words, zipf_keys};

const K: usize = 100;
const EVENTS: usize = 4 << 20;
const OURS: &str = "archstone-sketch TopK";
/// P3's limits: the memory that ours is given, and what it must answer in it.
const MEMORY: usize = 64 << 10;
const MOST_ERROR: f64 = 0.001;

pub(super) fn entries(area: &mut Area) {
    for (s, over_exact) in [(1.1, 1.0), (0.8, 2.0)] {
        let goals = Goals { peers: 2.0, exact: over_exact, quality: true };
        stream::<u64>(area, format!("sketch.P3/zipf{s}"), goals, move |_| {
            let workload = format!("top {K} of 4 Mi u64, Zipf {s} over 4 Mi ids");
            Ok((workload, zipf_keys(1, s, 4 << 20, EVENTS)))
        });
    }
    let goals = Goals { peers: 1.3, exact: 1.0 / 1.2, quality: false };
    stream::<str>(area, "sketch.P4/words".to_owned(), goals, |_| {
        let words = words().map_err(|error| format!("testdata: {error}"))?;
        Ok((format!("top {K} of 577,155 words of War and Peace"), words))
    });
    stream::<str>(area, "sketch.P4/log".to_owned(), goals, |_| {
        let day = nasa_day().map_err(|error| format!("testdata: {error}"))?;
        let paths = day.into_iter().map(|request| request.path).collect();
        Ok((format!("top {K} of 30,969 paths of a web server's log"), paths))
    });
    area.rows("sketch.P4/words/allocations", |_| vec![allocations_on_hit()]);
    let goals = Goals { peers: 0.0, exact: 0.0, quality: false };
    stream::<str>(area, "sketch.trace".to_owned(), goals, |run| {
        let trace = run.trace.as_ref().ok_or("no --trace was given")?;
        Ok((format!("top {K} of the lines of {}", trace.name), trace.keys.clone()))
    });
}

/// How many times as fast as the peers and as an exact map ours is to be; 0 for information.
#[derive(Clone, Copy)]
struct Goals {
    peers: f64,
    exact: f64,
    /// Whether recall, error and bytes have P3's limits.
    quality: bool,
}

/// A borrowed key that every contender takes.
trait Key: Item + Hash + Eq + ToOwned<Owned: Owned<Self>> + 'static {
    fn ours() -> TopK<Self::Owned>;
}

trait Owned<Q: ?Sized>: archstone_sketch::Key + Ord + Hash + Borrow<Q> + 'static {}

impl<T: archstone_sketch::Key + Ord + Hash + Borrow<Q> + 'static, Q: ?Sized> Owned<Q> for T {}

impl Key for u64 {
    fn ours() -> TopK<Self> {
        TopK::with_memory(K, MEMORY).unwrap()
    }
}

impl Key for str {
    fn ours() -> TopK<String> {
        TopK::new(K).unwrap()
    }
}

trait Contender<Q: Key + ?Sized>: 'static {
    fn add(&mut self, key: &Q);
    /// At least the best `k`, with their counts, in any order.
    fn top(&self, k: usize) -> Vec<(Q::Owned, u64)>;
}

impl<Q: Key + ?Sized> Contender<Q> for TopK<Q::Owned> {
    #[inline]
    fn add(&mut self, key: &Q) {
        self.add(key);
    }
    fn top(&self, _: usize) -> Vec<(Q::Owned, u64)> {
        self.top().into_iter().map(|hitter| (hitter.item.clone(), hitter.count)).collect()
    }
}

/// The baseline that needs no sketch.
type Exact<T> = HashMap<T, u64, ahash::RandomState>;

impl<Q: Key + ?Sized> Contender<Q> for Exact<Q::Owned> {
    #[inline]
    fn add(&mut self, key: &Q) {
        match self.get_mut(key) {
            Some(count) => *count += 1,
            None => {
                self.insert(key.to_owned(), 1);
            }
        }
    }
    fn top(&self, _: usize) -> Vec<(Q::Owned, u64)> {
        self.iter().map(|(key, &count)| (key.clone(), count)).collect()
    }
}

macro_rules! heavykeeper {
    ($($type:ident),*) => {$(
        impl<Q: Key + ?Sized> Contender<Q> for $type<Q::Owned> {
            #[inline]
            fn add(&mut self, key: &Q) {
                self.add(key, 1);
            }
            fn top(&self, _: usize) -> Vec<(Q::Owned, u64)> {
                self.list().into_iter().map(|node| (node.item, node.count)).collect()
            }
        }
    )*};
}

heavykeeper!(HeavyKeeper, BucketedTopK, CuckooTopK);

impl<Q: Key + ?Sized> Contender<Q> for FrequentItemsSketch<Q::Owned> {
    #[inline]
    fn add(&mut self, key: &Q) {
        self.update_ref(key);
    }
    fn top(&self, _: usize) -> Vec<(Q::Owned, u64)> {
        let rows = self.frequent_items(ErrorType::NoFalseNegatives);
        rows.into_iter().map(|row| (row.item().clone(), row.estimate())).collect()
    }
}

/// Its `insert` takes the key by value, so a borrowed string has to be copied for each event.
impl<Q: Key + ?Sized> Contender<Q> for FilteredSpaceSaving<Q::Owned> {
    #[inline]
    fn add(&mut self, key: &Q) {
        self.insert(key.to_owned(), 1);
    }
    fn top(&self, _: usize) -> Vec<(Q::Owned, u64)> {
        self.iter().map(|(key, counter)| (key.clone(), counter.estimated_count())).collect()
    }
}

type Events<Q> = Arc<[<Q as ToOwned>::Owned]>;

/// A contender behind two calls: one round, and one pass whose answer is looked at.
struct Lane<Q: Key + ?Sized> {
    suffix: &'static str,
    name: &'static str,
    /// Of its class: one of the fastest peers, the exact map, or for information.
    class: Class,
    runner: MakeRunner<Events<Q>>,
    answer: Answer<Q::Owned>,
}

type MakeRunner<E> = Box<dyn Fn(&E) -> Runner>;
type Answer<T> = Box<dyn Fn(&[T]) -> (Vec<(T, u64)>, Used)>;

#[derive(Clone, Copy, PartialEq)]
enum Class {
    Peer,
    Exact,
    Information,
}

fn lane<Q: Key + ?Sized, C: Contender<Q>>(
    suffix: &'static str,
    name: &'static str,
    class: Class,
    new: fn() -> C,
) -> Lane<Q> {
    fn feed<Q: Key + ?Sized, C: Contender<Q>>(mut sketch: C, events: &[Q::Owned]) -> C {
        events.iter().for_each(|event| sketch.add(event.borrow()));
        sketch
    }
    Lane {
        suffix,
        name,
        class,
        runner: Box::new(move |events| {
            let events = Arc::clone(events);
            Runner::fresh(name, events.len(), new, move |sketch| feed::<Q, C>(sketch, &events))
        }),
        answer: Box::new(move |events| {
            let (sketch, used) = memory::used(|| feed::<Q, C>(new(), events));
            let mut top = sketch.top(K);
            top.sort_by_key(|(_, count)| Reverse(*count));
            top.truncate(K);
            (top, used)
        }),
    }
}

fn ours<Q: Key + ?Sized>() -> Lane<Q> {
    lane("ours", OURS, Class::Information, Q::ours)
}

/// Sizes as in the goals: what keeps the top 100 of these streams, or the nearest each can do.
fn peers<Q: Key + ?Sized>() -> Vec<Lane<Q>> {
    use Class::{Exact as ExactMap, Information, Peer};
    vec![
        lane("heavykeeper-cuckoo", "heavykeeper CuckooTopK 4096x4", Peer, || {
            CuckooTopK::new(K, 4096, 4, 0.9)
        }),
        lane("heavykeeper-bucketed", "heavykeeper BucketedTopK 4096x4", Peer, || {
            BucketedTopK::new(K, 4096, 4, 0.9)
        }),
        lane("heavykeeper", "heavykeeper TopK 4096x4", Information, || {
            HeavyKeeper::new(K, 4096, 4, 0.9)
        }),
        lane("topk-1024", "topk FilteredSpaceSaving 1024", Peer, || {
            FilteredSpaceSaving::new(1024)
        }),
        lane("datasketches-4096", "datasketches FrequentItems 4096", Peer, || {
            FrequentItemsSketch::new(4096).unwrap()
        }),
        lane("datasketches-1024", "datasketches FrequentItems 1024", Information, || {
            FrequentItemsSketch::new(1024).unwrap()
        }),
        lane("exact", "exact HashMap, ahash", ExactMap, Exact::default),
    ]
}

fn stream<Q: Key + ?Sized>(
    area: &mut Area,
    id: String,
    goals: Goals,
    input: impl Fn(&Run) -> Result<(String, Vec<Q::Owned>), String> + Clone + 'static,
) {
    let race_input = input.clone();
    area.race(format!("{id}/add"), move |run| match race_input(run) {
        Ok((workload, events)) => race::<Q>(workload, &events.into(), goals),
        Err(reason) => Race::without_ours("", OURS, &reason),
    });
    area.rows(format!("{id}/quality"), move |run| match input(run) {
        Ok((workload, events)) => quality::<Q>(&id, &workload, &events, goals),
        Err(_) => Vec::new(),
    });
}

fn race<Q: Key + ?Sized>(workload: String, events: &Events<Q>, goals: Goals) -> Race {
    let mut race = Race::new(workload, (ours::<Q>().runner)(events));
    for lane in peers::<Q>() {
        let goal = match lane.class {
            Class::Peer => goals.peers,
            Class::Exact => goals.exact,
            Class::Information => 0.0,
        };
        let runner = (lane.runner)(events);
        race = if goal > 0.0 {
            race.beats(lane.suffix, runner, goal)
        } else {
            race.beside(lane.suffix, runner)
        };
    }
    race
}

/// How good an answer is.
struct Quality {
    /// The share of the true top that is in it; who ties with the last counts as in.
    recall: f64,
    /// The mean relative error of the counts of the true top; what is missing counts as 0.
    error: f64,
    bytes: f64,
}

fn judge<T: Hash + Eq + Ord>(truth: &[(T, u64)], found: &[(T, u64)], used: Used) -> Quality {
    let k = K.min(truth.len());
    let least = truth[k - 1].1;
    let counts: HashMap<&T, u64> = found.iter().map(|(key, count)| (key, *count)).collect();
    let hits = truth
        .iter()
        .take_while(|(_, count)| *count >= least)
        .filter(|(key, _)| counts.contains_key(key))
        .count();
    let error: f64 = truth[..k]
        .iter()
        .map(|(key, count)| {
            counts.get(key).copied().unwrap_or(0).abs_diff(*count) as f64 / *count as f64
        })
        .sum();
    Quality {
        recall: (hits as f64 / k as f64).min(1.0),
        error: error / k as f64,
        bytes: used.live as f64,
    }
}

fn quality<Q: Key + ?Sized>(
    id: &str,
    workload: &str,
    events: &[Q::Owned],
    goals: Goals,
) -> Vec<Row> {
    let mut truth: Vec<(Q::Owned, u64)> = count(events.iter().cloned()).into_iter().collect();
    truth.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let judged = |lane: &Lane<Q>| {
        let (found, used) = (lane.answer)(events);
        judge(&truth, &found, used)
    };
    let ours = judged(&ours()).figures();
    let mut rows = Vec::new();
    let limits = [1.0, MOST_ERROR, MEMORY as f64];
    for ((name, unit, better, value), limit) in ours.into_iter().zip(limits) {
        let subject = Subject::new(&format!("{id}/{name}"), workload, unit, better);
        let side = Side::new(OURS, value);
        rows.push(if goals.quality {
            subject.limit(side, limit)
        } else {
            subject.information(side)
        });
    }
    for lane in peers::<Q>() {
        let figures = judged(&lane).figures();
        for ((name, unit, better, value), (.., our_value)) in figures.into_iter().zip(ours) {
            let subject =
                Subject::new(&format!("{id}/{name}/{}", lane.suffix), workload, unit, better);
            let peer = Side::new(lane.name, value);
            rows.push(subject.against(Side::new(OURS, our_value), peer, None));
        }
    }
    rows
}

impl Quality {
    fn figures(&self) -> [(&'static str, Unit, Better, f64); 3] {
        [
            ("recall", Unit::Ratio, Better::Higher, self.recall),
            ("error", Unit::Ratio, Better::Lower, self.error),
            ("bytes", Unit::Bytes, Better::Lower, self.bytes),
        ]
    }
}

/// A word that is tracked already is counted without an allocation.
fn allocations_on_hit() -> Row {
    let workload = "the 100 most frequent words once more";
    let subject =
        Subject::new("sketch.P4/words/allocations", workload, Unit::Count, Better::Lower);
    let Ok(words) = words() else {
        return subject.limit(Side::missing(OURS), 0.0).could_not_run("testdata is not there");
    };
    let mut sketch = str::ours();
    words.iter().for_each(|word| {
        sketch.add(word.as_str());
    });
    let tracked: Vec<String> = sketch.top().into_iter().map(|hit| hit.item.clone()).collect();
    let ((), used) = memory::used(|| {
        tracked.iter().for_each(|word| {
            sketch.add(word.as_str());
        });
    });
    subject.limit(Side::new(OURS, used.allocations as f64), 0.0)
}
