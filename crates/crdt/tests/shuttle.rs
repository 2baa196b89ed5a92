//! Replicas of a bounded counter that spend at once and gossip through shared mailboxes, under
//! random schedules: nothing is spent that was not there.
#![cfg(archstone_shuttle)]

use archstone_core::shim::{Arc, Mutex, model, thread};
use archstone_crdt::counter::BoundedCounter;
use archstone_crdt::{Lattice, ReplicaId};

#[test]
fn all_replicas_spend_at_once() {
    model(2_000, || {
        let ids = [ReplicaId(1), ReplicaId(2), ReplicaId(3)];
        let mut start = BoundedCounter::new();
        start.increment(ids[0], 6).unwrap();
        start.transfer(ids[0], ids[1], 3).unwrap();
        let mailbox = Arc::new(Mutex::new(start.clone()));
        let spenders: Vec<_> = ids
            .into_iter()
            .map(|me| {
                let (mailbox, mut mine) = (Arc::clone(&mailbox), start.clone());
                thread::spawn(move || {
                    let mut spent = 0;
                    for _ in 0..3 {
                        spent += u64::from(mine.decrement(me, 2).is_ok());
                        mine.transfer(me, ids[2], 1).ok();
                        mailbox.lock().merge(&mine);
                        let seen = mailbox.lock().clone();
                        mine.merge(&seen);
                    }
                    spent * 2
                })
            })
            .collect();
        let spent: u64 = spenders.into_iter().map(|s| s.join().unwrap()).sum();
        let all = mailbox.lock().clone();
        assert_eq!(all.value(), u128::from(6 - spent));
    });
}
