//! What is persisted survives JSON, and what nothing ever wrote is refused.
#![cfg(feature = "serde")]

use archstone_lock::protocol::elect::Record;
use archstone_lock::protocol::saga::{Command, Outcome, Saga};
use archstone_lock::protocol::two_phase::{Decision, Entry, Participant};
use archstone_lock::version::Versioned;
use archstone_lock::{Fence, Span};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::time::Duration;

#[track_caller]
fn survives<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: T, json: &str) {
    assert_eq!(serde_json::to_string(&value).unwrap(), json);
    assert_eq!(serde_json::from_str::<T>(json).unwrap(), value);
}

#[test]
fn plain_values() {
    survives(Fence::new(u64::MAX).unwrap(), "18446744073709551615");
    survives(Span::new(-3, i64::MAX), r#"{"lo":-3,"hi":9223372036854775807}"#);
    survives(Versioned::from_parts(7, 2), r#"{"value":7,"version":2}"#);
    survives(Entry::Prepared, r#""Prepared""#);
    survives(Entry::Decided(Decision::Commit), r#"{"Decided":"Commit"}"#);
    let record =
        Record { holder: "a".to_owned(), version: 3, duration: Duration::from_millis(1_500) };
    survives(record, r#"{"holder":"a","version":3,"duration":{"secs":1,"nanos":500000000}}"#);
}

#[test]
fn what_is_not_a_value_is_refused() {
    assert!(serde_json::from_str::<Fence>("0").is_err(), "zero is before every grant");
    assert!(serde_json::from_str::<Fence>("-1").is_err());
    assert!(serde_json::from_str::<Span>(r#"{"lo":1}"#).is_err());
    assert!(serde_json::from_str::<Entry>(r#""Perhaps""#).is_err());
}

#[test]
fn a_saga_goes_on_from_its_log() {
    let saga = Saga::new(["reserve", "charge"].map(str::to_owned)).unwrap();
    let mut run = saga.start();
    let mut log = Vec::new();
    for outcome in [Outcome::Done, Outcome::Unknown] {
        let command = run.command();
        log.push(serde_json::to_string(&run.report(command, outcome).unwrap()).unwrap());
    }
    assert_eq!(log[0], r#"{"command":{"Do":"reserve"},"outcome":"Done"}"#);
    let read = log.iter().map(|line| serde_json::from_str(line).unwrap());
    let back = saga.recover(read).unwrap();
    assert_eq!(back.command(), Command::Query("charge".to_owned()));
    let last: Entry = serde_json::from_str(r#""Prepared""#).unwrap();
    assert!(Participant::recover(Some(last)).in_doubt());
}
