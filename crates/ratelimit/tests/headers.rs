//! Fields written, fields read, and fields that nobody should send.

use archstone_ratelimit::Time;
use archstone_ratelimit::headers::parse::{self, Fields};
use archstone_ratelimit::headers::{
    FieldError, Legacy, Limit, Limits, MAX_INTEGER, Pacer, Policies, Policy, Problem, ProblemKind,
    Reset, RetryAfter, Unit,
};
use core::time::Duration;
use proptest::prelude::*;

#[path = "common/any_text.rs"]
mod any_text;

#[test]
fn the_examples_of_the_draft_come_out_and_go_in() {
    let burst = Policy::new("burst", 100).unwrap().window(60);
    let daily = Policy::new("daily", 1_000).unwrap().window(86_400);
    let text = Policies(&[burst, daily]).to_string();
    assert_eq!(text, r#""burst";q=100;w=60, "daily";q=1000;w=86400"#);
    let seen = parse::policies(&text).unwrap();
    assert_eq!((seen[1].name.as_str(), seen[1].quota), ("daily", 1_000));
    assert_eq!(seen[0].window, Some(Duration::from_secs(60)));

    let peruser = Policy::new("peruser", 65_535)
        .unwrap()
        .unit(Unit::ContentBytes)
        .window(10)
        .partition_key(b"sdfjLJUOUH==");
    let text = Policies(&[peruser]).to_string();
    assert_eq!(text, r#""peruser";q=65535;qu="content-bytes";w=10;pk=:c2RmakxKVU9VSD09:"#);
    let seen = parse::policies(&text).unwrap().remove(0);
    assert_eq!(seen.unit, Some(Unit::ContentBytes));
    assert_eq!(seen.partition_key.as_deref(), Some(&b"sdfjLJUOUH=="[..]));

    let limit = Limit::new("default", 50).unwrap().reset(Duration::from_secs(30));
    assert_eq!(Limits(&[limit]).to_string(), r#""default";r=50;t=30"#);
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        name in "[ -~]{0,20}", quota in 0..=MAX_INTEGER, window in 1..=MAX_INTEGER,
        key in prop::option::of(prop::collection::vec(any::<u8>(), 0..20)),
        remaining in 0..=MAX_INTEGER, reset in 0..=MAX_INTEGER,
    ) {
        let mut policy = Policy::new(&name, quota).unwrap().window(window);
        let mut limit = Limit::new(&name, remaining).unwrap().reset(Duration::from_secs(reset));
        if let Some(key) = &key {
            (policy, limit) = (policy.partition_key(key), limit.partition_key(key));
        }
        let text = Policies(&[policy, policy]).to_string();
        let seen = parse::policies(&text).unwrap();
        prop_assert_eq!(seen.len(), 2);
        prop_assert_eq!(&seen[1].name, &name);
        prop_assert_eq!(seen[1].quota, quota);
        prop_assert_eq!(seen[1].window, Some(Duration::from_secs(window)));
        prop_assert_eq!(&seen[1].partition_key, &key);
        let seen = parse::limits(&Limits(&[limit]).to_string()).unwrap().remove(0);
        prop_assert_eq!((seen.name, seen.remaining), (name, remaining));
        prop_assert_eq!(seen.reset, Some(Duration::from_secs(reset)));
    }

    #[test]
    fn no_text_makes_a_parser_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..80),
        field in "\\PC{0,60}",
        structured in "[a-z\"\\\\;=,:?@%0-9 .*-]{0,60}",
        quota in "[0-9]{1,22}/[a-z0-9 ]{0,30}",
    ) {
        for text in [&bytes[..], field.as_bytes(), structured.as_bytes(), quota.as_bytes()] {
            any_text::any_bytes(text);
        }
    }
}

#[test]
fn names_and_numbers_that_no_field_can_carry_are_refused() {
    assert_eq!(Policy::new("caf\u{e9}", 1), Err(FieldError::Name { character: '\u{e9}', at: 3 }));
    assert!(Policy::new("a\nSet-Cookie: x", 1).is_err(), "no header injection");
    assert_eq!(Limit::new("a", u64::MAX), Err(FieldError::TooLarge { value: u64::MAX }));
    let quoted = Limit::new("a\"b\\c", 1).unwrap();
    assert_eq!(Limits(&[quoted]).to_string(), r#""a\"b\\c";r=1"#);
}

#[test]
fn a_denied_request_never_hears_retry_now() {
    for (span, text) in [(0, "1"), (1, "1"), (1_000_000_000, "1"), (1_000_000_001, "2")] {
        assert_eq!(RetryAfter(Duration::from_nanos(span)).to_string(), text);
    }
    assert_eq!(RetryAfter(Duration::MAX).to_string(), MAX_INTEGER.to_string());
}

#[test]
fn a_long_reset_is_capped_when_asked() {
    let limit = Limit::new("daily", 0).unwrap();
    let limit = limit.reset_capped(Duration::from_secs(80_000), Duration::from_secs(600));
    assert_eq!(Limits(&[limit]).to_string(), r#""daily";r=0;t=600"#);
}

#[test]
fn legacy_resets_say_which_they_are() {
    let mut legacy =
        Legacy { limit: 100, remaining: 3, reset: Reset::After(Duration::from_millis(1_001)) };
    assert_eq!(legacy.fields()[2], ("X-RateLimit-Reset", 2));
    legacy.reset = Reset::UnixSeconds(1_700_000_060);
    assert_eq!(legacy.fields()[2].1, 1_700_000_060);
}

#[test]
fn problems_are_valid_json_whatever_the_names() {
    let problem = Problem {
        kind: ProblemKind::QuotaExceeded,
        status: 429,
        policies: &["burst", "a\"b\\c\u{1}"],
    };
    let json: serde_json::Value = serde_json::from_str(&problem.to_string()).unwrap();
    assert_eq!(json["status"], 429);
    assert_eq!(json["violated-policies"][1], "a\"b\\c\u{1}");
    assert!(json["type"].as_str().unwrap().ends_with("#quota-exceeded"));
}

#[test]
fn every_draft_and_custom_is_understood() {
    let now = 1_700_000_000;
    let read = |fields: &[(&str, &str)]| {
        let mut seen = Fields::new(now);
        for (name, value) in fields {
            seen.add(name, value);
        }
        let (limit, wait) = seen.finish();
        (limit.map(|limit| limit.remaining), wait.map(|wait| wait.as_secs()))
    };
    // Draft 10, two policies: the tighter one counts.
    assert_eq!(read(&[("ratelimit", r#""a";r=9;t=1, "b";r=0;t=7"#)]), (Some(0), Some(7)));
    // The list split over two fields.
    assert_eq!(
        read(&[("RateLimit", r#""b";r=0;t=7"#), ("RateLimit", r#""a";r=9;t=1"#)]),
        (Some(0), Some(7))
    );
    // Drafts 4 to 7, drafts up to 3, and the customs.
    assert_eq!(read(&[("RateLimit", "limit=100, remaining=0, reset=5")]), (Some(0), Some(5)));
    let early =
        [("RateLimit-Limit", "10, 10;w=1"), ("RateLimit-Remaining", "0"), ("RateLimit-Reset", "4")];
    assert_eq!(read(&early), (Some(0), Some(4)));
    assert_eq!(
        read(&[("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", "1700000012")]),
        (Some(0), Some(12))
    );
    assert_eq!(
        read(&[("X-RateLimit-Remaining", "3"), ("X-RateLimit-Reset", "12")]),
        (Some(3), None)
    );
    let mut seen = Fields::new(now);
    early.iter().for_each(|(name, value)| seen.add(name, value));
    assert_eq!(seen.quota(), Some(10));
    seen.add("X-RateLimit-Limit", "many");
    assert_eq!(seen.quota(), None, "a malformed field is as none");
    // Retry-After has precedence, in both forms.
    assert_eq!(
        read(&[("RateLimit", r#""a";r=0;t=1"#), ("Retry-After", "90")]),
        (Some(0), Some(90))
    );
    assert_eq!(read(&[("Retry-After", "Tue, 14 Nov 2023 22:13:50 GMT")]), (None, Some(30)));
    // A malformed field is ignored, the rest is not.
    assert_eq!(
        read(&[
            ("RateLimit", r#""a";r=0;t="#),
            ("Retry-After", "soon"),
            ("X-RateLimit-Remaining", "-1")
        ]),
        (None, None)
    );
}

#[test]
fn a_pacer_spreads_what_is_left_and_waits_when_told() {
    let longest = Duration::from_secs(100);
    let mut pacer = Pacer::new(longest);
    let now = Time::from_secs(1_000);
    let told = |text| {
        let mut fields = Fields::new(0);
        fields.add("RateLimit", text);
        fields
    };
    pacer.learn(told(r#""a";r=10;t=20"#), now);
    assert_eq!(pacer.next_send(now), now + Duration::from_secs(2));
    pacer.learn(told(r#""a";r=0;t=30"#), now);
    assert_eq!(pacer.next_send(now), now + Duration::from_secs(30));
    assert_eq!(pacer.next_send(now + Duration::from_secs(31)), now + Duration::from_secs(31));
    pacer.learn(told(r#""a";r=0;t=999999"#), now);
    assert_eq!(pacer.next_send(now), now + longest, "a server cannot stop a client for ever");
    // The client's clock stepped back by an hour of waiting: still at most the longest wait.
    let back = Time::from_secs(10);
    assert_eq!(pacer.next_send(back), back + longest);
}

#[test]
fn a_policy_of_no_window_is_dropped_and_the_rest_is_kept() {
    let seen = parse::policies(r#""a";q=1;w=0, "b";q=2;w=1"#).unwrap();
    assert_eq!(seen.len(), 1);
    assert_eq!((seen[0].name.as_str(), seen[0].window), ("b", Some(Duration::from_secs(1))));
}

/// Of the years that end in 00 one in four has a leap day.
#[test]
fn a_date_of_the_leap_day_of_2000_is_one_and_of_2100_is_none() {
    let wait = parse::retry_after("Tue, 29 Feb 2000 00:00:10 GMT", 951_782_400);
    assert_eq!(wait, Some(Duration::from_secs(10)));
    assert_eq!(parse::retry_after("Mon, 29 Feb 2100 00:00:00 GMT", 0), None);
}
