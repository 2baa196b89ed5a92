//! The replayer: one model a file, each drives the crate's public API.
#![allow(dead_code, unreachable_pub, reason = "not every test file uses all of it")]

pub mod lease;
pub mod protocols;
pub mod script;
pub mod small;
pub mod work;

use script::{Line, Script};

/// A thing that a script drives.
pub trait Model {
    /// Does the step at clock reading `at`.
    fn step(&mut self, at: i64, verb: &str, args: &[String]) -> String;
    /// Goes through every instant at which it has asked to be woken, up to `to`.
    fn wake_up_to(&mut self, _to: i64, _events: &mut Vec<(i64, String)>) {}
    /// The `$n` that the script gives to what it names in this result or event.
    fn bind(&mut self, _n: usize, _of: &str) {}
}

/// Runs `script` to its end; the first difference panics with name and line.
pub fn replay(script: &Script, model: &mut dyn Model) {
    let (mut told, mut done) = (Vec::new(), 0);
    let silent = script.is_silent();
    for line in &script.lines {
        done += 1;
        let at = format!("{} step {done}: {line:?}", script.name());
        match line {
            Line::Event { at: instant, text } => {
                model.wake_up_to(*instant, &mut told);
                assert!(!told.is_empty(), "{at}: nothing was told");
                let (expected, n) = without_token(text);
                assert_eq!(told.remove(0), (*instant, expected.clone()), "{at}");
                if let Some(n) = n {
                    model.bind(n, &expected);
                }
            }
            Line::Step { at: instant, verb, args, result } => {
                model.wake_up_to(*instant, &mut told);
                if silent {
                    told.clear();
                }
                assert!(told.is_empty(), "{at}: told and not expected: {told:?}");
                let got = model.step(*instant, verb, args);
                // A result that names a grant gives it its `$n`; claims give several.
                assert_eq!(got, without_tokens(result), "{at}");
                for word in result.split_whitespace() {
                    if let Some((of, n)) = word.split_once('$') {
                        let n = n.split('/').next().unwrap_or_default();
                        model.bind(n.parse().expect("a number after $"), of.trim_end_matches('='));
                    }
                }
            }
        }
    }
}

/// `granted w $3 until=1` -> `granted w until=1` and 3. An event that names an old grant keeps it.
fn without_token(text: &str) -> (String, Option<usize>) {
    if !text.starts_with("granted") {
        return (text.to_owned(), None);
    }
    let n = text.split_whitespace().find_map(|word| word.strip_prefix('$')?.parse().ok());
    (without_tokens(text), n)
}

/// Without `$n` words, and `j1=$1/1` as `j1=/1`.
fn without_tokens(text: &str) -> String {
    let word = |word: &str| {
        let Some((before, after)) = word.split_once('$') else { return word.to_owned() };
        let rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
        format!("{before}{rest}")
    };
    let words: Vec<String> = text.split_whitespace().map(word).filter(|w| !w.is_empty()).collect();
    words.join(" ")
}

pub fn scripts(file: &str) -> Vec<Script> {
    let path = format!("{}/tests/data/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = String::from_utf8(testkit::golden::bytes(path)).expect("UTF-8");
    script::read(&text).unwrap_or_else(|e| panic!("{file} line {}: {}", e.line, e.why))
}
