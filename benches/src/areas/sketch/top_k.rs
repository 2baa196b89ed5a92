//! P3 and P4: the 100 most frequent of a stream; time, recall, error and bytes.

use std::borrow::Borrow;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use datasketches::frequencies::{ErrorType, FrequentItemsSketch};
use heavykeeper::{BucketedTopK, CuckooTopK, TopK as HeavyKeeper};
use topk::FilteredSpaceSaving;

use crate::areas::{Area, Run};
use crate::measure::{Race, Runner};
use crate::memory::{self, Used};
use crate::row::{Better, Row, Side, Subject, Unit};
use crate::workload::{count, words, zipf_keys};

const K: usize = 100;
const EVENTS: usize = 4 << 20;
const OURS: &str = "archstone-sketch TopK, 64 KiB";

pub(super) fn entries(area: &mut Area) {
    for (s, over_exact) in [(1.1, 1.0), (0.8, 2.0)] {
        let goals = Goals { peers: 2.0, exact: over_exact };
        stream::<u64>(area, format!("sketch.P3/zipf{s}"), goals, move |_| {
            let workload = format!("top {K} of 4 Mi u64, Zipf {s} over 4 Mi ids");
            Ok((workload, zipf_keys(1, s, 4 << 20, EVENTS)))
        });
    }
    let goals = Goals { peers: 1.3, exact: 1.0 / 1.2 };
    stream::<str>(area, "sketch.P4/words".to_owned(), goals, |_| {
        let words = words().map_err(|error| format!("testdata: {error}"))?;
        Ok((format!("top {K} of 577,155 words of War and Peace"), words))
    });
    stream::<str>(area, "sketch.trace".to_owned(), Goals { peers: 0.0, exact: 0.0 }, |run| {
        let trace = run.trace.as_ref().ok_or("no --trace was given")?;
        Ok((format!("top {K} of the lines of {}", trace.name), trace.keys.clone()))
    });
}

/// How many times as fast as the peers and as an exact map ours is to be; 0 for information.
#[derive(Clone, Copy)]
struct Goals {
    peers: f64,
    exact: f64,
}

/// A borrowed key that every contender takes.
trait Key: Hash + Eq + ToOwned<Owned: Ord + Clone + Hash + Borrow<Self> + 'static> + 'static {}

impl Key for u64 {}
impl Key for str {}

trait Contender<Q: Key + ?Sized>: 'static {
    fn add(&mut self, key: &Q);
    /// At least the best `k`, with their counts, in any order.
    fn top(&self, k: usize) -> Vec<(Q::Owned, u64)>;
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
    let mut race = Race::without_ours(workload, OURS, "not on main yet");
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
    let _ = goals;
    let mut rows = Vec::new();
    for lane in peers::<Q>() {
        let (found, used) = (lane.answer)(events);
        let quality = judge(&truth, &found, used);
        for (name, unit, better, value) in [
            ("recall", Unit::Ratio, Better::Higher, quality.recall),
            ("error", Unit::Ratio, Better::Lower, quality.error),
            ("bytes", Unit::Bytes, Better::Lower, quality.bytes),
        ] {
            let subject =
                Subject::new(&format!("{id}/{name}/{}", lane.suffix), workload, unit, better);
            rows.push(subject.against(Side::missing(OURS), Side::new(lane.name, value), None));
        }
    }
    rows
}
