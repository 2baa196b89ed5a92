//! Every interleaving of every three short transactions on two keys, under every policy.

use archstone_lock::txn::{Access, LockManager, Policy, Txn, Verdict};

const OPS: [(&str, Access); 4] = [
    ("a", Access::Shared),
    ("a", Access::Exclusive),
    ("b", Access::Shared),
    ("b", Access::Exclusive),
];

struct World {
    locks: LockManager<&'static str>,
    txns: [Txn; 3],
    /// The next operation of each; after the second it commits.
    at: [usize; 3],
    steps: usize,
}

impl World {
    /// Runs `schedule` from the beginning: no clone of a manager is needed. Whether each step could be
    /// made, or who is left to make one.
    fn replay(policy: Policy, programs: [[usize; 2]; 3], schedule: &[usize]) -> Self {
        let mut locks = LockManager::new(policy);
        let txns = [locks.begin(), locks.begin(), locks.begin()];
        let mut world = Self { locks, txns, at: [0; 3], steps: 0 };
        for &who in schedule {
            world.step(programs, who);
        }
        world
    }

    fn can_step(&self, who: usize) -> bool {
        self.locks.is_live(self.txns[who]) && !self.locks.is_waiting(self.txns[who])
    }

    fn step(&mut self, programs: [[usize; 2]; 3], who: usize) {
        let txn = self.txns[who];
        match programs[who].get(self.at[who]) {
            Some(&op) => {
                let (key, access) = OPS[op];
                let verdict = self.locks.lock(txn, key, access);
                assert!(!matches!(verdict, Verdict::Aborted | Verdict::Waiting), "{verdict:?}");
                let dies = matches!(verdict, Verdict::Die | Verdict::Deadlock);
                assert_eq!(dies, !self.locks.is_live(txn), "{verdict:?}");
            }
            None => self.locks.commit(txn).expect("it runs"),
        }
        self.at[who] += 1;
        self.steps += 1;
        // Who holds, who waits, no circle (I8), nobody waits for what is free (I7).
        self.locks.audit();
    }
}

/// Depth first over who makes the next step. Nobody may be left waiting when nobody can run.
fn all_schedules(policy: Policy, programs: [[usize; 2]; 3], schedule: &mut Vec<usize>) -> usize {
    let world = World::replay(policy, programs, schedule);
    let (mut runs, mut stuck) = (0, true);
    for who in 0..3 {
        if world.can_step(who) {
            stuck = false;
            schedule.push(who);
            runs += all_schedules(policy, programs, schedule);
            schedule.pop();
        }
    }
    if stuck {
        let waits = (0..3).any(|who| world.locks.is_live(world.txns[who]));
        assert!(!waits, "{policy:?} {programs:?}: {schedule:?} leaves somebody waiting");
        runs = 1;
    }
    runs
}

/// The first operation is on `a`: the keys are alike.
fn explore(policy: Policy) -> usize {
    let mut runs = 0;
    for n in 0..2 * 4_usize.pow(5) {
        let op = |place: u32| n / 4_usize.pow(place) % 4;
        let programs = [[op(5), op(0)], [op(1), op(2)], [op(3), op(4)]];
        runs += all_schedules(policy, programs, &mut Vec::new());
    }
    runs
}

#[test]
fn detection_ends_every_schedule() {
    println!("{} schedules", explore(Policy::Detect));
}

#[test]
fn wound_wait_ends_every_schedule() {
    println!("{} schedules", explore(Policy::WoundWait));
}

#[test]
fn wait_die_ends_every_schedule() {
    println!("{} schedules", explore(Policy::WaitDie));
}

#[test]
fn no_wait_ends_every_schedule() {
    println!("{} schedules", explore(Policy::NoWait));
}
