//! What an interviewer asks: a partition, a lost disk, a slow node, a zone, a node more. Probes ask
//! all the while; a fault is over when no probe fails or is slow any more and the replicas agree.

use crate::cluster::{Cluster, Happening};
use crate::config::{Config, Counts};
use crate::message::{Answer, Op};
use crate::trouble::{Trouble, Troubles};
use archstone_crdt::clock::VersionVector;
use kit::latency::Percentiles;
use kit::{Failure, Fault, Latencies, Seed, Time, human};
use std::time::Duration;

/// When faults hit.
const HIT: Time = Time::from_millis(1_000);
/// How long those last that end.
const LASTS: Duration = Duration::from_millis(1_500);
/// A probe that takes longer is slow.
const SLOW: Duration = Duration::from_millis(60);
/// Keys that are there before.
const KEYS: u64 = 400;
/// Alarms: a probe, and a look whether all agree.
const PROBE: u64 = 0;
/// See [`PROBE`].
const LOOK: u64 = 1;

/// What probes saw.
#[derive(Debug)]
struct Watched {
    before: Latencies,
    during: Latencies,
    asked: u64,
    failed: u64,
    /// From the end of the fault.
    quick: Duration,
    /// See `quick`.
    whole: Option<Duration>,
    counts: [Counts; 2],
}

fn watch(config: Config, troubles: &Troubles, over: Time, seed: Seed) -> Result<Watched, Failure> {
    let mut troubles = troubles.clone();
    let mut cluster = Cluster::new(config, 0.002, seed)?;
    let mut random = seed.stream("probes");
    let mut watched = Watched {
        before: Latencies::default(),
        during: Latencies::default(),
        asked: 0,
        failed: 0,
        quick: Duration::ZERO,
        whole: None,
        counts: [Counts::default(); 2],
    };
    for key in 0..KEYS {
        cluster.alarm(Time::from_micros(1_000 * key), KEYS + key);
    }
    for probe in 0..1_750_u64 {
        cluster.alarm(Time::from_millis(500 + 2 * probe), PROBE);
    }
    for look in 1..500 {
        cluster.alarm(over + Duration::from_millis(20 * look), LOOK);
    }
    troubles.begin(&mut cluster);
    let mut asked = 0_u64;
    while let Some(happening) = cluster.next(over + Duration::from_secs(10)) {
        match happening {
            Happening::Alarm(LOOK) => {
                if watched.whole.is_none() {
                    let full = !cluster.nodes.iter().any(crate::node::Node::is_rebuilding);
                    let whole = full && cluster.agree().is_ok();
                    watched.whole = whole.then(|| cluster.now().since(over));
                }
            }
            Happening::Alarm(what) if what < KEYS => {
                asked += 1;
                let up: Vec<usize> =
                    (0..config.nodes).filter(|&node| cluster.is_up(node)).collect();
                let Some(&node) = random.pick(&up) else { continue };
                let key = random.below(KEYS).to_le_bytes();
                // Writes end with the fault, so that replicas can be seen to agree.
                let writes = asked.is_multiple_of(2) && cluster.now() < over;
                let op = match writes {
                    true => Op::Put { context: VersionVector::new(), value: vec![7; 64] },
                    false => Op::Get,
                };
                cluster.call(0, node, &key, op);
            }
            Happening::Alarm(what) if what < 2 * KEYS => {
                let op = Op::Put { context: VersionVector::new(), value: vec![1; 64] };
                let node = random.below(config.nodes as u64) as usize;
                cluster.call(1, node, &(what - KEYS).to_le_bytes(), op);
            }
            Happening::Alarm(what) => {
                if watched.counts[0] == Counts::default() {
                    watched.counts[0] = cluster.counts();
                }
                troubles.hits(what, &mut cluster);
            }
            Happening::Ended(call) if call.client == 0 => {
                let took = cluster.now().since(call.invoked);
                let answered =
                    matches!(&call.returned, Some((_, answer)) if *answer != Answer::Refused);
                let within = call.invoked >= HIT && call.invoked <= over.max(HIT + LASTS);
                if within {
                    watched.asked += 1;
                    watched.failed += u64::from(!answered);
                    watched.during.record("call", took);
                } else if call.invoked < HIT {
                    watched.before.record("call", took);
                }
                if (!answered || took > SLOW) && cluster.now() > over {
                    watched.quick = watched.quick.max(cluster.now().since(over));
                }
            }
            Happening::Ended(_) => {}
        }
    }
    watched.counts[1] = cluster.counts();
    Ok(watched)
}

fn p99(latencies: &Latencies) -> String {
    let p99 = latencies.percentiles("call").map_or(0, |Percentiles { p99, .. }| p99);
    human::duration(Duration::from_nanos(p99))
}

impl Watched {
    fn fault(&self, kind: &str, more: &str) -> Fault {
        let recovered = self.whole.map(|whole| whole.max(self.quick).as_millis() as u64);
        let effect = format!(
            "{} of {} probes failed, p99 {} before and {} during; {more}",
            self.failed,
            self.asked,
            p99(&self.before),
            p99(&self.during),
        );
        Fault { kind: kind.to_owned(), at_ms: HIT.as_millis(), recovered_ms: recovered, effect }
    }

    fn more(&self, of: impl Fn(&Counts) -> u64) -> u64 {
        of(&self.counts[1]) - of(&self.counts[0])
    }
}

/// Every fault, each on a cluster of its own; recovery counts from the end of the fault.
///
/// # Errors
/// When the configuration makes no cluster.
pub fn run(seed: Seed) -> Result<Vec<Fault>, Failure> {
    let usual = Config::usual();
    let over = HIT + LASTS;
    let list = |troubles: &[(Time, Trouble)]| Troubles::new(troubles.to_vec());
    let own = |name: &str| seed.child("faults").child(name);

    let cut = list(&[(HIT, Trouble::Cut(vec![0, 4, 8])), (over, Trouble::Heal)]);
    let cut = watch(usual, &cut, over, own("cut"))?;
    let handed = cut.more(|counts| counts.handed);
    let cut = cut
        .fault("partition: 3 of 9 nodes cut off for 1.5 s", &format!("{handed} rows handed over"));

    let wiped = watch(usual, &list(&[(HIT, Trouble::Wipe(4))]), HIT, own("wiped"))?;
    let (rows, bytes) = (wiped.more(|c| c.synced), wiped.more(|c| c.sync_bytes));
    let wiped = wiped.fault(
        "a node loses its disk",
        &format!("{rows} rows sent, {} of comparison", human::bytes(bytes)),
    );

    let slowly = Duration::from_millis(100);
    let slow = list(&[(HIT, Trouble::Slow(4, slowly)), (over, Trouble::Slow(4, Duration::ZERO))]);
    let slow = watch(usual, &slow, over, own("slow"))?;
    let hedged = slow.more(|counts| counts.hedged);
    let slow = slow.fault(
        "a node takes 100 ms over every message for 1.5 s",
        &format!("{hedged} asked elsewhere"),
    );

    let mut zone = Vec::new();
    for node in [1, 4, 7] {
        zone.extend([(HIT, Trouble::Crash(node)), (over, Trouble::Restart(node))]);
    }
    let zone = watch(usual, &Troubles::new(zone), over, own("zone"))?;
    let hinted = zone.more(|counts| counts.hinted);
    let zone =
        zone.fault("a zone of 3 nodes stops for 1.5 s", &format!("{hinted} rows kept for it"));

    let config = Config { spare: 1, ..usual };
    let joined = watch(config, &list(&[(HIT, Trouble::Join(9))]), HIT, own("joins"))?;
    let rows = joined.more(|c| c.synced) + joined.more(|c| c.handed);
    let joined =
        joined.fault("a tenth node joins", &format!("{rows} rows moved to it or about it"));
    Ok(vec![cut, wiped, slow, zone, joined])
}
