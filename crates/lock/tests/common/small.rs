//! `@model gate`, `cas` and `idem`.

use super::Model;
use super::lease::{ms, span, time};
use super::script::{Script, arg, number, token};
use archstone_lock::idem::{Begin, Registry, Run};
use archstone_lock::version::Versioned;
use archstone_lock::*;
use std::collections::HashMap;
use std::time::Duration;

#[derive(Default)]
pub struct Gates(FenceGates<String>, HashMap<String, FenceGate>);

impl Model for Gates {
    fn step(&mut self, _at: i64, verb: &str, args: &[String]) -> String {
        assert_eq!(verb, "write");
        let (resource, fence) = (arg(args, "res").unwrap(), number(args, "fence").unwrap());
        let fence = Fence::new(fence as u64).unwrap();
        let many = self.0.pass(resource, fence);
        assert_eq!(self.1.entry(resource.to_owned()).or_default().pass(fence), many);
        match many {
            Ok(()) => "pass".to_owned(),
            Err(Stale { highest }) => format!("stale highest={highest}"),
        }
    }
}

#[derive(Default)]
pub struct Cas(HashMap<String, Versioned<String>>);

impl Model for Cas {
    fn step(&mut self, _at: i64, verb: &str, args: &[String]) -> String {
        let entry = self.0.entry(arg(args, "key").unwrap().to_owned()).or_default();
        if verb == "read" {
            return format!("version={} value={}", entry.version(), entry.get());
        }
        let expect = number(args, "expect").unwrap() as u64;
        match entry.compare_and_set(expect, arg(args, "value").unwrap().to_owned()) {
            Ok(version) => format!("ok version={version}"),
            Err(conflict) => format!("conflict version={}", conflict.version),
        }
    }
}

pub struct Idem {
    registry: Registry<String, String, String>,
    runs: HashMap<usize, Run>,
    fresh: Option<Run>,
}

impl Idem {
    pub fn new(script: &Script) -> Self {
        let keep = span(script.header("keep").parse().unwrap());
        let registry = Registry::with_hasher(keep, ahash::RandomState::default());
        Self {
            registry: registry.keep_unfinished(Duration::MAX),
            runs: HashMap::new(),
            fresh: None,
        }
    }
}

impl Model for Idem {
    fn step(&mut self, at: i64, verb: &str, args: &[String]) -> String {
        let now = time(at);
        let run = token(args).and_then(|n| self.runs.get(&n).copied());
        let plain = |result: Option<Result<(), Gone>>| match result {
            Some(Ok(())) => "ok".to_owned(),
            _ => "gone".to_owned(),
        };
        match verb {
            "begin" => {
                let (key, print) = (arg(args, "key").unwrap(), arg(args, "fp").unwrap().to_owned());
                match self.registry.begin(now, key, print, span(number(args, "ttl").unwrap())) {
                    Begin::Run(run) => {
                        self.fresh = Some(run);
                        format!("run attempt={}", run.attempt())
                    }
                    Begin::InFlight(until) => format!("in-flight until={}", ms(until)),
                    Begin::Replay(value) => format!("replay {value}"),
                    Begin::Mismatch => "mismatch".to_owned(),
                    Begin::Full => "full".to_owned(),
                }
            }
            "complete" => {
                let value = arg(args, "value").unwrap().to_owned();
                plain(run.map(|run| self.registry.complete(now, run, value)))
            }
            "fail" => plain(run.map(|run| self.registry.fail(now, run))),
            "extend" => {
                let ttl = span(number(args, "ttl").unwrap());
                match run.map(|run| self.registry.extend(now, run, ttl)) {
                    Some(Ok(until)) => format!("ok until={}", ms(until)),
                    _ => "gone".to_owned(),
                }
            }
            other => panic!("no verb {other}"),
        }
    }

    fn bind(&mut self, n: usize, _of: &str) {
        self.runs.insert(n, self.fresh.take().expect("a run to name"));
    }
}
