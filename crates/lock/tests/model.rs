//! The lease table against a naive model, a list searched from front to back, over random steps;
//! the table's own audit (I1, I2, I6, I7, I13) after each. Steps of the clock go back now and then.

use archstone_lock::*;
use proptest::prelude::*;
use std::collections::HashMap;
use std::time::Duration;

const CAPACITY: [u32; 5] = [READERS, READERS, 3, 4, 1];

#[derive(Clone, Debug)]
struct Ask {
    key: usize,
    lo: i64,
    hi: i64,
    /// 0 is exclusive, 1 a reader.
    permits: u32,
}

#[derive(Clone, Debug)]
enum Step {
    Acquire { asks: Vec<Ask>, ttl: u64, wait: u64 },
    Release(usize),
    Extend(usize, u64),
    Confirm(usize),
    Cancel(usize),
    Look(usize, i64),
}

fn asks() -> impl Strategy<Value = Vec<Ask>> {
    let range = prop_oneof![3 => Just((0_i64, 1_i64)), 2 => (-2_i64..12, 0_i64..6).prop_map(|(lo, n)| (lo, lo + n))];
    let ask = (0..5_usize, range, 0_u32..5).prop_map(|(key, (lo, hi), permits)| Ask {
        key,
        lo,
        hi,
        permits,
    });
    proptest::collection::vec(ask, 1..4)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (asks(), 0_u64..40, prop_oneof![Just(0_u64), 1_u64..60]).prop_map(|(asks, ttl, wait)| Step::Acquire { asks, ttl, wait }),
        3 => (0..50_usize).prop_map(Step::Release),
        2 => (0..50_usize, 0_u64..40).prop_map(|(n, ttl)| Step::Extend(n, ttl)),
        1 => (0..50_usize).prop_map(Step::Confirm),
        1 => (0..50_usize).prop_map(Step::Cancel),
        2 => (0..5_usize, -3_i64..14).prop_map(|(key, at)| Step::Look(key, at)),
    ]
}

/// Everything in two lists, searched from front to back.
#[derive(Default)]
struct Naive {
    now: u64,
    live: Vec<(usize, u64, Vec<Ask>)>,
    queue: Vec<(usize, u64, u64, Vec<Ask>)>,
    grants: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Told {
    Expired(usize),
    TimedOut(usize),
    Granted { request: usize, grant: usize, until: u64 },
}

fn permits(ask: &Ask) -> u32 {
    if ask.permits == 0 { CAPACITY[ask.key] } else { ask.permits }
}

fn overlap(a: &Ask, b: &Ask) -> bool {
    a.key == b.key && a.lo < b.hi && b.lo < a.hi
}

impl Naive {
    fn invalid(asks: &[Ask], ttl: u64) -> bool {
        let bad = |ask: &Ask| ask.lo >= ask.hi || permits(ask) > CAPACITY[ask.key];
        let twice = |i: usize| asks[..i].iter().any(|other| overlap(other, &asks[i]));
        ttl == 0 || asks.iter().any(bad) || (0..asks.len()).any(twice)
    }

    fn used(&self, key: usize, point: i64) -> u32 {
        let one = Ask { key, lo: point, hi: point + 1, permits: 1 };
        self.live.iter().flat_map(|l| &l.2).filter(|ask| overlap(ask, &one)).map(permits).sum()
    }

    fn fits(&self, ask: &Ask) -> bool {
        (ask.lo..ask.hi).all(|point| self.used(ask.key, point) + permits(ask) <= CAPACITY[ask.key])
    }

    fn blocked(&self, ask: &Ask, before: usize) -> bool {
        self.queue[..before].iter().flat_map(|w| &w.3).any(|other| overlap(other, ask))
    }

    fn busy(&self, asks: &[Ask]) -> Option<usize> {
        asks.iter().position(|ask| !self.fits(ask) || self.blocked(ask, self.queue.len()))
    }

    fn grant(&mut self, asks: Vec<Ask>, ttl: u64) -> (usize, u64) {
        self.grants += 1;
        self.live.push((self.grants, self.now + ttl, asks));
        (self.grants, self.now + ttl)
    }

    fn scan(&mut self, told: &mut Vec<Told>) {
        let mut at = 0;
        while at < self.queue.len() {
            let runs = self.queue[at].3.iter().all(|ask| self.fits(ask) && !self.blocked(ask, at));
            if runs {
                let (request, _, ttl, asks) = self.queue.remove(at);
                let (grant, until) = self.grant(asks, ttl);
                told.push(Told::Granted { request, grant, until });
            } else {
                at += 1;
            }
        }
    }

    fn turn(&mut self, told: &mut Vec<Told>) {
        let now = self.now;
        told.extend(self.live.iter().filter(|l| l.1 <= now).map(|l| Told::Expired(l.0)));
        self.live.retain(|l| l.1 > now);
        told.extend(self.queue.iter().filter(|w| w.1 <= now).map(|w| Told::TimedOut(w.0)));
        self.queue.retain(|w| w.1 > now);
        self.scan(told);
    }

    fn wake_up_to(&mut self, to: u64, told: &mut Vec<Told>) {
        let next =
            |this: &Self| this.live.iter().map(|l| l.1).chain(this.queue.iter().map(|w| w.1)).min();
        while let Some(at) = next(self).filter(|&at| at <= to) {
            self.now = at;
            self.turn(told);
        }
        self.now = self.now.max(to);
    }
}

fn at(ms: u64) -> Time {
    Time::from_millis(ms)
}

/// Both sides of one run.
struct Pair {
    table: LeaseTable<usize>,
    naive: Naive,
    leases: HashMap<usize, Lease>,
    tickets: HashMap<usize, Ticket>,
    fences: [u64; 5],
    told: Vec<Told>,
}

impl Pair {
    fn new(shards: usize) -> Self {
        let table =
            LeaseTable::builder().shards(shards).capacity(|&key: &usize| CAPACITY[key]).build();
        let (leases, tickets) = Default::default();
        Self { table, naive: Naive::default(), leases, tickets, fences: [0; 5], told: Vec::new() }
    }

    /// I2: fences of a key increase.
    fn fence(&mut self, grant: usize, lease: Lease) {
        let asks = &self.naive.live.iter().find(|l| l.0 == grant).expect("granted").2;
        for ask in asks {
            let last = &mut self.fences[ask.key];
            assert!(lease.fence().get() >= *last);
            *last = lease.fence().get();
        }
        assert_eq!(self.leases.insert(grant, lease), None);
    }

    fn compare(&mut self, now: u64) {
        let mut events = Vec::new();
        self.table.advance(at(now), &mut events);
        let mut told = std::mem::take(&mut self.told);
        let mut got = Vec::new();
        for event in events {
            got.push(match event {
                Event::Expired(lease) => {
                    Told::Expired(*self.leases.iter().find(|l| *l.1 == lease).expect("known").0)
                }
                Event::TimedOut(ticket) => {
                    Told::TimedOut(*self.tickets.iter().find(|t| *t.1 == ticket).expect("known").0)
                }
                Event::Granted(ticket, lease) => {
                    let request = *self.tickets.iter().find(|t| *t.1 == ticket).expect("known").0;
                    let find = |t: &Told| match t {
                        Told::Granted { request: r, grant, .. } if *r == request => Some(*grant),
                        _ => None,
                    };
                    let grant = told.iter().find_map(find).expect("the model grants it too");
                    self.fence(grant, lease);
                    Told::Granted { request, grant, until: lease.until().as_millis() }
                }
                other => panic!("{other:?}"),
            });
        }
        told.sort();
        got.sort();
        assert_eq!(got, told);
        self.table.audit();
    }

    /// Through every instant at which something ends, timer-driven.
    fn wake_up_to(&mut self, to: u64) {
        while let Some(next) = self.table.next_deadline().filter(|&next| next <= at(to)) {
            if next.as_nanos() % 1_000_000 == 0 {
                let ms = next.as_millis();
                let mut told = std::mem::take(&mut self.told);
                self.naive.wake_up_to(ms, &mut told);
                self.told = told;
                self.compare(ms);
            } else {
                let mut none = Vec::new();
                self.table.advance(next, &mut none);
                assert_eq!(none, []);
            }
        }
        let mut told = std::mem::take(&mut self.told);
        self.naive.wake_up_to(to, &mut told);
        assert_eq!(told, [], "the table asked to be woken for everything");
    }

    fn run(&mut self, now: u64, n: usize, step: Step) {
        let effective = now.max(self.naive.now);
        self.wake_up_to(effective);
        // Between shards the time is exact to a millisecond: here each has seen it.
        self.table.advance(at(effective), &mut Vec::new());
        let token = |leases: &HashMap<usize, Lease>, n: usize| leases.get(&n).copied();
        let mut told = Vec::new();
        match step {
            Step::Acquire { asks, ttl, wait } => {
                let demand = |ask: &Ask| Demand {
                    key: ask.key,
                    span: Span::new(ask.lo, ask.hi),
                    mode: match ask.permits {
                        0 => Mode::Exclusive,
                        1 => Mode::Shared,
                        n => Mode::Permits(n),
                    },
                };
                let demands: Vec<_> = asks.iter().map(demand).collect();
                let request = Request {
                    demands: &demands,
                    ttl: Duration::from_millis(ttl),
                    wait: Duration::from_millis(wait),
                };
                let got = self.table.enqueue(at(now), &request);
                if Naive::invalid(&asks, ttl) {
                    assert!(matches!(got, Err(AcquireError::Invalid(_))), "{got:?}");
                    return;
                }
                match (self.naive.busy(&asks), got) {
                    (None, Ok(Outcome::Granted(lease))) => {
                        let (grant, until) = self.naive.grant(asks, ttl);
                        assert_eq!(lease.until(), at(until));
                        self.fence(grant, lease);
                    }
                    (Some(_), Ok(Outcome::Waiting(ticket))) if wait > 0 => {
                        self.naive.queue.push((n, effective + wait, ttl, asks));
                        self.tickets.insert(n, ticket);
                    }
                    (Some(demand), Err(AcquireError::Busy(busy))) if wait == 0 => {
                        assert_eq!(busy.demand, demand);
                    }
                    (busy, got) => panic!("{busy:?} in the model, {got:?}"),
                }
            }
            Step::Release(n) => {
                let was = self.naive.live.len();
                self.naive.live.retain(|l| l.0 != n);
                let lived = self.naive.live.len() < was;
                let got =
                    token(&self.leases, n).is_some_and(|l| self.table.release(at(now), l).is_ok());
                assert_eq!(got, lived);
                self.naive.scan(&mut told);
            }
            Step::Extend(n, ttl) => {
                let live = self.naive.live.iter_mut().find(|l| l.0 == n);
                let want = live.filter(|_| ttl > 0).map(|l| {
                    l.1 = l.1.max(effective.saturating_add(ttl));
                    if l.1 > 1 << 40 { Time::MAX } else { at(l.1) }
                });
                let ttl = Duration::from_millis(ttl);
                let got =
                    token(&self.leases, n).and_then(|l| self.table.extend(at(now), l, ttl).ok());
                assert_eq!(got, want);
            }
            Step::Confirm(n) => {
                let live = self.naive.live.iter_mut().find(|l| l.0 == n);
                let lived = live.map(|l| l.1 = u64::MAX / 2).is_some();
                let got =
                    token(&self.leases, n).is_some_and(|l| self.table.confirm(at(now), l).is_ok());
                assert_eq!(got, lived);
            }
            Step::Cancel(n) => {
                let was = self.naive.queue.len();
                self.naive.queue.retain(|w| w.0 != n);
                let waited = self.naive.queue.len() < was;
                let ticket = self.tickets.get(&n).copied();
                let got = ticket.is_some_and(|t| self.table.cancel(at(now), t).is_ok());
                assert_eq!(got, waited);
                self.naive.scan(&mut told);
            }
            Step::Look(key, point) => {
                assert_eq!(self.table.used(at(now), &key, point), self.naive.used(key, point));
            }
        }
        self.told = told;
        self.compare(effective);
    }
}

/// The last granted are asked for most.
fn recent(step: Step, naive: &Naive, requests: usize) -> Step {
    let grant = |n: usize| naive.grants.saturating_sub(n % 12);
    match step {
        Step::Release(n) => Step::Release(grant(n)),
        Step::Extend(n, ttl) => Step::Extend(grant(n), ttl),
        Step::Confirm(n) => Step::Confirm(grant(n)),
        Step::Cancel(n) => Step::Cancel(requests.saturating_sub(n % 12)),
        other => other,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn the_table_agrees_with_the_naive_model(
        shards in prop_oneof![Just(1_usize), Just(4), Just(32)],
        steps in proptest::collection::vec((0_u64..12, any::<u8>(), step()), 1..120),
    ) {
        let (mut pair, mut now) = (Pair::new(shards), 1000);
        for (n, (forward, back, step)) in steps.into_iter().enumerate() {
            now += forward;
            // I5: one step in eight reads a clock that has stepped back.
            let read = if back < 32 { now - u64::from(back) * 10 } else { now };
            let step = recent(step, &pair.naive, n);
            pair.run(read, n, step);
        }
    }

    /// Nobody drives the table: what is gone is gone all the same, and can be had.
    #[test]
    fn a_lazy_table_gives_what_a_driven_one_gives(
        steps in proptest::collection::vec((0_u64..30, asks(), 1_u64..40), 1..80),
    ) {
        let make = || LeaseTable::builder().shards(4).capacity(|&key: &usize| CAPACITY[key]).build();
        let (lazy, driven, mut now) = (make(), make(), 0);
        let mut held: Vec<Lease> = Vec::new();
        for (forward, asks, ttl) in steps {
            now += forward;
            let demand = |ask: &Ask| Demand { key: ask.key, span: Span::new(ask.lo, ask.hi), mode: if ask.permits == 0 { Mode::Exclusive } else { Mode::Permits(ask.permits) } };
            let demands: Vec<_> = asks.iter().map(demand).collect();
            driven.advance(at(now), &mut Vec::new());
            let ttl = Duration::from_millis(ttl);
            let (a, b) = (lazy.acquire_all(at(now), &demands, ttl), driven.acquire_all(at(now), &demands, ttl));
            prop_assert_eq!(a.is_ok(), b.is_ok(), "{:?} {:?} at {} {:?} {:?}", a, b, now, lazy.next_deadline(), driven.next_deadline());
            lazy.audit();
            held.extend(a.ok());
            for h in &held { let st = lazy.status(at(now), *h); if h.until() <= at(now) { prop_assert_eq!(st, None); } }
            for key in 0..5 {
                for point in -3..12 {
                    prop_assert_eq!(lazy.used(at(now), &key, point), driven.used(at(now), &key, point), "key {} point {} at {}", key, point, now);
                }
            }
        }
    }
}
