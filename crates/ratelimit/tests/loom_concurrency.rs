//! Every interleaving of permits taken and given back.
#![cfg(archstone_loom)]

use archstone_core::shim::{Arc, atomic, model, thread};
use archstone_ratelimit::concurrency::{ConcurrencyLimiter, Fixed};
use atomic::{AtomicU32, Ordering};

#[test]
fn the_limit_is_never_exceeded_and_every_permit_comes_back() {
    model(1_000, || {
        let limiter = Arc::new(ConcurrencyLimiter::new(Fixed::new(1).expect("one")));
        let inside = Arc::new(AtomicU32::new(0));
        let worker = |limiter: Arc<ConcurrencyLimiter<Fixed>>, inside: Arc<AtomicU32>| {
            for _ in 0..2 {
                if let Some(permit) = limiter.try_acquire() {
                    assert_eq!(
                        inside.fetch_add(1, Ordering::SeqCst),
                        0,
                        "two inside a limit of one"
                    );
                    inside.fetch_sub(1, Ordering::SeqCst);
                    permit.ignore();
                }
            }
        };
        let other = thread::spawn({
            let (limiter, inside) = (limiter.clone(), inside.clone());
            move || worker(limiter, inside)
        });
        worker(limiter.clone(), inside);
        other.join().expect("the worker ends");
        assert_eq!(limiter.inflight(), 0);
    });
}
