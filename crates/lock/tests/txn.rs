//! Transactions beyond the scripts and the explorer.

use archstone_lock::txn::*;

#[test]
fn only_what_has_ended_begins_again_and_only_where_it_began() {
    let mut locks = LockManager::<u8>::new(Policy::WaitDie);
    let (one, two) = (locks.begin(), locks.begin());
    assert_eq!(locks.begin_again(one), None, "it is live");
    assert!(locks.abort(one) && !locks.abort(one));
    let again = locks.begin_again(one).expect("it has ended");
    assert!(again < two, "as old as before");
    assert_eq!(locks.begin_again(one), None, "its second try is live");
    // A transaction of another manager, younger than any here.
    let mut other = LockManager::<u8>::new(Policy::WaitDie);
    let stranger = (0..9).map(|_| other.begin()).last().expect("nine");
    assert_eq!(locks.begin_again(stranger), None);
    locks.audit();
}
