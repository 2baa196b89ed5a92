//! One key that is too much for its shard: found by Space-Saving, split into a row on each of several
//! shards, read as their sum.

use crate::database::Folder;
use crate::layout::skew;
use crate::scheme::ring;
use archstone_hashring::load::HotKeys;
use archstone_hashring::{Candidates, Key, Locate};
use archstone_sketch::frequency::SpaceSaving;
use kit::{Invariants, Safeguards, Seed, Zipf};
use std::collections::BTreeMap;

/// What must hold.
pub const COUNTED: &str = "hot key: the sum over its parts is what was counted";

/// Shards.
pub const SHARDS: usize = 4;
/// A key with more than this share of the writes is split.
const SHARE: f64 = 0.05;
const POSTS: u64 = 5_000;
const SCHEMA: &str = "
    CREATE TABLE likes (
        post INTEGER NOT NULL,
        part INTEGER NOT NULL,
        n    INTEGER NOT NULL,
        PRIMARY KEY (post, part)
    ) STRICT, WITHOUT ROWID;
";
const COUNT: &str =
    "INSERT INTO likes VALUES (?1, ?2, 1) ON CONFLICT (post, part) DO UPDATE SET n = n + 1";

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Likes.
    pub likes: u64,
    /// The keys that were split, how often each was counted when it was, and into how many parts.
    pub split: Vec<(u64, u64, u64)>,
    /// Share of the hottest key.
    pub hottest: f64,
    /// The busiest shard beside the mean before the first split.
    pub before: f64,
    /// The same after the last one.
    pub after: f64,
    /// The same for reads that go to the owner alone.
    pub reads_alone: f64,
    /// For reads that go to as many copies as the key needs.
    pub reads_spread: f64,
    /// Shards that a read of a split counter asks.
    pub asked: f64,
    /// Bytes of the counters that find it.
    pub sketch: u64,
}

/// Counts `likes` on real databases.
///
/// # Errors
/// What SQLite says.
pub fn run(
    seed: Seed,
    likes: u64,
    on: &Safeguards,
    invariants: &mut Invariants,
) -> rusqlite::Result<Facts> {
    let counted = invariants.declare(COUNTED);
    let folder = Folder::new()?;
    let open = |shard| folder.database(&format!("likes-{shard}"), SCHEMA);
    let shards = (0..SHARDS).map(open).collect::<rusqlite::Result<Vec<_>>>()?;
    for shard in &shards {
        shard.sql().execute_batch("BEGIN")?;
    }
    let ring = ring(SHARDS);
    let zipf = Zipf::new(POSTS, 1.2).expect("an exponent of one and a bit");
    let mut draw = seed.stream("likes");
    let mut sketch = SpaceSaving::<u64>::new(64).expect("a capacity");
    let mut truth: BTreeMap<u64, u64> = BTreeMap::new();
    let mut parts: BTreeMap<u64, u64> = BTreeMap::new();
    let mut facts = Facts { likes, sketch: 64 * 64, ..Facts::default() };
    let (mut before, mut after) = ([0; SHARDS], [0; SHARDS]);
    let learn = likes / 10;
    for turn in 0..likes {
        let post = zipf.sample(&mut draw);
        sketch.add(&post);
        *truth.entry(post).or_default() += 1;
        // The part is the next one in turn: the first is where the whole was, so nothing is moved.
        let part = parts.get(&post).map_or(0, |&parts| turn % parts);
        let owner = ring.candidates(post.hashed(0)).nth(part as usize).expect("four shards");
        shards[owner.index()].sql().prepare_cached(COUNT)?.execute([post, part])?;
        let loads = if turn < learn { &mut before } else { &mut after };
        loads[owner.index()] += 1;
        if turn % learn == learn - 1 {
            for hitter in sketch.above(SHARE) {
                let sure = hitter.sure() as f64 / (turn + 1) as f64;
                let needed = (sure / SHARE).ceil().clamp(1.0, SHARDS as f64) as u64;
                if needed > parts.get(hitter.item).copied().unwrap_or(1) {
                    parts.insert(*hitter.item, needed);
                    let (post, seen) = (*hitter.item, hitter.count);
                    facts.split.retain(|row| row.0 != post);
                    facts.split.push((post, seen, needed));
                    invariants.event(format!("like {turn}: post {post} is split in {needed}"));
                }
            }
        }
    }
    for shard in &shards {
        shard.sql().execute_batch("COMMIT")?;
    }
    let mut asked = 0;
    for (&post, &n) in &truth {
        let all = if on.on("all-parts") { parts.get(&post).copied().unwrap_or(1) } else { 1 };
        let mut sum = 0;
        for (part, owner) in (0..all).zip(ring.candidates(post.hashed(0))) {
            let sql = "SELECT coalesce(sum(n), 0) FROM likes WHERE post = ?1 AND part = ?2";
            let mut query = shards[owner.index()].sql().prepare_cached(sql)?;
            sum += query.query_row([post, part], |row| row.get::<_, u64>(0))?;
        }
        asked += if parts.contains_key(&post) { all } else { 0 };
        invariants.check(counted, sum == n, || format!("post {post}: {sum} likes of {n}"));
    }
    facts.asked = asked as f64 / parts.len().max(1) as f64;
    facts.hottest = truth.values().copied().max().unwrap_or(0) as f64 / likes as f64;
    (facts.before, facts.after) = (skew(&before), skew(&after));
    (facts.reads_alone, facts.reads_spread) = reads(seed, likes);
    Ok(facts)
}

/// Reads of the same posts where every shard has a copy of what is hot: to the owner, or in turn to
/// as many as it needs.
fn reads(seed: Seed, reads: u64) -> (f64, f64) {
    let (ring, mut draw) = (ring(SHARDS), seed.stream("reads"));
    let zipf = Zipf::new(POSTS, 1.2).expect("an exponent of one and a bit");
    let mut hot = HotKeys::new(64, SHARE, SHARDS as u32).expect("a share");
    let (mut alone, mut spread) = ([0; SHARDS], [0; SHARDS]);
    for turn in 0..reads {
        let key = zipf.sample(&mut draw).hashed(0);
        alone[ring.locate(key).expect("four shards").index()] += 1;
        spread[hot.route(&ring, key, turn).expect("four shards").index()] += 1;
    }
    (skew(&alone), skew(&spread))
}
