//! Block 6: every row of section 23 with what became of it.

use crate::experiments;
use crate::scenario::Facts;
use kit::{Claims, Value, human};

/// Answers every row of the source list.
pub fn fill(claims: &mut Claims, facts: &Facts) {
    use_cases(claims, facts);
    algorithms(claims, facts);
    system(claims, facts);
    demands(claims, facts);
    figures(claims, facts);
    trade_offs(claims, facts);
}

fn use_cases(claims: &mut Claims, facts: &Facts) {
    let (field, main) = facts.one.main();
    let n = human::thousands(main.exact.total());
    claims.met("23.FR1", "plain lines: any string is an item").evidence("tests/input.rs");
    claims.met("23.FR2", format!("{n} events by {field}")).evidence("block 3");
    claims.met("23.FR3", "the same by host").evidence("block 3, --field host");
    claims
        .met("23.FR4", "plain lines, one play each; by region: design 1")
        .evidence("tests/input.rs");
    claims.met("23.FR5", "plain lines, one query each").evidence("tests/input.rs");
}

fn algorithms(claims: &mut Claims, facts: &Facts) {
    let recall = |at: usize| facts.outcomes[at].recall;
    let said = |at: usize, test: &str| {
        let recall = recall(at).map_or("not known".to_owned(), human::percent);
        format!("recall {recall}; {test}")
    };
    match facts.equal {
        Some(equal) => claims.judge("23.FR6", equal, "equal to sort | uniq: checked"),
        None => claims.met("23.FR6", "counted; too large for sort | uniq"),
    }
    .evidence("tests/golden.rs");
    claims
        .wrong_figure("23.FR7", said(1, "the row hashes collide in all rows at once"))
        .evidence("--without row-hashes");
    claims
        .wrong_figure("23.FR8", said(2, "the sample prunes a bucket too early"))
        .evidence("--without prune-after-bucket");
    claims
        .wrong_figure("23.FR9", said(3, "the sample evicts by stale counts"))
        .evidence("--without heap-update");
}

fn system(claims: &mut Claims, facts: &Facts) {
    let shards = &facts.shards;
    let (k, workers) = (facts.k, shards.workers);
    claims
        .wrong_figure(
            "23.FR10",
            format!(
                "{workers} whole summaries: {} of {k} right; cut lists {}",
                shards.right.0, shards.right.1
            ),
        )
        .evidence("--without whole-summaries");
    let [tumbling, sliding] = &facts.one.windows;
    claims
        .wrong_figure(
            "23.FR11",
            format!(
                "{} tumbling, {} sliding lists; the sample's state never forgets",
                tumbling.seen.lists, sliding.seen.lists
            ),
        )
        .evidence("--without expiry");
    claims
        .met("23.FR12", format!("{} lists due", facts.one.published))
        .evidence("publish.rs, --backend redis://");
    claims
        .met("23.FR13", format!("{} fields counted side by side", facts.one.fields.len()))
        .evidence("field.rs");
    claims
        .judge("23.FR14", facts.faults.same_bytes, "a successor ends with the same bytes")
        .evidence("block 4");
}

fn demands(claims: &mut Claims, facts: &Facts) {
    let space = &facts.outcomes[3];
    claims
        .at_most("23.NFR1", space.meter.nanos().unwrap_or(0.0), 1000.0, "ns/event")
        .wall()
        .evidence("Space-Saving, one core");
    match &facts.two {
        Some(two) => {
            let (exact, small) = (two.exact.peak_bytes(), two.small.peak_bytes());
            claims.judge("23.NFR2", small <= 64 << 10, Value::Bytes(small)).wall().evidence(
                &format!("exact counting of the same stream takes {}", human::bytes(exact)),
            );
        }
        None => {
            claims.not_built("23.NFR2", "an empty log has no law to generate from");
        }
    }
    let slowest = facts.query.iter().map(|(_, p)| p.max).max().unwrap_or(0);
    claims
        .at_most("23.NFR3", slowest as f64 / 1e6, 100.0, "ms")
        .wall()
        .evidence("worst of 200; over HTTP while ingesting: tests/serve.rs");
    claims
        .judge("23.NFR4", space.meter.rate() >= 1e6, Value::Count(space.meter.rate()))
        .unit("events/s")
        .wall()
        .evidence("one core does it alone");
}

fn figures(claims: &mut Claims, facts: &Facts) {
    for estimate in crate::outline::estimates() {
        if ["23.E1", "23.E3", "23.E4", "23.E5"].contains(&estimate.id.as_str()) {
            claims.estimate(&estimate);
        }
    }
    claims
        .met("23.E2", Value::Bytes(experiments::documents_sketch()))
        .evidence("100,000 x 7 of 4 bytes and a heap, constant");
    let _ = facts;
}

fn trade_offs(claims: &mut Claims, facts: &Facts) {
    let exact = &facts.outcomes[0];
    let nanos = Value::Num(exact.meter.nanos().unwrap_or(0.0));
    match exact.meter.rate() > 1e6 {
        true => claims.wrong_figure("23.T1", nanos),
        false => claims.met("23.T1", nanos),
    }
    .unit("ns/event")
    .wall()
    .evidence("as quick as the others while it fits in the cache");
    claims
        .wrong_figure("23.T2", "99.9 % of the keys within e/w of N, not 99 % right")
        .evidence("block 7");
    claims.met("23.T3", "no key above its share is missed").evidence("block 7");
    claims.met("23.T4", "lower and upper bound of every key, listed or not").evidence("block 7");
    let (_, main) = facts.one.main();
    claims
        .met("23.R1", format!("{} keys: the exact map is right and small", main.exact.len()))
        .evidence("block 7");
    claims.met("23.R2", "the bound is a share of N: state it so").evidence("block 7");
    claims
        .met("23.R3", format!("512 counters, bound {}", facts.outcomes[3].bound.most()))
        .evidence("block 3");
    claims
        .wrong_figure("23.R4", "one core passes 1 M events/s; distribute to survive, not for speed")
        .evidence("block 8");
}
