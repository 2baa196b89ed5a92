//! Every script, through the public API, by one replayer (`common`).

mod common;

use common::{Model, replay, scripts};

const FILES: [&str; 4] =
    ["scenarios.scn", "random.scn.gz", "postgres-ranges.scn.gz", "redis-leases.scn"];

/// Replays the scripts of one model and says how many there were.
fn all(model: &str, make: impl Fn(&common::script::Script) -> Box<dyn Model>) -> usize {
    let mut count = 0;
    for script in FILES.iter().flat_map(|file| scripts(file)).filter(|s| s.header("model") == model)
    {
        replay(&script, &mut *make(&script));
        count += 1;
    }
    count
}

#[test]
fn lease_scripts_with_one_shard() {
    assert_eq!(all("lease", |script| Box::new(common::lease::Leases::new(script, 1))), 22);
}

/// A table of many shards gives the same results: the groups of these scripts cross them.
#[test]
fn lease_scripts_with_many_shards() {
    assert_eq!(all("lease", |script| Box::new(common::lease::Leases::new(script, 32))), 22);
}

#[test]
fn gate_scripts() {
    assert_eq!(all("gate", |_| Box::new(common::small::Gates::default())), 1);
}

#[test]
fn version_scripts() {
    assert_eq!(all("cas", |_| Box::new(common::small::Cas::default())), 1);
}

#[test]
fn idempotency_scripts() {
    assert_eq!(all("idem", |script| Box::new(common::small::Idem::new(script))), 9);
}

#[test]
fn transaction_scripts() {
    assert_eq!(all("txn", |script| Box::new(common::work::Transactions::new(script))), 11);
}

#[test]
fn claim_scripts() {
    assert_eq!(all("claim", |script| Box::new(common::work::Claims::new(script))), 4);
}

#[test]
fn redlock_scripts() {
    assert_eq!(all("redlock", |script| Box::new(common::protocols::Redlocks::new(script))), 2);
}

#[test]
fn saga_scripts() {
    assert_eq!(all("saga", |script| Box::new(common::protocols::Sagas::new(script))), 1);
}

#[test]
fn commit_scripts() {
    assert_eq!(all("twopc", |script| Box::new(common::protocols::Commits::new(script))), 1);
}

#[test]
fn election_scripts() {
    assert_eq!(all("elect", |script| Box::new(common::protocols::Elections::new(script))), 1);
}

/// What the shared scripts do not reach: late grants, unknown outcomes, recovery.
#[test]
fn more_protocol_scripts() {
    use common::protocols::{Commits, Elections, Redlocks, Sagas};
    let mut count = 0;
    for script in scripts("protocols.scn") {
        let mut model: Box<dyn Model> = match script.header("model") {
            "redlock" => Box::new(Redlocks::new(&script)),
            "saga" => Box::new(Sagas::new(&script)),
            "twopc" => Box::new(Commits::new(&script)),
            "elect" => Box::new(Elections::new(&script)),
            other => panic!("no model {other}"),
        };
        replay(&script, &mut *model);
        count += 1;
    }
    assert_eq!(count, 17);
}
