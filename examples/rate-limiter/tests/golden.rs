//! The NASA day, decision counts computed apart: by four exact models in rational arithmetic
//! (sliding log, fixed window, two-window counter, GCRA), which rate-net and governor equal on
//! this log.

use archstone_ratelimit::{Quota, Rate};
use rate_limiter::field::{Kind, exact};
use rate_limiter::log::{Log, NASA};
use std::time::Duration;

/// Limit, period in seconds, then what each denies.
const EXPECTED: [(u64, u64, [u64; 4]); 6] = [
    (5, 10, [1_896, 1_107, 2_012, 368]),
    (10, 60, [1_015, 535, 883, 176]),
    (20, 60, [42, 19, 33, 0]),
    (100, 3_600, [224, 59, 171, 48]),
    (4, 1, [98, 98, 540, 98]),
    (3, 30, [10_372, 8_110, 11_045, 7_829]),
];

#[test]
fn the_counts_of_the_day_are_those_of_the_exact_models() {
    let log = Log::read(Box::new(NASA), "the day").expect("the shipped log");
    assert_eq!((log.events.len(), log.clients.len(), log.malformed), (30_969, 2_365, 0));
    for (limit, seconds, denied) in EXPECTED {
        let rate = Rate::new(limit, Duration::from_secs(seconds)).expect("a rate");
        let quota = Quota::new(rate);
        let right = exact(&log.events, limit, Duration::from_secs(seconds));
        assert_eq!(right.iter().filter(|right| !**right).count() as u64, denied[0]);
        let kinds = [Kind::Log, Kind::Fixed, Kind::Counter1, Kind::Gcra];
        for (kind, denied) in kinds.into_iter().zip(denied) {
            let played = kind.play(quota, &log.events, log.clients.len(), log.origin);
            let played = played.expect("applies");
            assert_eq!(played.denied(), denied, "{kind:?} of {limit} in {seconds} s");
        }
        // The bucket and the meter decide as GCRA does.
        for kind in [Kind::Token, Kind::Leaky, Kind::Queue] {
            let played = kind.play(quota, &log.events, log.clients.len(), log.origin);
            assert_eq!(played.expect("applies").denied(), denied[3], "{kind:?}");
        }
    }
}

#[test]
fn eight_parts_are_wrong_a_quarter_as_often_as_two_windows() {
    let log = Log::read(Box::new(NASA), "the day").expect("the shipped log");
    let quota = Quota::per_minute(10);
    let right = exact(&log.events, 10, Duration::from_secs(60));
    let wrong = |kind: Kind| {
        let played = kind.play(quota, &log.events, log.clients.len(), log.origin);
        played.expect("applies").wrong(&right)
    };
    assert_eq!(wrong(Kind::Counter1), (287, 155));
    assert_eq!(wrong(Kind::Counter8), (39, 69));
    assert_eq!(wrong(Kind::Log), (0, 0));
}
