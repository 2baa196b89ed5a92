//! The same leases in PostgreSQL, as text for any client: statements and their contracts.
//!
//! Parameters are `$1`, `$2`, ..; times to live are in whole milliseconds, as `bigint`. A statement
//! that returns a row has been done; one that returns none found the grant gone, or the key held.
//! Time is the server's, by the function of [`CLOCK`], which tests replace. Each statement is a
//! transaction of its own, unless its text says otherwise; `READ COMMITTED` is enough.
//! The tests run these very texts on a real server, through the same scripts as the types here.

/// The clock that all statements here read: the wall clock at the moment, not at the transaction's
/// beginning, which a waiting statement would take for now.
pub const CLOCK: &str = "\
CREATE FUNCTION archstone_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS 'SELECT clock_timestamp()'";

/// `$1` key: whether this *transaction* holds it now; it is free when the transaction ends, however
/// that is. No time to live, no fence, no table. Two keys share a lock with probability 2^-64.
///
/// Never the session's form (`pg_try_advisory_lock`): through a transaction pooler the unlock reaches
/// another session, and the lock stays.
pub const ADVISORY: &str = "SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0))";

/// Leases by key, with fences.
pub mod lease {
    /// One row a key that was ever held, until [`PURGE`]; one counter for all fences.
    pub const SCHEMA: &str = "\
CREATE SEQUENCE archstone_fence;
CREATE TABLE archstone_lease (
  key text PRIMARY KEY, owner text NOT NULL, fence bigint NOT NULL, until timestamptz NOT NULL)";

    /// `$1` key, `$2` owner (for people to read), `$3` time to live: a row (fence, until) if nobody
    /// holds it.
    ///
    /// The fence of a key that has a row is drawn under the row's lock, so it is above all earlier ones.
    pub const ACQUIRE: &str = "\
INSERT INTO archstone_lease AS held (key, owner, fence, until)
VALUES ($1, $2, nextval('archstone_fence'), archstone_now() + $3 * interval '1 millisecond')
ON CONFLICT (key) DO UPDATE
SET owner = EXCLUDED.owner, fence = nextval('archstone_fence'),
    until = archstone_now() + $3 * interval '1 millisecond'
WHERE held.until <= archstone_now()
RETURNING fence, until";

    /// `$1` key, `$2` fence, `$3` time to live: a row (until) if the grant lives. Never shortens.
    pub const EXTEND: &str = "\
UPDATE archstone_lease
SET until = greatest(until, archstone_now() + $3 * interval '1 millisecond')
WHERE key = $1 AND fence = $2 AND until > archstone_now()
RETURNING until";

    /// `$1` key, `$2` fence: a row if the grant lives; it no longer expires.
    pub const CONFIRM: &str = "\
UPDATE archstone_lease SET until = 'infinity'
WHERE key = $1 AND fence = $2 AND until > archstone_now()
RETURNING fence";

    /// `$1` key, `$2` fence: a row if the grant lived; it is over.
    pub const RELEASE: &str = "\
UPDATE archstone_lease SET until = archstone_now()
WHERE key = $1 AND fence = $2 AND until > archstone_now()
RETURNING fence";

    /// `$1` milliseconds: forgets keys that have been free for so long. Longer than any [`ACQUIRE`] may take
    /// (`statement_timeout`): one that drew its fence before the row went, and inserts after it, would
    /// give a fence below the purged one.
    pub const PURGE: &str = "\
DELETE FROM archstone_lease WHERE until <= archstone_now() - $1 * interval '1 millisecond'";
}

/// Intervals: stays of rooms, no two of one room on one night.
pub mod stay {
    /// A hold or booking a row; the constraint is what excludes. Needs the extension `btree_gist`.
    /// Cancelled rows are deleted: a kept one would still block its nights.
    pub const SCHEMA: &str = "\
CREATE EXTENSION IF NOT EXISTS btree_gist;
CREATE TABLE archstone_stay (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  room text NOT NULL, nights int8range NOT NULL CHECK (NOT isempty(nights)),
  until timestamptz NOT NULL,
  EXCLUDE USING gist (room WITH =, nights WITH &&))";

    /// `$1` room, `$2` first night, `$3` the night after the last: lets go of holds in the way whose
    /// time is over. Before [`HOLD`], in the same transaction or not.
    pub const SWEEP: &str = "\
DELETE FROM archstone_stay
WHERE room = $1 AND nights && int8range($2, $3) AND until <= archstone_now()";

    /// `$1` room, `$2` first night, `$3` the night after the last, `$4` time to live: a row (id) if the
    /// nights are free. The id names the grant, and grows from grant to grant of a night.
    pub const HOLD: &str = "\
INSERT INTO archstone_stay (room, nights, until)
VALUES ($1, int8range($2, $3), archstone_now() + $4 * interval '1 millisecond')
ON CONFLICT DO NOTHING
RETURNING id";

    /// `$1` id: a row if the hold lives; it is a booking.
    pub const CONFIRM: &str = "\
UPDATE archstone_stay SET until = 'infinity' WHERE id = $1 AND until > archstone_now() RETURNING id";

    /// `$1` id: a row if it lived; its nights are free.
    pub const RELEASE: &str = "\
DELETE FROM archstone_stay WHERE id = $1 AND until > archstone_now() RETURNING id";
}

/// A queue of jobs: what [`claim::Queue`](crate::claim::Queue) is in memory.
pub mod job {
    /// `due` is when the job is due, or while somebody has it the end of the visibility; so a job whose
    /// worker died is due again by itself.
    pub const SCHEMA: &str = "\
CREATE SEQUENCE archstone_delivery;
CREATE TABLE archstone_job (
  id text PRIMARY KEY, pushed bigint GENERATED ALWAYS AS IDENTITY,
  due timestamptz NOT NULL, delivery bigint, attempt int NOT NULL DEFAULT 0, died timestamptz);
CREATE INDEX archstone_job_due ON archstone_job (due, pushed) WHERE died IS NULL";

    /// `$1` id, `$2` when it is due, or null: a row if no job of this id is there, dead ones included.
    pub const PUSH: &str = "\
INSERT INTO archstone_job (id, due) VALUES ($1, greatest($2, archstone_now()))
ON CONFLICT DO NOTHING
RETURNING id";

    /// `$1` how many, `$2` visibility, `$3` attempts: rows (id, delivery, attempt) of jobs that are due,
    /// the earliest first. Rows that another claim has locked are skipped, not waited for.
    pub const CLAIM: &str = "\
WITH next AS MATERIALIZED (
  SELECT id, due, pushed FROM archstone_job
  WHERE died IS NULL AND attempt < $3 AND due <= archstone_now()
  ORDER BY due, pushed LIMIT $1 FOR UPDATE SKIP LOCKED),
claimed AS (
  UPDATE archstone_job AS job
  SET delivery = nextval('archstone_delivery'), attempt = job.attempt + 1,
      due = archstone_now() + $2 * interval '1 millisecond'
  FROM next WHERE job.id = next.id
  RETURNING job.id, job.delivery, job.attempt, next.due, next.pushed)
SELECT id, delivery, attempt FROM claimed ORDER BY due, pushed";

    /// `$1` id, `$2` delivery: a row if the delivery lives; the job is done and gone.
    pub const ACK: &str = "\
DELETE FROM archstone_job WHERE id = $1 AND delivery = $2 AND due > archstone_now() RETURNING id";

    /// `$1` id, `$2` delivery, `$3` delay, `$4` attempts: a row (whether the job is dead) if the delivery
    /// lived; it comes again after the delay, unless it is dead.
    pub const NACK: &str = "\
UPDATE archstone_job
SET delivery = NULL, due = archstone_now() + $3 * interval '1 millisecond',
    died = CASE WHEN attempt >= $4 THEN archstone_now() END
WHERE id = $1 AND delivery = $2 AND due > archstone_now()
RETURNING died IS NOT NULL";

    /// `$1` id, `$2` delivery, `$3` visibility: a row (until) if the delivery lives. A heartbeat.
    pub const EXTEND: &str = "\
UPDATE archstone_job
SET due = greatest(due, archstone_now() + $3 * interval '1 millisecond')
WHERE id = $1 AND delivery = $2 AND due > archstone_now()
RETURNING due";

    /// `$1` attempts: marks jobs dead whose last visibility has passed. Now and then.
    pub const REAP: &str = "\
UPDATE archstone_job SET died = due, delivery = NULL
WHERE died IS NULL AND attempt >= $1 AND due <= archstone_now()";

    /// The dead ones, in the order of their death.
    pub const DEAD: &str = "\
SELECT id FROM archstone_job WHERE died IS NOT NULL ORDER BY died, pushed";
}
