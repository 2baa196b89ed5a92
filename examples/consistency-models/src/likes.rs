//! The likes service: a like is stored where the user is, and the other sites hear of it later.
//!
//! Three sites, each with a SQLite of its own. A like and its entry in the outbox are one transaction;
//! a relay sends what is in the outbox until it is confirmed, so a like may come twice and is kept
//! once, by its primary key. The text sends to a queue after its write, and counts what comes.

use kit::sim::{Events, Link, Network};
use kit::{Fault, Invariants, Safeguards, Seed, Time, Zipf};
use rusqlite::{Connection, params};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What must hold.
pub const ONCE: &str = "likes: every site ends with every like, once";

const SITES: usize = 3;
/// One way, in milliseconds: Europe, America, Asia.
const FAR: [(usize, usize, u64); 3] = [(0, 1, 45), (0, 2, 85), (1, 2, 70)];
const RELAY: Duration = Duration::from_millis(50);
const AGAIN: Duration = Duration::from_millis(400);
/// Likes in one message, at most.
const BATCH: usize = 200;

/// What happened.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Likes that were acknowledged.
    pub likes: u64,
    /// From the acknowledgement at home until the last site has it, without the cut.
    pub lag: kit::Latencies,
    /// Messages that brought what was there.
    pub again: u64,
    /// The largest difference of two sites' counts of the most liked post, seen at any time.
    pub apart: u64,
    /// How the cut went.
    pub cut: Option<Fault>,
    /// Rows that each site has in the end.
    pub rows: Vec<u64>,
    /// Simulated events.
    pub events: u64,
}

type Like = (u64, u64);

enum Event {
    Like(usize, Like),
    Relay(usize),
    Comes { from: usize, to: usize, after: u64, upto: u64, likes: Vec<Like> },
    Confirms { from: usize, to: usize, upto: u64 },
    Cut,
    Heal,
    Crash(usize),
}

struct Site {
    database: Connection,
    /// The text's queue in memory: what is in it dies with the process.
    queue: BTreeMap<u64, Like>,
    next: u64,
    /// By other site: confirmed up to, sent up to, when to send again.
    confirmed: [u64; SITES],
    sent: [(u64, Time); SITES],
    /// By other site: what of its likes is here, without a gap.
    applied: [u64; SITES],
}

struct Service<'a> {
    sites: Vec<Site>,
    outbox: bool,
    idempotent: bool,
    network: Network,
    events: Events<Event>,
    /// When each like was acknowledged, and who has it.
    pending: BTreeMap<Like, (Time, BTreeSet<usize>, bool)>,
    facts: Facts,
    hot: [u64; SITES],
    is_cut: bool,
    invariants: &'a mut Invariants,
}

/// `likes` likes over some seconds at three sites, one of which is cut off meanwhile, and one dies.
///
/// # Errors
/// What SQLite says.
pub fn run(
    seed: Seed,
    likes: u64,
    on: &Safeguards,
    invariants: &mut Invariants,
) -> rusqlite::Result<Facts> {
    let once = invariants.declare(ONCE);
    let (outbox, idempotent) = (on.on("outbox"), on.on("idempotent-apply"));
    let mut network = Network::new(SITES, Link::LOCAL, seed.stream("likes network"));
    for (a, b, one_way) in FAR {
        network.set(a, b, Link::far(Duration::from_millis(one_way)).faulty(0.01, 0.02));
    }
    let sites = (0..SITES).map(|_| site(idempotent)).collect::<rusqlite::Result<_>>()?;
    let mut service = Service {
        sites,
        outbox,
        idempotent,
        network,
        events: Events::new(),
        pending: BTreeMap::new(),
        facts: Facts::default(),
        hot: [0; SITES],
        is_cut: false,
        invariants,
    };
    let (cut, heal) = (Time::from_millis(3_000), Time::from_millis(8_000));
    service.schedule(seed, likes, cut, heal);
    let end = Time::from_millis(20_000);
    let mut healed = None;
    while let Some((now, event)) = service.events.next_before(end) {
        service.facts.events += 1;
        service.handle(now, event)?;
        if now >= heal && healed.is_none() && service.pending.values().all(|like| !like.2) {
            healed = Some(now);
        }
    }
    let mut facts = service.facts;
    for (at, site) in service.sites.iter().enumerate() {
        let rows = rows(&site.database)?;
        facts.rows.push(rows);
        let missing = service.pending.values().filter(|like| !like.1.contains(&at)).count();
        service.invariants.event(format!("site {at} ends with {rows} rows of {}", facts.likes));
        service.invariants.check(once, rows == facts.likes && missing == 0, || {
            format!("site {at}: {rows} rows of {} likes, {missing} missing", facts.likes)
        });
    }
    let recovered = healed.map(|at| at.since(heal).as_millis() as u64);
    facts.cut = Some(Fault {
        kind: "likes: Asia cut off for 5 s".to_owned(),
        at_ms: 3_000,
        recovered_ms: recovered,
        effect: format!("every like accepted, counts up to {} apart", facts.apart),
    });
    Ok(facts)
}

fn site(idempotent: bool) -> rusqlite::Result<Site> {
    let database = Connection::open_in_memory()?;
    let key = if idempotent { ", PRIMARY KEY (post, person)" } else { "" };
    database.execute_batch(&format!(
        "CREATE TABLE likes (post INTEGER NOT NULL, person INTEGER NOT NULL{key});
         CREATE TABLE outbox (id INTEGER PRIMARY KEY, post INTEGER NOT NULL, person INTEGER NOT NULL);"
    ))?;
    let (queue, sent) = (BTreeMap::new(), [(0, Time::ZERO); SITES]);
    Ok(Site { database, queue, next: 0, confirmed: [0; SITES], sent, applied: [0; SITES] })
}

fn rows(database: &Connection) -> rusqlite::Result<u64> {
    let rows: i64 = database.query_row("SELECT count(*) FROM likes", [], |row| row.get(0))?;
    Ok(rows as u64)
}

impl Service<'_> {
    fn schedule(&mut self, seed: Seed, likes: u64, cut: Time, heal: Time) {
        let mut dice = seed.stream("likes");
        let posts = Zipf::new(200, 1.0).expect("200 posts");
        let mut seen = BTreeSet::new();
        while (seen.len() as u64) < likes {
            let like = (posts.sample(&mut dice), dice.below(1_000_000));
            if seen.insert(like) {
                let site = dice.below(SITES as u64) as usize;
                let at = Time::ZERO + dice.between(Duration::ZERO, Duration::from_secs(12));
                self.events.at(at, Event::Like(site, like));
            }
        }
        (0..SITES).for_each(|site| self.events.after(RELAY, Event::Relay(site)));
        self.events.at(cut, Event::Cut);
        self.events.at(heal, Event::Heal);
        for nth in 0..8 {
            let at = Time::from_millis(1_000 + 1_370 * nth);
            self.events.at(at, Event::Crash(dice.below(SITES as u64) as usize));
        }
    }

    fn handle(&mut self, now: Time, event: Event) -> rusqlite::Result<()> {
        match event {
            Event::Like(site, like) => self.like(now, site, like)?,
            Event::Relay(site) => {
                self.relay(now, site)?;
                self.events.after(RELAY, Event::Relay(site));
            }
            Event::Comes { from, to, after, upto, likes } => {
                // One that was lost before it will come again, and this one after it.
                if after > self.sites[to].applied[from] {
                    return Ok(());
                }
                for like in likes {
                    self.apply(now, to, like)?;
                }
                let applied = &mut self.sites[to].applied[from];
                *applied = upto.max(*applied);
                let upto = *applied;
                self.send(now, to, from, |from, to| Event::Confirms { from, to, upto });
            }
            Event::Confirms { from, to, upto } => {
                let site = &mut self.sites[to];
                site.confirmed[from] = site.confirmed[from].max(upto);
            }
            Event::Cut => {
                self.invariants.event("site 2 is cut off".to_owned());
                self.network.isolate(2);
                self.is_cut = true;
                // What is under way is of the cut, too.
                self.pending.values_mut().for_each(|like| like.2 |= like.1.len() < SITES);
            }
            Event::Heal => {
                self.network.heal();
                self.is_cut = false;
            }
            Event::Crash(at) => {
                let site = &mut self.sites[at];
                let lost = site.queue.len();
                self.invariants.event(format!("site {at} restarts, {lost} in its memory"));
                site.queue.clear();
                site.sent = [(0, Time::ZERO); SITES];
            }
        }
        Ok(())
    }

    fn like(&mut self, now: Time, at: usize, (post, person): Like) -> rusqlite::Result<()> {
        let site = &mut self.sites[at];
        site.next += 1;
        let transaction = site.database.transaction()?;
        transaction
            .prepare_cached("INSERT INTO likes VALUES (?1, ?2)")?
            .execute(params![post as i64, person as i64])?;
        if self.outbox {
            transaction
                .prepare_cached("INSERT INTO outbox VALUES (?1, ?2, ?3)")?
                .execute(params![site.next as i64, post as i64, person as i64])?;
        }
        transaction.commit()?;
        if !self.outbox {
            site.queue.insert(site.next, (post, person));
        }
        self.facts.likes += 1;
        self.pending.insert((post, person), (now, BTreeSet::from([at]), self.is_cut));
        self.count(at, post);
        Ok(())
    }

    /// The most liked post, by what each site shows.
    fn count(&mut self, at: usize, post: u64) {
        if post == 1 {
            self.hot[at] += 1;
            let (least, most) = (self.hot.iter().min(), self.hot.iter().max());
            self.facts.apart = self.facts.apart.max(most.unwrap_or(&0) - least.unwrap_or(&0));
        }
    }

    fn relay(&mut self, now: Time, at: usize) -> rusqlite::Result<()> {
        for to in (0..SITES).filter(|&to| to != at) {
            let site = &mut self.sites[at];
            let confirmed = site.confirmed[to];
            // What was sent and not confirmed in time is sent again.
            if now >= site.sent[to].1 {
                site.sent[to].0 = confirmed;
            }
            let after = site.sent[to].0.max(confirmed);
            let batch = self.batch(at, after)?;
            let Some(&(upto, _)) = batch.last() else { continue };
            self.sites[at].sent[to] = (upto, now + AGAIN);
            let likes: Vec<Like> = batch.into_iter().map(|(_, like)| like).collect();
            self.send(now, at, to, |from, to| Event::Comes {
                from,
                to,
                after,
                upto,
                likes: likes.clone(),
            });
        }
        Ok(())
    }

    fn batch(&self, at: usize, after: u64) -> rusqlite::Result<Vec<(u64, Like)>> {
        let site = &self.sites[at];
        if !self.outbox {
            let queued = site.queue.range(after + 1..).take(BATCH);
            return Ok(queued.map(|(&id, &like)| (id, like)).collect());
        }
        let query = "SELECT id, post, person FROM outbox WHERE id > ?1 ORDER BY id LIMIT ?2";
        let mut query = site.database.prepare_cached(query)?;
        let number = |row: &rusqlite::Row<'_>, at: usize| row.get::<_, i64>(at).map(|n| n as u64);
        let rows = query.query_map(params![after as i64, BATCH as i64], |row| {
            Ok((number(row, 0)?, (number(row, 1)?, number(row, 2)?)))
        })?;
        rows.collect()
    }

    fn apply(&mut self, now: Time, at: usize, (post, person): Like) -> rusqlite::Result<()> {
        let insert = match self.idempotent {
            true => "INSERT INTO likes VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            false => "INSERT INTO likes VALUES (?1, ?2)",
        };
        let insert = self.sites[at].database.prepare_cached(insert);
        let new = insert?.execute(params![post as i64, person as i64])?;
        let Some((since, has, of_cut)) = self.pending.get_mut(&(post, person)) else {
            return Ok(());
        };
        if !has.insert(at) {
            self.facts.again += 1;
            if !self.idempotent {
                self.invariants.event(format!("site {at} gets ({post}, {person}) again"));
            }
        }
        if has.len() == SITES {
            if !*of_cut {
                self.facts.lag.record("like, home to last site", now.since(*since));
            }
            *of_cut = false;
        }
        if new > 0 {
            self.count(at, post);
        }
        Ok(())
    }

    fn send(&mut self, now: Time, from: usize, to: usize, make: impl Fn(usize, usize) -> Event) {
        for at in self.network.send(now, from, to) {
            self.events.at(at, make(from, to));
        }
    }
}
