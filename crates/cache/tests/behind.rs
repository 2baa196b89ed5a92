//! Write-behind: killed at every step of the store, failing stores, order, bounds, what is read back.
#![cfg(feature = "std")]

mod common;

use archstone_cache::around::{Limits, PutError, Ran, Store, Unflushed, WriteBehind};
use archstone_cache::sync::Cache;
use archstone_cache::{Builder, Manual, Time};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const MAX_DELAY: u64 = 10;
const MAX_DIRTY: usize = 5;

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A store that may die at any step, and may refuse.
#[derive(Default)]
struct Disk(Mutex<State>);

#[derive(Default)]
struct State {
    rows: HashMap<u8, u64>,
    /// Every change in order; zero is a deletion.
    log: Vec<(u8, u64)>,
    batches: Vec<usize>,
    /// Steps until the machine is dead.
    fuse: Option<u64>,
    refuses: Option<Refuses>,
}

type Refuses = Box<dyn FnMut(u8) -> bool + Send>;

impl Disk {
    /// The point at which it may die.
    fn step(&self) {
        let mut state = self.0.lock().unwrap();
        if let Some(fuse) = &mut state.fuse {
            *fuse = fuse.saturating_sub(1);
            if *fuse == 0 {
                drop(state);
                std::panic::resume_unwind(Box::new("the machine is dead"));
            }
        }
    }

    fn change(&self, key: u8, value: Option<u64>) -> Result<(), &'static str> {
        self.step();
        let mut state = self.0.lock().unwrap();
        if state.refuses.as_mut().is_some_and(|refuses| refuses(key)) {
            return Err("refused");
        }
        state.log.push((key, value.unwrap_or(0)));
        match value {
            Some(value) => state.rows.insert(key, value),
            None => state.rows.remove(&key),
        };
        drop(state);
        self.step();
        Ok(())
    }

    fn refuse(&self, refuses: impl FnMut(u8) -> bool + Send + 'static) {
        self.0.lock().unwrap().refuses = Some(Box::new(refuses));
    }

    fn log(&self) -> Vec<(u8, u64)> {
        self.0.lock().unwrap().log.clone()
    }

    fn row(&self, key: u8) -> Option<u64> {
        self.0.lock().unwrap().rows.get(&key).copied()
    }
}

impl Store<u8, u64> for Disk {
    type Error = &'static str;
    fn load(&self, key: &u8) -> Result<Option<u64>, &'static str> {
        Ok(self.row(*key))
    }
    fn store(&self, key: &u8, value: u64) -> Result<u64, &'static str> {
        self.change(*key, Some(value)).map(|()| value)
    }
    fn delete(&self, key: &u8) -> Result<(), &'static str> {
        self.change(*key, None)
    }
    fn store_batch(&self, batch: &[(u8, Option<u64>)]) -> Result<(), &'static str> {
        self.0.lock().unwrap().batches.push(batch.len());
        batch.iter().try_for_each(|(key, value)| self.change(*key, *value))
    }
}

type Behind = WriteBehind<u8, u64, Arc<Disk>>;

/// A cache so small, and so short-lived, that what is written is soon gone from it.
fn build(limits: Limits) -> (Behind, Arc<Disk>, Arc<Manual>) {
    let (disk, clock) = (Arc::new(Disk::default()), Arc::new(Manual::default()));
    let cache = Builder::new(2).shards(1).time_to_live(secs(3)).clock(Arc::clone(&clock));
    let limits = limits.clock(Arc::clone(&clock));
    (WriteBehind::new(cache.build_sync().unwrap(), Arc::clone(&disk), limits), disk, clock)
}

fn limits() -> Limits {
    Limits::new(MAX_DIRTY).max_delay(secs(MAX_DELAY)).batch(3)
}

/// Whatever the step at which the machine dies: no more than `MAX_DIRTY` writes are lost, none older
/// than `MAX_DELAY`, and what the store has of each key is a state that the key was in.
///
/// The sample write-behind has an unbounded queue and no flush, so it loses what was ever written.
#[test]
fn killed_at_every_step_it_loses_no_more_than_it_says() {
    let mut died = 0;
    for seed in 0..6 {
        for fuse in 1.. {
            let (behind, disk, clock) = build(limits());
            disk.0.lock().unwrap().fuse = Some(fuse);
            // Key, write, when.
            let mut taken: Vec<(u8, u64, u64)> = Vec::new();
            let mut random = common::Rng(seed);
            let life = catch_unwind(AssertUnwindSafe(|| {
                for write in 1..120 {
                    let now = clock.advance(secs(random.below(3))).as_secs();
                    if behind.next_due().is_some_and(|due| due <= Time::from_secs(now)) {
                        behind.run();
                    }
                    let key = random.below(8) as u8;
                    let value = if random.below(5) == 0 { None } else { Some(write) };
                    let put = match value {
                        Some(value) => behind.put(key, value),
                        None => behind.delete(key),
                    };
                    match put {
                        Ok(()) => taken.push((key, value.unwrap_or(0), now)),
                        Err(PutError::Full { max_dirty, .. }) => {
                            assert_eq!((max_dirty, behind.dirty()), (MAX_DIRTY, MAX_DIRTY));
                            behind.run_all();
                        }
                        Err(other) => panic!("{other}"),
                    }
                }
            }));
            let now = Time::as_secs(archstone_cache::Clock::now(&*clock));
            // What the store has, before anything is tidied up.
            let log = disk.log();
            drop(behind);
            let mut lost = 0;
            for key in 0..8 {
                let states: Vec<_> = taken.iter().filter(|write| write.0 == key).collect();
                let stored: Vec<_> = log.iter().copied().filter(|change| change.0 == key).collect();
                // The changes are a subsequence of the writes, in their order.
                let mut at = 0;
                for change in &stored {
                    let next = states[at..].iter().position(|write| write.1 == change.1);
                    // The write that was being put when the machine died was not taken yet.
                    let Some(next) = next else { panic!("{change:?} out of order: {states:?}") };
                    at += next + 1;
                }
                // Two deletions look the same: the one that is stored may be the later one.
                if let Some((_, last)) = stored.last() {
                    at = at.max(states.iter().rposition(|write| write.1 == *last).unwrap() + 1);
                }
                if let Some(first) = states.get(at) {
                    lost += 1;
                    assert!(now - first.2 <= MAX_DELAY + 3, "lost: {first:?} at {now}");
                }
            }
            assert!(lost <= MAX_DIRTY, "{lost} keys lost");
            if life.is_ok() {
                break;
            }
            died += 1;
        }
    }
    assert!(died > 300, "{died} deaths");
}

trait RunAll {
    fn run_all(&self);
}
impl RunAll for Behind {
    fn run_all(&self) {
        // `flush` may find that something waits; that is as good here.
        let _ = self.flush();
    }
}

/// With a store that refuses now and then: what was written is read back at any time, never more than
/// the bound is unstored, and when all is closed the store has the last of everything.
#[test]
fn what_was_written_is_read_back_and_stored_in_the_end() {
    for seed in 0..40 {
        let (behind, disk, clock) = build(limits().retry(|_| Some(secs(2))));
        let mut coin = common::Rng(seed + 1000);
        disk.refuse(move |_| coin.below(4) == 0);
        let mut model: HashMap<u8, u64> = HashMap::new();
        let mut random = common::Rng(seed);
        for write in 1..300 {
            clock.advance(secs(random.below(3)));
            let key = random.below(9) as u8;
            match random.below(6) {
                0 => _ = behind.run(),
                1 if behind.delete(key).is_ok() => _ = model.remove(&key),
                2 => _ = behind.flush(),
                3 | 4 if behind.put(key, write).is_ok() => _ = model.insert(key, write),
                _ => {}
            }
            assert!(behind.dirty() <= MAX_DIRTY);
            for key in 0..9 {
                assert_eq!(behind.get(&key).unwrap(), model.get(&key).copied(), "seed {seed}");
            }
        }
        disk.refuse(|_| false);
        clock.advance(secs(10));
        behind.close().unwrap();
        assert_eq!((&disk.0.lock().unwrap().rows, behind.dirty()), (&model, 0));
        assert_eq!(behind.next_due(), None);
        assert!(matches!(behind.put(1, 1), Err(PutError::Closed { key: 1, value: Some(1) })));
        behind.loading().cache().validate_alone();
    }
}

#[test]
fn writes_of_a_key_coalesce_and_stay_due_when_the_first_was() {
    let (behind, disk, clock) = build(limits());
    behind.put(1, 10).unwrap();
    clock.advance(secs(MAX_DELAY - 1));
    behind.put(1, 11).unwrap();
    assert_eq!(behind.next_due(), Some(Time::from_secs(MAX_DELAY)));
    assert_eq!(behind.run(), Ran::default());
    clock.advance(secs(1));
    assert_eq!(behind.run(), Ran { stored: 1, refused: 0 });
    assert_eq!(disk.log(), [(1, 11)]);
    // A full batch does not wait.
    (1..=3).for_each(|key| behind.put(key, 20).unwrap());
    assert_eq!(behind.run(), Ran { stored: 3, refused: 0 });
    assert_eq!(disk.0.lock().unwrap().batches, [1, 3]);
}

#[test]
fn a_bad_write_parks_alone_and_comes_back() {
    let (behind, disk, clock) = build(limits().retry(|attempt| (attempt < 3).then(|| secs(5))));
    disk.refuse(|key| key == 2);
    (1..=3).for_each(|key| behind.put(key, 7).unwrap());
    // The batch is refused at its second write; all of it is tried again, one by one.
    assert_eq!(behind.flush(), Err(Unflushed { waiting: 3, failed: 0 }));
    assert_eq!(behind.next_due(), Some(Time::from_secs(5)));
    for waits in [1, 0] {
        clock.advance(secs(5));
        let left = behind.flush().unwrap_err();
        assert_eq!((left.waiting, left.failed), (waits, 1 - waits));
    }
    assert_eq!(disk.log(), [(1, 7), (1, 7), (3, 7)]);
    assert_eq!((behind.failed(), behind.dirty(), behind.next_due()), (1, 1, None));
    assert_eq!(behind.get(&2).unwrap(), Some(7), "still read back");
    assert_eq!(behind.close(), Err(Unflushed { waiting: 0, failed: 1 }));
    assert_eq!(behind.take_failed(), [(2, Some(7))]);
    assert_eq!((behind.get(&2).unwrap(), behind.failed()), (None, 0), "as the store has it");
    assert!(behind.close().is_ok());
}

#[test]
fn what_was_refused_is_tried_again_alone_also_behind_others() {
    let (behind, disk, clock) = build(limits().retry(|_| Some(secs(5))));
    disk.refuse(|key| key == 1);
    behind.put(1, 1).unwrap();
    clock.advance(secs(5));
    behind.put(2, 2).unwrap();
    behind.put(1, 3).unwrap();
    clock.advance(secs(5));
    assert_eq!(behind.run(), Ran { stored: 0, refused: 1 });
    clock.advance(secs(5));
    // Both are due, and the refused one is the younger.
    assert_eq!(behind.run(), Ran { stored: 1, refused: 1 });
    assert_eq!(disk.0.lock().unwrap().batches, [1, 1, 1]);
}

/// A write that is stored before its `put` has returned: a reader who saw it never sees the value of
/// before again.
#[test]
fn a_reader_never_goes_back_in_time() {
    // The removal of the old entry is where a listener can look: by then the cache must not have it.
    let seen = Arc::new(Mutex::new(Vec::new()));
    let handle = Arc::new(Mutex::new(None::<WriteBehind<u8, u64, Disk>>));
    let (into, again) = (Arc::clone(&seen), Arc::clone(&handle));
    let cache = Builder::new(9).on_removal(move |key: &u8, value: &Option<u64>, _| {
        let behind = again.lock().unwrap().clone().unwrap();
        into.lock().unwrap().push((*value, behind.get(key).unwrap()));
    });
    let limits = Limits::new(9).clock(Manual::default());
    let behind = WriteBehind::new(cache.build_sync().unwrap(), Disk::default(), limits);
    *handle.lock().unwrap() = Some(behind.clone());
    behind.put(1, 1).unwrap();
    behind.flush().unwrap();
    behind.put(1, 2).unwrap();
    assert_eq!(behind.get(&1).unwrap(), Some(2));
    // While 2 was being put, 1 was loaded from the store, and not kept.
    assert_eq!(*seen.lock().unwrap(), [(Some(1), Some(1))]);
    assert_eq!(behind.loading().load_stats().overtaken, 1);
    *handle.lock().unwrap() = None;
}

#[test]
fn a_new_value_gives_a_parked_key_a_new_chance() {
    let (behind, disk, _) = build(limits().retry(|_| None));
    disk.refuse(|_| true);
    behind.put(1, 1).unwrap();
    assert_eq!(behind.flush(), Err(Unflushed { waiting: 0, failed: 1 }));
    disk.refuse(|_| false);
    assert_eq!(behind.flush(), Err(Unflushed { waiting: 0, failed: 1 }), "not by itself");
    behind.put(1, 2).unwrap();
    assert_eq!((behind.failed(), behind.flush()), (0, Ok(Ran { stored: 1, refused: 0 })));
    assert_eq!(disk.log(), [(1, 2)]);
}

#[test]
fn a_pause_of_nothing_does_not_turn_a_run_into_a_loop() {
    let (behind, disk, _) = build(limits().retry(|_| Some(Duration::ZERO)));
    disk.refuse(|_| true);
    behind.put(1, 1).unwrap();
    assert_eq!(behind.flush(), Err(Unflushed { waiting: 1, failed: 0 }));
}

#[test]
fn what_is_written_during_a_batch_is_stored_after_it() {
    let (behind, disk, _) = build(limits());
    behind.put(1, 1).unwrap();
    let batch = behind.take(true).unwrap();
    assert_eq!(batch.writes(), [(1, Some(1))]);
    behind.put(1, 2).unwrap();
    assert!(behind.take(true).is_none(), "one batch at a time for a key");
    assert_eq!(behind.flush(), Err(Unflushed { waiting: 1, failed: 0 }), "not all is stored");
    assert_eq!(behind.get(&1).unwrap(), Some(2));
    batch.stored();
    assert_eq!(behind.dirty(), 1);
    assert!(behind.flush().is_ok());
    assert_eq!(disk.log(), [(1, 2)]);
    // A batch that is dropped, also by a panic, waits as before.
    behind.put(1, 3).unwrap();
    drop(behind.take(true));
    disk.0.lock().unwrap().fuse = Some(1);
    assert!(catch_unwind(AssertUnwindSafe(|| behind.flush())).is_err());
    disk.0.lock().unwrap().fuse = None;
    assert_eq!(behind.dirty(), 1);
    assert!(behind.flush().is_ok());
    assert_eq!((disk.row(1), behind.dirty()), (Some(3), 0));
}

#[test]
fn a_retry_rule_that_panics_loses_nothing() {
    let (behind, disk, _) = build(limits().retry(|_| std::panic::resume_unwind(Box::new("burnt"))));
    disk.refuse(|_| true);
    behind.put(1, 1).unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| behind.run_all())).is_err());
    disk.refuse(|_| false);
    assert!(behind.flush().is_ok());
    assert_eq!(disk.row(1), Some(1));
}

#[test]
fn dropped_without_close_it_reports() {
    let lost = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&lost);
    let report = move |writes: Vec<(u8, Option<u64>)>| into.lock().unwrap().extend(writes);
    let disk = Arc::new(Disk::default());
    let behind = WriteBehind::reporting(Cache::new(9), Arc::clone(&disk), Limits::new(9), report);
    behind.put(1, 1).unwrap();
    behind.delete(2).unwrap();
    let other = behind.clone();
    drop(behind);
    assert!(lost.lock().unwrap().is_empty(), "there is another handle");
    drop(other);
    lost.lock().unwrap().sort_unstable();
    assert_eq!(*lost.lock().unwrap(), [(1, Some(1)), (2, None)]);
    let none = Arc::clone(&lost);
    let report = move |writes: Vec<(u8, Option<u64>)>| none.lock().unwrap().extend(writes);
    let behind = WriteBehind::reporting(Cache::new(9), disk, Limits::new(9), report);
    behind.put(3, 1).unwrap();
    behind.close().unwrap();
    drop(behind);
    assert_eq!(lost.lock().unwrap().len(), 2);
}

#[test]
fn a_bound_of_nothing_takes_nothing() {
    let behind = WriteBehind::new(Cache::new(9), Arc::new(Disk::default()), Limits::new(0));
    let full = behind.put(1, 1).unwrap_err();
    assert_eq!(full.to_string(), "0 writes are unstored, no more may be");
    assert_eq!(behind.get(&1).unwrap(), None, "what was not taken is not read");
}
