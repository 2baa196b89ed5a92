//! What a lease in this process saves, and what a step of a protocol costs: P11 and P12.

use std::hint::black_box;
use std::time::{Duration, Instant};

use archstone_lock::protocol::redlock::{Redlock, Reply, Step};
use archstone_lock::redis::{self, Call};
use archstone_lock::{LeaseTable, Time};

use super::OURS;
use crate::areas::Area;
use crate::measure::{Race, Runner};
use crate::memory;
use crate::redis::Server;
use crate::row::{Better, Side, Subject, Unit};

const TTL: Duration = Duration::from_secs(30);
const TURNS: usize = 512;
const ROUNDS: usize = 1 << 14;

pub(super) fn entries(area: &mut Area) {
    area.race("lock.P11", |_| {
        let ours = Runner::steady(OURS, TURNS, LeaseTable::<String>::new(), |table| {
            for _ in 0..TURNS {
                let lease = table.try_acquire(Time::ZERO, "seat:12A", TTL).expect("nobody holds it");
                table.release(Time::ZERO, lease).expect("held");
            }
        });
        let race = Race::new("a lease taken and given back", ours);
        let name = "Redis on the same machine, by the scripts of archstone_lock::redis";
        match scripted() {
            Ok(server) => {
                let acquire = redis::acquire("seat:12A", "fences", "me", TTL).expect("a time to live");
                let release = redis::release("seat:12A", "me");
                race.beats("redis", Runner::steady(name, TURNS, server, move |server| {
                    for _ in 0..TURNS {
                        call(server, &acquire);
                        call(server, &release);
                    }
                }), 1000.0)
            }
            Err(why) => race.missing("redis", name, Some(1000.0), &why),
        }
    });
    area.rows("lock.P12", |_| {
        let lock = Redlock::new(5, TTL).expect("usable");
        let turn = |now: Time| {
            let mut round = lock.acquire(now);
            let mut won = 0;
            for node in [0, 1, 2] {
                won += usize::from(matches!(round.on_reply(black_box(now), node, Reply::Granted), Step::Acquired(_)));
            }
            won
        };
        let timed = |_| {
            let start = Instant::now();
            let won: usize = (0..ROUNDS).map(|n| turn(Time::from_nanos(n as u64))).sum();
            assert_eq!(won, ROUNDS);
            start.elapsed().as_nanos() as f64 / (ROUNDS * 3) as f64
        };
        let best = (0..15).map(timed).fold(f64::INFINITY, f64::min);
        let (_, used) = memory::used(|| (0..1_000).map(|n| turn(Time::from_nanos(n))).sum::<usize>());
        let time = Subject::new("lock.P12/reply", "a reply of a node in a Redlock round of five", Unit::Ns, Better::Lower);
        let heap = Subject::new("lock.P12/allocations", "allocations of 1,000 such rounds", Unit::Count, Better::Lower);
        vec![time.limit(Side::new(OURS, best), 1000.0), heap.limit(Side::new(OURS, used.allocations as f64), 0.0)]
    });
}

/// A Redis that knows our scripts.
fn scripted() -> Result<Server, String> {
    let mut server = Server::start()?;
    for script in redis::ALL {
        server.send(&["SCRIPT", "LOAD", script.text]);
    }
    Ok(server)
}

fn call(server: &mut Server, call: &Call) {
    let count = call.keys.len().to_string();
    let head = ["EVALSHA", call.script.sha1, count.as_str()];
    let rest = call.keys.iter().chain(&call.args).map(String::as_str);
    server.send(&head.into_iter().chain(rest).collect::<Vec<&str>>());
}
