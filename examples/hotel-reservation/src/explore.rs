//! The table of layers: every interleaving of two clients' steps under every combination of layers,
//! on a real database; which anomalies get through.
//!
//! The clients follow the text's flow, payment inside the transaction included. A step is what one
//! client does before the scheduler may let the other go on.

use crate::engine::{Engine, Stopped};
use crate::layers::{Check, Grant, Layers, Leases};
use archstone_lock::Span;
use kit::{Failure, Stream};
use std::fmt;

/// What may get through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Anomaly {
    /// Overlapping stays in one room.
    DoubleBooking,
    /// The same, where the night had no row that anybody could have locked.
    Phantom,
    /// A card was charged for nights that its holder then did not get.
    ChargedInVain,
    /// A night was written by one who decided on it before another's write.
    StaleHolder,
    /// Each room type within its limit, the house beyond its own.
    WriteSkew,
    /// A writer that knows no layer but the database's.
    BlindWriter,
    /// Two people save the form that both had opened.
    LostEdit,
}

impl Anomaly {
    /// All, in the order of the table.
    pub const ALL: [Self; 7] = [
        Self::DoubleBooking,
        Self::Phantom,
        Self::StaleHolder,
        Self::ChargedInVain,
        Self::BlindWriter,
        Self::WriteSkew,
        Self::LostEdit,
    ];

    /// For a table.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DoubleBooking => "double booking",
            Self::Phantom => "phantom night",
            Self::ChargedInVain => "charged in vain",
            Self::StaleHolder => "stale holder",
            Self::WriteSkew => "write skew",
            Self::BlindWriter => "blind writer",
            Self::LostEdit => "lost edit",
        }
    }

    /// For a narrow column.
    #[must_use]
    pub const fn short(self) -> &'static str {
        match self {
            Self::DoubleBooking => "double",
            Self::Phantom => "phantom",
            Self::ChargedInVain => "vain",
            Self::StaleHolder => "stale",
            Self::WriteSkew => "skew",
            Self::BlindWriter => "blind",
            Self::LostEdit => "edit",
        }
    }
}

impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a client does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Takes the lease (layer 1).
    Lease,
    /// Begins, and reads its nights and the house's.
    Read,
    /// Sleeps past the end of its lease.
    Sleep,
    /// Charges the card: that is not undone by a rollback.
    Pay,
    /// Writes the nights and the reservation, and commits.
    Write,
    /// Gives the lease back.
    Release,
    /// Sells a night without a look, as a channel manager does.
    Blind,
    /// Opens the form of a night.
    Open,
    /// Saves it: one more room.
    Save,
}

const BOOKS: &[Step] = &[Step::Lease, Step::Read, Step::Pay, Step::Write, Step::Release];
const SLEEPS: &[Step] = &[Step::Lease, Step::Read, Step::Sleep, Step::Write, Step::Release];
const PLAIN: &[Step] = &[Step::Lease, Step::Read, Step::Write, Step::Release];

/// A small world: two clients, what each wants, what is there before.
struct Scene {
    scripts: [&'static [Step]; 2],
    /// The room type (0 or 1 of the house) and nights of each.
    wants: [(i64, Span); 2],
    /// The limit of each night; 0: the nights have no row yet.
    limit: i64,
    /// What the house sells over its types at most.
    house: i64,
    shows: &'static [Anomaly],
}

const SCENES: [Scene; 5] = [
    Scene {
        scripts: [BOOKS, BOOKS],
        wants: [(0, Span::new(15, 17)), (0, Span::new(16, 18))],
        limit: 1,
        house: 9,
        shows: &[Anomaly::DoubleBooking, Anomaly::ChargedInVain],
    },
    Scene {
        scripts: [PLAIN, PLAIN],
        wants: [(0, Span::new(15, 16)), (0, Span::new(15, 16))],
        limit: 0,
        house: 9,
        shows: &[Anomaly::Phantom],
    },
    Scene {
        scripts: [SLEEPS, PLAIN],
        wants: [(0, Span::new(15, 17)), (0, Span::new(16, 18))],
        limit: 2,
        house: 9,
        shows: &[Anomaly::StaleHolder],
    },
    Scene {
        scripts: [PLAIN, PLAIN],
        wants: [(0, Span::new(15, 16)), (1, Span::new(15, 16))],
        limit: 1,
        house: 1,
        shows: &[Anomaly::WriteSkew],
    },
    Scene {
        scripts: [PLAIN, &[Step::Blind]],
        wants: [(0, Span::new(15, 16)), (0, Span::new(15, 16))],
        limit: 1,
        house: 9,
        shows: &[Anomaly::BlindWriter],
    },
];

const FORMS: Scene = Scene {
    scripts: [&[Step::Open, Step::Save], &[Step::Open, Step::Save]],
    wants: [(0, Span::new(15, 16)), (0, Span::new(15, 16))],
    limit: 1,
    house: 9,
    shows: &[Anomaly::LostEdit],
};

/// One row of the table: for each anomaly, schedules that show it, schedules run, and the first that
/// shows it, as the clients' numbers in the order of their steps.
#[derive(Clone, Debug)]
pub struct Row {
    /// The combination.
    pub layers: Layers,
    /// By anomaly, in the order of [`Anomaly::ALL`].
    pub cells: Vec<Cell>,
}

/// One cell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// Schedules that show it.
    pub shown: u64,
    /// Schedules run.
    pub run: u64,
    /// The first that shows it: who does the next step.
    pub first: String,
}

impl Row {
    /// The cell of `kind`.
    #[must_use]
    pub fn cell(&self, kind: Anomaly) -> &Cell {
        let at = Anomaly::ALL.iter().position(|&other| other == kind).unwrap_or(0);
        &self.cells[at]
    }

    /// Whether `kind` was never seen.
    #[must_use]
    pub fn stops(&self, kind: Anomaly) -> bool {
        self.cell(kind).shown == 0
    }
}

/// How many schedules of a scene.
#[derive(Clone, Debug)]
pub enum Schedules {
    /// All of them.
    All,
    /// So many, chosen by the dice.
    Some(u64, Stream),
}

/// Explores one combination of layers.
///
/// # Errors
/// What the engines say, other than no.
pub fn explore(
    layers: Layers,
    engine: &mut dyn Engine,
    leases: &mut dyn Leases,
    schedules: &mut Schedules,
    world: &mut i64,
) -> Result<Row, Failure> {
    let mut cells = vec![Cell::default(); Anomaly::ALL.len()];
    for scene in SCENES.iter().chain([&FORMS]) {
        let mut path: Vec<usize> = Vec::new();
        let mut left = match schedules {
            Schedules::All => u64::MAX,
            Schedules::Some(count, _) => *count,
        };
        loop {
            *world += 1;
            let mut play = Play::new(scene, layers, *world, engine, leases)?;
            let (mut order, mut widths) = (String::new(), Vec::new());
            loop {
                let ready = play.ready();
                if ready.is_empty() {
                    break;
                }
                let at = widths.len();
                let choice = match schedules {
                    Schedules::Some(_, dice) => dice.below(ready.len() as u64) as usize,
                    Schedules::All => path.get(at).copied().unwrap_or(0),
                };
                widths.push((choice, ready.len()));
                order.push(if ready[choice] == 0 { 'a' } else { 'b' });
                play.step(ready[choice])?;
            }
            let seen = play.anomalies()?;
            for kind in scene.shows {
                let at = Anomaly::ALL.iter().position(|other| other == kind).unwrap_or(0);
                cells[at].run += 1;
                if seen.contains(kind) {
                    cells[at].shown += 1;
                    if cells[at].first.is_empty() {
                        cells[at].first.clone_from(&order);
                    }
                }
            }
            left -= 1;
            if left == 0 {
                break;
            }
            if matches!(schedules, Schedules::All) {
                // The next schedule: the last choice that has another one.
                let Some(at) = widths.iter().rposition(|(choice, width)| choice + 1 < *width)
                else {
                    break;
                };
                path = widths[..at].iter().map(|(choice, _)| *choice).collect();
                path.push(widths[at].0 + 1);
            }
        }
    }
    Ok(Row { layers, cells })
}

/// What a client has found and done.
#[derive(Clone, Debug, Default)]
struct Client {
    at: usize,
    over: bool,
    grant: Option<Grant>,
    /// Night, sold, limit, version.
    seen: Vec<[i64; 4]>,
    in_transaction: bool,
    paid: bool,
    booked: bool,
    saved: bool,
}

struct Play<'a> {
    scene: &'a Scene,
    layers: Layers,
    world: i64,
    table: &'static str,
    engine: &'a mut dyn Engine,
    leases: &'a mut dyn Leases,
    clients: [Client; 2],
    /// Somebody wrote a night that had been written since it was read.
    stale: bool,
}

/// What a step came to.
enum Came {
    On,
    Over,
}

impl<'a> Play<'a> {
    fn new(
        scene: &'a Scene,
        layers: Layers,
        world: i64,
        engine: &'a mut dyn Engine,
        leases: &'a mut dyn Leases,
    ) -> Result<Self, Failure> {
        let table = if layers.constraint { "night_checked" } else { "night_bare" };
        if scene.limit > 0 {
            // The nights of both room types, at once.
            let rows: Vec<String> = (0..2)
                .flat_map(|kind| (15..18).map(move |night| (kind, night)))
                .map(|(kind, night)| {
                    format!("({}, {night}, 0, {}, 0, 0)", 2 * world + kind, scene.limit)
                })
                .collect();
            let insert = format!("INSERT INTO {table} VALUES {}", rows.join(", "));
            engine.write(0, &insert, &[]).map_err(broken)?;
        }
        let clients = [Client::default(), Client::default()];
        Ok(Self { scene, layers, world, table, engine, leases, clients, stale: false })
    }

    fn ready(&self) -> Vec<usize> {
        let ready = |&who: &usize| {
            !self.clients[who].over && self.clients[who].at < self.scene.scripts[who].len()
        };
        (0..2).filter(ready).collect()
    }

    fn step(&mut self, who: usize) -> Result<(), Failure> {
        let step = self.scene.scripts[who][self.clients[who].at];
        self.clients[who].at += 1;
        let came = match self.act(who, step) {
            Ok(came) => came,
            Err(Stopped::Broken(error)) => return Err(error),
            Err(Stopped::Constraint | Stopped::Again) => Came::Over,
        };
        if matches!(came, Came::Over) {
            self.engine.rollback(who).map_err(broken)?;
            if let Some(grant) = self.clients[who].grant.take() {
                self.leases.release(&grant)?;
            }
            self.clients[who].over = true;
        }
        Ok(())
    }

    fn act(&mut self, who: usize, step: Step) -> Result<Came, Stopped> {
        let (kind, nights) = self.scene.wants[who];
        let room = 2 * self.world + kind;
        match step {
            Step::Lease if self.layers.lease.is_some() => {
                let owner = 2 * self.world as u64 + who as u64;
                match self.leases.acquire(room, nights, owner).map_err(Stopped::Broken)? {
                    Some(grant) => self.clients[who].grant = Some(grant),
                    None => return Ok(Came::Over),
                }
            }
            Step::Lease => {}
            Step::Sleep => {
                if let Some(grant) = &self.clients[who].grant {
                    self.leases.outlive(grant).map_err(Stopped::Broken)?;
                }
            }
            Step::Read => return self.read(who, room, nights),
            Step::Pay => self.clients[who].paid = true,
            Step::Write => return self.write(who, room, nights),
            Step::Release => {
                if let Some(grant) = self.clients[who].grant.take() {
                    self.leases.release(&grant).map_err(Stopped::Broken)?;
                }
            }
            Step::Blind => {
                self.engine.begin(who, self.layers.serializable)?;
                let update = format!("UPDATE {} SET sold = sold + 1 WHERE room = $1", self.table);
                self.engine.write(who, &format!("{update} AND night = 15"), &[room])?;
                self.reserve(who, room, nights)?;
                self.engine.commit(who)?;
            }
            Step::Open => {
                self.clients[who].seen = self.nights(who, room, nights)?;
            }
            Step::Save => {
                let [night, _, limit, version] = self.clients[who].seen[0];
                let update = format!(
                    "UPDATE {} SET lim = $1, version = version + 1 WHERE room = $2 AND night = $3",
                    self.table
                );
                let done = if self.layers.version {
                    let update = format!("{update} AND version = $4");
                    self.engine.write(who, &update, &[limit + 1, room, night, version])?
                } else {
                    self.engine.write(who, &update, &[limit + 1, room, night])?
                };
                self.clients[who].saved = done == 1;
            }
        }
        Ok(Came::On)
    }

    fn nights(&mut self, who: usize, room: i64, of: Span) -> Result<Vec<[i64; 4]>, Stopped> {
        let select = format!(
            "SELECT night, sold, lim, version FROM {} WHERE room = $1 AND night >= $2 AND night < $3 ORDER BY night",
            self.table
        );
        self.engine.read(who, &select, &[room, of.lo, of.hi])
    }

    fn read(&mut self, who: usize, room: i64, nights: Span) -> Result<Came, Stopped> {
        let fence = self.clients[who].grant.as_ref().map_or(0, |grant| grant.fence as i64);
        if self.layers.lease == Some(Check::ReadsAndWrites) {
            // Raises the gate: whoever held these nights before writes no more.
            let claim = format!(
                "UPDATE {} SET fence = $1 WHERE fence < $1 AND room = $2 AND night >= $3 AND night < $4",
                self.table
            );
            // Serializable too where the rest is: PostgreSQL sees conflicts among serializable
            // transactions only, and a claim outside of them would hide the write that follows it.
            if self.layers.serializable {
                self.engine.begin(who, true)?;
            }
            self.engine.write(who, &claim, &[fence, room, nights.lo, nights.hi])?;
            if self.layers.serializable {
                self.engine.commit(who)?;
            }
        }
        if self.layers.serializable || self.engine.reads_in_transaction() {
            self.engine.begin(who, self.layers.serializable)?;
            self.clients[who].in_transaction = true;
        }
        let seen = self.nights(who, room, nights)?;
        let other = self.nights(who, room ^ 1, nights)?;
        let full = seen.iter().any(|[_, sold, limit, _]| sold >= limit);
        let total = |night: i64| -> i64 {
            let of = |rows: &[[i64; 4]]| -> i64 {
                rows.iter().filter(|row| row[0] == night).map(|row| row[1]).sum()
            };
            of(&seen) + of(&other)
        };
        let crowded = (nights.lo..nights.hi).any(|night| total(night) >= self.scene.house);
        self.clients[who].seen = seen;
        Ok(if full || crowded { Came::Over } else { Came::On })
    }

    fn write(&mut self, who: usize, room: i64, nights: Span) -> Result<Came, Stopped> {
        let fence = self.clients[who].grant.as_ref().map_or(0, |grant| grant.fence as i64);
        if !self.clients[who].in_transaction {
            self.engine.begin(who, false)?;
        }
        let seen = self.clients[who].seen.clone();
        if seen.is_empty() {
            // A night without a row is free: its row comes with its first guest.
            let insert = format!("INSERT INTO {} VALUES ($1, $2, 1, 1, 1, 0)", self.table);
            for night in nights.lo..nights.hi {
                self.engine.write(who, &insert, &[room, night])?;
            }
        }
        let fenced = matches!(self.layers.lease, Some(Check::Writes | Check::ReadsAndWrites));
        let mut stale = false;
        for [night, _, _, version] in seen {
            let mut update = format!(
                "UPDATE {} SET sold = sold + 1, version = version + 1, fence = $1 WHERE room = $2 AND night = $3",
                self.table
            );
            let mut with = vec![fence, room, night];
            if fenced {
                update += " AND fence <= $1";
            }
            if self.layers.version {
                update += " AND version = $4";
                with.push(version);
            }
            if self.engine.write(who, &update, &with)? == 0 {
                return Ok(Came::Over);
            }
            // What the scheduler knows and the client does not: was it as it had been read?
            let now = self.nights(who, room, Span::new(night, night + 1))?;
            stale |= now[0][3] != version + 1;
        }
        self.reserve(who, room, nights)?;
        self.engine.commit(who)?;
        self.clients[who].in_transaction = false;
        self.clients[who].booked = true;
        self.stale |= stale;
        Ok(Came::On)
    }

    fn reserve(&mut self, who: usize, room: i64, nights: Span) -> Result<(), Stopped> {
        let insert = "INSERT INTO reservation VALUES ($1, $2, $3, $4)";
        self.engine.write(who, insert, &[room, who as i64, nights.lo, nights.hi])?;
        Ok(())
    }

    /// What the world looks like in the end.
    fn anomalies(&mut self) -> Result<Vec<Anomaly>, Failure> {
        let (room, limit) = (2 * self.world, self.scene.limit.max(1));
        let select = "SELECT room, check_in, check_out, client FROM reservation WHERE room = $1 OR room = $1 + 1";
        let all = self.engine.read(0, select, &[room]).map_err(broken)?;
        let taken = |rooms: &[i64], night: i64| {
            let there =
                |row: &&[i64; 4]| rooms.contains(&row[0]) && row[1] <= night && night < row[2];
            all.iter().filter(there).count() as i64
        };
        let over = (15..18).any(|night| taken(&[room], night) > limit);
        let house = (15..18).any(|night| taken(&[room, room + 1], night) > self.scene.house);
        let mut found = Vec::new();
        if over {
            found.extend([Anomaly::DoubleBooking, Anomaly::Phantom, Anomaly::BlindWriter]);
        }
        if house {
            found.push(Anomaly::WriteSkew);
        }
        if self.stale {
            found.push(Anomaly::StaleHolder);
        }
        // Of two who both got one room, the desk turns one away.
        if self.clients.iter().any(|client| client.paid && (!client.booked || over)) {
            found.push(Anomaly::ChargedInVain);
        }
        let saved = self.clients.iter().filter(|client| client.saved).count() as i64;
        if saved > 0 {
            let select = format!(
                "SELECT lim, sold, version, fence FROM {} WHERE room = $1 AND night = 15",
                self.table
            );
            let row = self.engine.read(0, &select, &[room]).map_err(broken)?;
            if row[0][0] != self.scene.limit + saved {
                found.push(Anomaly::LostEdit);
            }
        }
        Ok(found)
    }
}

fn broken(stopped: Stopped) -> Failure {
    match stopped {
        Stopped::Broken(error) => error,
        Stopped::Constraint => "a constraint refused the scheduler's own statement".into(),
        Stopped::Again => "the scheduler's own statement was turned back".into(),
    }
}

/// The sixteen combinations, then the lease without a fence and with one that only writes look at.
#[must_use]
pub fn combinations() -> Vec<Layers> {
    let bare = |check| Layers { lease: Some(check), ..Layers::of(1) };
    (0..16).map(Layers::of).chain([bare(Check::Never), bare(Check::Writes)]).collect()
}

/// The smallest sets of layers that stop `kind`, as `1 or 3`.
#[must_use]
pub fn stopped_by(rows: &[Row], kind: Anomaly) -> String {
    let mut sets: Vec<u8> = Vec::new();
    for size in 0..=4 {
        for bits in 0..16_u8 {
            let smaller = sets.iter().any(|set| set & bits == *set);
            let stops = rows.get(usize::from(bits)).is_some_and(|row| row.stops(kind));
            if bits.count_ones() == size && stops && !smaller {
                sets.push(bits);
            }
        }
    }
    let name = |bits: &u8| -> String {
        let on = (0..4).filter(|bit| bits & (1 << bit) > 0).map(|bit| (bit + 1).to_string());
        let on: Vec<String> = on.collect();
        if on.is_empty() { "nothing on".to_owned() } else { on.join("+") }
    };
    let names: Vec<String> = sets.iter().map(name).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(" or ") }
}
