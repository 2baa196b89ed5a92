//! Cache-aside, read- and write-through, the guard, tiers, tags and buses. The faults of the usual
//! sample code are tests here: each fails on that code.
#![cfg(feature = "std")]

use archstone_cache::around::{
    Bus, CacheAside, Filter, Guard, Held, Invalidation, Lives, Local, LocalBus, Store, TagSet,
    Tagged, Through, Tier, Tiers,
};
use archstone_cache::sync::Cache;
use archstone_cache::{Builder, Manual, Time};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A table that counts, may fail, and fills in a field.
#[derive(Default)]
struct Table {
    rows: Mutex<HashMap<u32, String>>,
    loads: AtomicU64,
    fails: Mutex<Option<&'static str>>,
}

impl Table {
    fn check(&self) -> Result<(), &'static str> {
        self.fails.lock().unwrap().map_or(Ok(()), Err)
    }
    fn set(&self, key: u32, value: &str) {
        self.rows.lock().unwrap().insert(key, value.into());
    }
    fn loads(&self) -> u64 {
        self.loads.swap(0, Relaxed)
    }
}

impl Store<u32, String> for Table {
    type Error = &'static str;
    fn load(&self, key: &u32) -> Result<Option<String>, &'static str> {
        self.loads.fetch_add(1, Relaxed);
        self.check()?;
        Ok(self.rows.lock().unwrap().get(key).cloned())
    }
    fn store(&self, key: &u32, value: String) -> Result<String, &'static str> {
        self.check()?;
        let stored = format!("{value} #{key}");
        self.set(*key, &stored);
        Ok(stored)
    }
    fn delete(&self, key: &u32) -> Result<(), &'static str> {
        self.check()?;
        self.rows.lock().unwrap().remove(key);
        Ok(())
    }
}

type Users = Through<u32, String, Arc<Table>>;

fn through(lives: Lives) -> (Users, Arc<Table>, Arc<Manual>) {
    let (table, clock) = (Arc::new(Table::default()), Arc::new(Manual::default()));
    let users = Through::new(Builder::new(9).clock(Arc::clone(&clock)), lives, Arc::clone(&table));
    (users.unwrap(), table, clock)
}

/// Sample cache-aside: the entry is deleted before the transaction commits, so a reader in between
/// reloads the old row and keeps it.
#[test]
fn fault_cache_aside_deletes_before_the_commit() {
    let (table, rows) = (Table::default(), CacheAside::new(Cache::new(9)));
    table.set(1, "old");
    let read = || rows.get(1, |key| table.load(key)).unwrap().unwrap();
    assert_eq!(read(), "old");
    rows.change(1, || {
        // Readers come before the commit ...
        assert_eq!(read(), "old");
        table.set(1, "new");
    });
    assert_eq!(read(), "new");
    // ... and one that has read before it, and comes back after the entry was deleted.
    rows.loading().clear();
    let late = rows.get(1, |key| {
        let read = table.load(key);
        rows.change(1, || table.set(1, "newer"));
        read
    });
    assert_eq!((late.unwrap().unwrap().as_str(), read().as_str()), ("new", "newer"));
    // Whatever becomes of the write.
    let failed = rows.change(1, || Err::<(), _>("timeout, perhaps committed"));
    assert!(failed.is_err() && rows.loading().get(&1).is_none());
}

/// Sample read-through: that there is no row is not kept (penetration), and every thread asks for
/// itself (stampede).
#[test]
fn fault_read_through_keeps_no_absence_and_stampedes() {
    let lives = Lives { present: Some(secs(60)), absent: Some(secs(2)) };
    let (users, table, clock) = through(lives);
    for _ in 0..5 {
        assert_eq!(users.get(&1).unwrap(), None);
    }
    assert_eq!(table.loads(), 1);
    table.set(1, "ann");
    clock.advance(secs(2));
    assert_eq!(users.get(&1).unwrap().as_deref(), Some("ann"), "absence is believed for 2 s only");
    clock.advance(secs(59));
    assert!(users.get(&1).is_ok() && table.loads() == 1);
    clock.advance(secs(1));
    assert!(users.get(&1).is_ok() && table.loads() == 1);
    *table.fails.lock().unwrap() = Some("down");
    users.invalidate(&1);
    let error = users.get(&1).unwrap_err();
    assert_eq!(error.failure(), Some(&"down"));
}

/// Sample write-through: the cache is written before the store, so a failure leaves a value that was
/// never stored; and it holds the object without what the store filled in.
#[test]
fn fault_write_through_writes_the_cache_first() {
    let (users, table, _) = through(Lives::default());
    assert_eq!(users.put(1, "ann".into()).unwrap(), "ann #1");
    assert_eq!(users.get(&1).unwrap().as_deref(), Some("ann #1"), "as stored");
    assert_eq!(table.loads(), 0, "and without a load");
    *table.fails.lock().unwrap() = Some("rolled back");
    assert_eq!(users.put(1, "eve".into()), Err("rolled back"));
    assert_eq!(users.delete(1), Err("rolled back"));
    *table.fails.lock().unwrap() = None;
    assert_eq!(users.get(&1).unwrap().as_deref(), Some("ann #1"));
    assert_eq!(table.loads(), 1);
    users.delete(1).unwrap();
    assert_eq!((users.get(&1).unwrap(), table.loads()), (None, 0));
}

/// An exact filter; a Bloom filter of any crate does as well.
#[derive(Default)]
struct Exact(Mutex<std::collections::HashSet<u32>>);
impl Filter<u32> for Exact {
    fn may_contain(&self, key: &u32) -> bool {
        self.0.lock().unwrap().contains(key)
    }
    fn insert(&self, key: &u32) {
        self.0.lock().unwrap().insert(*key);
    }
    fn remove(&self, key: &u32) {
        self.0.lock().unwrap().remove(key);
    }
}

/// Sample Bloom guard: it is empty at the start, so every user of before "does not exist"; a key is
/// added after it was stored, so there is a moment when it is denied; it grows past its capacity in
/// silence.
#[test]
fn fault_bloom_guard_denies_what_exists() {
    let guard = Arc::new(Guard::new(Exact::default(), 2));
    let (users, table, _) = through(Lives::default());
    let users = users.guarded(Arc::clone(&guard));
    table.set(1, "ann");
    assert_eq!(users.get(&1).unwrap().as_deref(), Some("ann"), "it knows nobody, and lets pass");
    guard.add(&1);
    guard.seeded();
    users.invalidate(&1);
    assert_eq!((users.get(&1).unwrap().as_deref(), table.loads()), (Some("ann"), 2));
    assert_eq!((users.get(&2).unwrap(), table.loads(), guard.denied()), (None, 0, 1));
    // Denied keys take no room.
    assert_eq!(users.loading().cache().len(), 1);

    /// The moment at which the store has it: the guard must let it pass by then.
    struct Watching(Arc<Guard<u32>>, Table);
    impl Store<u32, String> for Watching {
        type Error = &'static str;
        fn load(&self, key: &u32) -> Result<Option<String>, &'static str> {
            self.1.load(key)
        }
        fn store(&self, key: &u32, value: String) -> Result<String, &'static str> {
            assert!(!self.0.denies(key));
            self.1.store(key, value)
        }
        fn delete(&self, key: &u32) -> Result<(), &'static str> {
            self.1.delete(key)
        }
    }
    let watching = Watching(Arc::clone(&guard), Table::default());
    let users = Through::new(Builder::new(9), Lives::default(), watching).unwrap();
    let users = users.guarded(Arc::clone(&guard));
    users.put(5, "eve".into()).unwrap();
    assert!(!guard.is_overfull());
    guard.add(&6);
    assert!(guard.is_overfull(), "three keys in a filter for two");
    guard.remove(&6);
    assert!(guard.denies(&6));
}

type Near = Tiers<u32, &'static str>;

fn tier(clock: &Arc<Manual>) -> Arc<Local<u32, &'static str>> {
    Arc::new(Local::new(Builder::new(100).clock(Arc::clone(clock))).unwrap())
}

fn process(
    clock: &Arc<Manual>,
    far: &Arc<Local<u32, &'static str>>,
    bus: &Arc<LocalBus<u32>>,
) -> Arc<Near> {
    let near = Tiers::new(Builder::new(10).clock(Arc::clone(clock)), secs(60)).unwrap();
    let near = Arc::new(near.below(Arc::clone(far), secs(3600)).on_bus(bus.clone()));
    let hears = Arc::downgrade(&near);
    let hears = bus.subscribe(move |what| {
        if let Some(near) = hears.upgrade() {
            near.heard(what);
        }
    });
    hears.detach();
    near
}

/// Sample `MultiLevelCache`: a hit in the far level fills the near one for a whole lifetime again, so
/// a value may be stale for both lifetimes together.
#[test]
fn fault_levels_forget_the_age_of_a_value() {
    let clock = Arc::new(Manual::default());
    let far = tier(&clock);
    let near = Tiers::new(Builder::new(10).clock(Arc::clone(&clock)), secs(60)).unwrap();
    let near = near.below(Arc::clone(&far), secs(100));
    let calls = AtomicU64::new(0);
    let read = |value: &'static str| {
        let source = |_: &u32| {
            calls.fetch_add(1, Relaxed);
            Ok::<_, ()>(Some((1, value)))
        };
        near.get(&1, source).unwrap()
    };
    assert_eq!(read("a"), Some("a"));
    assert_eq!(near.near().cache().deadline(&1), Some(Time::from_secs(60)));
    clock.set(Time::from_secs(70));
    assert_eq!(read("b"), Some("a"), "from the far tier");
    assert_eq!(near.near().cache().deadline(&1), Some(Time::from_secs(100)), "what is left there");
    clock.set(Time::from_secs(99));
    assert_eq!((read("b"), calls.load(Relaxed)), (Some("a"), 1));
    clock.set(Time::from_secs(100));
    assert_eq!((read("b"), calls.load(Relaxed)), (Some("b"), 2));
}

/// Sample `invalidateAll` clears the near level only, and the next reader fills it from the far one;
/// the near levels of other processes are never told.
#[test]
fn fault_levels_are_not_all_told() {
    let (clock, bus) = (Arc::new(Manual::default()), Arc::new(LocalBus::new()));
    let far = tier(&clock);
    let (a, b) = (process(&clock, &far, &bus), process(&clock, &far, &bus));
    let read =
        |at: &Near, version, value| at.get(&1, |_| Ok::<_, ()>(Some((version, value)))).unwrap();
    assert_eq!((read(&a, 1, "old"), read(&b, 9, "not asked")), (Some("old"), Some("old")));
    a.put(1, 2, "new");
    assert_eq!((read(&a, 9, "not asked"), read(&b, 9, "not asked")), (Some("new"), Some("new")));
    b.invalidate(&1, 3);
    assert_eq!(far.get(&1, Time::ZERO).unwrap().value, None, "the far tier, too");
    // A replica that lags behind: its answer is given, and nobody keeps it.
    assert_eq!((read(&a, 2, "lags"), read(&b, 3, "newer")), (Some("lags"), Some("newer")));
    assert_eq!(read(&a, 9, "not asked"), Some("newer"));
}

/// Sample read-old, write, delete, set-old: the older value stays for a whole lifetime.
#[test]
fn fault_a_reader_puts_the_old_value_back() {
    let (clock, bus) = (Arc::new(Manual::default()), Arc::new(LocalBus::new()));
    let far = tier(&clock);
    let (a, b) = (process(&clock, &far, &bus), process(&clock, &far, &bus));
    for invalidate in [false, true] {
        let (version, key) = (10, u32::from(invalidate));
        let read = a.get(&key, |_| {
            // It has read version 10; now another process writes 11.
            if invalidate {
                b.invalidate(&key, version + 1);
            } else {
                b.put(key, version + 1, "new");
            }
            Ok::<_, ()>(Some((version, "old")))
        });
        assert_eq!(read.unwrap(), Some("old"), "it was asked before");
        for at in [&a, &b] {
            let now = at.get(&key, |_| Ok::<_, ()>(Some((version + 1, "new"))));
            assert_eq!(now.unwrap(), Some("new"), "invalidated: {invalidate}");
        }
        assert_eq!(far.get(&key, Time::ZERO).unwrap().version, version + 1);
    }
    // The far tier refuses by itself.
    let held = |version, value| Held { version, value, expires: Time::MAX };
    assert!(!far.offer(&0, &held(10, Some("old")), Time::ZERO));
    assert!(!far.offer(&0, &held(11, None), Time::ZERO), "a tombstone of a version it has");
    assert!(far.offer(&0, &held(12, None), Time::ZERO));
    assert!(far.offer(&0, &held(12, Some("a")), Time::ZERO), "the value of its tombstone");
    assert!(far.offer(&0, &held(12, Some("a")), Time::ZERO), "the very same");
}

#[test]
fn tiers_pass_on_errors_and_absence() {
    let near = Tiers::<u32, u32>::new(Builder::new(9), secs(9)).unwrap();
    assert_eq!(near.get(&1, |_| Err("down")).unwrap_err().failure(), Some(&"down"));
    assert_eq!(near.get(&1, |_| Ok::<_, ()>(None)).unwrap(), None);
    assert_eq!(near.get(&1, |_| Ok::<_, ()>(Some((1, 7)))).unwrap(), Some(7));
    near.heard(&Invalidation::All);
    assert_eq!(near.get(&1, |_| Ok::<_, ()>(None)).unwrap(), None);
    assert_eq!(near.near().in_flight(), 0);
}

#[test]
fn tags_and_paths_forget_what_bears_them_and_nothing_else() {
    let pages = Tagged::new(Cache::new(100), 1 << 16);
    let put = |key, tags: TagSet| pages.insert(key, key, &tags).ignore();
    put("a", TagSet::new().tag("x").path("eu/de/berlin"));
    put("b", TagSet::new().tag("y").path("eu/de/"));
    put("c", TagSet::new().tag("x").tag("y").path("eu/den"));
    put("d", TagSet::new());
    let here = || ["a", "b", "c", "d"].map(|key| pages.get(key).is_some());
    assert_eq!(here(), [true; 4]);
    pages.invalidate_tag("eu"); // a path, not a tag
    assert_eq!(here(), [true; 4]);
    pages.invalidate_path("eu/de");
    assert_eq!(here(), [false, false, true, true], "by whole parts");
    pages.invalidate_tag("y");
    assert_eq!(here(), [false, false, false, true]);
    put("a", TagSet::new().tag("y"));
    assert_eq!(here(), [true, false, false, true], "what comes afterwards is valid");
    assert_eq!(pages.loading().cache().len(), 4);
    pages.sweep();
    assert_eq!(pages.loading().cache().len(), 2);
    pages.invalidate_all();
    assert_eq!(here(), [false; 4]);
    put("ab", TagSet::new());
    put("b", TagSet::new());
    pages.invalidate_prefix("a");
    assert_eq!((pages.get("ab"), pages.get("b")), (None, Some("b")));
    assert_eq!((pages.remove(&"b"), pages.remove(&"b")), (Some("b"), None));
    // A single cell: everything is forgotten together, nothing is stale.
    let small = Tagged::new(Cache::new(9), 0);
    small.insert(1, 1, &TagSet::new().tag("p")).ignore();
    small.invalidate_tag("q");
    assert_eq!(small.get(&1), None);
}

#[test]
fn a_tag_that_is_forgotten_during_a_load_takes_the_value_with_it() {
    let pages = Tagged::new(Cache::new(100), 64);
    let load = |key: &u32| {
        pages.invalidate_tag("x");
        Ok::<_, ()>((*key, TagSet::new().tag("x")))
    };
    assert_eq!((pages.get_or_load(1, load), pages.get(&1)), (Ok(1), None));
    let load = |key: &u32| Ok::<_, ()>((key + 1, TagSet::new().tag("x")));
    assert_eq!((pages.get_or_load(1, load), pages.get(&1)), (Ok(2), Some(2)));
    // Who waits for a load that was forgotten looks again.
    std::thread::scope(|scope| {
        let asks = scope.spawn(|| {
            pages.get_or_load(5, |_| {
                while pages.loading().load_stats().waited < 1 {
                    std::thread::yield_now();
                }
                pages.invalidate_tag("x");
                Ok::<_, ()>((50, TagSet::new().tag("x")))
            })
        });
        while pages.loading().in_flight() < 1 {
            std::thread::yield_now();
        }
        let again = pages.get_or_load(5, |_| Ok::<_, ()>((51, TagSet::new().tag("x"))));
        assert_eq!((asks.join().unwrap(), again), (Ok(50), Ok(51)));
    });
    assert_eq!(pages.get(&5), Some(51));
    let error = pages.get_or_load(6, |_| Err::<(u32, TagSet), _>("down")).unwrap_err();
    assert_eq!(error.failure(), Some(&"down"));
}

#[test]
fn a_bus_tells_the_others() {
    let bus = Arc::new(LocalBus::new());
    let pages = || {
        let pages = Tagged::new(Cache::new(9), 1024).on_bus(bus.clone());
        let hears = pages.clone();
        (pages, bus.subscribe(move |what| hears.heard(what)))
    };
    let ((a, hears_a), (b, _hears_b)) = (pages(), pages());
    let all = || a.invalidate_all();
    let forget: [&dyn Fn(); 4] =
        [&|| _ = a.remove(&1), &|| a.invalidate_tag("x"), &|| a.invalidate_path("p/q"), &all];
    for forget in forget {
        for at in [&a, &b] {
            at.insert(1, 1, &TagSet::new().tag("x").path("p/q/r")).ignore();
        }
        forget();
        assert_eq!((a.get(&1), b.get(&1)), (None, None));
    }
    bus.publish(&Invalidation::Tag("nobody's".into()));
    b.insert(1, 1, &TagSet::new()).ignore();
    a.insert(1, 1, &TagSet::new()).ignore();
    drop(hears_a);
    _ = b.remove(&1);
    assert_eq!((a.get(&1), b.get(&1)), (Some(1), None), "who hears no more keeps his entry");
    assert_eq!(format!("{bus:?}"), "LocalBus(1 subscribers)");
}

/// The bus owns its subscribers, these own the caches, these own the bus: a dropped subscription
/// opens that circle.
#[test]
fn a_bus_keeps_no_cache_alive() {
    let bus = Arc::new(LocalBus::<u32>::new());
    let value = Arc::new(());
    let pages = Tagged::new(Cache::new(9), 16).on_bus(bus.clone());
    pages.insert(1, Arc::clone(&value), &TagSet::new()).ignore();
    let hears = pages.clone();
    let subscription = bus.subscribe(move |what| hears.heard(what));
    drop((pages, bus));
    assert_eq!(Arc::strong_count(&value), 2, "the subscription holds it");
    drop(subscription);
    assert_eq!(Arc::strong_count(&value), 1);
}
