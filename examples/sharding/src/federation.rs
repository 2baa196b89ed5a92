//! Four databases by function, each behind a service of its own: a page joins them by their APIs, a
//! dead service costs its part of the page and no more, and what refers to what is gone is found.

use crate::database::{Database, Folder};
use archstone_hashring::sharding::Directory;
use kit::breaker::{Breaker, Call, Phase, Settings};
use kit::invariant::Invariant;
use kit::sim::Events;
use kit::{Arrivals, Fault, Invariants, Latencies, Safeguards, Seed, Stream, Time};
use rusqlite::{OptionalExtension, params};
use std::collections::BTreeMap;
use std::time::Duration;

/// What must hold.
pub const PROMPT: &str =
    "federation: half a second into an outage no page waits for the dead service";
/// See [`PROMPT`].
pub const HONEST: &str = "federation: a page without its orders says so";
/// See [`PROMPT`].
pub const REFERS: &str = "federation: no order names a user that is gone";

const USERS: u64 = 300;
const PRODUCTS: u64 = 50;
const TIMEOUT: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_millis(100);
const SETTLED: Duration = Duration::from_millis(500);
/// When the order service is away, and the inventory.
const OUTAGES: [(usize, Time, Time); 2] = [
    (ORDERS, Time::from_secs(2), Time::from_secs(5)),
    (INVENTORY, Time::from_secs(6), Time::from_millis(6_800)),
];
const END: Time = Time::from_secs(8);
const RATE: f64 = 80.0;

const ACCOUNTS: usize = 0;
const ORDERS: usize = 1;
const INVENTORY: usize = 2;
const ANALYTICS: usize = 3;
/// The text's four, each with its tables.
pub const SERVICES: [(&str, &[&str]); 4] = [
    ("users", &["users", "outbox"]),
    ("orders", &["orders", "payments"]),
    ("inventory", &["products", "stock"]),
    ("analytics", &["events"]),
];
const SCHEMAS: [&str; 4] = [
    "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT;
     CREATE TABLE outbox (id INTEGER PRIMARY KEY, gone INTEGER NOT NULL) STRICT;",
    // The product's name is kept a second time: what was bought stays what it was.
    "CREATE TABLE orders (id INTEGER PRIMARY KEY, user INTEGER, product INTEGER NOT NULL,
                          product_name TEXT NOT NULL) STRICT;
     CREATE INDEX orders_of ON orders (user);
     CREATE TABLE payments (id INTEGER PRIMARY KEY, cents INTEGER NOT NULL) STRICT;",
    "CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT;
     CREATE TABLE stock (product INTEGER PRIMARY KEY, n INTEGER NOT NULL) STRICT;",
    "CREATE TABLE events (kind TEXT PRIMARY KEY, n INTEGER NOT NULL) STRICT;",
];

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Pages.
    pub pages: u64,
    /// Pages without their orders, marked.
    pub degraded: u64,
    /// Pages that showed the copied names of products.
    pub copied: u64,
    /// Calls to services.
    pub calls: u64,
    /// Calls that timed out.
    pub timeouts: u64,
    /// Calls that a breaker refused at once.
    pub refused: u64,
    /// Times that a breaker opened.
    pub opened: u64,
    /// Orders that named a user, or a product, that is gone, before the relay ran.
    pub orphans: [u64; 2],
    /// The same after.
    pub left: [u64; 2],
    /// Products whose copied name is no longer the name.
    pub renamed: u64,
    /// Calls for a page's names one by one, and together.
    pub one_by_one: u64,
    /// Outages and how they ended.
    pub faults: Vec<Fault>,
    /// Pages in calm and during the outage of orders.
    pub latency: Latencies,
    /// Statements that SQLite ran.
    pub statements: u64,
}

struct Page {
    user: u64,
    began: Time,
    orders: Option<Vec<(u64, String)>>,
    probe: bool,
    copied: bool,
}

enum Event {
    Arrive,
    /// The page's call to a service ends.
    Done(u64, usize, bool, Option<Call>),
}

struct Site<'a> {
    databases: Vec<Database>,
    where_is: Directory<String, usize>,
    breakers: Vec<Breaker>,
    guarded: bool,
    marked: bool,
    events: Events<Event>,
    pages: BTreeMap<u64, Page>,
    back: [Option<Time>; 2],
    draw: Stream,
    facts: Facts,
    names: [Invariant; 2],
    invariants: &'a mut Invariants,
}

/// Eight seconds of pages with two outages, then users and products go.
///
/// # Errors
/// What SQLite says.
pub fn run(seed: Seed, on: &Safeguards, invariants: &mut Invariants) -> rusqlite::Result<Facts> {
    let names = [PROMPT, HONEST].map(|name| invariants.declare(name));
    let refers = invariants.declare(REFERS);
    let folder = Folder::new()?;
    let open = |service: usize| folder.database(SERVICES[service].0, SCHEMAS[service]);
    let mut where_is = Directory::new(None);
    for (service, (_, tables)) in SERVICES.iter().enumerate() {
        for table in *tables {
            where_is.assign((*table).to_owned(), service);
        }
    }
    let millis = Duration::from_millis;
    let settings =
        Settings { failures: 5, window: millis(10_000), open_for: millis(500), probes: 1 };
    let mut site = Site {
        databases: (0..4).map(open).collect::<Result<_, _>>()?,
        where_is,
        breakers: vec![Breaker::new(settings); 4],
        guarded: on.on("breaker"),
        marked: on.on("degraded-mark"),
        events: Events::new(),
        pages: BTreeMap::new(),
        back: [None; 2],
        draw: seed.stream("federation"),
        facts: Facts::default(),
        names,
        invariants,
    };
    site.fill()?;
    for at in Arrivals::poisson(seed.stream("pages"), RATE).take_while(|&at| at < END) {
        site.events.at(at, Event::Arrive);
    }
    while let Some((now, event)) = site.events.next() {
        match event {
            Event::Arrive => site.arrive(now),
            Event::Done(page, service, ok, call) => site.done(now, page, service, ok, call)?,
        }
    }
    site.facts.opened = site.breakers.iter().map(Breaker::opened).sum();
    for (nth, (service, from, until)) in OUTAGES.into_iter().enumerate() {
        let name = SERVICES[service].0;
        site.facts.faults.push(Fault {
            kind: format!("federation: {name} is away for {} ms", until.since(from).as_millis()),
            at_ms: from.as_millis(),
            recovered_ms: site.back[nth].map(|at| at.since(until).as_millis() as u64),
            effect: "pages go on without it; from its return to the first whole page".to_owned(),
        });
    }
    site.go_away(on.on("orphan-relay"), refers)?;
    Ok(site.facts)
}

impl Site<'_> {
    /// The database that has a table: who asks for one names it, not where it lies.
    fn of(&self, table: &str) -> &rusqlite::Connection {
        self.databases[*self.where_is.owner(table).expect("one of the tables")].sql()
    }

    fn fill(&mut self) -> rusqlite::Result<()> {
        for database in &self.databases {
            database.sql().execute_batch("BEGIN")?;
        }
        for id in 1..=USERS {
            let name = format!("user {id}");
            self.of("users").execute("INSERT INTO users VALUES (?1, ?2)", params![id, name])?;
        }
        for id in 1..=PRODUCTS {
            let name = format!("product {id}");
            let sql = "INSERT INTO products VALUES (?1, ?2)";
            self.of("products").execute(sql, params![id, name])?;
            self.of("stock").execute("INSERT INTO stock VALUES (?1, 100)", [id])?;
        }
        for id in 1..=5 * USERS {
            // A fifth of the users has never bought anything.
            let (user, product) =
                (1 + self.draw.below(USERS * 4 / 5), 1 + self.draw.below(PRODUCTS));
            let name = format!("product {product}");
            let sql = "INSERT INTO orders VALUES (?1, ?2, ?3, ?4)";
            self.of("orders").execute(sql, params![id, user, product, name])?;
            self.of("payments").execute("INSERT INTO payments VALUES (?1, 999)", [id])?;
        }
        for database in &self.databases {
            database.sql().execute_batch("COMMIT")?;
        }
        self.facts.statements += USERS + 2 * PRODUCTS + 10 * USERS;
        Ok(())
    }

    fn arrive(&mut self, now: Time) {
        let (nth, user) = (self.facts.pages, 1 + self.draw.below(USERS));
        self.facts.pages += 1;
        let page = Page { user, began: now, orders: None, probe: false, copied: false };
        self.pages.insert(nth, page);
        self.ask(now, nth, ACCOUNTS);
    }

    /// Calls a service, if its breaker lets it.
    fn ask(&mut self, now: Time, nth: u64, service: usize) {
        let phase = self.breakers[service].phase(now);
        let call = match self.breakers[service].allow(now) {
            Ok(call) => Some(call),
            Err(_) if self.guarded => {
                self.facts.refused += 1;
                self.events.at(now, Event::Done(nth, service, false, None));
                return;
            }
            Err(_) => None,
        };
        if let Some(page) = self.pages.get_mut(&nth) {
            page.probe |= phase == Phase::HalfOpen;
        }
        self.facts.calls += 1;
        let away =
            OUTAGES.iter().any(|&(s, from, until)| s == service && from <= now && now < until);
        let took = match away {
            true => TIMEOUT,
            false => Duration::from_secs_f64((3.0 + 2.0 * self.draw.exponential()) / 1e3),
        };
        self.facts.timeouts += u64::from(away);
        self.events.after(took, Event::Done(nth, service, !away, call));
    }

    fn done(
        &mut self,
        now: Time,
        nth: u64,
        service: usize,
        ok: bool,
        call: Option<Call>,
    ) -> rusqlite::Result<()> {
        match call {
            Some(call) if ok => self.breakers[service].succeeded(call),
            Some(call) => self.breakers[service].failed(call, now),
            None => {}
        }
        let Some(mut page) = self.pages.remove(&nth) else { return Ok(()) };
        match (service, ok) {
            (ACCOUNTS, _) => {
                let sql = "SELECT name FROM users WHERE id = ?1";
                let mut query = self.of("users").prepare_cached(sql)?;
                let _: Option<String> =
                    query.query_row([page.user], |row| row.get(0)).optional()?;
                drop(query);
                self.pages.insert(nth, page);
                self.ask(now, nth, ORDERS);
            }
            (ORDERS, true) => {
                let orders = self.orders(page.user)?;
                let none = orders.is_empty();
                self.facts.one_by_one += orders.len() as u64;
                page.orders = Some(orders);
                if none {
                    return self.show(now, page);
                }
                self.pages.insert(nth, page);
                self.ask(now, nth, INVENTORY);
            }
            (ORDERS, false) => return self.show(now, page),
            (INVENTORY, true) => {
                if let Some(orders) = &mut page.orders {
                    // One call for all names, not one for each.
                    let mut found = Vec::new();
                    for (product, copied) in orders.iter() {
                        let name = product_name(&self.databases[INVENTORY], *product)?;
                        found.push((*product, name.unwrap_or_else(|| copied.clone())));
                    }
                    self.facts.statements += found.len() as u64;
                    *orders = found;
                }
                return self.show(now, page);
            }
            _ => {
                (page.copied, self.facts.copied) = (true, self.facts.copied + 1);
                return self.show(now, page);
            }
        }
        Ok(())
    }

    fn orders(&mut self, user: u64) -> rusqlite::Result<Vec<(u64, String)>> {
        self.facts.statements += 1;
        let sql = "SELECT product, product_name FROM orders WHERE user = ?1 ORDER BY id";
        let mut query = self.of("orders").prepare_cached(sql)?;
        query.query_map([user], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    }

    /// The page is shown: what it says is checked against what there is.
    fn show(&mut self, now: Time, page: Page) -> rusqlite::Result<()> {
        let took = now.since(page.began);
        let Page { user, began, .. } = page;
        let without = page.orders.is_none();
        // The text answers an empty list, which is what a user without orders gets.
        let marked = without && self.marked;
        self.facts.degraded += u64::from(marked);
        let there = self.orders(user)?.len();
        let shown = page.orders.as_ref().map_or(0, Vec::len);
        let mark = if marked { ", marked" } else { "" };
        let said = format!(
            "{} ms: a page of user {user} after {took:?}: {shown} orders{mark}",
            now.as_millis()
        );
        self.invariants.event(said);
        self.invariants.check(self.names[1], marked || shown == there, || {
            format!("user {user} is shown {shown} orders of {there}")
        });
        let settled =
            OUTAGES.iter().any(|&(_, from, until)| from + SETTLED <= began && began < until);
        if settled && !page.probe {
            self.invariants.check(self.names[0], took <= PATIENCE, || {
                format!("a page waited {took:?} for a service that is known to be away")
            });
        }
        for (nth, (service, from, until)) in OUTAGES.into_iter().enumerate() {
            let whole = if service == ORDERS { !without } else { shown > 0 && !page.copied };
            if whole && began >= until && self.back[nth].is_none() {
                self.back[nth] = Some(now);
            }
            if service == ORDERS && from <= began && began < until {
                self.facts.latency.record("page, orders away", took);
            }
        }
        let calm = OUTAGES.iter().all(|&(_, from, until)| began < from || until + SETTLED <= began);
        if calm {
            self.facts.latency.record("page, calm", took);
        }
        let count = "INSERT INTO events VALUES ('page', 1) ON CONFLICT DO UPDATE SET n = n + 1";
        self.facts.statements += 1;
        self.databases[ANALYTICS].sql().prepare_cached(count)?.execute([]).map(drop)
    }

    /// Users and products go, a product gets another name. The users' database keeps in the same
    /// transaction whom to tell; a relay tells the orders.
    fn go_away(&mut self, relay: bool, refers: Invariant) -> rusqlite::Result<()> {
        for _ in 0..12 {
            let user = 1 + self.draw.below(USERS);
            self.databases[ACCOUNTS].transaction(|users| {
                let gone = users.sql().execute("DELETE FROM users WHERE id = ?1", [user])?;
                if gone > 0 {
                    users.sql().execute("INSERT INTO outbox (gone) VALUES (?1)", [user])?;
                }
                Ok(())
            })?;
            self.invariants.event(format!("user {user} goes"));
        }
        let products = self.of("products");
        products.execute("DELETE FROM products WHERE id % 17 = 5", [])?;
        products.execute("UPDATE products SET name = name || ' (new)' WHERE id % 10 = 1", [])?;
        self.facts.orphans = self.orphans()?;
        self.facts.renamed = PRODUCTS / 10;
        if relay {
            let sql = "SELECT gone FROM outbox ORDER BY id";
            let gone: Vec<u64> = {
                let mut query = self.of("outbox").prepare(sql)?;
                query.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?
            };
            for user in gone {
                // The order stays for the books, without a name; twice told is once told.
                self.of("orders")
                    .execute("UPDATE orders SET user = NULL WHERE user = ?1", [user])?;
                self.of("outbox").execute("DELETE FROM outbox WHERE gone = ?1", [user])?;
                self.facts.statements += 2;
            }
        }
        self.facts.left = self.orphans()?;
        let left = self.facts.left[0];
        self.invariants
            .check(refers, left == 0, || format!("{left} orders of users that are gone"));
        Ok(())
    }

    /// Orders whose user, or product, is not there: asked through the two APIs, since no join reaches
    /// over databases.
    fn orphans(&mut self) -> rusqlite::Result<[u64; 2]> {
        let mut found = [0; 2];
        let asks = [("user", "users"), ("product", "products")];
        for (nth, (column, table)) in asks.into_iter().enumerate() {
            let sql = format!(
                "SELECT {column}, count(*) FROM orders WHERE {column} IS NOT NULL GROUP BY {column}"
            );
            let named: Vec<(u64, u64)> = {
                let mut query = self.of("orders").prepare(&sql)?;
                query.query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?.collect::<Result<_, _>>()?
            };
            let sql = format!("SELECT count(*) FROM {table} WHERE id = ?1");
            let mut known = self.of(table).prepare(&sql)?;
            for (id, orders) in named {
                let there: u64 = known.query_row([id], |row| row.get(0))?;
                found[nth] += if there == 0 { orders } else { 0 };
            }
        }
        Ok(found)
    }
}

fn product_name(inventory: &Database, product: u64) -> rusqlite::Result<Option<String>> {
    let sql = "SELECT name FROM products WHERE id = ?1";
    inventory.sql().prepare_cached(sql)?.query_row([product], |row| row.get(0)).optional()
}
