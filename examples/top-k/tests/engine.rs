//! A real Redis, when there is one: `cargo test -p top-k --features redis`.
#![cfg(feature = "redis")]

use kit::Invariants;
use top_k::field::Field;
use top_k::publish::Publisher;
use top_k::windows::{List, Window};

#[test]
fn the_list_of_each_window_is_in_redis_and_replaces_the_one_before() {
    let Some(engine) = testkit::require("redis") else { return };
    let url = engine.url();
    let mut publisher = Publisher::connect(&url).expect("it answers");
    let mut window = Window::tumbling(2, 100, true);
    let events =
        [(600, "a"), (610, "a"), (620, "b"), (630, "c"), (640, "c"), (650, "c"), (950, "d")];
    let mut publish =
        |list: &List| publisher.publish(Field::Url, list).expect("redis takes the list");
    let invariants: Option<(&mut Invariants, _)> = None;
    window.add(events.into_iter(), &mut publish, invariants);

    let client = redis::Client::open(url).expect("a URL");
    let mut connection = client.get_connection().expect("it answers");
    let read = |connection: &mut redis::Connection| -> Vec<(String, u64)> {
        let mut ask = redis::cmd("ZREVRANGE");
        ask.arg("topk:url:tumbling").arg(0).arg(-1).arg("WITHSCORES");
        ask.query(connection).expect("a sorted set")
    };
    assert_eq!(read(&mut connection), [("c".to_owned(), 3), ("a".to_owned(), 2)]);
    window.finish(&mut publish);
    assert_eq!(read(&mut connection), [("d".to_owned(), 1)], "nothing of the window before");
    let until: u64 =
        redis::cmd("GET").arg("topk:url:tumbling:until").query(&mut connection).unwrap();
    let left: i64 = redis::cmd("TTL").arg("topk:url:tumbling").query(&mut connection).unwrap();
    assert_eq!(until, 1200);
    assert!((1..=7200).contains(&left));
}

#[test]
fn a_redis_that_is_not_there_is_an_error_that_names_it() {
    let error = Publisher::connect("redis://127.0.0.1:1/").expect_err("nobody listens");
    assert!(error.to_string().contains("redis://127.0.0.1:1/"));
}
