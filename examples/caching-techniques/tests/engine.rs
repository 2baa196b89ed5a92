//! A real Redis, when there is one: `cargo test -p caching-techniques --features redis`.
#![cfg(feature = "redis")]

use archstone_cache::Manual;
use archstone_cache::around::Held;
use caching_techniques::design::DESIGN;
use caching_techniques::levels::{self, Far, Memory};
use caching_techniques::redis_level::RedisLevel;
use caching_techniques::store::Row;
use kit::{Invariants, Safeguards, Seed, Time};
use std::sync::Arc;
use std::time::Duration;

/// Random offers and looks, on a server and in process: the same answers, at the same virtual times.
#[test]
fn a_real_level_answers_as_the_one_in_process() {
    let Some(engine) = testkit::require("redis") else { return };
    let real = RedisLevel::connect(&engine.url(), "same:").expect("it answers");
    let clock = Arc::new(Manual::default());
    let here = Memory::new(&clock).expect("builds");
    let mut dice = Seed::new(18).stream("levels");
    let mut now = Time::from_secs(1_000);
    for n in 0..6_000 {
        now += Duration::from_millis(dice.below(400));
        clock.set(now);
        let key = dice.below(9) as u32;
        if dice.chance(0.5) {
            // Small versions that meet, and some that no floating-point number holds.
            let large = if dice.chance(0.2) { u64::MAX - 10 } else { 0 };
            let version = large + dice.below(8);
            let price = dice.below(100) as i64 - 50;
            let value = dice.chance(0.8).then_some(Row { version, price });
            let expires = now + Duration::from_millis(1 + dice.below(9_000));
            let held = Held { version, value, expires };
            assert_eq!(real.offer(key, &held, now), here.offer(key, &held, now), "{n}: {held:?}");
        } else {
            assert_eq!(real.get(key, now), here.get(key, now), "{n}: key {key}");
        }
        if n % 1_000 == 999 {
            assert_eq!((real.forget(), here.forget()), (Ok(()), Ok(())));
            assert_eq!(real.get(key, now), Ok(None));
        }
    }
}

#[test]
fn the_levels_run_on_a_real_redis_as_in_the_simulation() {
    let Some(engine) = testkit::require("redis") else { return };
    for seed in 1..=3 {
        let far = RedisLevel::connect(&engine.url(), &format!("run-{seed}:")).expect("it answers");
        let run = |far: Option<Box<dyn Far>>, on: &Safeguards| {
            let mut invariants = Invariants::new(seed);
            let facts = levels::run(Seed::new(seed), 24, far, on, &mut invariants).expect("runs");
            (facts, invariants.all_held())
        };
        let all = Safeguards::all(&DESIGN);
        let real = run(Some(Box::new(far)), &all);
        assert!(real.1, "seed {seed}");
        assert_eq!(real, run(None, &all), "seed {seed}");
    }
}

#[test]
fn a_server_that_dies_is_gone_and_one_that_was_never_there_is_named() {
    let error = RedisLevel::connect("redis://127.0.0.1:1", "x").expect_err("nobody is there");
    assert!(error.to_string().contains("--backend redis://127.0.0.1:1"), "{error}");
    let Some(engine) = testkit::require("redis") else { return };
    let level = RedisLevel::connect(&engine.url(), "dies:").expect("it answers");
    let now = Time::from_secs(1);
    assert_eq!(level.get(1, now), Ok(None));
    drop(engine);
    assert!(level.get(1, now).is_err());
    assert!(level.forget().is_err());
}

#[test]
fn the_program_runs_on_it() {
    let Some(engine) = testkit::require("redis") else { return };
    let program = kit::program::Program(env!("CARGO_BIN_EXE_caching-techniques"));
    let args = ["--scale", "quick", "--backend", &engine.url()];
    let out = program.run(&args, "");
    assert_eq!(out.status.code(), Some(0), "{}", kit::program::text(&out.stderr));
    let report = kit::program::text(&out.stdout);
    assert!(report.contains("on a real Redis"), "{report}");
}
