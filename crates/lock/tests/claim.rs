//! The claim queue beyond the scripts: keys that become free, what is due next, times of zero.

use archstone_lock::claim::{Nack, Queue};
use archstone_lock::*;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_key_is_free_when_its_job_is_done_or_buried_and_not_before() {
    let mut jobs = Queue::<&str>::new(1);
    assert!(jobs.push(Time::ZERO, "a", Time::ZERO) && !jobs.push(Time::ZERO, "a", Time::ZERO));
    let (_, delivery) = jobs.claim(Time::ZERO, 1, SECOND)[0];
    assert!(!jobs.push(Time::ZERO, "a", Time::ZERO), "somebody has it");
    jobs.ack(Time::ZERO, delivery).unwrap();
    assert_eq!((jobs.len(), jobs.next_due()), (0, None), "nothing is left of it");
    assert!(jobs.push(Time::ZERO, "a", Time::ZERO));
    assert!(!jobs.bury(Time::ZERO, &"a"), "it lives");
    let (_, delivery) = jobs.claim(Time::ZERO, 1, SECOND)[0];
    assert!(!jobs.bury(Time::ZERO, &"a"), "somebody has it");
    assert_eq!(jobs.nack(Time::ZERO, delivery, SECOND), Ok(Nack::Dead));
    assert!(!jobs.push(Time::ZERO, "a", Time::ZERO), "it is with the dead");
    assert!(jobs.bury(Time::ZERO, &"a") && !jobs.bury(Time::ZERO, &"a"));
    assert!(jobs.dead(Time::ZERO).is_empty() && jobs.is_empty());
    assert!(jobs.push(Time::ZERO, "a", Time::ZERO));
}

#[test]
fn what_is_due_next_is_a_job_or_the_end_of_a_visibility() {
    let mut jobs = Queue::<&str>::new(3);
    jobs.push(Time::ZERO, "a", Time::from_secs(9));
    jobs.push(Time::ZERO, "b", Time::ZERO);
    let (job, delivery) = jobs.claim(Time::ZERO, 9, SECOND * 5)[0];
    assert_eq!((job, jobs.next_due()), ("b", Some(Time::from_secs(5))));
    assert_eq!(jobs.extend(Time::ZERO, delivery, SECOND * 20), Ok(Time::from_secs(20)));
    assert_eq!(jobs.next_due(), Some(Time::from_secs(9)));
}

#[test]
fn times_of_zero() {
    let mut jobs = Queue::<&str>::new(3);
    jobs.push(Time::ZERO, "a", Time::ZERO);
    let (_, delivery) = jobs.claim(Time::ZERO, 1, Duration::ZERO)[0];
    assert_eq!(delivery.until(), Time::from_nanos(1), "it is somebody's for a nanosecond");
    let zero = jobs.extend(Time::ZERO, delivery, Duration::ZERO);
    assert_eq!(zero, Err(ExtendError::ZeroTtl));
    assert!(jobs.claim(Time::ZERO, 1, SECOND).is_empty());
    assert_eq!(jobs.ack(Time::from_nanos(1), delivery), Err(Gone));
}
