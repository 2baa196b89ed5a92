//! The load: a real day of requests (NASA, 1 August 1995) as a store behind a web server sees it.
//! Each request gets its page by address; one that is not there is put, as large as the answer was.

use crate::config::{Config, Counts};
use crate::store::{MAX_PAIR, Store};
use flate2::read::MultiGzDecoder;
use kit::{Failure, Latencies, Run, Seed};
use std::io::Read;
use std::time::{Duration, Instant};

/// Part of the binary, so that the first run needs no file.
const NASA: &[u8] = include_bytes!("../../../testdata/nasa_19950801.tsv.gz");

/// Address and bytes of each request, in the order of the log.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// See [`Trace`].
    pub requests: Vec<(String, usize)>,
    /// Lines that were none.
    pub skipped: u64,
}

/// What the load found.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Requests.
    pub requests: u64,
    /// Pages that were there, put, and too large to be put.
    pub hits: u64,
    /// See `hits`.
    pub puts: u64,
    /// See `hits`.
    pub refused: u64,
    /// Gets that answered something else than was put.
    pub wrong: u64,
    /// Bytes of keys and values put.
    pub bytes: u64,
    /// In virtual time.
    pub latency: Latencies,
    /// What the nodes did.
    pub counts: Counts,
    /// Rows asked of engines, and those that the filters answered.
    pub asked: u64,
    /// See `asked`.
    pub spared: u64,
    /// Looked for in vain.
    pub vain: u64,
    /// Rows of each node.
    pub rows: Vec<u64>,
    /// Virtual time.
    pub virtual_ms: u64,
    /// Simulated events.
    pub events: u64,
    /// The machine's time.
    pub spent: Duration,
}

/// The first `most` requests.
///
/// # Errors
/// When the log that is part of the program cannot be read.
pub fn trace(most: usize) -> Result<Trace, Failure> {
    let mut text = String::new();
    MultiGzDecoder::new(NASA).read_to_string(&mut text)?;
    let mut trace = Trace::default();
    for line in text.lines().skip(1) {
        if trace.requests.len() == most {
            break;
        }
        let columns: Vec<&str> = line.split('\t').collect();
        match (columns.get(4), columns.get(6).and_then(|bytes| bytes.parse().ok())) {
            (Some(address), Some(bytes)) if !address.is_empty() => {
                trace.requests.push(((*address).to_owned(), bytes));
            }
            _ => trace.skipped += 1,
        }
    }
    Ok(trace)
}

/// The page of an address: its bytes follow from it.
#[must_use]
pub fn page(address: &str, bytes: usize) -> Vec<u8> {
    address.bytes().cycle().take(bytes).collect()
}

/// Runs the trace against the store.
///
/// # Errors
/// When the configuration makes no cluster or a call is not answered.
pub fn run(run: &Run, trace: &Trace) -> Result<Loaded, Failure> {
    let config = Config { compare: 600, ..Config::usual() };
    let mut store = Store::new(config, Seed::new(run.seed).child("load"))?;
    let progress = run.progress("requests", trace.requests.len() as u64);
    let (mut hits, mut puts, mut refused, mut wrong, mut stored) = (0, 0, 0, 0, 0);
    let began = Instant::now();
    for (nth, (address, bytes)) in trace.requests.iter().enumerate() {
        if nth % 256 == 0 {
            progress.add(256);
        }
        match store.get(address.as_bytes())? {
            Some(found) => {
                hits += 1;
                wrong += u64::from(found != page(address, found.len()));
            }
            None if address.len() + bytes > MAX_PAIR => refused += 1,
            None => {
                store.set(address.as_bytes(), page(address, *bytes))?;
                puts += 1;
                stored += (address.len() + bytes) as u64;
            }
        }
    }
    let spent = began.elapsed();
    let mut loaded = Loaded {
        requests: trace.requests.len() as u64,
        hits,
        puts,
        refused,
        wrong,
        bytes: stored,
        latency: store.latency.clone(),
        counts: store.cluster.counts(),
        asked: 0,
        spared: 0,
        vain: 0,
        rows: Vec::new(),
        virtual_ms: store.cluster.now().as_millis(),
        events: store.cluster.events(),
        spent,
    };
    for node in &store.cluster.nodes {
        let stats = node.engine.stats;
        loaded.asked += stats.asked;
        loaded.spared += stats.spared;
        loaded.vain += stats.vain;
        loaded.rows.push(node.engine.len());
    }
    Ok(loaded)
}
