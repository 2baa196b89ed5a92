//! Every decoder on any bytes: what the tests and the fuzz target run.

#![allow(dead_code, unreachable_pub, reason = "shared by tests and a fuzz target")]

use archstone_crdt::clock::itc::Stamp;
use archstone_crdt::clock::{CausalContext, Siblings, VersionVector};
use archstone_crdt::codec::Wire;
use archstone_crdt::counter::{BoundedCounter, GCounter, PnCounter, ResettableCounter};
use archstone_crdt::dots::{DotFun, DotMap, Elements};
use archstone_crdt::flag::{DisableWinsFlag, EnableWinsFlag};
use archstone_crdt::map::{LwwMap, OrMap};
use archstone_crdt::register::{LwwRegister, MaxRegister, MvRegister};
use archstone_crdt::sequence::Sequence;
use archstone_crdt::set::{AddWinsSet, GSet, RemoveWinsSet, SetDelta, TwoPhaseSet};
use archstone_crdt::sync::{Keys, MerkleSync, RangeSync, Reconcile, Riblt};
use archstone_crdt::tree::MoveTree;

/// What was decoded is canonical and can be used; how many decoders took `bytes`.
fn one<T: Wire>(bytes: &[u8], use_it: impl Fn(T)) -> usize {
    let Ok(state) = T::decode(bytes) else { return 0 };
    assert_eq!(state.encode(), bytes, "what was read is what would be written");
    use_it(state);
    1
}

/// All decoders; how many took `bytes`.
pub fn decode_all(bytes: &[u8]) -> usize {
    one::<VersionVector>(bytes, |v| {
        let _ = v.total();
    }) + one::<CausalContext>(bytes, |c| {
        let _ = c.gaps().count();
    }) + one::<Stamp>(bytes, |mut s| drop((s.fork(), s.event(), s.to_string())))
        + one::<Siblings<u64>>(bytes, |s| drop(s.context()))
        + one::<GCounter>(bytes, |c| {
            let _ = c.value();
        })
        + one::<PnCounter>(bytes, |c| {
            let _ = c.value();
        })
        + one::<ResettableCounter>(bytes, |mut c| {
            let _ = (c.reset(), c.value());
        })
        + one::<BoundedCounter>(bytes, |c| {
            let _ = (c.value(), c.rights(1.into()));
        })
        + one::<MaxRegister<String>>(bytes, |_| ())
        + one::<LwwRegister<String>>(bytes, |_| ())
        + one::<MvRegister<String>>(bytes, |r| {
            let _ = r.values().len();
        })
        + one::<GSet<u64>>(bytes, |_| ())
        + one::<TwoPhaseSet<u64>>(bytes, |_| ())
        + one::<AddWinsSet<u64>>(bytes, |s| s.validate())
        + one::<SetDelta<u64>>(bytes, |delta| AddWinsSet::<u64>::from(delta).validate())
        + one::<RemoveWinsSet<u64>>(bytes, |s| {
            let _ = s.iter().count();
        })
        + one::<EnableWinsFlag>(bytes, |f| {
            let _ = f.is_on();
        })
        + one::<DisableWinsFlag>(bytes, |f| {
            let _ = f.is_on();
        })
        + one::<LwwMap<String, u64>>(bytes, |m| {
            let _ = m.len();
        })
        + one::<OrMap<u64, DotMap<u64, DotFun<i64>>>>(bytes, |m| {
            let _ = m.len();
        })
        + one::<OrMap<u64, Elements<u64>>>(bytes, |m| m.iter().for_each(|(_, s)| s.validate()))
        + one::<Sequence<u64>>(bytes, |s| {
            let _ = s.iter().count();
        })
        + one::<MoveTree<u64>>(bytes, |t| {
            let _ = t.len();
        })
}

/// The messages of reconciliation, whichever side they reach.
pub fn reconcile_all(bytes: &[u8]) {
    let keys = Keys::new((0..300_u64).map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15)), 1);
    for started in [false, true] {
        let mut sides: [Box<dyn Reconcile>; 3] = [
            Box::new(RangeSync::new(keys.clone())),
            Box::new(MerkleSync::new(keys.clone())),
            Box::new(Riblt::new(keys.clone())),
        ];
        for side in &mut sides {
            if started {
                side.start();
            }
            let _ = side.step(bytes);
            let _ = side.step(bytes);
        }
    }
}
