//! Bytes from a peer that cannot be trusted: every truncation and every flipped bit is an error.

#[path = "common/any_bytes.rs"]
mod any_bytes;

use archstone_crdt::clock::itc::Stamp;
use archstone_crdt::clock::{CausalContext, Siblings, Timestamp, VersionVector};
use archstone_crdt::codec::{Limits, Why, Wire};
use archstone_crdt::counter::{BoundedCounter, GCounter, PnCounter, ResettableCounter};
use archstone_crdt::dots::{DotFun, DotMap, Elements};
use archstone_crdt::flag::{DisableWinsFlag, EnableWinsFlag};
use archstone_crdt::map::{LwwMap, OrMap};
use archstone_crdt::register::{LwwRegister, MaxRegister, MvRegister};
use archstone_crdt::sequence::Sequence;
use archstone_crdt::set::{AddWinsSet, GSet, RemoveWinsSet, TwoPhaseSet};
use archstone_crdt::tree::MoveTree;
use archstone_crdt::{Dot, ReplicaId};
use proptest::prelude::*;
use testkit::alloc::Counting;

#[global_allocator]
static ALLOC: Counting = Counting;

const A: ReplicaId = ReplicaId(0);
const B: ReplicaId = ReplicaId(u64::MAX);

/// One encoding of every type, each with something of everything in it.
fn samples() -> Vec<Vec<u8>> {
    let vector = VersionVector::from_iter([(A, 3), (B, u64::MAX)]);
    let context: CausalContext = [(A, 1), (A, 3), (A, 4), (B, 9), (B, u64::MAX)]
        .map(|(replica, counter)| Dot::new(replica, counter))
        .into_iter()
        .collect();
    let mut stamp = Stamp::seed();
    for _ in 0..5 {
        let mut other = stamp.fork().unwrap();
        other.event().unwrap();
        stamp.event().unwrap();
        stamp.receive(&other.message()).unwrap();
        stamp.event().unwrap();
    }
    let mut siblings = Siblings::new();
    siblings.put(A, &VersionVector::new(), 1_u64).unwrap();
    siblings.put(A, &VersionVector::new(), 2).unwrap();
    let mut up = GCounter::new();
    up.add(A, 300).unwrap();
    let mut both = PnCounter::new();
    both.add(A, 5).unwrap();
    both.add(B, -6).unwrap();
    let mut resettable = ResettableCounter::new();
    resettable.add(A, -7).unwrap();
    let _ = resettable.reset();
    resettable.add(B, 8).unwrap();
    let mut bounded = BoundedCounter::new();
    bounded.increment(A, 10).unwrap();
    bounded.transfer(A, B, 4).unwrap();
    bounded.decrement(B, 3).unwrap();
    let mut max = MaxRegister::new();
    let _ = max.write("z".to_string());
    let mut multi = MvRegister::new();
    multi.write(A, "x".to_string()).unwrap();
    let grow: GSet<u64> = [1, 5, 900].into_iter().collect();
    let mut two = TwoPhaseSet::new();
    let _ = (two.add(4_u64), two.add(5), two.remove(5), two.remove(6));
    let mut add_wins = AddWinsSet::<u64>::new();
    for i in 0..20 {
        add_wins.add(if i % 3 == 0 { A } else { B }, i % 15).unwrap();
    }
    let delta = add_wins.add(A, 3).unwrap();
    let removal = add_wins.remove(A, &4).unwrap();
    let mut remove_wins = RemoveWinsSet::new();
    remove_wins.add(A, 4_u64).unwrap();
    remove_wins.remove(B, 9).unwrap();
    let (mut on, mut off) = (EnableWinsFlag::new(), DisableWinsFlag::new());
    on.enable(A).unwrap();
    off.disable(A).unwrap();
    let at = |n| Timestamp::from_u64(n, A);
    let mut table = LwwMap::new();
    table.insert(at(5), "k".to_string(), 9_u64);
    table.remove(at(6), "gone".to_string());
    let mut nested: OrMap<u64, DotMap<u64, DotFun<i64>>> = OrMap::new();
    nested.update(A, 1, |m| m.update(2, |r| r.write(-3))).unwrap();
    nested.update(B, 2, |m| m.update(2, |r| r.write(4))).unwrap();
    let mut sets: OrMap<u64, Elements<u64>> = OrMap::new();
    sets.update(A, 1, |s| s.insert(7)).unwrap();
    let mut list = Sequence::new();
    for i in 0..6_u64 {
        list.insert(A, i as usize / 2, i).unwrap();
    }
    list.remove(B, 1).unwrap();
    let mut tree = MoveTree::new();
    tree.place(at(1), 1_u64, 0);
    tree.place(at(2), 2, 1);
    tree.forget_before(at(2));
    tree.place(at(3), 1, 2);
    vec![
        vector.encode(),
        context.encode(),
        stamp.encode(),
        siblings.encode(),
        up.encode(),
        both.encode(),
        resettable.encode(),
        bounded.encode(),
        max.encode(),
        LwwRegister::new(at(7), "v".to_string()).encode(),
        multi.encode(),
        grow.encode(),
        two.encode(),
        add_wins.encode(),
        delta.encode(),
        removal.encode(),
        remove_wins.encode(),
        on.encode(),
        off.encode(),
        table.encode(),
        nested.encode(),
        sets.encode(),
        list.encode(),
        tree.encode(),
    ]
}

#[test]
fn each_encoding_is_read_by_its_own_decoder_alone() {
    for bytes in samples() {
        assert_eq!(any_bytes::decode_all(&bytes), 1, "{bytes:x?}");
    }
}

#[test]
fn every_truncation_and_every_flipped_bit_is_an_error() {
    for bytes in samples() {
        for cut in 0..bytes.len() {
            assert_eq!(any_bytes::decode_all(&bytes[..cut]), 0, "cut at {cut} of {bytes:x?}");
        }
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(any_bytes::decode_all(&flipped), 0, "bit {bit} of {bytes:x?}");
        }
    }
}

/// A peer of bad will makes its checksums right.
fn seal(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(bytes.len().saturating_sub(4));
    let mut crc = !0_u32;
    for &byte in &bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
        }
    }
    bytes.extend_from_slice(&(!crc).to_le_bytes());
    bytes
}

fn bounded_memory(bytes: &[u8]) {
    let (_, used) = testkit::alloc::measure(|| any_bytes::decode_all(bytes));
    let limit = 64 * bytes.len() as i64 + 4096;
    assert!(used.peak <= limit, "{} bytes for an input of {}: {bytes:x?}", used.peak, bytes.len());
}

#[test]
fn changed_bytes_with_a_right_checksum_are_an_error_or_a_state_in_bounded_memory() {
    for bytes in samples() {
        for at in 0..bytes.len() - 4 {
            for value in [0, 1, 2, 0x7f, 0x80, 0xff, bytes[at] ^ 1, bytes[at].wrapping_add(1)] {
                let mut changed = bytes.clone();
                changed[at] = value;
                bounded_memory(&seal(changed));
            }
            let mut cut = bytes[..at].to_vec();
            cut.extend([0; 4]);
            bounded_memory(&seal(cut));
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_with_a_right_checksum(kind in 0x40_u8..0x58, body in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut bytes = vec![kind, 1];
        bytes.extend(body);
        bytes.extend([0; 4]);
        bounded_memory(&seal(bytes.clone()));
        bytes[1] = 0;
        prop_assert_eq!(any_bytes::decode_all(&seal(bytes)), 0, "no version 0");
    }

    #[test]
    fn messages_of_reconciliation_are_never_trusted(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        any_bytes::reconcile_all(&bytes);
    }
}

/// One state has one encoding: a key that is there twice, or before a lesser one, is refused.
#[test]
fn keys_out_of_order_or_twice_are_an_error() {
    let map = |keys: &[u64]| {
        let mut map = LwwMap::<u64, u64>::new();
        for &key in keys {
            map.insert(Timestamp::new(5, 0, A), key, 1);
        }
        map.encode()
    };
    let (one, two) = (map(&[3]), map(&[3, 4]));
    let row = &one[3..one.len() - 4];
    let read = |first: &[u8], second: &[u8]| {
        LwwMap::<u64, u64>::decode(&seal([&two[..3], first, second, &[0; 4]].concat()))
    };
    assert!(read(row, row).is_err());
    let rows = &two[3..two.len() - 4];
    let (first, second) = rows.split_at(row.len());
    assert!(read(second, first).is_err());
    assert_eq!(read(first, second).map(|map| map.len()), Ok(2));
}

#[test]
fn limits_are_kept_and_named() {
    let big = VersionVector::from_iter((0..100).map(|i| (ReplicaId(i), 1)));
    let bytes = big.encode();
    let few = Limits { replicas: 99, ..Limits::default() };
    let error = VersionVector::decode_within(&bytes, &few).unwrap_err();
    assert_eq!(error.why, Why::Limit { value: 100, limit: 99 });
    let short = Limits { bytes: 10, ..Limits::default() };
    let error = VersionVector::decode_within(&bytes, &short).unwrap_err();
    assert_eq!(error.why, Why::Limit { value: bytes.len() as u64, limit: 10 });
    assert_eq!(VersionVector::decode(&bytes), Ok(big));
}

#[test]
fn an_add_to_a_large_set_is_a_delta_of_at_most_40_bytes() {
    let mut set = AddWinsSet::<u64>::new();
    for i in 0..10_000 {
        set.add(ReplicaId(i % 3 + (1 << 60)), i).unwrap();
    }
    for item in [10_000, 17] {
        let delta = set.add(ReplicaId(1 << 60), item).unwrap();
        assert!(delta.encode().len() <= 40, "{} bytes", delta.encode().len());
    }
    let bytes = set.encode();
    assert!(bytes.len() <= 58_000, "half of what crdts and postcard take: {}", bytes.len());
    assert!(set.heap_bytes() <= 400_000, "40 bytes an element: {}", set.heap_bytes());
    assert_eq!(AddWinsSet::decode(&bytes), Ok(set));
}
