//! The four layers as switches, and the first of them: a lease on nights, with a fence.

use archstone_lock::{Demand, Lease, LeaseTable, Span};
use kit::{Failure, Time};
use std::time::Duration;

/// How long the text holds its lock.
pub const LEASE: Duration = Duration::from_secs(30);

/// What an outlived lease costs in time: one second past its end.
pub const OUTLIVED: Duration = Duration::from_secs(31);

/// Which layers are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layers {
    /// Layer 1: a lease on the nights, taken before anything is read.
    pub lease: Option<Check>,
    /// Layer 2: CHECK and UNIQUE in the schema.
    pub constraint: bool,
    /// Layer 3: what is read and what is written are one serializable transaction.
    pub serializable: bool,
    /// Layer 4: a night is written only at the version that was read.
    pub version: bool,
}

/// Where the fence of a lease is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Nowhere: a lease alone.
    Never,
    /// When a night is written.
    Writes,
    /// When it is read, too: the reader raises the gate against whoever held the lease before.
    ReadsAndWrites,
}

impl Layers {
    /// The combination of these bits, 1 the lease to 8 the version.
    #[must_use]
    pub const fn of(bits: u8) -> Self {
        Self {
            lease: if bits & 1 > 0 { Some(Check::ReadsAndWrites) } else { None },
            constraint: bits & 2 > 0,
            serializable: bits & 4 > 0,
            version: bits & 8 > 0,
        }
    }

    /// `1-3-`: the numbers of those that are on.
    #[must_use]
    pub fn name(&self) -> String {
        let shown = |on: bool, name: char| if on { name } else { '-' };
        let all = [
            shown(self.lease.is_some(), '1'),
            shown(self.constraint, '2'),
            shown(self.serializable, '3'),
            shown(self.version, '4'),
        ];
        let name: String = all.into_iter().collect();
        match self.lease {
            Some(Check::Never) => format!("{name} no fence"),
            Some(Check::Writes) => format!("{name} fence at writes only"),
            _ => name,
        }
    }
}

/// A lease that was granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Its fence.
    pub fence: u64,
    /// What the store of leases knows it by.
    pub token: Token,
}

/// See [`Grant`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// Of the crate's table.
    Table(Lease),
    /// Keys in Redis, and the value that is this grant's alone.
    Keys(Vec<String>, String),
}

/// Somewhere that grants leases on the nights of a room.
pub trait Leases {
    /// What it is.
    fn name(&self) -> &'static str;
    /// The nights of `room` for `owner`, all or none; `None` when somebody has one of them.
    ///
    /// # Errors
    /// When it cannot be asked.
    fn acquire(&mut self, room: i64, nights: Span, owner: u64) -> Result<Option<Grant>, Failure>;
    /// Gives a lease back, if it still is this grant's.
    ///
    /// # Errors
    /// When it cannot be asked.
    fn release(&mut self, grant: &Grant) -> Result<(), Failure>;
    /// `grant`'s holder sleeps past its end: the lease is over, and it does not know.
    ///
    /// # Errors
    /// When it cannot be asked.
    fn outlive(&mut self, grant: &Grant) -> Result<(), Failure>;
}

/// The crate's own table, in virtual time.
#[derive(Debug, Default)]
pub struct TableLeases {
    table: LeaseTable<i64>,
    now: Time,
}

impl Leases for TableLeases {
    fn name(&self) -> &'static str {
        "LeaseTable"
    }

    fn acquire(&mut self, room: i64, nights: Span, _owner: u64) -> Result<Option<Grant>, Failure> {
        let demand = [Demand::exclusive(room).over(nights.lo, nights.hi)];
        let lease = self.table.acquire_all(self.now, &demand, LEASE).ok();
        Ok(lease.map(|lease| Grant { fence: lease.fence().get(), token: Token::Table(lease) }))
    }

    fn release(&mut self, grant: &Grant) -> Result<(), Failure> {
        if let Token::Table(lease) = grant.token {
            // Gone is gone: the lease was outlived, and the fence keeps its writes out.
            let _ = self.table.release(self.now, lease);
        }
        Ok(())
    }

    fn outlive(&mut self, _grant: &Grant) -> Result<(), Failure> {
        self.now += OUTLIVED;
        Ok(())
    }
}
