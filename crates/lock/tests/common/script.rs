//! Reads scenario scripts: what the tests and the fuzz target run.
//!
//! A file holds scripts separated by a line `---`. `@key value` is a header; `t=N verb args ->
//! result` an operation at clock reading N; `! t=N event` what the system must report at instant N;
//! `# ...` a remark.
#![allow(unreachable_pub, reason = "shared by tests and a fuzz target")]
#![allow(dead_code, reason = "not every user needs all of it")]

use std::collections::BTreeMap;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    pub headers: BTreeMap<String, String>,
    pub lines: Vec<Line>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    Step { at: i64, verb: String, args: Vec<String>, result: String },
    Event { at: i64, text: String },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    pub line: usize,
    pub why: &'static str,
}

impl Script {
    pub fn header(&self, key: &str) -> &str {
        self.headers.get(key).map_or("", String::as_str)
    }

    pub fn name(&self) -> &str {
        self.header("name")
    }

    pub fn is_silent(&self) -> bool {
        !self.lines.iter().any(|line| matches!(line, Line::Event { .. }))
    }
}

/// All scripts of `text`, or the first line that is not of the format.
pub fn read(text: &str) -> Result<Vec<Script>, Malformed> {
    let mut scripts = Vec::new();
    let mut script = Script { headers: BTreeMap::new(), lines: Vec::new() };
    for (number, line) in text.lines().enumerate() {
        let (line, number) = (line.trim_end(), number + 1);
        let wrong = |why| Malformed { line: number, why };
        if line == "---" {
            finish(&mut scripts, &mut script).map_err(wrong)?;
        } else if let Some(header) = line.strip_prefix('@') {
            let (key, value) =
                header.split_once(' ').ok_or_else(|| wrong("a header without a value"))?;
            script.headers.insert(key.to_owned(), value.to_owned());
        } else if let Some(event) = line.strip_prefix("! ") {
            let (at, text) = clock(event).map_err(wrong)?;
            script.lines.push(Line::Event { at, text: text.to_owned() });
        } else if !line.is_empty() && !line.starts_with('#') {
            let (at, rest) = clock(line).map_err(wrong)?;
            let (call, result) =
                rest.split_once(" ->").ok_or_else(|| wrong("a step without a result"))?;
            let mut words = call.split_whitespace().map(str::to_owned);
            let verb = words.next().ok_or_else(|| wrong("a step without a verb"))?;
            let (args, result) = (words.collect(), result.trim().to_owned());
            script.lines.push(Line::Step { at, verb, args, result });
        }
    }
    finish(&mut scripts, &mut script).map_err(|why| Malformed { line: 0, why })?;
    Ok(scripts)
}

fn finish(scripts: &mut Vec<Script>, script: &mut Script) -> Result<(), &'static str> {
    if script.headers.is_empty() && script.lines.is_empty() {
        return Ok(());
    }
    if script.name().is_empty() || script.header("model").is_empty() {
        return Err("a script without a name or model");
    }
    scripts.push(std::mem::replace(script, Script { headers: BTreeMap::new(), lines: Vec::new() }));
    Ok(())
}

/// `t=N rest`
fn clock(text: &str) -> Result<(i64, &str), &'static str> {
    let (at, rest) =
        text.strip_prefix("t=").ok_or("no t=")?.split_once(' ').ok_or("nothing after t=")?;
    Ok((at.parse().map_err(|_| "t= is not a number")?, rest))
}

/// `key[lo..hi)*mode`
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asked {
    pub key: String,
    pub lo: i64,
    pub hi: i64,
    /// `None` is exclusive, `Some(None)` shared.
    pub permits: Option<Option<u32>>,
}

pub fn demand(text: &str) -> Option<Asked> {
    let (rest, permits) = match text.split_once('*') {
        None | Some((_, "x")) => (text.split('*').next()?, None),
        Some((rest, "s")) => (rest, Some(None)),
        Some((rest, number)) => (rest, Some(Some(number.parse().ok()?))),
    };
    let (key, lo, hi) = match rest.split_once('[') {
        None => (rest, 0, 1),
        Some((key, range)) => {
            let (lo, hi) = range.strip_suffix(')')?.split_once("..")?;
            (key, lo.parse().ok()?, hi.parse().ok()?)
        }
    };
    Some(Asked { key: key.to_owned(), lo, hi, permits })
}

pub fn demands(text: &str) -> Option<Vec<Asked>> {
    // A comma inside `[..)` does not occur.
    text.split(',').map(demand).collect()
}

/// The value of `name=` among `args`.
pub fn arg<'a>(args: &'a [String], name: &str) -> Option<&'a str> {
    args.iter().find_map(|arg| arg.strip_prefix(name)?.strip_prefix('='))
}

pub fn number(args: &[String], name: &str) -> Option<i64> {
    arg(args, name)?.parse().ok()
}

/// The number of the first `$n` among `args`.
pub fn token(args: &[String]) -> Option<usize> {
    args.iter().find_map(|arg| arg.strip_prefix('$')?.parse().ok())
}

/// What a script that reads must survive: the fuzz target's body.
pub fn any_text(text: &str) {
    let Ok(scripts) = read(text) else { return };
    for script in scripts {
        assert!(!script.name().is_empty());
        for line in &script.lines {
            if let Line::Step { args, .. } = line {
                let _ = (token(args), number(args, "ttl"), arg(args, "on").and_then(demands));
            }
        }
    }
}
