//! Block 7: the text's pros and cons, as experiments.

use crate::herd::{Outcome, Way};
use crate::scenario::Facts;
use crate::strategy::{COST, Leaves, Strategy};
use crate::tournament::PERCENT;
use archstone_cache::sim::Kind;
use kit::{Table, TradeOff, Value, human};

/// All of them.
#[must_use]
pub fn all(facts: &Facts) -> Vec<TradeOff> {
    vec![
        aside(facts),
        through(facts),
        behind(facts),
        read_through(facts),
        policies(facts),
        herd(facts),
        linear(facts),
        negative(facts),
        ring(facts),
        hit_rate(facts),
        memory(facts),
        evictions(facts),
        lifetimes(facts),
        lfu(facts),
    ]
}

fn trade(id: &str, question: &str, table: Table, finding: impl Into<String>) -> TradeOff {
    let (id, question) = (id.to_owned(), question.to_owned());
    TradeOff { id, question, table, finding: finding.into() }
}

/// What every strategy costs with one policy, the default.
fn cost(facts: &Facts, strategy: Strategy) -> [Value; 7] {
    let cell = facts.tournament.cell(strategy, Leaves::By(Kind::Adaptive));
    let Some(cell) = cell else { return Default::default() };
    let name = strategy.name();
    let mean = |read: bool| {
        let misses = (cell.reads - cell.hits) as f64 / cell.reads.max(1) as f64;
        let [cache, load, store] = COST.map(|span| span.as_secs_f64());
        let seconds = match (read, strategy) {
            (true, _) => cache + misses * (load + cache),
            (false, Strategy::WriteBehind) => cache,
            (false, Strategy::ReadThrough) => store,
            (false, _) => store + cache,
        };
        Value::from(std::time::Duration::from_secs_f64(seconds))
    };
    [
        name.into(),
        Value::Share(cell.hit_rate()),
        mean(true),
        mean(false),
        cell.asked.writes.into(),
        cell.stale.into(),
        cell.at_risk.into(),
    ]
}

fn aside(facts: &Facts) -> TradeOff {
    let columns = ["strategy", "hits", "mean read", "mean write", "rows", "stale", "at risk"];
    let mut table = Table::new(columns);
    Strategy::ALL.iter().for_each(|&strategy| {
        table.row(cost(facts, strategy));
    });
    let race = facts.found.parts.race;
    let fresh = facts.held(crate::race::THROUGH) && facts.held(crate::race::ASIDE);
    let (none, kept) = if fresh { ("none", "not kept") } else { ("some", "kept or not") };
    trade(
        "18.T1",
        "\"Miss penalty, stale data possible\": what does each strategy cost and risk?",
        table,
        format!(
            "By the default policy, costs assumed. Stale data is no property of cache-aside but of its usual code: of {} reads and {} writes, {} of which came between another one's steps, {none} was stale: {} loads that had been overtaken were {kept}. The text deletes before the commit and fills without a look.",
            race.reads, race.writes, race.between, race.overtaken
        ),
    )
}

fn through(facts: &Facts) -> TradeOff {
    let mut table = Table::new(["after a write", "hits", "loads", "entries by writes"]);
    for (what, strategy) in
        [("removed (aside)", Strategy::Aside), ("kept (write-through)", Strategy::WriteThrough)]
    {
        let Some(cell) = facts.tournament.cell(strategy, Leaves::By(Kind::Lru)) else { continue };
        let writes = cell.asked.writes;
        let kept = if strategy == Strategy::Aside { Value::Int(0) } else { writes.into() };
        table.row([what.into(), Value::Share(cell.hit_rate()), cell.asked.loads.into(), kept]);
    }
    let refused = facts.found.parts.race.refused;
    trade(
        "18.T2",
        "\"Always consistent, wasted space\": is what was written read again?",
        table,
        format!(
            "By LRU. Keeping what is written saves the miss after it, at the price of room for what nobody reads. Consistent it is only if the store goes first: of the writes under attack {refused} were rolled back, and the text's order leaves each of them in the cache for an hour."
        ),
    )
}

fn behind(facts: &Facts) -> TradeOff {
    let found = &facts.found.behind;
    let mut table = Table::new(["store", "rows lost at worst", "writes lost", "may be"]);
    for (nth, store) in ["there", "away for 600 ms"].into_iter().enumerate() {
        table.row([
            store.into(),
            found.rows_lost[nth].into(),
            found.writes_lost[nth].into(),
            format!("{} rows", crate::behind::MAX_DIRTY).into(),
        ]);
    }
    let batches = facts.tournament.cell(Strategy::WriteBehind, Leaves::By(Kind::Adaptive));
    let (rows, commits) =
        batches.map_or((0, 1), |cell| (cell.asked.writes, cell.asked.transactions));
    trade(
        "18.T3",
        "\"Data loss risk\": how much, when the process dies at each of its points?",
        table,
        format!(
            "{} deaths. The bound is in rows, not in writes: five writes of a row that waits are one row, and five acknowledgements. The oldest write lost was {} old, the delay is {}. When the store is away the bound refuses writes ({} of them); the text's queue takes them all and loses them all. In the tournament {} rows took {} commits.",
            found.crashes,
            human::duration(found.oldest),
            human::duration(crate::behind::MAX_DELAY),
            found.refused,
            human::thousands(rows),
            human::thousands(commits)
        ),
    )
}

fn read_through(facts: &Facts) -> TradeOff {
    let mut table = Table::new(["policy", "stale reads", "of its reads", "the oldest"]);
    for cell in facts.tournament.of(Strategy::ReadThrough).take(4) {
        let share = cell.stale as f64 / cell.reads.max(1) as f64;
        table.row([
            cell.leaves.name().into(),
            cell.stale.into(),
            Value::Share(share),
            cell.stalest.into(),
        ]);
    }
    trade(
        "18.T4",
        "\"Simple application, less control\": what if others write to the store?",
        table,
        "Read-through alone does not hear of writes; only the lifetime ends an old value, and a better policy keeps it longer. Let writes go through the cache, or tell it. The text's @Cacheable also forgets that a row is not there (unless null), so each such question reaches the store, and its self-calls go past the proxy.",
    )
}

fn policies(facts: &Facts) -> TradeOff {
    let at = PERCENT.iter().position(|&percent| percent == 10.0).unwrap_or(0);
    let titles: Vec<_> = facts.curves.iter().map(|curves| curves.title.as_str()).collect();
    let mut table = Table::new(std::iter::once("policy").chain(titles.iter().copied()));
    for (nth, series) in
        facts.curves.first().map_or(&[][..], |c| &c.chart.series).iter().enumerate()
    {
        let ratios = facts.curves.iter().map(|curves| Value::Share(curves.ratio(nth, at)));
        table.row(std::iter::once(Value::from(series.name.as_str())).chain(ratios));
    }
    let alone = facts.tournament.cell(Strategy::Aside, Leaves::Expired);
    let most = alone.map_or(0, |cell| cell.most) as u64;
    trade(
        "18.T5",
        "LRU, LFU, FIFO or TTL? Hits with room for a tenth of the keys.",
        table,
        format!(
            "Reads alone, no lifetime. FIFO is behind, as the text says; its LFU never forgets what was popular once. TTL is no eviction policy: alone it held {} entries.",
            human::thousands(most)
        ),
    )
}

fn herd(facts: &Facts) -> TradeOff {
    let columns = ["way", "loads", "at once", "waited", "mean wait", "of a store's time"];
    let mut table = Table::new(columns);
    let (setup, ways) = &facts.herd;
    for (way, outcome) in ways {
        let busy = outcome.loads as f64 * setup.takes.as_secs_f64() / setup.length.as_secs_f64();
        table.row([
            way.name().into(),
            outcome.loads.into(),
            outcome.at_once.into(),
            outcome.waited.into(),
            outcome.mean_wait().into(),
            Value::Share(busy),
        ]);
    }
    trade(
        "18.T6",
        "One hot key, a load takes 400 ms: who keeps the herd from the store?",
        table,
        format!(
            "{} requests a second, lifetime {}, over {}. Single-flight is one load a process, a lock one load of all, whose waiters look again each 50 ms and whose lease must outlive the load. XFetch loads before the end, so hardly anybody waits after the first. The linear rule has no herd at the end, because it is a small one all the time.",
            setup.rate,
            human::duration(setup.lifetime),
            human::duration(setup.length)
        ),
    )
}

fn linear(facts: &Facts) -> TradeOff {
    let (setup, linear, xfetch) = &facts.linear;
    let mut table = Table::new(["rule", "loads", "needed", "times", "mean between"]);
    let length = setup.length.as_secs_f64();
    let mut row = |name: &str, outcome: &Outcome| {
        table.row([
            name.into(),
            outcome.loads.into(),
            setup.needed().into(),
            (outcome.loads as f64 / setup.needed()).into(),
            std::time::Duration::from_secs_f64(length / outcome.loads.max(1) as f64).into(),
        ]);
    };
    row(Way::Linear.name(), linear);
    row(Way::XFetch.name(), xfetch);
    trade(
        "18.E2",
        "\"50 % at half TTL\": how often does the linear rule refresh?",
        table,
        format!(
            "A probability for each request is a rate that grows with the traffic: at 10 requests a second and 300 s it refreshes after sqrt(pi T / 2r) = {:.1} s on average, not after 150. XFetch draws -load time x ln(u), which does not grow with the traffic.",
            crate::herd::linear_interval(300.0, 10.0)
        ),
    )
}

fn negative(facts: &Facts) -> TradeOff {
    let found = &facts.negative;
    let mut table = Table::new(["after a restart", "rows denied", "absent let through"]);
    let share = |n: u64| Value::Share(n as f64 / found.absent.max(1) as f64);
    table.row(["no filter".into(), 0_u64.into(), Value::Share(1.0)]);
    table.row(["kept, and caught up".into(), 0_u64.into(), share(found.false_positives)]);
    let [denied, let_through] = found.empty;
    table.row(["empty, as the text".into(), denied.into(), share(let_through)]);
    trade(
        "18.T7",
        "\"No false negatives\": and when the process begins anew?",
        table,
        format!(
            "{} of filter, {} probes, expected {}; {} rows made after it was kept were added before it denied anything. The text's is empty then, and says of every user that there is none. Nor is a key in it until after the insertion: another client is denied what is committed.",
            human::bytes(found.bytes as u64),
            found.hashes,
            human::percent(found.expected),
            human::thousands(found.caught_up)
        ),
    )
}

fn ring(facts: &Facts) -> TradeOff {
    let columns =
        ["nodes", "keys that move", "heaviest node", "store asked", "instead of", "whole after"];
    let mut table = Table::new(columns);
    let blows = &facts.blows;
    for (name, outcome, calm) in [
        ("ring, 150 points each", &blows.ring, &blows.calm),
        ("hash modulo nodes", &blows.modulo, &blows.modulo_calm),
        ("all wiped (ring)", &blows.wiped, &blows.calm),
    ] {
        let (asked, instead) = outcome.just_after(calm);
        table.row([
            name.into(),
            Value::Share(outcome.moved),
            outcome.heaviest.into(),
            Value::Share(asked),
            Value::Share(instead),
            outcome.recovered(calm).into(),
        ]);
    }
    trade(
        "18.T8",
        "One of 8 cache nodes is lost: what does the store see?",
        table,
        "Asked: of the requests in the two hundredth part of the run after the blow, and in the same part of a run without it. The ring loses what the node had; modulo moves seven keys of eight, which is as if all were wiped. Whole: within a twentieth of the requests of a run without the loss.",
    )
}

fn hit_rate(facts: &Facts) -> TradeOff {
    let columns = ["trace", "best at 1 %", "at 10 %", "at 50 %", "no limit", "80 % needs"];
    let mut table = Table::new(columns);
    for curves in &facts.curves {
        let last = curves.chart.series.len().saturating_sub(1);
        let best = |at: usize| (0..last).map(|nth| curves.ratio(nth, at)).fold(0.0, f64::max);
        let reached = (0..PERCENT.len()).find(|&at| best(at) >= 0.8);
        let needs = match reached {
            Some(at) => format!("{} % of its keys", PERCENT[at]),
            None if curves.ceiling() < 0.8 => "no cache reaches it".to_owned(),
            None => "more than half".to_owned(),
        };
        table.row([
            curves.title.as_str().into(),
            Value::Share(best(1)),
            Value::Share(best(4)),
            Value::Share(best(6)),
            Value::Share(curves.ceiling()),
            needs.into(),
        ]);
    }
    trade(
        "18.NFR7",
        "\"> 80 % for most applications\": which traffic can reach it?",
        table,
        "The first request of every key misses, whatever the cache. The target belongs to the traffic: compare with the bound of the same trace, and with what the store can bear.",
    )
}

fn memory(facts: &Facts) -> TradeOff {
    let mut table = Table::new(["may hold", "holds", "of it", "heap", "hits"]);
    for measured in facts.measured.iter().skip(1).take(2) {
        table.row([
            measured.capacity.into(),
            measured.held.into(),
            Value::Share(measured.held as f64 / measured.capacity.max(1) as f64),
            Value::Bytes(measured.bytes as u64),
            Value::Share(measured.hit_rate()),
        ]);
    }
    trade(
        "18.NFR8",
        "\"70-80 %, headroom for spikes\": of what?",
        table,
        "A bounded cache that has warmed up is full, and should be: the room that is left empty costs hits and no spike can use it up, because the bound is exact. Headroom belongs to the process (fragments, buffers, a fork): give the cache three quarters of the machine, and let it fill them.",
    )
}

fn evictions(facts: &Facts) -> TradeOff {
    let columns = ["entries", "evictions/look-up", "age at eviction", "hits", "doubled: more hits"];
    let mut table = Table::new(columns);
    for pair in facts.measured.iter().skip(2).collect::<Vec<_>>().windows(2) {
        let [small, large] = pair else { continue };
        table.row([
            small.capacity.into(),
            Value::Share(small.eviction_rate()),
            small.evicted_age.into(),
            Value::Share(small.hit_rate()),
            Value::Share(large.hit_rate() - small.hit_rate()),
        ]);
    }
    trade(
        "18.NFR9",
        "\"A high eviction rate: the cache is too small\": is it?",
        table,
        "Once a cache is full every miss evicts: the rate is the miss rate under another name. What says whether more room helps is the slope of the miss-ratio curve (last column); what says whether entries leave too soon is their age when they do.",
    )
}

fn lifetimes(facts: &Facts) -> TradeOff {
    let columns = ["entries", "text's rate", "expired", "of them never hit", "hits a life"];
    let mut table = Table::new(columns);
    for measured in facts.measured.iter().skip(2) {
        table.row([
            measured.capacity.into(),
            measured.text_ttl_rate().into(),
            measured.expired.into(),
            Value::Share(measured.expired_unused_share()),
            (measured.hits as f64 / measured.sets.max(1) as f64).into(),
        ]);
    }
    trade(
        "18.NFR10",
        "\"A low TTL hit rate: the TTL is too short\": what does the formula say?",
        table,
        "hitsBeforeExpiry / sets is hits a life: it is no rate (it passes 1), every hit is before expiry, and evictions lower it as much as a short lifetime does. Of what did expire, the share that was never hit says what the lifetime did: what nobody had asked for would have gained nothing by a longer one.",
    )
}

fn lfu(facts: &Facts) -> TradeOff {
    let mut table = Table::new(["after 5,000 requests", "buckets", "empty ones"]);
    let (buckets, empty, _) = facts.lfu;
    table.row(["LFU of the text".into(), buckets.into(), empty.into()]);
    trade(
        "18.FR7",
        "The text's LFU: what becomes of a frequency that nobody has any more?",
        table,
        "Its bucket stays: one for each count that any key ever reached, for ever. The crate's frees them; so does the order of a list of counts.",
    )
}
