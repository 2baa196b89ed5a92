//! Every parser of untrusted text on any bytes: what the tests and the fuzz target run.

#![allow(unreachable_pub, reason = "shared by a test and a fuzz target")]

use archstone_ratelimit::headers::parse::{self, Fields};
use archstone_ratelimit::headers::{Pacer, Policies, Policy};
use archstone_ratelimit::{Quota, Time};
use core::time::Duration;

/// Parses `bytes` as every field and as a quota; what is understood must keep its promises.
pub fn any_bytes(bytes: &[u8]) {
    let text = &*String::from_utf8_lossy(bytes);
    let now = 1_700_000_000;
    for seen in parse::policies(text).unwrap_or_default() {
        // What was understood can be written, and reads back the same.
        let Ok(policy) = Policy::new(&seen.name, seen.quota) else { continue };
        let written = Policies(&[policy]).to_string();
        let again = parse::policies(&written).expect("what is written can be read");
        assert_eq!((&again[0].name, again[0].quota), (&seen.name, seen.quota));
    }
    let _ = (parse::limits(text), parse::retry_after(text, now));
    let mut fields = Fields::new(now);
    for name in ["RateLimit", "Retry-After", "X-RateLimit-Reset", "RateLimit-Remaining"] {
        fields.add(name, text);
    }
    let (here, longest) = (Time::from_secs(5), Duration::from_secs(60));
    let mut pacer = Pacer::new(longest);
    pacer.learn(fields, here);
    let next = pacer.next_send(here);
    assert!(next >= here && next <= here + longest, "{text:?} makes a client wait until {next:?}");
    if let Ok(quota) = text.parse::<Quota>() {
        assert!(quota.burst() > 0 || quota.is_closed(), "{text:?} is {quota:?}");
    }
}
