//! The same leases on real servers: the texts of `redis` and `sql`, through the scripts of the models.
//!
//! Redis has only its own clock, so its scripts run in real time. PostgreSQL reads the time from a
//! function, which here gives the script's; steps of the clock backwards are left out.
//! One long file, because both servers are driven through the same scripts by the same helpers.
#![cfg(feature = "std")]

mod common;

use archstone_lock::protocol::redlock::{Failure, Held, Redlock, Reply, Round, Step};
use archstone_lock::redis::{self as scripts, Acquired, Call, Script};
use archstone_lock::{Clock, Monotonic, sql};
use common::script::{self, Line, arg, demands, number, token};
use redis::{Connection, FromRedisValue};
use sha1::Digest;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn connect(engine: &testkit::Engine) -> Connection {
    let client = redis::Client::open(engine.url()).expect("a valid address");
    client.get_connection().expect("a server that is ready")
}

/// By SHA-1, as clients do; the script is loaded.
fn run<T: FromRedisValue>(connection: &mut Connection, call: &Call) -> redis::RedisResult<T> {
    let mut command = redis::cmd("EVALSHA");
    command.arg(call.script.sha1).arg(call.keys.len()).arg(&call.keys).arg(&call.args);
    command.query(connection)
}

fn load(connection: &mut Connection) {
    for Script { text, sha1, name } in scripts::ALL {
        let given: String =
            redis::cmd("SCRIPT").arg("LOAD").arg(text).query(connection).expect("a good script");
        assert_eq!(given, sha1, "{name}");
    }
}

#[test]
fn the_names_of_the_scripts_are_their_digests() {
    for Script { text, sha1, name } in scripts::ALL {
        let digest = sha1::Sha1::digest(text.as_bytes());
        let hex = digest.iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        assert_eq!(hex, sha1, "{name}");
    }
}

/// Scripts of whole keys, exclusive, without waiting and steps of the clock.
fn plain_lease_scripts(file: &str) -> Vec<script::Script> {
    let plain = |script: &script::Script| {
        let mut last = 0;
        script.header("model") == "lease"
            && script.header("capacity").is_empty()
            && script.lines.iter().all(|line| match line {
                Line::Event { .. } => true,
                Line::Step { at, verb, args, .. } => {
                    let forward = *at >= last;
                    last = *at;
                    let one = |on| {
                        matches!(&demands(on).unwrap()[..],
                        [d] if d.permits.is_none() && (d.lo, d.hi) == (0, 1))
                    };
                    let known = ["acquire", "extend", "release", "alive", "confirm"];
                    forward
                        && known.contains(&verb.as_str())
                        && arg(args, "wait").is_none()
                        && arg(args, "on").is_none_or(one)
                }
            })
    };
    common::scripts(file).into_iter().filter(plain).collect()
}

/// A key's lease in real time: it ends at some instant between these, by when its grant was sent and
/// when it was answered.
struct Ends {
    owner: String,
    /// By the script, in ticks.
    at: i64,
    earliest: Instant,
    latest: Instant,
}

/// One script in real time. Leases last half a tick less than the script says, so that a step at the
/// very end of one comes after it. A step waits until a lease that the script takes for ended surely
/// has. One that was served after a lease may have ended that the script takes for live (the machine
/// was busy) proves nothing: the key is put as the script has it, and the step does not count.
fn replay_on_redis(
    connection: &mut Connection,
    script: &script::Script,
    length: Duration,
) -> (usize, usize) {
    let _: () = redis::cmd("FLUSHALL").query(connection).expect("empty");
    let (mut grants, mut fences) = (HashMap::new(), HashMap::new());
    let mut ends: HashMap<String, Ends> = HashMap::new();
    let ticks = |n: i64| length * u32::try_from(n).expect("a short script");
    let first = script.lines.iter().find_map(|line| match line {
        Line::Step { at, .. } => Some(*at),
        Line::Event { .. } => None,
    });
    let first = first.expect("a step");
    let (start, mut steps, mut counted) = (Instant::now(), 0, 0);
    for line in &script.lines {
        let Line::Step { at, verb, args, result } = line else { continue };
        let context = format!("{} {line:?}", script.name());
        let ttl = || ticks(number(args, "ttl").expect("ttl=")).saturating_sub(length / 2);
        let grant = token(args).and_then(|n| grants.get(&n)).cloned();
        let (mut key, mut owner) =
            grant.unwrap_or_else(|| ("none".to_owned(), "nobody".to_owned()));
        if let Some(on) = arg(args, "on") {
            (key, owner) = (on.to_owned(), format!("o{steps}"));
        }
        let over = ends.get(&key).filter(|ends| ends.at <= *at).map(|ends| ends.latest);
        let due = (start + ticks(at - first)).max(over.unwrap_or(start));
        let sent = loop {
            let now = Instant::now();
            if now > due {
                break now;
            }
            std::thread::sleep(due - now + Duration::from_micros(100));
        };
        let got = match verb.as_str() {
            "acquire" => {
                let call = scripts::acquire(&key, "fences", &owner, ttl()).expect("a ttl");
                let reply: Vec<i64> = run(connection, &call).expect("the script runs");
                match scripts::decode_acquire(&reply).expect("a known reply") {
                    Acquired::Granted { fence, .. } => {
                        let before = fences.insert(key.clone(), fence);
                        assert!(before.is_none_or(|before| before < fence), "{context} (I2)");
                        "granted".to_owned()
                    }
                    Acquired::Busy { left } => {
                        assert!(left.is_some(), "{context}");
                        format!("busy {key}")
                    }
                }
            }
            "extend" => {
                let call = scripts::extend(&key, &owner, ttl()).expect("a ttl");
                let reply: Vec<i64> = run(connection, &call).expect("the script runs");
                match scripts::decode_extend(&reply).expect("a known reply") {
                    Ok(left) => {
                        assert!(left + Duration::from_millis(1) >= ttl(), "{context}");
                        "ok".to_owned()
                    }
                    Err(_) => "gone".to_owned(),
                }
            }
            "release" | "confirm" => {
                let release = verb == "release";
                let call = if release { scripts::release } else { scripts::confirm }(&key, &owner);
                let done = scripts::decode_done(run(connection, &call).expect("it runs"));
                if done.expect("a known reply") { "ok" } else { "gone" }.to_owned()
            }
            "alive" => {
                let holder: Option<String> =
                    redis::cmd("GET").arg(&key).query(connection).expect("GET");
                if holder.as_ref() == Some(&owner) { "yes" } else { "no" }.to_owned()
            }
            other => panic!("no verb {other}"),
        };
        let answered = Instant::now();
        let late = ends.get(&key).is_some_and(|ends| ends.at > *at && answered >= ends.earliest);
        // The instants themselves are the script's, in its own unit.
        let words =
            result.split_whitespace().filter(|w| !w.starts_with("until=") && !w.starts_with('$'));
        let expected = words.collect::<Vec<_>>().join(" ");
        assert!(late || got == expected, "{context}: {got}");
        let until = result.split_once("until=").map(|(_, until)| until.parse().expect("a number"));
        match (verb.as_str(), expected.as_str(), until) {
            ("acquire", "granted", Some(until)) => {
                let (earliest, latest) = (sent + ttl(), answered + ttl());
                ends.insert(
                    key.clone(),
                    Ends { owner: owner.clone(), at: until, earliest, latest },
                );
                grants.insert(bound(result).expect("a $n"), (key.clone(), owner));
            }
            ("extend", "ok", Some(until)) => {
                let old = ends.get_mut(&key).expect("extended");
                old.at = until;
                old.earliest = old.earliest.max(sent + ttl());
                old.latest = old.latest.max(answered + ttl());
            }
            ("release", "ok", None) => drop(ends.remove(&key)),
            _ => {}
        }
        if late {
            let mut repair = redis::cmd("DEL");
            repair.arg(&key);
            if let Some(ends) = ends.get_mut(&key).filter(|ends| ends.at > *at) {
                let left = ticks(ends.at - at).saturating_sub(length / 2);
                repair = redis::cmd("SET");
                repair.arg(&key).arg(&ends.owner).arg("PX").arg(left.as_millis() as u64);
                (ends.earliest, ends.latest) =
                    (answered + left, Instant::now() + left + length / 4);
            }
            let _: redis::Value = repair.query(connection).expect("as the script has it");
        }
        (steps, counted) = (steps + 1, counted + usize::from(!late));
    }
    (steps, counted)
}

#[test]
fn redis_agrees_with_the_lease_scripts() {
    let all = [plain_lease_scripts("scenarios.scn"), plain_lease_scripts("redis-leases.scn")];
    let all = all.concat();
    assert_eq!(all.len(), 4, "three of the scenarios and the recorded one");
    let (steps, counted) = std::thread::scope(|scope| {
        let each = |script| {
            move || {
                let Some(engine) = testkit::require("redis") else { return (0, 0) };
                let mut connection = connect(&engine);
                load(&mut connection);
                replay_on_redis(&mut connection, script, Duration::from_millis(5))
            }
        };
        let runs: Vec<_> = all.iter().map(|script| scope.spawn(each(script))).collect();
        let runs = runs.into_iter().map(|run| run.join().unwrap());
        runs.fold((0, 0), |sum, run| (sum.0 + run.0, sum.1 + run.1))
    });
    println!("{counted} of {steps} steps were served in time");
    assert!(steps == 0 || steps == 270, "{steps}");
    assert!(counted * 4 >= steps * 3, "a machine too busy to tell: {counted} of {steps}");
}

/// A lock of three nodes: its client is this test.
struct Nodes(Vec<(testkit::Engine, Connection)>);

impl Nodes {
    /// Sends a round's calls and feeds the replies; `away` are not reached.
    fn run(&mut self, round: &mut Round, call: &Call, clock: &Monotonic, away: &[usize]) -> Step {
        let mut last = Step::Wait;
        for node in round.nodes() {
            let connection = &mut self.0[node].1;
            let reply = if away.contains(&node) {
                Reply::Failed
            } else {
                let done: Result<bool, _> = match call.script.name {
                    "extend" => run::<Vec<i64>>(connection, call)
                        .map(|reply| scripts::decode_extend(&reply).expect("known").is_ok()),
                    _ => run(connection, call).map(|r| scripts::decode_done(r).expect("known")),
                };
                match done {
                    Ok(true) => Reply::Granted,
                    Ok(false) => Reply::Refused,
                    Err(_) => Reply::Failed,
                }
            };
            let step = round.on_reply(clock.now(), node, reply);
            if !matches!(step, Step::Wait | Step::Late) {
                last = step;
            }
        }
        last
    }

    fn holders(&mut self) -> Vec<Option<String>> {
        self.0.iter_mut().map(|n| redis::cmd("GET").arg("k").query(&mut n.1).unwrap()).collect()
    }
}

#[test]
fn redlock_runs_over_three_servers() {
    let Some(engines) = (0..3).map(|_| testkit::require("redis")).collect::<Option<Vec<_>>>()
    else {
        return;
    };
    let mut nodes = Nodes(
        engines
            .into_iter()
            .map(|e| {
                let c = connect(&e);
                (e, c)
            })
            .collect(),
    );
    nodes.0.iter_mut().for_each(|node| load(&mut node.1));
    let (clock, ttl) = (Monotonic::new(), Duration::from_secs(60));
    let lock = Redlock::new(3, ttl).unwrap();
    let take = |owner| scripts::redlock_acquire("k", owner, lock.ttl()).unwrap();

    // The first gets two of three nodes; the same request again is granted again.
    let mut round = lock.acquire(clock.now());
    let Step::Acquired(held) = nodes.run(&mut round, &take("a"), &clock, &[2]) else { panic!() };
    assert!(held.remaining(clock.now()) > ttl / 2 && held.remaining(clock.now()) < ttl);
    let mut again = lock.acquire(clock.now());
    assert!(matches!(nodes.run(&mut again, &take("a"), &clock, &[2]), Step::Acquired(_)));
    assert_eq!(nodes.holders(), [Some("a".into()), Some("a".into()), None]);

    // The second is granted by the third node alone, and undoes it.
    let mut round = lock.acquire(clock.now());
    let step = nodes.run(&mut round, &take("b"), &clock, &[]);
    // The failure was told at the second reply; the third node's grant came after it.
    assert_eq!(step, Step::Release(2));
    let undo = |nodes: &mut Nodes, owner| {
        for node in &mut nodes.0 {
            run::<i64>(&mut node.1, &scripts::release("k", owner)).unwrap();
        }
    };
    undo(&mut nodes, "b");
    assert_eq!(nodes.holders(), [Some("a".into()), Some("a".into()), None]);

    // Extended by those who hold it; not by another; then released.
    let longer = scripts::extend("k", "a", ttl * 2).unwrap();
    let mut round = Redlock::new(3, ttl * 2).unwrap().extend(clock.now(), held).unwrap();
    let Step::Acquired(later) = nodes.run(&mut round, &longer, &clock, &[]) else { panic!() };
    assert!(later.until() > held.until());
    let mut round = lock.extend(clock.now(), Held::clone(&held)).unwrap();
    let stranger = scripts::extend("k", "b", ttl).unwrap();
    let step = nodes.run(&mut round, &stranger, &clock, &[]);
    let Step::Failed { why: Failure::Busy, release } = step else { panic!("{step:?}") };
    assert!(release.is_empty(), "a failed extension takes nothing away");
    undo(&mut nodes, "a");
    assert_eq!(nodes.holders(), [None, None, None]);

    // A server that dies is a failed node.
    drop(nodes.0[0].1.set_read_timeout(Some(Duration::from_secs(1))));
    let (engine, connection) = nodes.0.remove(0);
    drop(engine);
    nodes.0.insert(0, {
        let (e, c) = (testkit::require("redis").unwrap(), connection);
        (e, c)
    });
    let mut round = lock.acquire(clock.now());
    assert!(matches!(nodes.run(&mut round, &take("c"), &clock, &[]), Step::Acquired(_)));
    assert_eq!(round.on_reply(clock.now(), 0, Reply::Granted), Step::Late);
}

struct Postgres(testkit::Engine);

impl Postgres {
    fn start() -> Option<Self> {
        testkit::require("postgres").map(Self)
    }

    fn psql(&self) -> Command {
        let mut psql = Command::new("psql");
        psql.args([&self.0.url(), "-qAtX", "-v", "ON_ERROR_STOP=1", "-f", "-"]);
        psql.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        psql
    }

    /// The rows of a text of statements, `|` between columns.
    fn ask(&self, sql: &str) -> Vec<String> {
        let mut psql = self.psql().spawn().expect("psql starts");
        let mut stdin = psql.stdin.take().expect("piped");
        let out = std::thread::scope(|scope| {
            scope.spawn(move || stdin.write_all(sql.as_bytes()));
            psql.wait_with_output().expect("psql ends")
        });
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).expect("UTF-8").lines().map(str::to_owned).collect()
    }

    /// The script's clock, and a function of the very text for each statement.
    fn prepare(&self, schema: &str, statements: &[(&str, &str, &str, &str)]) {
        let mut sql = format!("{};\n{schema};\n", sql::CLOCK);
        sql += "CREATE OR REPLACE FUNCTION archstone_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS
          $$ SELECT 'epoch'::timestamptz + current_setting('test.ms')::bigint * interval '1 ms' $$;
          CREATE FUNCTION ms(timestamptz) RETURNS text LANGUAGE sql STRICT AS $$ SELECT CASE
            WHEN isfinite($1) THEN ' until=' || round(extract(epoch FROM $1) * 1000) ELSE '' END $$;
          CREATE TABLE token (n int PRIMARY KEY, key text, number bigint);
          INSERT INTO token VALUES (0, 'none', 0);\n";
        for (name, parameters, returns, text) in statements {
            let head = format!("CREATE FUNCTION {name}({parameters}) RETURNS {returns}");
            writeln!(sql, "{head} LANGUAGE sql VOLATILE AS $f$ {text} $f$;").unwrap();
        }
        self.ask(&sql);
    }

    /// Runs the queries, one row each, and compares with what the script says.
    fn compare(&self, script: &script::Script, steps: &[(String, String, String)]) {
        let mut text = String::new();
        for (sql, _, _) in steps {
            text += sql;
        }
        let got = self.ask(&text);
        assert_eq!(got.len(), steps.len(), "{}", script.name());
        for (n, (_, expected, line)) in steps.iter().enumerate() {
            assert_eq!(got[n], *expected, "{} {line}", script.name());
        }
    }
}

/// Without `$n`.
fn plain(result: &str) -> String {
    let words = result.split_whitespace().filter(|word| !word.starts_with('$'));
    words.collect::<Vec<_>>().join(" ")
}

fn bound(result: &str) -> Option<usize> {
    result.split_whitespace().find_map(|word| word.strip_prefix('$')?.parse().ok())
}

/// The number of a grant that the script names; 0 for one that it gave to nobody.
fn named(args: &[String], script: &script::Script) -> usize {
    let n = token(args).expect("a $n");
    let given = |line: &Line| matches!(line, Line::Step { result, .. } if bound(result) == Some(n));
    if script.lines.iter().any(given) { n } else { 0 }
}

#[test]
fn postgres_agrees_with_the_lease_scripts() {
    let Some(db) = Postgres::start() else { return };
    db.prepare(
        sql::lease::SCHEMA,
        &[
            (
                "acquire",
                "text, text, bigint",
                "TABLE (fence bigint, until timestamptz)",
                sql::lease::ACQUIRE,
            ),
            ("extend", "text, bigint, bigint", "timestamptz", sql::lease::EXTEND),
            ("confirm", "text, bigint", "bigint", sql::lease::CONFIRM),
            ("release", "text, bigint", "bigint", sql::lease::RELEASE),
        ],
    );
    let all = [plain_lease_scripts("scenarios.scn"), plain_lease_scripts("redis-leases.scn")];
    let mut count = 0;
    for script in all.concat() {
        let mut steps = Vec::new();
        for line in &script.lines {
            let Line::Step { at, verb, args, result } = line else { continue };
            let mut sql = format!("SET test.ms = {at};\n");
            let grant = || format!("FROM token WHERE n = {}", named(args, &script));
            let query = match verb.as_str() {
                "acquire" => {
                    let (key, ttl) = (arg(args, "on").unwrap(), number(args, "ttl").unwrap());
                    let n = bound(result).unwrap_or(0);
                    // One statement that takes, remembers and answers.
                    format!(
                        "WITH got AS MATERIALIZED (SELECT * FROM acquire('{key}', 'u', {ttl})), kept AS (
                           INSERT INTO token SELECT {n}, '{key}', fence FROM got)
                         SELECT coalesce((SELECT 'granted' || ms(until) FROM got), 'busy {key}');\n"
                    )
                }
                "extend" => {
                    let ttl = number(args, "ttl").unwrap();
                    format!("SELECT coalesce('ok' || ms(extend(key, number, {ttl})), 'gone') {};\n", grant())
                }
                "release" | "confirm" => {
                    format!("SELECT CASE WHEN {verb}(key, number) > 0 THEN 'ok' ELSE 'gone' END {};\n", grant())
                }
                "alive" => format!(
                    "SELECT coalesce((SELECT 'yes' || ms(until) FROM archstone_lease AS l
                       WHERE l.key = token.key AND fence = number AND until > archstone_now()), 'no') {};\n",
                    grant()
                ),
                other => panic!("no verb {other}"),
            };
            sql += &query;
            steps.push((sql, plain(result), format!("{line:?}")));
        }
        db.ask("TRUNCATE token, archstone_lease; INSERT INTO token VALUES (0, 'none', 0)");
        db.compare(&script, &steps);
        count += steps.len();
    }
    assert_eq!(count, 270);
    // Fences of each key grow, also over a purge.
    let kept = db.ask(&format!(
        "SET test.ms = 1000000;
         SELECT n FROM (SELECT n, number, lag(number) OVER (PARTITION BY key ORDER BY n) AS before
           FROM token) AS t WHERE number <= before;
         {};
         SELECT count(*) FROM archstone_lease;
         SELECT fence > (SELECT max(number) FROM token) FROM acquire('k1', 'u', 5)",
        sql::lease::PURGE.replace("$1", "1000")
    ));
    assert_eq!(kept, ["0", "t"]);
}

#[test]
fn postgres_agrees_with_the_range_scripts() {
    let Some(db) = Postgres::start() else { return };
    db.prepare(
        sql::stay::SCHEMA,
        &[
            ("sweep", "text, bigint, bigint", "void", sql::stay::SWEEP),
            ("hold", "text, bigint, bigint, bigint", "bigint", sql::stay::HOLD),
            ("confirm", "bigint", "bigint", sql::stay::CONFIRM),
            ("release", "bigint", "bigint", sql::stay::RELEASE),
        ],
    );
    let mut scripts = common::scripts("postgres-ranges.scn.gz");
    let nights = |s: &script::Script| s.name() == "nights-overlap";
    scripts.extend(common::scripts("scenarios.scn").into_iter().filter(nights));
    assert_eq!(scripts.len(), 2);
    for script in scripts {
        let mut steps = Vec::new();
        for line in &script.lines {
            let Line::Step { at, verb, args, result } = line else { continue };
            let mut sql = format!("SET test.ms = {at};\n");
            match verb.as_str() {
                "acquire" => {
                    let asked = &demands(arg(args, "on").unwrap()).unwrap()[0];
                    let (room, lo, hi) = (&asked.key, asked.lo, asked.hi);
                    let ttl = number(args, "ttl").unwrap();
                    if lo >= hi {
                        // Both refuse: here the table's check does.
                        continue;
                    }
                    let n = bound(result).unwrap_or(0);
                    // Sweep and hold are statements of their own.
                    write!(
                        sql,
                        "SELECT sweep('{room}', {lo}, {hi}) \\gset\n
                         WITH got AS MATERIALIZED (SELECT hold('{room}', {lo}, {hi}, {ttl}) AS id), kept AS (
                           INSERT INTO token SELECT {n}, '{room}', id FROM got WHERE id IS NOT NULL)
                         SELECT CASE WHEN id IS NULL THEN 'busy {room}' ELSE 'granted until={}' END FROM got;\n",
                        at + ttl
                    )
                    .unwrap();
                }
                "release" | "confirm" => {
                    let n = named(args, &script);
                    writeln!(sql, "SELECT CASE WHEN {verb}(number) > 0 THEN 'ok' ELSE 'gone' END FROM token WHERE n = {n};").unwrap();
                }
                "used" | "alive" => continue,
                other => panic!("no verb {other}"),
            }
            steps.push((sql, plain(result), format!("{line:?}")));
        }
        db.ask("TRUNCATE token, archstone_stay; INSERT INTO token VALUES (0, 'none', 0)");
        db.compare(&script, &steps);
    }
    let empty = db.ask(
        "SET test.ms = 0; \\set ON_ERROR_STOP 0\n
         SELECT hold('r', 5, 5, 1); SELECT count(*) FROM archstone_stay WHERE room = 'r'",
    );
    assert_eq!(empty, ["0"], "an empty range is refused");
}

#[test]
fn postgres_agrees_with_the_claim_scripts() {
    let Some(db) = Postgres::start() else { return };
    db.prepare(
        sql::job::SCHEMA,
        &[
            ("push", "text, timestamptz", "text", sql::job::PUSH),
            (
                "claim",
                "bigint, bigint, int",
                "TABLE (id text, delivery bigint, attempt int)",
                sql::job::CLAIM,
            ),
            ("ack", "text, bigint", "text", sql::job::ACK),
            ("nack", "text, bigint, bigint, int", "boolean", sql::job::NACK),
            ("extend", "text, bigint, bigint", "timestamptz", sql::job::EXTEND),
            ("reap", "int", "void", sql::job::REAP),
            ("dead", "", "SETOF text", sql::job::DEAD),
        ],
    );
    let files = ["scenarios.scn", "random.scn.gz"];
    let all = files.iter().flat_map(|file| common::scripts(file));
    let (mut scripts, mut compared) = (0, 0);
    for script in all.filter(|script| script.header("model") == "claim") {
        let attempts = script.header("attempts");
        let given: HashMap<usize, String> = script.lines.iter().flat_map(deliveries).collect();
        let (mut steps, mut last) = (Vec::new(), 0);
        for line in &script.lines {
            let Line::Step { at, verb, args, result } = line else { continue };
            // A step of the clock is left out, and then the clock stands still, as it does in the model.
            last = last.max(*at);
            let mut sql = format!("SET test.ms = {last};\n");
            let n = token(args).filter(|n| given.contains_key(n)).unwrap_or(0);
            let grant = format!("FROM token WHERE n = {n};");
            match verb.as_str() {
                "push" => {
                    let id = arg(args, "id").unwrap();
                    let due = number(args, "at").map_or("NULL".to_owned(), |at| {
                        format!("'epoch'::timestamptz + {at} * interval '1 ms'")
                    });
                    writeln!(sql, "SELECT CASE WHEN push('{id}', {due}) IS NULL THEN 'duplicate' ELSE 'ok' END;").unwrap();
                }
                "claim" => {
                    let (max, vt) = (number(args, "max").unwrap(), number(args, "vt").unwrap());
                    let names: String =
                        deliveries(line).map(|(n, id)| format!(" WHEN '{id}' THEN {n}")).collect();
                    let names = if names.is_empty() {
                        "0".to_owned()
                    } else {
                        format!("CASE id{names} ELSE -1 END")
                    };
                    write!(
                        sql,
                        "WITH got AS MATERIALIZED (SELECT * FROM claim({max}, {vt}, {attempts}) WITH ORDINALITY), kept AS (
                           INSERT INTO token SELECT {names}, id, delivery FROM got)
                         SELECT coalesce(string_agg(id || '=/' || attempt, ' ' ORDER BY ordinality), 'none') FROM got;\n"
                    )
                    .unwrap();
                }
                "ack" => writeln!(
                    sql,
                    "SELECT CASE WHEN ack(key, number) IS NULL THEN 'gone' ELSE 'ok' END {grant}"
                )
                .unwrap(),
                "nack" => {
                    let delay = number(args, "delay").unwrap();
                    writeln!(sql, "SELECT CASE nack(key, number, {delay}, {attempts}) WHEN true THEN 'dead' WHEN false THEN 'ok' ELSE 'gone' END {grant}").unwrap();
                }
                "extend" => {
                    let vt = number(args, "vt").unwrap();
                    writeln!(
                        sql,
                        "SELECT coalesce('ok' || ms(extend(key, number, {vt})), 'gone') {grant}"
                    )
                    .unwrap();
                }
                "dead" => {
                    // Only here: a claim must leave those whose attempts are used up by itself.
                    writeln!(sql, "SELECT reap({attempts}) \\gset").unwrap();
                    sql += "SELECT coalesce(string_agg(d, ','), 'none') FROM dead() AS d;\n";
                }
                other => panic!("no verb {other}"),
            }
            let words = result.split_whitespace().map(|word| match word.split_once('$') {
                Some((id, n)) => {
                    format!("{id}{}", n.trim_start_matches(|c: char| c.is_ascii_digit()))
                }
                None => word.to_owned(),
            });
            steps.push((sql, words.collect::<Vec<_>>().join(" "), format!("{line:?}")));
        }
        db.ask("TRUNCATE token, archstone_job RESTART IDENTITY; INSERT INTO token VALUES (0, 'none', 0)");
        db.compare(&script, &steps);
        (scripts, compared) = (scripts + 1, compared + steps.len());
    }
    assert_eq!(scripts, 4);
    assert!(compared > 440, "{compared}");
}

/// The `j1=$3/1` of a claim: (3, j1).
fn deliveries(line: &Line) -> impl Iterator<Item = (usize, String)> + '_ {
    let Line::Step { result, .. } = line else { unreachable!("claims have no events") };
    result.split_whitespace().filter_map(|word| {
        let (id, n) = word.split_once("=$")?;
        Some((n.split('/').next()?.parse().ok()?, id.to_owned()))
    })
}

/// Two sessions at once: no job to both, none left; no lock to both.
#[test]
fn postgres_sessions_exclude_each_other() {
    let Some(db) = Postgres::start() else { return };
    db.ask(&format!(
        "{}; {}; CREATE TABLE taken (id text);
         CREATE FUNCTION claim(bigint, bigint, int) RETURNS TABLE (id text, delivery bigint, attempt int)
           LANGUAGE sql VOLATILE AS $f$ {} $f$;
         CREATE FUNCTION lock(text) RETURNS boolean LANGUAGE sql VOLATILE AS $f$ {} $f$;
         INSERT INTO archstone_job (id, due) SELECT n, archstone_now() FROM generate_series(1, 2000) AS n",
        sql::CLOCK, sql::job::SCHEMA, sql::job::CLAIM, sql::ADVISORY
    ));
    let claims = "INSERT INTO taken SELECT id FROM claim(7, 60000, 3);\n".repeat(160);
    std::thread::scope(|scope| {
        let (db, claims) = (&db, &claims);
        for _ in 0..2 {
            scope.spawn(move || db.ask(claims));
        }
    });
    let counts = db.ask("SELECT count(*), count(DISTINCT id) FROM taken");
    assert_eq!(counts, ["2000|2000"]);
    let other = format!("\\! psql '{}' -qAtX -c \"SELECT lock('k')\"\n", db.0.url());
    let seen = db.ask(&format!("BEGIN; SELECT lock('k');\n{other} COMMIT;\n{other}"));
    let mut seen = seen;
    seen.sort();
    assert_eq!(seen, ["f", "t", "t"], "held until the transaction ends");
}
