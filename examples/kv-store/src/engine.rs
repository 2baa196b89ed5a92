//! What one node keeps: rows in redb, a real embedded engine (a copy-on-write B-tree, here over
//! memory), a log of the last writes, and a Bloom filter in front of its reads.
//!
//! A transaction of the table copies its path to the root, so writes go to the table in groups.
//! Until then they stand in a log, which counts as disk: a restart finds it, a lost disk loses it.
//!
//! The filter is memory: a restart loses it, and it must be built again from the table before the
//! first read, or every row of the disk is "not there".

use archstone_crdt::clock::Siblings;
use archstone_crdt::codec::Wire;
use archstone_hashring::Key as _;
use archstone_sketch::membership::ScalableBloom;
use redb::backends::InMemoryBackend;
use redb::{Database, ReadableDatabase, ReadableTable};
use redb::{ReadTransaction, TableDefinition};
use std::collections::BTreeMap;

/// A key's concurrent values with the version that covers them; deleted when there are none.
pub type Row = Siblings<Vec<u8>>;

const ROWS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("rows");

/// Writes that the log holds before they go to the table.
pub const GROUP: usize = 64;

/// A memory backend has nothing that fails.
const NEVER: &str = "the engine's memory does not fail";

/// What reads met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Rows asked for.
    pub asked: u64,
    /// Answered by the filter alone: not there.
    pub spared: u64,
    /// Reads of the table that found nothing: the filter's false "probably", or no filter.
    pub vain: u64,
    /// Rows written or dropped.
    pub writes: u64,
    /// The transactions in which they went to the table.
    pub commits: u64,
}

/// One node's table.
pub struct Engine {
    db: Database,
    /// The last encoded row of each key written since the last group; `None`: dropped.
    log: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    /// Writes in the log, which may be of one key.
    logged: usize,
    /// `None`: every read goes to the table.
    filter: Option<ScalableBloom>,
    /// See [`Stats`].
    pub stats: Stats,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("stats", &self.stats).finish_non_exhaustive()
    }
}

/// The digest under which a row is compared.
#[must_use]
pub fn digest(key: &[u8], encoded: &[u8]) -> u64 {
    (key, encoded).hashed(0).0
}

impl Engine {
    /// An empty table, with a filter or without.
    #[must_use]
    pub fn new(filtered: bool) -> Self {
        let mut builder = Database::builder();
        // Small: a cluster of many nodes lives in one process.
        builder.set_cache_size(1 << 20);
        let db = builder.create_with_backend(InMemoryBackend::new()).expect(NEVER);
        let write = db.begin_write().expect(NEVER);
        write.open_table(ROWS).expect(NEVER);
        write.commit().expect(NEVER);
        let mut engine =
            Self { db, log: BTreeMap::new(), logged: 0, filter: None, stats: Stats::default() };
        if filtered {
            engine.restart(true);
        }
        engine
    }

    /// Comes back after a crash: table and log are there, the filter is empty, or built again.
    pub fn restart(&mut self, rebuilt: bool) {
        // 1,024 rows in the first layer, more layers as it fills; 1 % in all.
        let mut filter = ScalableBloom::new(1_024, 0.01).expect("a usual filter");
        if rebuilt {
            self.each(|key, _| {
                filter.insert(key);
            });
        }
        self.filter = Some(filter);
    }

    fn read(&self) -> ReadTransaction {
        self.db.begin_read().expect(NEVER)
    }

    /// The row of a key.
    pub fn get(&mut self, key: &[u8]) -> Option<Row> {
        self.stats.asked += 1;
        if self.filter.as_ref().is_some_and(|filter| !filter.contains(key)) {
            self.stats.spared += 1;
            return None;
        }
        let decode = |bytes: &[u8]| Row::decode(bytes).expect("rows are written by put");
        let found = match self.log.get(key) {
            Some(logged) => logged.as_deref().map(decode),
            None => {
                let table = self.read().open_table(ROWS).expect(NEVER);
                table.get(key).expect(NEVER).map(|bytes| decode(bytes.value()))
            }
        };
        self.stats.vain += u64::from(found.is_none());
        found
    }

    /// Writes a row.
    pub fn put(&mut self, key: &[u8], row: &Row) {
        self.change(key, Some(row.encode()));
        if let Some(filter) = &mut self.filter {
            filter.insert(key);
        }
    }

    /// Drops a row: one that was kept for another node. (The filter keeps its bits.)
    pub fn remove(&mut self, key: &[u8]) {
        self.change(key, None);
    }

    fn change(&mut self, key: &[u8], encoded: Option<Vec<u8>>) {
        self.stats.writes += 1;
        self.log.insert(key.to_vec(), encoded);
        self.logged += 1;
        if self.logged >= GROUP {
            self.commit();
        }
    }

    /// The log goes to the table, in one transaction.
    fn commit(&mut self) {
        let write = self.db.begin_write().expect(NEVER);
        {
            let mut rows = write.open_table(ROWS).expect(NEVER);
            for (key, encoded) in std::mem::take(&mut self.log) {
                match encoded {
                    Some(encoded) => rows.insert(&key[..], &encoded[..]).expect(NEVER),
                    None => rows.remove(&key[..]).expect(NEVER),
                };
            }
        }
        write.commit().expect(NEVER);
        self.logged = 0;
        self.stats.commits += 1;
    }

    /// Every key with its encoded row, in the order of the keys.
    pub fn each(&self, mut see: impl FnMut(&[u8], &[u8])) {
        let table = self.read().open_table(ROWS).expect(NEVER);
        let mut log = self.log.iter().peekable();
        for entry in table.iter().expect(NEVER) {
            let (key, row) = entry.expect(NEVER);
            let key = key.value();
            while let Some((logged, row)) = log.next_if(|(logged, _)| logged.as_slice() < key) {
                row.iter().for_each(|row| see(logged, row));
            }
            // The log is newer.
            match log.next_if(|(logged, _)| logged.as_slice() == key) {
                Some((_, newer)) => newer.iter().for_each(|row| see(key, row)),
                None => see(key, row.value()),
            }
        }
        for (key, row) in log {
            row.iter().for_each(|row| see(key, row));
        }
    }

    /// The digests of the keys that `wanted` wants: by them two nodes compare what they hold
    /// without sending it. O(rows).
    #[must_use]
    pub fn digests(&self, mut wanted: impl FnMut(&[u8]) -> bool) -> Vec<u64> {
        let mut digests = Vec::new();
        self.each(|key, row| {
            if wanted(key) {
                digests.push(digest(key, row));
            }
        });
        digests
    }

    /// The keys and rows behind digests, those that are still so. O(rows).
    #[must_use]
    pub fn behind(&self, digests: &[u64]) -> Vec<(Vec<u8>, Row)> {
        let mut found = Vec::new();
        if !digests.is_empty() {
            self.each(|key, row| {
                if digests.contains(&digest(key, row)) {
                    found.push((key.to_vec(), Row::decode(row).expect("rows are written by put")));
                }
            });
        }
        found
    }

    /// Rows. O(rows).
    #[must_use]
    pub fn len(&self) -> u64 {
        let mut rows = 0;
        self.each(|_, _| rows += 1);
        rows
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use archstone_crdt::ReplicaId;

    fn row(text: &str) -> Row {
        let mut row = Row::new();
        row.put(ReplicaId(1), &row.context(), text.into()).expect("the first");
        row
    }

    #[test]
    fn a_row_is_read_as_written_and_its_digest_moves_with_it() {
        let mut engine = Engine::new(true);
        assert_eq!(engine.get(b"a"), None);
        engine.put(b"a", &row("1"));
        engine.put(b"b", &row("2"));
        let first = engine.digests(|_| true);
        engine.put(b"a", &row("3"));
        let second = engine.digests(|_| true);
        assert_eq!((first.len(), second.len()), (2, 2));
        assert_ne!(first, second);
        let mut both = second;
        both.extend(&first);
        let found = engine.behind(&both);
        assert_eq!(found, [(b"a".to_vec(), row("3")), (b"b".to_vec(), row("2"))]);
        engine.remove(b"a");
        assert_eq!((engine.get(b"a"), engine.len()), (None, 1));
        assert_eq!(engine.digests(|_| true).len(), 1);
        assert_eq!(engine.digests(|key| key == b"a").len(), 0);
    }

    #[test]
    fn log_and_table_together_are_one_map() {
        let mut engine = Engine::new(false);
        let mut model = BTreeMap::new();
        for n in 0..10 * GROUP as u64 {
            let key = (n * n % 97).to_be_bytes().to_vec();
            if n % 5 == 4 {
                engine.remove(&key);
                model.remove(&key);
            } else {
                let row = row(&n.to_string());
                engine.put(&key, &row);
                model.insert(key.clone(), row);
            }
            assert_eq!(engine.get(&key), model.get(&key).cloned(), "write {n}");
            let mut rows = Vec::new();
            engine.each(|key, row| rows.push((key.to_vec(), row.to_vec())));
            let expected: Vec<_> =
                model.iter().map(|(key, row)| (key.clone(), row.encode())).collect();
            assert_eq!(rows, expected, "write {n}");
        }
        assert_eq!((engine.stats.commits, engine.len()), (10, model.len() as u64));
    }

    #[test]
    fn the_filter_spares_reads_and_must_be_built_again_after_a_restart() {
        let mut engine = Engine::new(true);
        for n in 0..2_000_u32 {
            engine.put(&n.to_le_bytes(), &row("x"));
        }
        engine.stats = Stats::default();
        for n in 2_000..12_000_u32 {
            assert_eq!(engine.get(&n.to_le_bytes()), None);
        }
        let Stats { asked, spared, vain, .. } = engine.stats;
        assert_eq!((asked, spared + vain), (10_000, 10_000));
        assert!(vain < 150, "{vain} of 10,000, 100 expected at most");
        engine.restart(true);
        assert!((0..2_000_u32).all(|n| engine.get(&n.to_le_bytes()).is_some()));
        engine.restart(false);
        assert_eq!(engine.get(&7_u32.to_le_bytes()), None, "the known error");
    }
}
