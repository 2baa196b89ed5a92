//! Reading the golden traces, and the exact model.
#![allow(dead_code, unreachable_pub)]

use std::io::BufRead;

/// One scenario of a trace: its name, its comment line, its rows.
pub struct Scenario {
    pub name: String,
    pub about: String,
    pub rows: Vec<Vec<String>>,
}

impl Scenario {
    /// The numbers of the comment line that follow `word=`, in order.
    pub fn numbers(&self, word: &str) -> Vec<u64> {
        let key = format!("{word}=");
        let mut found = Vec::new();
        for part in self.about.split([' ', ';', ',']) {
            if let Some(value) = part.strip_prefix(&key) {
                found.push(value.parse().unwrap_or_else(|_| panic!("{part} in {}", self.about)));
            }
        }
        found
    }

    /// The number before `ns` after each `per`.
    pub fn periods(&self) -> Vec<u64> {
        let mut found = Vec::new();
        let words: Vec<&str> = self.about.split([' ', ';']).collect();
        for pair in words.windows(2) {
            if pair[0] == "per" {
                found.push(pair[1].trim_end_matches("ns").parse().unwrap());
            }
        }
        found
    }
}

/// The scenarios of a trace: from the copy in the repository, or from `$ARCHSTONE_DATA`.
pub fn trace(name: &str) -> Option<Vec<Scenario>> {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    let path = if here.exists() {
        here
    } else {
        testkit::golden::data(&format!("ratelimit/golden/{name}"))?
    };
    let mut all: Vec<Scenario> = Vec::new();
    for line in testkit::golden::open(path).lines() {
        let line = line.unwrap();
        if let Some(name) = line.strip_prefix("## scenario ") {
            all.push(Scenario { name: name.into(), about: String::new(), rows: Vec::new() });
        } else if let Some(about) = line.strip_prefix("# ") {
            all.last_mut().unwrap().about = about.into();
        } else if !line.is_empty() {
            let row = line.split(',').map(Into::into).collect();
            all.last_mut().unwrap().rows.push(row);
        }
    }
    assert!(!all.is_empty(), "{name} holds no scenario");
    Some(all)
}

/// GCRA in rationals: times in `1 / amount` ns, so that nothing is ever rounded.
#[derive(Clone, Debug)]
pub struct Exact {
    pub amount: u128,
    pub period: u128,
    pub burst: u128,
    pub tat: u128,
}

impl Exact {
    pub fn new(amount: u64, period: u64, burst: u64) -> Self {
        Self { amount: amount.into(), period: period.into(), burst: burst.into(), tat: 0 }
    }

    pub fn check(&mut self, now: u64, cost: u64) -> bool {
        let now = u128::from(now) * self.amount;
        let next = self.tat.max(now) + u128::from(cost) * self.period;
        let passes = next <= now + self.burst * self.period;
        if passes {
            self.tat = next;
        }
        passes
    }

    pub fn remaining(&self, now: u64) -> u128 {
        let behind = self.tat.saturating_sub(u128::from(now) * self.amount);
        (self.burst * self.period).saturating_sub(behind) / self.period
    }

    /// The first nanosecond at which `cost` passes.
    pub fn passes_at(&self, cost: u64) -> u128 {
        let needed =
            (self.tat + u128::from(cost) * self.period).saturating_sub(self.burst * self.period);
        needed.div_ceil(self.amount)
    }

    pub fn full_at(&self) -> u128 {
        self.tat.div_ceil(self.amount)
    }
}
