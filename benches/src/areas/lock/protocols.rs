//! What a lease in this process saves, and what a step of a protocol costs: P11 and P12.

use std::hint::black_box;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use archstone_lock::protocol::redlock::{Redlock, Reply, Step};
use archstone_lock::redis::{self, Call};
use archstone_lock::{LeaseTable, Time};

use super::OURS;
use crate::areas::Area;
use crate::measure::{Race, Runner};
use crate::memory;
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
        match Server::start() {
            Ok(server) => {
                let acquire = redis::acquire("seat:12A", "fences", "me", TTL).expect("a time to live");
                let release = redis::release("seat:12A", "me");
                race.beats("redis", Runner::steady(name, TURNS, server, move |server| {
                    for _ in 0..TURNS {
                        server.call(&acquire);
                        server.call(&release);
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

/// A Redis of our own on a free port, and one connection to it. It ends with this.
struct Server {
    child: Child,
    stream: BufReader<TcpStream>,
}

impl Server {
    fn start() -> Result<Self, String> {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|e| e.to_string())?;
        let addr = free.local_addr().map_err(|e| e.to_string())?;
        drop(free);
        let port = addr.port().to_string();
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &port, "--save", "", "--appendonly", "no"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(|e| format!("redis-server: {e}"))?;
        for _ in 0..500 {
            if let Ok(stream) = TcpStream::connect(addr) {
                stream.set_nodelay(true).map_err(|e| e.to_string())?;
                let mut server = Self { child, stream: BufReader::new(stream) };
                for script in redis::ALL {
                    server.send(&["SCRIPT", "LOAD", script.text]);
                }
                return Ok(server);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = (child.kill(), child.wait());
        Err("redis-server did not answer".to_owned())
    }

    fn call(&mut self, call: &Call) {
        let count = call.keys.len().to_string();
        let head = ["EVALSHA", call.script.sha1, count.as_str()];
        let rest = call.keys.iter().chain(&call.args).map(String::as_str);
        let words: Vec<&str> = head.into_iter().chain(rest).collect();
        self.send(&words);
    }

    /// One command and its reply, whose lines are counted and not otherwise looked at.
    fn send(&mut self, words: &[&str]) {
        let mut text = format!("*{}\r\n", words.len());
        for word in words {
            text += &format!("${}\r\n{word}\r\n", word.len());
        }
        self.stream.get_mut().write_all(text.as_bytes()).expect("a connection");
        let (mut lines, mut line) = (1, String::new());
        while lines > 0 {
            line.clear();
            assert!(self.stream.read_line(&mut line).expect("a reply") > 0);
            lines -= 1;
            match line.as_bytes()[0] {
                b'*' => lines += line[1..].trim().parse::<usize>().expect("a length"),
                b'$' => lines += 1,
                b'-' => panic!("{line}"),
                _ => {}
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = (self.child.kill(), self.child.wait());
    }
}
