//! C7 to C9 and C11: the add-wins set.

use archstone_crdt::codec::Wire;
use archstone_crdt::set::AddWinsSet;
use archstone_crdt::{Lattice, ReplicaId};
use crdts::{CmRDT, CvRDT, Orswot};

use super::{Area, OURS, ids};
use crate::measure::{Budget, Race, Runner, interleave};
use crate::memory;
use crate::row::{Better, Row, Side, Subject, Unit};

const ELEMENTS: u64 = 10_000;

type Ours = AddWinsSet<u64>;
type Peer = Orswot<u64, u64>;

pub(super) fn add(area: &mut Area) {
    for operation in ["add", "remove", "contains"] {
        area.race(format!("crdt.C7/{operation}"), move |_| operations(operation));
    }
    for relation in ["identical", "one percent", "disjoint"] {
        let id = format!("crdt.C8/{}", relation.replace(' ', "-"));
        area.race(id, move |_| merges(relation));
    }
    area.rows("crdt.C9", |_| bytes());
    area.rows("crdt.C11", |run| delta(&run.budget));
}

fn ours(elements: core::ops::Range<u64>, writer: usize) -> Ours {
    let ids = ids(9);
    let mut set = Ours::new();
    for item in elements {
        set.add(ReplicaId(ids[writer * 3 + item as usize % 3]), item).expect("few");
    }
    set
}

fn put(set: &mut Peer, item: u64, actor: u64) {
    let ctx = set.read_ctx().derive_add_ctx(actor);
    let op = set.add(item, ctx);
    set.apply(op);
}

fn theirs(elements: core::ops::Range<u64>, writer: usize) -> Peer {
    let ids = ids(9);
    let mut set = Peer::new();
    for item in elements {
        put(&mut set, item, ids[writer * 3 + item as usize % 3]);
    }
    set
}

fn operations(operation: &'static str) -> Race {
    let n = ELEMENTS as usize;
    let (goal, mine, crdts) = match operation {
        "add" => (
            3.0,
            Runner::fresh(OURS, n, Ours::new, |mut set| {
                let ids = ids(9);
                for item in 0..ELEMENTS {
                    std::hint::black_box(set.add(ReplicaId(ids[item as usize % 3]), item).ok());
                }
                set
            }),
            Runner::fresh("crdts", n, Peer::new, |mut set| {
                let ids = ids(9);
                for item in 0..ELEMENTS {
                    put(&mut set, item, ids[item as usize % 3]);
                }
                set
            }),
        ),
        "remove" => {
            let (full, peer) = (ours(0..ELEMENTS, 0), theirs(0..ELEMENTS, 0));
            (
                5.0,
                Runner::fresh(OURS, n, move || full.clone(), |mut set| {
                    for item in 0..ELEMENTS {
                        std::hint::black_box(set.remove(ReplicaId(1), &item).ok());
                    }
                    set
                }),
                Runner::fresh("crdts", n, move || peer.clone(), |mut set| {
                    for item in 0..ELEMENTS {
                        let op = set.rm(item, set.contains(&item).derive_rm_ctx());
                        set.apply(op);
                    }
                    set
                }),
            )
        }
        _ => (
            5.0,
            Runner::steady(OURS, n, ours(0..ELEMENTS, 0), |set| {
                (0..ELEMENTS).filter(|item| set.contains(item)).count()
            }),
            Runner::steady("crdts", n, theirs(0..ELEMENTS, 0), |set| {
                (0..ELEMENTS).filter(|item| set.contains(item).val).count()
            }),
        ),
    };
    Race::new(format!("{operation}, 10,000 elements, 3 writers"), mine).beats("crdts", crdts, goal)
}

fn merges(relation: &'static str) -> Race {
    let (mut a, mut x) = (ours(0..ELEMENTS, 0), theirs(0..ELEMENTS, 0));
    let (mut b, mut y) = (a.clone(), x.clone());
    match relation {
        "one percent" => {
            let ids = ids(9);
            for item in 0..ELEMENTS / 400 {
                a.add(ReplicaId(ids[3]), 20_000 + item).expect("few");
                b.add(ReplicaId(ids[4]), 30_000 + item).expect("few");
                a.remove(ReplicaId(ids[3]), &(item * 7)).expect("few");
                b.remove(ReplicaId(ids[4]), &(5_000 + item * 7)).expect("few");
                put(&mut x, 20_000 + item, ids[3]);
                put(&mut y, 30_000 + item, ids[4]);
                for (set, gone) in [(&mut x, item * 7), (&mut y, 5_000 + item * 7)] {
                    let op = set.rm(gone, set.contains(&gone).derive_rm_ctx());
                    set.apply(op);
                }
            }
        }
        "disjoint" => {
            b = ours(ELEMENTS..2 * ELEMENTS, 1);
            y = theirs(ELEMENTS..2 * ELEMENTS, 1);
        }
        _ => {}
    }
    let goal = match relation {
        "identical" => 500.0,
        "one percent" => 20.0,
        _ => 3.0,
    };
    // 100 merges a round where one is too short to time.
    let mine = if relation == "identical" {
        Runner::steady(OURS, 100, (a, b), |(a, b)| {
            for _ in 0..100 {
                std::hint::black_box(a.merge(std::hint::black_box(b)));
            }
        })
    } else {
        Runner::fresh(OURS, 1, move || a.clone(), move |mut a| {
            a.merge(&b);
            a
        })
    };
    let crdts = Runner::fresh("crdts", 1, move || (x.clone(), y.clone()), |(mut x, y)| {
        x.merge(y);
        x
    });
    Race::new(format!("merge two sets of 10,000, {relation}"), mine).beats("crdts", crdts, goal)
}

fn bytes() -> Vec<Row> {
    let (mine, used) = memory::used(|| ours(0..ELEMENTS, 0));
    let (peer, peer_used) = memory::used(|| theirs(0..ELEMENTS, 0));
    let each = |bytes: f64| bytes / ELEMENTS as f64;
    let subject = |id, workload| Subject::new(id, workload, Unit::Bytes, Better::Lower);
    let heap = subject("crdt.C9/heap", "heap bytes an element, 10,000 u64, 3 writers");
    let wire = subject("crdt.C9/encoded", "encoded bytes an element, 10,000 u64, 3 writers");
    let encoded = postcard::to_allocvec(&peer).map_or(f64::NAN, |bytes| bytes.len() as f64);
    let ours = Side::new(OURS, each(mine.encode().len() as f64));
    vec![
        heap.limit(Side::new(OURS, each(used.live as f64)), 40.0)
            .note(format!("crdts {:.0}", each(peer_used.live as f64))),
        wire.at("crdts").against(ours, Side::new("crdts, postcard", each(encoded)), Some(2.0)),
    ]
}

fn delta(budget: &Budget) -> Vec<Row> {
    let mut set = ours(0..ELEMENTS, 0);
    let delta = set.add(ReplicaId(ids(9)[0]), 77_777).expect("few");
    let size = Subject::new(
        "crdt.C11/bytes",
        "encoded bytes of the delta of one add to 10,000 elements",
        Unit::Bytes,
        Better::Lower,
    );
    let time = Subject::new(
        "crdt.C11/merge",
        "taking the delta of one add into a set of 10,000",
        Unit::Ns,
        Better::Lower,
    );
    const DELTAS: u64 = 1_000;
    let mut writer = set.clone();
    let deltas: Vec<_> = (0..DELTAS)
        .map(|i| writer.add(ReplicaId(ids(9)[0]), 100_000 + i).expect("few"))
        .collect();
    let reader = Runner::fresh(OURS, DELTAS as usize, {
        let set = set.clone();
        move || set.clone()
    }, move |mut set| {
        for delta in &deltas {
            std::hint::black_box(set.apply(delta));
        }
        set
    });
    let took = interleave(&mut [reader], budget);
    vec![
        size.limit(Side::new(OURS, delta.encode().len() as f64), 40.0),
        time.limit(Side::new(OURS, took[0].best), 200.0),
    ]
}
