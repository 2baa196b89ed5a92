//! Futures and transactions: P9 and P10.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use archstone_lock::KeyedMutex;
use archstone_lock::txn::{Access, LockManager, Policy, Verdict};
use lock_db::{Acquisition, LockMode, ResourceId, TxnId};

use super::OURS;
use crate::areas::Area;
use crate::measure::{Race, Runner};

const TURNS: usize = 1 << 16;
const CHAIN: u64 = 1_000;

pub(super) fn entries(area: &mut Area) {
    area.race("lock.P9", |_| {
        let ours = Runner::steady(OURS, TURNS, KeyedMutex::<u64>::new(), |mutex| {
            (0..TURNS).for_each(|_| drop(ready(mutex.lock_async(&7))));
        });
        let tokio = Runner::steady("tokio Semaphore", TURNS, tokio::sync::Semaphore::new(1), |semaphore| {
            (0..TURNS).for_each(|_| drop(ready(semaphore.acquire())));
        });
        let smol = Runner::steady("async-lock Semaphore", TURNS, async_lock::Semaphore::new(1), |semaphore| {
            (0..TURNS).for_each(|_| drop(ready(semaphore.acquire())));
        });
        Race::new("uncontended acquire().await and release", ours)
            .beats("tokio", tokio, 1.0)
            .beside("async-lock", smol)
    });
    area.race("lock.P10/chain=1000", |_| {
        let ours = || {
            let mut locks = LockManager::<u64>::new(Policy::Detect);
            let txns: Vec<_> = (0..CHAIN).map(|_| locks.begin()).collect();
            for (key, &txn) in txns.iter().enumerate() {
                assert_eq!(locks.lock(txn, key as u64, Access::Exclusive), Verdict::Granted);
            }
            for (key, &txn) in txns[..txns.len() - 1].iter().enumerate() {
                assert_eq!(locks.lock(txn, key as u64 + 1, Access::Exclusive), Verdict::Wait);
            }
            (locks, txns[txns.len() - 1])
        };
        let theirs = || {
            let locks = lock_db::LockManager::new();
            for n in 0..CHAIN {
                assert_eq!(locks.request(TxnId::new(n), ResourceId::new(n), LockMode::Exclusive), Acquisition::Granted);
            }
            for n in 0..CHAIN - 1 {
                assert_eq!(locks.request(TxnId::new(n), ResourceId::new(n + 1), LockMode::Exclusive), Acquisition::Waiting);
            }
            locks
        };
        Race::new("the request that closes a chain of 1,000", Runner::fresh(OURS, 1, ours, |(mut locks, last)| {
            assert_eq!(locks.lock(last, 0, Access::Exclusive), Verdict::Deadlock);
            locks
        }))
        .beats("lock-db", Runner::fresh("lock-db request", 1, theirs, |locks| {
            let closed = locks.request(TxnId::new(CHAIN - 1), ResourceId::new(0), LockMode::Exclusive);
            assert!(matches!(closed, Acquisition::Deadlock(_)));
            locks
        }), 5.0)
    });
}

/// The result of a future that need not wait.
fn ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("nobody holds it"),
    }
}
