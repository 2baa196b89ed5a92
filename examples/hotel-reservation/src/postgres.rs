//! The table of layers on a real PostgreSQL: READ COMMITTED where switch 3 is off.

use crate::engine::{Engine, SCHEMA, Stopped};
use kit::Failure;
use postgres::error::SqlState;
use postgres::types::ToSql;
use postgres::{Client, NoTls, Statement};
use std::collections::HashMap;

/// One connection a client, in a schema of its own that is dropped in the end.
pub struct Postgres {
    clients: Vec<(Client, HashMap<String, Statement>)>,
    schema: String,
}

impl std::fmt::Debug for Postgres {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Postgres").field("schema", &self.schema).finish_non_exhaustive()
    }
}

impl Postgres {
    /// Connects so many clients to `postgres://user@host:port/database`.
    ///
    /// # Errors
    /// When nobody answers, or the schema cannot be made.
    pub fn connect(url: &str, clients: usize) -> Result<Self, Failure> {
        let named = |error: postgres::Error| format!("--backend {url}: {error}");
        // The process and its clock name the schema: runs do not meet.
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
        let schema = format!("archstone_{}_{}", std::process::id(), now.as_nanos());
        let mut open = Vec::new();
        for nth in 0..clients {
            let mut client = Client::connect(url, NoTls).map_err(named)?;
            if nth == 0 {
                client.batch_execute(&format!("CREATE SCHEMA {schema}")).map_err(named)?;
            }
            // Nothing here is about losing power; and nobody waits for ever.
            let settings = format!(
                "SET search_path TO {schema}; SET synchronous_commit TO off; SET lock_timeout TO '5s'"
            );
            client.batch_execute(&settings).map_err(named)?;
            open.push((client, HashMap::new()));
        }
        open[0].0.batch_execute(SCHEMA).map_err(named)?;
        Ok(Self { clients: open, schema })
    }

    fn prepared(&mut self, client: usize, sql: &str) -> Result<Statement, Stopped> {
        let (connection, known) = &mut self.clients[client];
        if let Some(statement) = known.get(sql) {
            return Ok(statement.clone());
        }
        let statement = connection.prepare(sql).map_err(stopped)?;
        if sql.contains('$') {
            known.insert(sql.to_owned(), statement.clone());
        }
        Ok(statement)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // What a client left open would hold the schema.
        let schema = &self.schema;
        for (client, _) in &mut self.clients {
            let _ = client.batch_execute("ROLLBACK");
        }
        if let Some((client, _)) = self.clients.first_mut() {
            let _ = client.batch_execute(&format!("DROP SCHEMA {schema} CASCADE"));
        }
    }
}

fn stopped(error: postgres::Error) -> Stopped {
    match error.code() {
        Some(code) if *code == SqlState::UNIQUE_VIOLATION || *code == SqlState::CHECK_VIOLATION => {
            Stopped::Constraint
        }
        Some(code)
            if *code == SqlState::T_R_SERIALIZATION_FAILURE
                || *code == SqlState::T_R_DEADLOCK_DETECTED =>
        {
            Stopped::Again
        }
        _ => Stopped::Broken(error.into()),
    }
}

fn parameters(with: &[i64]) -> Vec<&(dyn ToSql + Sync)> {
    with.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

impl Engine for Postgres {
    fn name(&self) -> &'static str {
        "PostgreSQL"
    }

    fn begin(&mut self, client: usize, serializable: bool) -> Result<(), Stopped> {
        let level = if serializable { "SERIALIZABLE" } else { "READ COMMITTED" };
        let begin = format!("BEGIN ISOLATION LEVEL {level}");
        self.clients[client].0.batch_execute(&begin).map_err(stopped)
    }

    fn reads_in_transaction(&self) -> bool {
        true
    }

    fn read(&mut self, client: usize, sql: &str, with: &[i64]) -> Result<Vec<[i64; 4]>, Stopped> {
        let statement = self.prepared(client, sql)?;
        let rows = self.clients[client].0.query(&statement, &parameters(with)).map_err(stopped)?;
        let row = |row: &postgres::Row| -> Result<[i64; 4], postgres::Error> {
            Ok([row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?])
        };
        rows.iter().map(row).collect::<Result<_, _>>().map_err(stopped)
    }

    fn write(&mut self, client: usize, sql: &str, with: &[i64]) -> Result<u64, Stopped> {
        let statement = self.prepared(client, sql)?;
        self.clients[client].0.execute(&statement, &parameters(with)).map_err(stopped)
    }

    fn commit(&mut self, client: usize) -> Result<(), Stopped> {
        self.clients[client].0.batch_execute("COMMIT").map_err(stopped)
    }

    fn rollback(&mut self, client: usize) -> Result<(), Stopped> {
        // A warning where there is none, and no error.
        self.clients[client].0.batch_execute("ROLLBACK").map_err(stopped)
    }
}
