//! The reservation desk: rooms by type, nights, stays, in one SQLite database.
//!
//! A night is a row with what is sold and what may be sold; a stay is a row of its own. Nobody
//! writes one without the other. Days are numbered from 1 January 1970; a stay from the 15th to the
//! 17th has the nights 15 and 16.

use archstone_lock::Span;
use kit::sim::{CrashPoints, Crashed};
use kit::{Safeguards, Time};
use rusqlite::{Connection, ErrorCode, OptionalExtension, params};

/// What the tables are without layer 2; with it every night also says
/// `CHECK (sold >= 0 AND sold <= lim)`.
const SCHEMA: &str = "\
CREATE TABLE room (
  id INTEGER PRIMARY KEY, hotel INTEGER NOT NULL, guests INTEGER NOT NULL, rooms INTEGER NOT NULL,
  price INTEGER NOT NULL) STRICT;
CREATE TABLE night (
  room INTEGER NOT NULL, night INTEGER NOT NULL, sold INTEGER NOT NULL, lim INTEGER NOT NULL,
  version INTEGER NOT NULL DEFAULT 0, fence INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (room, night)CHECKED) STRICT, WITHOUT ROWID;
CREATE TABLE stay (
  id INTEGER PRIMARY KEY, room INTEGER NOT NULL, check_in INTEGER NOT NULL,
  check_out INTEGER NOT NULL, rooms INTEGER NOT NULL, price INTEGER NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('held', 'booked', 'released', 'cancelled')),
  until INTEGER NOT NULL) STRICT;
CREATE INDEX stay_room ON stay (room, check_in);
CREATE INDEX stay_held ON stay (until) WHERE status = 'held'";

/// A room type: the rooms of one kind in one hotel. Types `2h` and `2h + 1` are of hotel `h`.
pub type Room = i64;

/// What a guest asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// The room type.
    pub room: Room,
    /// The nights.
    pub nights: Span,
    /// How many rooms, each of them on every night.
    pub rooms: i64,
}

/// Why a stay was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum No {
    /// Not so many rooms on every night.
    Full,
    /// A night was written since it was read: look again.
    Changed,
    /// A later lease has been here.
    Stale,
}

/// A night as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Night {
    /// The day.
    pub night: i64,
    /// Rooms sold.
    pub sold: i64,
    /// Rooms that may be sold.
    pub limit: i64,
    /// How often it was written.
    pub version: i64,
    /// Rooms sold of the house's other type.
    pub other: i64,
}

/// What a look at the nights of a wish found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The nights.
    pub nights: Vec<Night>,
    /// What the house may sell a night over its types: breakfast, staff, fire escapes.
    pub house: i64,
}

/// A stay as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stay {
    /// Its number.
    pub id: i64,
    /// What was asked for.
    pub wish: Wish,
    /// In minor units, for all nights and rooms.
    pub price: i64,
    /// `held`, `booked`, `released` or `cancelled`.
    pub status: String,
}

/// The desk. One connection: what is interleaved are its calls.
#[derive(Debug)]
pub struct Desk {
    /// The database; the saga's log is in it, too.
    pub db: Connection,
    house: i64,
    version: bool,
    serializable: bool,
    live_hold: bool,
    free_once: bool,
    atomic_change: bool,
    fenced: bool,
}

impl Desk {
    /// A new desk in memory, with what is on. `house` is what a hotel sells a night at most.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn new(on: &Safeguards, house: i64) -> rusqlite::Result<Self> {
        let db = Connection::open_in_memory()?;
        let check = if on.on("constraint") { ", CHECK (sold >= 0 AND sold <= lim)" } else { "" };
        db.execute_batch(&SCHEMA.replace("CHECKED", check))?;
        db.set_prepared_statement_cache_capacity(64);
        Ok(Self {
            db,
            house,
            version: on.on("version"),
            serializable: on.on("serializable"),
            live_hold: on.on("live-hold"),
            free_once: on.on("free-once"),
            atomic_change: on.on("atomic-change"),
            fenced: on.on("fence"),
        })
    }

    /// Opens a room type: so many rooms, of which `limit` may be sold on each of `nights`.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn open(
        &self,
        room: Room,
        guests: i64,
        rooms: i64,
        limit: i64,
        price: i64,
        nights: Span,
    ) -> rusqlite::Result<()> {
        let insert = "INSERT INTO room VALUES (?1, ?1 / 2, ?2, ?3, ?4)";
        self.db.prepare_cached(insert)?.execute(params![room, guests, rooms, price])?;
        let insert = "INSERT INTO night (room, night, sold, lim) VALUES (?1, ?2, 0, ?3)";
        let mut insert = self.db.prepare_cached(insert)?;
        for night in nights.lo..nights.hi {
            insert.execute(params![room, night, limit])?;
        }
        Ok(())
    }

    /// The price of a wish: nights times rooms times the type's.
    ///
    /// # Errors
    /// What SQLite says: no such room.
    pub fn price(&self, wish: Wish) -> rusqlite::Result<i64> {
        let select = "SELECT price FROM room WHERE id = ?1";
        let one: i64 = self.db.prepare_cached(select)?.query_row([wish.room], |row| row.get(0))?;
        Ok(one * (wish.nights.hi - wish.nights.lo) * wish.rooms)
    }

    /// Looks at the nights of a wish.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn look(&self, wish: Wish) -> rusqlite::Result<Seen> {
        let select = "SELECT night, sold, lim, version,
                (SELECT sold FROM night AS other WHERE other.room = ?4 AND other.night = night.night)
             FROM night WHERE room = ?1 AND night >= ?2 AND night < ?3 ORDER BY night";
        let mut select = self.db.prepare_cached(select)?;
        let night = |row: &rusqlite::Row<'_>| {
            let other: Option<i64> = row.get(4)?;
            Ok(Night {
                night: row.get(0)?,
                sold: row.get(1)?,
                limit: row.get(2)?,
                version: row.get(3)?,
                other: other.unwrap_or(0),
            })
        };
        let with = params![wish.room, wish.nights.lo, wish.nights.hi, wish.room ^ 1];
        let nights = select.query_map(with, night)?.collect::<Result<Vec<_>, _>>()?;
        Ok(Seen { nights, house: self.house })
    }

    /// Raises the gate of the nights against whoever held their lease before.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn claim(&self, wish: Wish, fence: i64) -> rusqlite::Result<()> {
        let update = "UPDATE night SET fence = ?4 WHERE room = ?1 AND night >= ?2 AND night < ?3 AND fence < ?4";
        let with = params![wish.room, wish.nights.lo, wish.nights.hi, fence];
        self.db.prepare_cached(update)?.execute(with).map(drop)
    }

    /// Writes a hold until `until`, decided on what was `seen`; the stay's row and the saga's are one
    /// transaction with the nights.
    ///
    /// # Errors
    /// What SQLite says, other than that a constraint refuses: that is [`No::Full`].
    pub fn hold(
        &self,
        id: i64,
        wish: Wish,
        seen: &Seen,
        fence: i64,
        until: Time,
    ) -> rusqlite::Result<Result<(), No>> {
        self.in_transaction(|desk| {
            // Layer 3: what it decides on is read in the transaction that writes.
            let again = if desk.serializable { Some(desk.look(wish)?) } else { None };
            if !again.as_ref().unwrap_or(seen).has(wish) {
                return Ok(Err(No::Full));
            }
            if let Err(no) = desk.take(wish, Some(seen), fence)? {
                return Ok(Err(no));
            }
            let insert = "INSERT INTO stay VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'held', ?7)";
            let Wish { room, nights, rooms } = wish;
            let price = desk.price(wish)?;
            let with =
                params![id, room, nights.lo, nights.hi, rooms, price, until.as_nanos() as i64];
            desk.db.prepare_cached(insert)?.execute(with)?;
            Ok(Ok(()))
        })
    }

    /// Adds to what is sold of each night, within the layers that are on.
    fn take(
        &self,
        wish: Wish,
        seen: Option<&Seen>,
        fence: i64,
    ) -> rusqlite::Result<Result<(), No>> {
        let update = "UPDATE night SET sold = sold + ?3, version = version + 1, fence = max(fence, ?4)
             WHERE room = ?1 AND night = ?2 AND (?5 < 0 OR version = ?5) AND (?6 = 0 OR fence <= ?4)";
        let mut update = self.db.prepare_cached(update)?;
        for night in wish.nights.lo..wish.nights.hi {
            let found = seen.and_then(|seen| seen.nights.iter().find(|row| row.night == night));
            let version = found.filter(|_| self.version).map_or(-1, |row| row.version);
            let fenced = self.fenced && fence > 0;
            let with = params![wish.room, night, wish.rooms, fence, version, fenced];
            if update.execute(with)? == 0 {
                return Ok(Err(self.why(wish.room, night, fence)?));
            }
        }
        Ok(Ok(()))
    }

    fn why(&self, room: Room, night: i64, fence: i64) -> rusqlite::Result<No> {
        let select = "SELECT fence FROM night WHERE room = ?1 AND night = ?2";
        let row = self.db.prepare_cached(select)?.query_row([room, night], |row| row.get(0));
        Ok(match row.optional()? {
            None => No::Full,
            Some(highest) if self.fenced && fence > 0 && fence < highest => No::Stale,
            Some(_) => No::Changed,
        })
    }

    /// The hold becomes a booking, unless it has run out.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn confirm(&self, id: i64, now: Time) -> rusqlite::Result<bool> {
        let live =
            "UPDATE stay SET status = 'booked' WHERE id = ?1 AND status = 'held' AND until > ?2";
        let blind = "UPDATE stay SET status = 'booked' WHERE id = ?1 AND ?2 >= 0";
        let update = if self.live_hold { live } else { blind };
        let with = params![id, now.as_nanos() as i64];
        Ok(self.db.prepare_cached(update)?.execute(with)? == 1)
    }

    /// Whether the stay is a hold that lives.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn lives(&self, id: i64, now: Time) -> rusqlite::Result<bool> {
        if !self.live_hold {
            return Ok(true);
        }
        let select = "SELECT 1 FROM stay WHERE id = ?1 AND status = 'held' AND until > ?2";
        let with = params![id, now.as_nanos() as i64];
        let row = self.db.prepare_cached(select)?.query_row(with, |_| Ok(())).optional()?;
        Ok(row.is_some())
    }

    /// Frees the nights of a stay, once however often it is asked for.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn release(&self, id: i64, status: &str) -> rusqlite::Result<bool> {
        let freed = self.in_transaction(|desk| {
            let once = "UPDATE stay SET status = ?2 WHERE id = ?1 AND status IN ('held', 'booked')";
            let again = "UPDATE stay SET status = ?2 WHERE id = ?1";
            let update = if desk.free_once { once } else { again };
            if desk.db.prepare_cached(update)?.execute(params![id, status])? == 0 {
                return Ok(Err(No::Changed));
            }
            let Some(stay) = desk.stay(id)? else { return Ok(Err(No::Changed)) };
            desk.give_back(stay.wish)?;
            Ok(Ok(()))
        })?;
        Ok(freed.is_ok())
    }

    fn give_back(&self, wish: Wish) -> rusqlite::Result<()> {
        let update = "UPDATE night SET sold = sold - ?4, version = version + 1
             WHERE room = ?1 AND night >= ?2 AND night < ?3";
        let with = params![wish.room, wish.nights.lo, wish.nights.hi, wish.rooms];
        self.db.prepare_cached(update)?.execute(with).map(drop)
    }

    /// Holds that have run out.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn run_out(&self, now: Time) -> rusqlite::Result<Vec<i64>> {
        let select = "SELECT id FROM stay WHERE status = 'held' AND until <= ?1 ORDER BY id";
        let mut select = self.db.prepare_cached(select)?;
        select.query_map([now.as_nanos() as i64], |row| row.get(0))?.collect()
    }

    /// The stay moves to other nights: frees and takes in one transaction, or keeps what it has.
    ///
    /// # Errors
    /// What SQLite says; the crash between the two, where there are two.
    pub fn modify(
        &self,
        id: i64,
        nights: Span,
        points: &mut CrashPoints,
    ) -> rusqlite::Result<Result<Result<i64, No>, Crashed>> {
        let Some(stay) = self.stay(id)?.filter(|stay| stay.status == "booked") else {
            return Ok(Ok(Err(No::Changed)));
        };
        let wish = Wish { nights, ..stay.wish };
        let take = |desk: &Self| {
            if !desk.look(wish)?.has(wish) {
                return Ok(Err(No::Full));
            }
            if let Err(no) = desk.take(wish, None, 0)? {
                return Ok(Err(no));
            }
            let update = "UPDATE stay SET check_in = ?2, check_out = ?3, price = ?4 WHERE id = ?1";
            let price = desk.price(wish)?;
            desk.db.prepare_cached(update)?.execute(params![id, nights.lo, nights.hi, price])?;
            Ok(Ok(()))
        };
        let moved = if self.atomic_change {
            if let Err(crash) = points.pass("before the change") {
                return Ok(Err(crash));
            }
            self.in_transaction(|desk| {
                desk.give_back(stay.wish)?;
                take(desk)
            })?
        } else {
            self.give_back(stay.wish)?;
            if let Err(crash) = points.pass("freed, not taken") {
                return Ok(Err(crash));
            }
            let taken = self.in_transaction(take)?;
            if taken.is_err() {
                let _ = self.in_transaction(|desk| desk.take(stay.wish, None, 0))?;
            }
            taken
        };
        Ok(Ok(match moved {
            Ok(()) => Ok(self.price(wish)?),
            Err(no) => Err(no),
        }))
    }

    /// A channel manager sells: no lease, no look, no version; only the database can say no.
    ///
    /// # Errors
    /// What SQLite says, other than no.
    pub fn channel(&self, id: i64, wish: Wish) -> rusqlite::Result<bool> {
        let sold = self.in_transaction(|desk| {
            let update = "UPDATE night SET sold = sold + ?4, version = version + 1
                 WHERE room = ?1 AND night >= ?2 AND night < ?3";
            let Wish { room, nights, rooms } = wish;
            desk.db.prepare_cached(update)?.execute(params![room, nights.lo, nights.hi, rooms])?;
            let insert = "INSERT INTO stay VALUES (?1, ?2, ?3, ?4, ?5, 0, 'booked', 0)";
            desk.db
                .prepare_cached(insert)?
                .execute(params![id, room, nights.lo, nights.hi, rooms])?;
            Ok(Ok(()))
        })?;
        Ok(sold.is_ok())
    }

    /// Saves the form of a night: the limit that somebody typed, who had seen `version`.
    ///
    /// # Errors
    /// What SQLite says, other than no.
    pub fn save_limit(
        &self,
        room: Room,
        night: Night,
        limit: i64,
    ) -> rusqlite::Result<Result<(), No>> {
        self.in_transaction(|desk| {
            let update = "UPDATE night SET lim = ?3, version = version + 1
                 WHERE room = ?1 AND night = ?2 AND (?4 < 0 OR version = ?4)";
            let version = if desk.version { night.version } else { -1 };
            let with = params![room, night.night, limit, version];
            let saved = desk.db.prepare_cached(update)?.execute(with)?;
            Ok(if saved == 1 { Ok(()) } else { Err(No::Changed) })
        })
    }

    /// The stay `id`.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn stay(&self, id: i64) -> rusqlite::Result<Option<Stay>> {
        let select =
            "SELECT room, check_in, check_out, rooms, price, status FROM stay WHERE id = ?1";
        let stay = |row: &rusqlite::Row<'_>| {
            let nights = Span::new(row.get(1)?, row.get(2)?);
            let wish = Wish { room: row.get(0)?, nights, rooms: row.get(3)? };
            Ok(Stay { id, wish, price: row.get(4)?, status: row.get(5)? })
        };
        self.db.prepare_cached(select)?.query_row([id], stay).optional()
    }

    /// Night by night: what is sold by its row, its limit, what its stays say, and the other type's.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn audit(&self, room: Room, nights: Span) -> rusqlite::Result<Vec<(Night, i64)>> {
        let seen = self.look(Wish { room, nights, rooms: 0 })?;
        let select = "SELECT coalesce(sum(rooms), 0) FROM stay
             WHERE room = ?1 AND check_in <= ?2 AND check_out > ?2 AND status IN ('held', 'booked')";
        let mut select = self.db.prepare_cached(select)?;
        let mut rows = Vec::new();
        for night in seen.nights {
            let stays = select.query_row([room, night.night], |row| row.get(0))?;
            rows.push((night, stays));
        }
        Ok(rows)
    }

    /// `work` in a transaction that writes; a constraint that refuses is [`No::Full`], and any no
    /// leaves nothing behind.
    fn in_transaction<T>(
        &self,
        work: impl FnOnce(&Self) -> rusqlite::Result<Result<T, No>>,
    ) -> rusqlite::Result<Result<T, No>> {
        self.db.execute_batch("BEGIN IMMEDIATE")?;
        let done = match work(self) {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
                Ok(Err(No::Full))
            }
            other => other,
        };
        let end = if matches!(done, Ok(Ok(_))) { "COMMIT" } else { "ROLLBACK" };
        self.db.execute_batch(end)?;
        done
    }
}

impl Seen {
    /// Whether every night has the rooms of the wish, and the house as well.
    #[must_use]
    pub fn has(&self, wish: Wish) -> bool {
        let all = (wish.nights.hi - wish.nights.lo) as usize == self.nights.len();
        let fits = |night: &Night| {
            night.sold + wish.rooms <= night.limit
                && night.sold + night.other + wish.rooms <= self.house
        };
        all && wish.rooms > 0 && !wish.nights.is_empty() && self.nights.iter().all(fits)
    }
}
