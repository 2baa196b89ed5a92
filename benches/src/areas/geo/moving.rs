//! Moving objects: G12 to G14.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use archstone_geo::{LatLng, LiveIndex, Meters, Metric, SharedIndex, Sphere};
use kiddo::MutableKdTree;
use rstar::RTree;
use rstar::primitives::GeomWithData;

use super::data::{self, unit};
use super::index::OURS;
use crate::areas::{Area, Run};
use crate::measure::{Race, Runner};
use crate::memory;
use crate::redis::Server;
use crate::row::{Better, Row, Side, Subject, Unit};
use crate::workload::Rng;

const OBJECTS: usize = 200_000;
const MOVES: usize = 20_000;

pub(super) fn entries(area: &mut Area) {
    area.race("geo.G12/moves", |_| moves());
    area.rows("geo.G12/bytes", |_| {
        let at = objects();
        let (_live, used) = memory::used(|| live(&at));
        let subject = Subject::new("geo.G12/bytes", "bytes a moving object, a u64 key included", Unit::Bytes, Better::Lower);
        vec![subject.limit(Side::new(OURS, used.live as f64 / OBJECTS as f64), 48.0)]
    });
    area.rows("geo.G13", while_they_move);
    area.race("geo.G14/50km", |_| {
        let (at, queries) = (objects(), data::places().queries(500));
        let (live, name) = (live(&at), "redis GEOSEARCH, server time");
        let theirs = filled(&at).map(|server| geosearch(name, server, &live, Arc::clone(&queries)));
        let ours = Runner::steady(OURS, queries.len(), live, move |live| {
            queries.iter().map(|at| live.within(*at, Meters::from_km(50.0)).len()).sum::<usize>()
        });
        let race = Race::new("all within 50 km of 200 000 moving objects", ours);
        match theirs {
            Ok(theirs) => race.beats("redis", theirs, 20.0),
            Err(why) => race.missing("redis", name, Some(20.0), &why),
        }
    });
}

fn objects() -> Arc<[LatLng]> {
    // The places come sorted by id, near ones often together; drawn ones do not.
    data::places().spread(OBJECTS).into()
}

fn live(at: &[LatLng]) -> LiveIndex<u64> {
    let mut live = LiveIndex::new();
    for (&at, key) in at.iter().zip(0..) {
        live.upsert(key, at);
    }
    live
}

fn step(rng: &mut Rng, at: LatLng) -> LatLng {
    let mut off = || rng.unit() * 0.005 - 0.0025;
    LatLng::wrapped(at.lat() + off(), at.lng() + off()).unwrap_or(at)
}

/// 20 000 objects, each once: from where, to where.
fn journeys(at: &[LatLng]) -> Arc<[(u64, LatLng, LatLng)]> {
    let mut rng = Rng::new(3);
    let mut keys: Vec<u64> = (0..OBJECTS as u64).collect();
    for i in 0..MOVES {
        let other = i + rng.below((OBJECTS - i) as u64) as usize;
        keys.swap(i, other);
    }
    keys[..MOVES].iter().map(|&key| (key, at[key as usize], step(&mut rng, at[key as usize]))).collect()
}

/// Every round takes all to the other end of their journey. Everyone is told positions; who stores
/// unit vectors and is asked for the old one, keeps it.
fn moves() -> Race {
    let at = objects();
    let journeys = journeys(&at);
    let ends = |journeys: &Arc<[(u64, LatLng, LatLng)]>| {
        let (journeys, mut out) = (Arc::clone(journeys), false);
        move || {
            out = !out;
            (Arc::clone(&journeys), out)
        }
    };
    let mut next = ends(&journeys);
    let ours = Runner::steady(OURS, MOVES, live(&at), move |live| {
        let (journeys, out) = next();
        for (key, home, away) in journeys.iter() {
            live.upsert(*key, if out { *away } else { *home });
        }
    });
    let mut next = ends(&journeys);
    let mut tree = MutableKdTree::<f64, 3>::default();
    let mut refused = 0;
    for (at, key) in at.iter().zip(0..) {
        refused += usize::from(tree.add(&unit(*at), key).is_err());
    }
    let now: Vec<[f64; 3]> = at.iter().map(|at| unit(*at)).collect();
    let kiddo = Runner::steady("kiddo remove and add", MOVES, (tree, now.clone()), move |(tree, now)| {
        let (journeys, out) = next();
        for (key, home, away) in journeys.iter() {
            let to = unit(if out { *away } else { *home });
            let from = std::mem::replace(&mut now[*key as usize], to);
            tree.remove(&from, *key as u32);
            let _ = tree.add(&to, *key as u32);
        }
    });
    let mut next = ends(&journeys);
    let tree = RTree::bulk_load(now.iter().zip(0_u64..).map(|(at, key)| GeomWithData::new(*at, key)).collect());
    let rstar = Runner::steady("rstar remove and insert", MOVES, (tree, now), move |(tree, now)| {
        let (journeys, out) = next();
        for (key, home, away) in journeys.iter() {
            let to = unit(if out { *away } else { *home });
            let from = std::mem::replace(&mut now[*key as usize], to);
            tree.remove(&GeomWithData::new(from, *key));
            tree.insert(GeomWithData::new(to, *key));
        }
    });
    let workload = format!("200 000 objects move by up to 0.0025 degrees (kiddo refused {refused})");
    Race::new(workload, ours).beats("kiddo", kiddo, 4.0).beats("rstar", rstar, 20.0)
}

/// Latencies of questions to the shared index at rest, and while another thread makes a million
/// moves a second.
fn while_they_move(run: &Run) -> Vec<Row> {
    let at = objects();
    let index: SharedIndex<u64> = SharedIndex::new();
    for (&at, key) in at.iter().zip(0..) {
        index.upsert(key, at);
    }
    let queries = data::places().queries(2_000);
    let rounds = if run.quick { 3 } else { 10 };
    let nearest = |at: LatLng| index.nearest(at, 10).len();
    let within = |at: LatLng| index.within(at, Meters::from_km(5.0)).len();
    let wrong = queries.iter().take(50).any(|&center| {
        let mut all: Vec<Meters> = at.iter().map(|p| Sphere::EARTH.distance(center, *p)).collect();
        all.sort_unstable();
        index.nearest(center, 10).iter().map(|hit| hit.1).ne(all[..10].iter().copied())
    });
    let still = [sampled(&queries, rounds, nearest), sampled(&queries, rounds, within)];
    let (over, done) = (AtomicBool::new(false), AtomicU64::new(0));
    let (moving, rate) = std::thread::scope(|threads| {
        let mover = threads.spawn(|| {
            let (mut rng, mut at, start) = (Rng::new(4), at.to_vec(), Instant::now());
            while !over.load(Ordering::Relaxed) {
                for _ in 0..100 {
                    let key = rng.below(OBJECTS as u64) as usize;
                    at[key] = step(&mut rng, at[key]);
                    index.upsert(key as u64, at[key]);
                }
                // A hundred moves every hundred microseconds, and not the faster for having been late.
                let made = done.fetch_add(100, Ordering::Relaxed) + 100;
                while start.elapsed() < Duration::from_micros(made) && !over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            }
        });
        let (start, before) = (Instant::now(), done.load(Ordering::Relaxed));
        let moving = [sampled(&queries, rounds, nearest), sampled(&queries, rounds, within)];
        let rate = (done.load(Ordering::Relaxed) - before) as f64 / start.elapsed().as_secs_f64();
        over.store(true, Ordering::Relaxed);
        let _ = mover.join();
        (moving, rate)
    });
    let mut rows = Vec::new();
    for (name, (still, moving)) in ["10-nearest", "5km"].iter().zip(still.iter().zip(&moving)) {
        let note = format!("{:.2} million moves a second; at rest p99 {:.0} ns{}", rate / 1e6, still.1, if wrong { "; A WRONG ANSWER" } else { "" });
        let subject = |suffix: &str, what: &str| Subject::new(&format!("geo.G13/{name}/{suffix}"), what, Unit::Ns, Better::Lower);
        let at_rest = Side::new("floor: the same index at rest", still.0);
        let median = subject("median", "a question to 200 000 objects, median").against(Side::new(OURS, moving.0), at_rest, Some(1.0 / 3.0));
        let tail = subject("p99", "a question to 200 000 objects, p99").limit(Side::new(OURS, moving.1), 20_000.0);
        rows.extend([median, tail].map(|row| if wrong { row.could_not_run("a wrong answer") } else { row.note(&note) }));
    }
    rows
}

/// All questions in one round, timed by the server itself: neither the socket nor our reading of the
/// replies counts. What it answers must be what the live index does, but for members at the edge: its
/// positions are up to 0.6 m off.
fn geosearch(name: &str, mut server: Server, live: &LiveIndex<u64>, queries: Arc<[LatLng]>) -> Runner {
    let near = |at: LatLng, meters: f64| live.within(at, Meters(meters)).len();
    for &at in queries.iter().take(100) {
        // Its sphere is larger than ours by 0.028 %.
        let meters = 50_000.0 * Sphere::EARTH.radius() / Sphere::REDIS.radius();
        let found = within_50_km(&mut server, at);
        let right = (near(at, meters - 1.0)..=near(at, meters + 1.0)).contains(&found);
        assert!(right || at.lat().abs() > 84.0, "{found} members at {at}");
    }
    Runner::custom(name, queries.len(), move || {
        let before = spent(&mut server);
        for &at in queries.iter() {
            within_50_km(&mut server, at);
        }
        spent(&mut server).saturating_sub(before)
    })
}

/// With all objects in the set `a`, but for those that Redis refuses.
fn filled(at: &[LatLng]) -> Result<Server, String> {
    let mut server = Server::start()?;
    let known = at.iter().zip(0..).filter(|(at, _)| at.lat().abs() <= archstone_geo::redis::MAX_LATITUDE);
    let words: Vec<[String; 3]> = known.map(|(at, key): (_, u64)| [at.lng().to_string(), at.lat().to_string(), key.to_string()]).collect();
    for some in words.chunks(1_000) {
        let members = some.iter().flatten().map(String::as_str);
        server.send(&["GEOADD", "a"].into_iter().chain(members).collect::<Vec<_>>());
    }
    Ok(server)
}

fn within_50_km(server: &mut Server, at: LatLng) -> usize {
    let (lng, lat) = (at.lng().to_string(), at.lat().to_string());
    server.send(&["GEOSEARCH", "a", "FROMLONLAT", &lng, &lat, "BYRADIUS", "50", "km"]).len()
}

/// What the server has spent on GEOSEARCH since it began.
fn spent(server: &mut Server) -> Duration {
    let all = server.send(&["INFO", "commandstats"]).join("\n");
    let line = all.lines().find(|line| line.starts_with("cmdstat_geosearch:")).unwrap_or_default();
    let micros = line.split(',').find_map(|field| field.strip_prefix("usec=")?.parse().ok());
    Duration::from_micros(micros.unwrap_or(0))
}

/// The median and the 99th percentile in nanoseconds, the clock's own reading included.
fn sampled(queries: &[LatLng], rounds: usize, ask: impl Fn(LatLng) -> usize) -> (f64, f64) {
    let mut took: Vec<u64> = Vec::with_capacity(queries.len() * rounds);
    for _ in 0..rounds {
        for at in queries {
            let start = Instant::now();
            std::hint::black_box(ask(*at));
            took.push(start.elapsed().as_nanos() as u64);
        }
    }
    took.sort_unstable();
    (took[took.len() / 2] as f64, took[took.len() * 99 / 100] as f64)
}
