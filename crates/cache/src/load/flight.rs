//! Flights: loads under way, who leads them and who waits for them.
//!
//! One mechanism for threads and futures: a waiter is a [`Waker`]; a thread's wakes it by `unpark`.
//!
//! Invariants:
//! 1. A key has at most one flight in the table, and a flight in the table is `Led` or `Vacant`.
//! 2. A `Led` flight has one leader, whose guard ends it, hands it over or dissolves it when it goes.
//! 3. A `Vacant` flight has a waiter that was woken and has not gone since; whoever comes first, it
//!    or a newcomer, leads.
//! 4. `overtaken` is set before what overtakes the load touches the cache, and is read under the
//!    lock of the cache's shard in the step that publishes. So either the publication comes first
//!    and the invalidation removes it, or it sees that it was overtaken.
//!
//! Locks are taken in the order table, flight; neither is held while a loader, a listener or a waker
//! runs. `Eq` of keys and a look into the cache run under the lock of a table's shard.
//!
//! What a load costs that nobody waits for is locked instructions, some 20 cycles each, so they are
//! counted: the table's lock frees itself with a store, a flight is used again where that keeps no
//! key of the user's alive, and who saw that the key is not there does not look again unless a load
//! of the table's shard has ended since (`ended`).

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use archstone_core::pad::CachePadded;
use archstone_core::shim::atomic::{AtomicBool, AtomicU64, Ordering};
use archstone_core::shim::{Mutex, thread, thread_id};
use archstone_core::spin::{Guard, Lock};
use core::any::Any;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

/// Shards of the table; flights of one are searched one by one.
const SHARDS: usize = 64;

/// An error of any type, for waiters who know which.
pub(crate) type AnyError = Arc<dyn Any + Send + Sync>;

enum Phase<V> {
    Led,
    Vacant,
    Loaded(Arc<V>),
    Failed(AnyError),
    /// Overtaken, or nobody was left: whoever still waits begins anew.
    Dissolved,
}

struct State<V> {
    phase: Phase<V>,
    /// In order of arrival at their first poll.
    waiters: Vec<(u64, Waker)>,
    next: u64,
    /// The thread that runs the loader now.
    runs_on: Option<thread::ThreadId>,
}

pub(crate) struct Flight<K, V> {
    hash: u64,
    pub(crate) key: K,
    overtaken: AtomicBool,
    state: Mutex<State<V>>,
}

impl<K, V> Flight<K, V> {
    /// Whether an insertion or an invalidation came after the load had begun.
    pub(crate) fn is_overtaken(&self) -> bool {
        self.overtaken.load(Ordering::Acquire)
    }

    /// Says which thread runs the loader: one that waits for itself would wait for ever.
    pub(crate) fn runs_on(&self, thread: Option<thread::ThreadId>) {
        self.state.lock().runs_on = thread;
    }
}

/// What a load came to.
pub(crate) enum Outcome<V> {
    Loaded(V),
    Failed(AnyError),
    /// Others begin anew.
    Nothing,
}

/// A write of a key to the store behind the cache, under way.
struct Write<K> {
    hash: u64,
    key: K,
    writers: usize,
    /// Another one began before this one had ended, or the cache was changed by hand meanwhile, so
    /// nobody knows which came last. Read under the lock of the cache's shard, as `overtaken` is.
    mixed: Arc<AtomicBool>,
    /// Loads that begin before it has ended are not published.
    holds: bool,
}

struct Table<K, V> {
    flights: Vec<(u64, Arc<Flight<K, V>>)>,
    writes: Vec<Write<K>>,
    /// One that has ended and that nobody else holds, for the next.
    spare: Option<Arc<Flight<K, V>>>,
}

struct Shard<K, V> {
    table: Lock<Table<K, V>>,
    /// Flights whose leader was done. Counted under the lock, after the leader has published.
    ended: AtomicU64,
}

impl<K: Eq, V> Table<K, V> {
    fn find(&self, hash: u64, key: &K) -> Option<usize> {
        self.flights.iter().position(|(h, flight)| *h == hash && flight.key == *key)
    }
}

type Shards<K, V> = Box<[CachePadded<Shard<K, V>>]>;

pub(crate) struct Flights<K, V> {
    shards: Shards<K, V>,
}

/// What a caller is to do.
pub(crate) enum Turn<'a, K: Eq, V> {
    /// The value came in meanwhile.
    Hit(V),
    Lead(Lead<'a, K, V>),
    Wait(Wait<'a, K, V>),
    /// The loader of this key asks for this key.
    Recursive,
}

impl<K: Eq, V> Flights<K, V> {
    pub(crate) fn new() -> Self {
        let shard = |_| {
            let table = Table { flights: Vec::new(), writes: Vec::new(), spare: None };
            CachePadded::new(Shard { table: Lock::new(table), ended: AtomicU64::new(0) })
        };
        Self { shards: (0..SHARDS).map(shard).collect() }
    }

    #[inline]
    fn shard(&self, hash: u64) -> &Shard<K, V> {
        &self.shards[(hash >> 48) as usize % SHARDS]
    }

    #[inline]
    fn table(&self, hash: u64) -> Guard<'_, Table<K, V>> {
        self.shard(hash).table.lock()
    }

    /// How many flights have ended where this hash belongs: for [`Flights::turn`].
    #[inline]
    pub(crate) fn ended(&self, hash: u64) -> u64 {
        self.shard(hash).ended.load(Ordering::Acquire)
    }

    /// Loads under way.
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.table.lock().flights.len()).sum()
    }

    /// Joins the flight of a key, or begins one unless `seen` sees a value: under the lock that a
    /// leader takes after it has published, so a flight that has just ended is not flown again.
    ///
    /// `missed`: what [`Flights::ended`] said before the caller looked and saw no value. If it still
    /// says so, no load of this key was published in between, and `seen` need not be asked.
    pub(crate) fn turn(
        &self,
        hash: u64,
        key: &K,
        here: Option<thread::ThreadId>,
        missed: Option<u64>,
        seen: impl FnOnce() -> Option<V>,
    ) -> Turn<'_, K, V>
    where
        K: Clone,
    {
        let mut shard = self.table(hash);
        if let Some(at) = shard.find(hash, key) {
            let flight = Arc::clone(&shard.flights[at].1);
            let mut state = flight.state.lock();
            drop(shard);
            if matches!(state.phase, Phase::Vacant) {
                (state.phase, state.runs_on) = (Phase::Led, here);
                drop(state);
                return Turn::Lead(Lead { flights: self, flight: Some(flight) });
            }
            if state.runs_on.is_some_and(|thread| thread == thread_id()) {
                return Turn::Recursive;
            }
            state.next += 1;
            let id = state.next;
            drop(state);
            return Turn::Wait(Wait { flights: self, flight: Some(flight), id });
        }
        if missed != Some(self.ended(hash)) {
            if let Some(value) = seen() {
                return Turn::Hit(value);
            }
        }
        let flight = Self::begin(&mut shard, hash, key.clone(), here);
        Turn::Lead(Lead { flights: self, flight: Some(flight) })
    }

    fn begin(
        shard: &mut Table<K, V>,
        hash: u64,
        key: K,
        runs_on: Option<thread::ThreadId>,
    ) -> Arc<Flight<K, V>> {
        let held = |write: &Write<K>| write.holds && write.hash == hash && write.key == key;
        let overtaken = shard.writes.iter().any(held);
        let state = State { phase: Phase::Led, waiters: Vec::new(), next: 0, runs_on };
        let (overtaken, state) = (AtomicBool::new(overtaken), Mutex::new(state));
        let fresh = Flight { hash, key, overtaken, state };
        let flight = match shard.spare.take() {
            Some(mut spare) => match Arc::get_mut(&mut spare) {
                Some(old) => {
                    *old = fresh;
                    spare
                }
                None => Arc::new(fresh),
            },
            None => Arc::new(fresh),
        };
        shard.flights.push((hash, Arc::clone(&flight)));
        flight
    }

    /// Leads a new flight if the key has none and `wanted` says so, under the lock of [`turn`].
    pub(crate) fn lead_if(
        &self,
        hash: u64,
        key: &K,
        wanted: impl FnOnce() -> bool,
    ) -> Option<Arc<Flight<K, V>>>
    where
        K: Clone,
    {
        let mut shard = self.table(hash);
        if shard.find(hash, key).is_some() || !wanted() {
            return None;
        }
        Some(Self::begin(&mut shard, hash, key.clone(), None))
    }

    /// Takes a flight out of the table. It comes back if somebody waits for it: nobody can join any
    /// more.
    fn take_out(&self, flight: Arc<Flight<K, V>>) -> Option<Arc<Flight<K, V>>> {
        let shard = self.shard(flight.hash);
        let mut table = shard.table.lock();
        // The lock excludes others who count: a store will do.
        shard.ended.store(shard.ended.load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
        if let Some(at) = table.flights.iter().position(|(_, other)| Arc::ptr_eq(other, &flight)) {
            table.flights.swap_remove(at);
        }
        if Arc::strong_count(&flight) > 1 {
            return Some(flight);
        }
        if !core::mem::needs_drop::<K>() {
            table.spare = Some(flight);
        }
        None
    }

    /// The leader is done: everyone who waits gets what came of it.
    /// `outcome`, which may clone the value, is asked only if there is someone.
    pub(crate) fn end(&self, flight: Arc<Flight<K, V>>, outcome: impl FnOnce() -> Outcome<V>) {
        /// If the clone panics, who waits must not wait for ever.
        struct OrNothing<'a, K: Eq, V>(&'a Arc<Flight<K, V>>);
        impl<K: Eq, V> Drop for OrNothing<'_, K, V> {
            fn drop(&mut self) {
                Flights::dissolve(self.0);
            }
        }
        let Some(flight) = self.take_out(flight) else { return };
        let or_nothing = OrNothing(&flight);
        let outcome = outcome();
        core::mem::forget(or_nothing);
        let mut state = flight.state.lock();
        if !matches!(state.phase, Phase::Dissolved) {
            state.phase = match outcome {
                Outcome::Loaded(value) => Phase::Loaded(Arc::new(value)),
                Outcome::Failed(error) => Phase::Failed(error),
                Outcome::Nothing => Phase::Dissolved,
            };
        }
        let waiters = core::mem::take(&mut state.waiters);
        drop(state);
        waiters.into_iter().for_each(|(_, waker)| waker.wake());
    }

    /// The leader is gone without a result: the first who waits leads, or nobody is there and the
    /// flight ends.
    pub(crate) fn abandon(&self, flight: &Arc<Flight<K, V>>) {
        let mut shard = self.table(flight.hash);
        let mut state = flight.state.lock();
        if matches!(state.phase, Phase::Dissolved) {
            return;
        }
        state.runs_on = None;
        match state.waiters.first().map(|(_, waker)| waker.clone()) {
            Some(waker) => {
                state.phase = Phase::Vacant;
                drop((state, shard));
                waker.wake();
            }
            None => {
                state.phase = Phase::Dissolved;
                if let Some(at) = shard.flights.iter().position(|(_, f)| Arc::ptr_eq(f, flight)) {
                    shard.flights.swap_remove(at);
                }
            }
        }
    }

    /// What is loaded now is stale when it comes: it will not be published, and who waits for it
    /// begins anew. To be called before the cache is changed. `by_write`: by a write that is in the
    /// table itself.
    pub(crate) fn overtake(&self, hash: u64, is_it: impl Fn(&K) -> bool, by_write: bool) {
        let mut shard = self.table(hash);
        if !by_write {
            if let Some(write) = shard.writes.iter().find(|w| w.hash == hash && is_it(&w.key)) {
                write.mixed.store(true, Ordering::Release);
            }
        }
        let at = shard.flights.iter().position(|(h, f)| *h == hash && is_it(&f.key));
        let Some(at) = at else { return };
        let (_, flight) = shard.flights.swap_remove(at);
        drop(shard);
        Self::dissolve(&flight);
    }

    /// [`Flights::overtake`] of every key that `which` says yes to.
    pub(crate) fn overtake_if(&self, mut which: impl FnMut(&K) -> bool) {
        for shard in &self.shards {
            let mut gone = Vec::new();
            {
                let mut shard = shard.table.lock();
                for write in shard.writes.iter().filter(|write| which(&write.key)) {
                    write.mixed.store(true, Ordering::Release);
                }
                shard.flights.retain(|(_, flight)| {
                    let hit = which(&flight.key);
                    if hit {
                        gone.push(Arc::clone(flight));
                    }
                    !hit
                });
            }
            gone.iter().for_each(Self::dissolve);
        }
    }

    fn dissolve(flight: &Arc<Flight<K, V>>) {
        flight.overtaken.store(true, Ordering::Release);
        let mut state = flight.state.lock();
        state.phase = Phase::Dissolved;
        let waiters = core::mem::take(&mut state.waiters);
        drop(state);
        waiters.into_iter().for_each(|(_, waker)| waker.wake());
    }

    /// A write of a key begins. What it gives turns true when the write is no longer alone.
    pub(crate) fn write_begins(&self, hash: u64, key: &K) -> Arc<AtomicBool>
    where
        K: Clone,
    {
        let mut shard = self.table(hash);
        if let Some(write) = shard.writes.iter_mut().find(|w| w.hash == hash && w.key == *key) {
            write.writers += 1;
            write.mixed.store(true, Ordering::Release);
            return Arc::clone(&write.mixed);
        }
        let mixed = Arc::new(AtomicBool::new(false));
        let write =
            Write { hash, key: key.clone(), writers: 1, mixed: Arc::clone(&mixed), holds: false };
        shard.writes.push(write);
        mixed
    }

    /// From now on, and until the write has ended, no load of its key is published.
    pub(crate) fn write_holds(&self, hash: u64, mixed: &Arc<AtomicBool>) {
        let mut shard = self.table(hash);
        if let Some(write) = shard.writes.iter_mut().find(|w| Arc::ptr_eq(&w.mixed, mixed)) {
            write.holds = true;
        }
    }

    /// A write has ended. It is known by what it was given: no code of the user's runs.
    pub(crate) fn write_ends(&self, hash: u64, mixed: &Arc<AtomicBool>) {
        let mut shard = self.table(hash);
        if let Some(at) = shard.writes.iter().position(|w| Arc::ptr_eq(&w.mixed, mixed)) {
            shard.writes[at].writers -= 1;
            if shard.writes[at].writers == 0 {
                shard.writes.swap_remove(at);
            }
        }
    }
}

/// Who loads. Dropped without [`Lead::end`], by a panic or because its future is dropped, it hands
/// over.
pub(crate) struct Lead<'a, K: Eq, V> {
    flights: &'a Flights<K, V>,
    flight: Option<Arc<Flight<K, V>>>,
}

impl<'a, K: Eq, V> Lead<'a, K, V> {
    /// Leads a flight that was begun without a guard.
    pub(crate) fn adopt(flights: &'a Flights<K, V>, flight: Arc<Flight<K, V>>) -> Self {
        Self { flights, flight: Some(flight) }
    }

    pub(crate) fn flight(&self) -> &Option<Arc<Flight<K, V>>> {
        &self.flight
    }

    pub(crate) fn end(mut self, outcome: impl FnOnce() -> Outcome<V>) {
        if let Some(flight) = self.flight.take() {
            self.flights.end(flight, outcome);
        }
    }
}

impl<K: Eq, V> Drop for Lead<'_, K, V> {
    fn drop(&mut self) {
        if let Some(flight) = self.flight.take() {
            self.flights.abandon(&flight);
        }
    }
}

/// What a waiter gets.
pub(crate) enum Waited<'a, K: Eq, V> {
    Loaded(Arc<V>),
    Failed(AnyError),
    /// The leader is gone: lead.
    Lead(Lead<'a, K, V>),
    /// Look again.
    Again,
}

/// Who waits: a future, or by [`Wait::block`] a thread.
pub(crate) struct Wait<'a, K: Eq, V> {
    flights: &'a Flights<K, V>,
    /// `None` once it has ended.
    flight: Option<Arc<Flight<K, V>>>,
    id: u64,
}

impl<'a, K: Eq, V> Future for Wait<'a, K, V> {
    type Output = Waited<'a, K, V>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let id = self.id;
        let Some(flight) = self.flight.take() else { return Poll::Ready(Waited::Again) };
        let mut state = flight.state.lock();
        let answer = match &state.phase {
            Phase::Led => {
                match state.waiters.iter_mut().find(|(other, _)| *other == id) {
                    Some((_, waker)) => waker.clone_from(context.waker()),
                    None => state.waiters.push((id, context.waker().clone())),
                }
                drop(state);
                self.flight = Some(flight);
                return Poll::Pending;
            }
            Phase::Vacant => {
                state.waiters.retain(|(other, _)| *other != id);
                state.phase = Phase::Led;
                drop(state);
                let flights = self.flights;
                return Poll::Ready(Waited::Lead(Lead { flights, flight: Some(flight) }));
            }
            Phase::Loaded(value) => Waited::Loaded(Arc::clone(value)),
            Phase::Failed(error) => Waited::Failed(Arc::clone(error)),
            Phase::Dissolved => Waited::Again,
        };
        Poll::Ready(answer)
    }
}

impl<'a, K: Eq, V> Wait<'a, K, V> {
    /// Waits in this thread.
    pub(crate) fn block(mut self) -> Waited<'a, K, V> {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        loop {
            match Pin::new(&mut self).poll(&mut context) {
                Poll::Ready(answer) => return answer,
                Poll::Pending => thread::park(),
            }
        }
    }
}

impl<K: Eq, V> Drop for Wait<'_, K, V> {
    fn drop(&mut self) {
        let Some(flight) = self.flight.take() else { return };
        let mut shard = self.flights.table(flight.hash);
        let mut state = flight.state.lock();
        state.waiters.retain(|(id, _)| *id != self.id);
        if !matches!(state.phase, Phase::Vacant) {
            return;
        }
        // It may have been the one that was woken to lead.
        if let Some(waker) = state.waiters.first().map(|(_, waker)| waker.clone()) {
            drop((state, shard));
            waker.wake();
        } else {
            state.phase = Phase::Dissolved;
            if let Some(at) = shard.flights.iter().position(|(_, f)| Arc::ptr_eq(f, &flight)) {
                shard.flights.swap_remove(at);
            }
        }
    }
}

struct Unpark(thread::Thread);

impl alloc::task::Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a loader's future and says meanwhile on which thread.
pub(crate) struct Running<'a, K, V, F> {
    pub(crate) flights: &'a [Arc<Flight<K, V>>],
    pub(crate) future: Pin<&'a mut F>,
}

impl<K, V, F: Future> Future for Running<'_, K, V, F> {
    type Output = F::Output;
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        /// Also when the loader panics.
        struct Off<'a, K, V>(&'a [Arc<Flight<K, V>>]);
        impl<K, V> Drop for Off<'_, K, V> {
            fn drop(&mut self) {
                self.0.iter().for_each(|flight| flight.runs_on(None));
            }
        }
        let here = thread_id();
        self.flights.iter().for_each(|flight| flight.runs_on(Some(here)));
        let _off = Off(self.flights);
        self.future.as_mut().poll(context)
    }
}
