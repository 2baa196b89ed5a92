//! The cache of denials against a plain map that forgets nothing.

use archstone_ratelimit::{DenyCache, Time};
use core::time::Duration;
use proptest::prelude::*;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher, Hasher, RandomState};

proptest! {
    /// What the cache says is what was noted last; it may forget, it never invents.
    #[test]
    fn it_may_forget_but_never_invents(
        capacity in 0_usize..64,
        steps in prop::collection::vec((any::<bool>(), 0_u8..40, 0_u64..3, 0_u64..100), 0..300),
    ) {
        let mut cache = DenyCache::new(capacity, RandomState::new());
        let mut model: HashMap<u8, (u64, Time)> = HashMap::new();
        for (deny, key, version, at) in steps {
            let at = Time::from_secs(at);
            if deny {
                cache.deny(key, version, at);
                model.insert(key, (version, at));
                let before = Time::ZERO;
                let expected = (at > before).then(|| at.since(before));
                prop_assert_eq!(cache.wait(&key, version, before), expected, "just noted");
            } else if let Some(wait) = cache.wait(&key, version, at) {
                prop_assert_eq!(model.get(&key), Some(&(version, at + wait)));
            }
        }
    }
}

/// Every key in one set: the worst a flood can do.
#[derive(Default)]
struct Constant;

impl Hasher for Constant {
    fn finish(&self) -> u64 {
        7
    }
    fn write(&mut self, _: &[u8]) {}
}

#[test]
fn a_full_set_forgets_the_denial_that_ends_first() {
    let mut cache = DenyCache::new(1_024, BuildHasherDefault::<Constant>::default());
    for key in 0..5_u64 {
        cache.deny(key, 0, Time::from_secs(10 + key));
    }
    assert_eq!(cache.wait(&0, 0, Time::ZERO), None);
    for key in 1..5 {
        assert_eq!(cache.wait(&key, 0, Time::ZERO), Some(Duration::from_secs(10 + key)));
    }
}

#[test]
fn capacity_is_bounded_from_both_sides() {
    let small: DenyCache<u64, BuildHasherDefault<DefaultHasher>> =
        DenyCache::new(0, Default::default());
    assert_eq!(format!("{small:?}"), "DenyCache { capacity: 4 }");
}
