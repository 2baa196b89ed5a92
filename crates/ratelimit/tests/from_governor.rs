//! The table "Coming from governor" of the README: every expression in it is one of this file, so
//! it compiles, and both sides decide the same.
#![cfg(feature = "std")]

use std::time::Duration;

#[test]
fn the_table_is_of_expressions_that_compile() {
    let readme = include_str!("../README.md");
    let table = readme.split("## Coming from governor").nth(1).unwrap();
    let table = table.split("\n## ").next().unwrap();
    let here = include_str!("from_governor.rs");
    let code: Vec<_> = table.split('`').skip(1).step_by(2).collect();
    assert!(code.len() >= 16, "{code:?}");
    for expression in code {
        // This line is not what makes one be found: it has none of them.
        assert!(here.contains(expression), "`{expression}` is not in tests/from_governor.rs");
    }
}

mod theirs {
    use governor::clock::{Clock, DefaultClock, FakeRelativeClock};
    use governor::middleware::StateInformationMiddleware;
    use governor::{Quota, RateLimiter};
    use std::num::NonZeroU32;
    use std::time::Duration;

    fn five() -> NonZeroU32 {
        NonZeroU32::new(5).unwrap()
    }

    pub(super) fn direct() -> usize {
        let limiter = RateLimiter::direct(Quota::per_hour(five()));
        let clock = DefaultClock::default();
        for _ in 0..4 {
            assert!(limiter.check_n(NonZeroU32::MIN).unwrap().is_ok());
        }
        limiter.check().unwrap();
        let denied = limiter.check();
        let wait = denied.map_err(|not_until| not_until.wait_time_from(clock.now())).unwrap_err();
        assert!(wait <= Duration::from_secs(720));
        5
    }

    pub(super) fn burst(p: Duration, n: NonZeroU32) -> usize {
        let quota = Quota::with_period(p).unwrap().allow_burst(n);
        let clock = FakeRelativeClock::default();
        let limiter = RateLimiter::direct_with_clock(quota, clock.clone())
            .with_middleware::<StateInformationMiddleware>();
        let mut passed = 0;
        while let Ok(state) = limiter.check() {
            passed += 1;
            assert_eq!(state.remaining_burst_capacity(), n.get() - passed);
        }
        clock.advance(p);
        passed as usize + usize::from(limiter.check().is_ok())
    }

    pub(super) fn keyed() -> usize {
        let limits = RateLimiter::keyed(Quota::per_hour(five()));
        let ann = "ann".to_owned();
        let passed = (0..9).filter(|_| limits.check_key(&ann).is_ok()).count();
        limits.retain_recent();
        passed
    }

    pub(super) async fn waited() {
        let limiter = RateLimiter::direct(Quota::per_hour(five()));
        limiter.until_ready().await;
    }
}

mod ours {
    use archstone_ratelimit::{Gcra, Keyed, Limiter, Manual, Quota, QuotaError, Rate};
    use std::time::Duration;

    pub(super) fn direct() -> usize {
        let limiter = Limiter::new(Quota::per_hour(5));
        assert!(limiter.check_n(4).is_allowed());
        let _ = limiter.check().ok().unwrap();
        let wait = limiter.check().retry_after().unwrap().duration().unwrap();
        assert!(wait <= Duration::from_secs(720));
        // What never passes is no wait.
        assert_eq!(limiter.check_n(6).retry_after().unwrap().duration(), None);
        5
    }

    pub(super) fn burst(p: Duration, n: u64) -> Result<usize, QuotaError> {
        let quota = Quota::new(Rate::new(1, p)?).with_burst(n);
        let limiter = Limiter::with_clock(Gcra::new(quota), Manual::default());
        let mut passed = 0;
        while let Ok(grant) = limiter.check().ok() {
            passed += 1;
            assert_eq!(grant.remaining(), n - passed);
            assert_eq!(limiter.peek(0).remaining(), n - passed);
        }
        limiter.clock().advance(p);
        Ok(passed as usize + usize::from(limiter.check().is_allowed()))
    }

    pub(super) fn keyed() -> usize {
        let limits = Keyed::<String>::new(Gcra::new(Quota::per_hour(5)));
        (0..9).filter(|_| limits.check("ann").is_allowed()).count()
    }

    pub(super) async fn waited() {
        let (limiter, longest) = (Limiter::new(Quota::per_hour(5)), Duration::from_secs(9));
        let place = limiter.reserve(1, longest).unwrap();
        tokio::time::sleep(place.ready_in()).await;
        let _ = place.commit();
    }
}

#[test]
fn both_sides_of_the_table_decide_the_same() {
    assert_eq!(theirs::direct(), ours::direct());
    assert_eq!(theirs::keyed(), 5);
    assert_eq!(ours::keyed(), 5);
    let (p, n) = (Duration::from_secs(3), 7);
    assert_eq!(theirs::burst(p, n.try_into().unwrap()), 8);
    assert_eq!(ours::burst(p, n.into()), Ok(8));
}

#[tokio::test]
async fn both_sides_wait() {
    theirs::waited().await;
    ours::waited().await;
}
