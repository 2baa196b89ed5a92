//! The body of the fuzz targets: any bytes as a history of a cluster, and as slots and redirections.

use archstone_hashring::load::{Bounded, Lease};
use archstone_hashring::slots::{
    Redirection, Route, SLOTS, SlotMap, hash_tag, redirection, redis_slot,
};
use archstone_hashring::{
    Anchor, Buckets, Candidates, Dx, Handoff, Hashed, Memento, MultiProbe, NodeId, NodeIx,
    Numbered, Plan, Resize, Ring, Weight,
};

/// Joins, leaves and reweights by the bytes, on several placements at once; answers are those of
/// live members, and a plan and a handoff between any two states add up.
pub(crate) fn any_history(data: &[u8]) {
    let mut ring = Ring::with_points(3).expect("a size");
    let mut circle = MultiProbe::with_probes(3).expect("a number");
    let mut anchor = Numbered::new(Anchor::with_capacity(40).expect("a size"));
    let mut dx = Numbered::new(Dx::with_capacity(40).expect("a size"));
    let mut memento = Numbered::new(Memento::new(0));
    let mut bounded = Bounded::new(Ring::with_points(3).expect("a size"), 1.25).expect("a factor");
    let mut leases: Vec<Lease> = Vec::new();
    let mut before = ring.clone();
    for step in data.chunks_exact(3).take(200) {
        let (id, node) = (NodeId(u64::from(step[1] % 48) << 57), NodeIx(step[1].into()));
        let weight = Weight::new(f64::from(step[2] % 40) / 10.0).unwrap_or(Weight::ONE);
        match step[0] % 8 {
            0 | 1 => {
                let _ = (ring.add(id, weight), bounded.join(id, weight));
                let _ = (circle.add(id, Weight::ONE), anchor.add(id, Weight::ONE));
                let _ = (dx.add(id, Weight::ONE), memento.add(id, Weight::ONE));
            }
            2 => {
                let _ = (ring.remove(node), bounded.leave(node), circle.remove(node));
                let _ = (anchor.remove(node), dx.remove(node), memento.remove(node));
            }
            3 => {
                let _ = (ring.reweight(node, weight), bounded.reweight(node, weight));
            }
            4 => leases.extend(bounded.acquire(Hashed(u64::from(step[2]) << 56))),
            5 if !leases.is_empty() => {
                let lease = leases.swap_remove(usize::from(step[1]) % leases.len());
                bounded.release(lease);
            }
            6 => before = ring.clone(),
            _ => {
                let copies = usize::from(step[2] % 4);
                let Ok(plan) = Plan::new(&before, &ring, copies) else { continue };
                let keys: u128 = plan.map(|step| step.keys.keys()).sum();
                assert!(keys <= copies as u128 * (1 << 64));
                let handoff = Handoff::new(before.clone(), ring.clone(), copies);
                let mut handoff = handoff.expect("copies that the plan took");
                while let Some((id, _)) = handoff.begin() {
                    handoff.complete(id).expect("it is under way");
                }
                assert!(handoff.finish().is_ok());
            }
        }
        let key = Hashed(u64::from_le_bytes([step[2]; 8]));
        answers(&ring, key);
        answers(&circle, key);
        answers(&anchor, key);
        answers(&dx, key);
        answers(&memento, key);
        assert!(anchor.buckets().end() == 40 && bounded.held() as usize <= leases.len());
    }
}

fn answers(placement: &impl Candidates, key: Hashed) {
    let owner = placement.locate(key);
    assert_eq!(owner.is_none(), placement.is_empty());
    assert_eq!(placement.candidates(key).next(), owner);
    assert_eq!(placement.candidates(key).count(), placement.len());
}

/// Any bytes as a key, as a redirection, and as a history of a slot map.
pub(crate) fn any_slots(data: &[u8]) {
    let tag = hash_tag(data);
    assert!(tag.len() <= data.len() && redis_slot(data) < SLOTS);
    if tag.len() < data.len() {
        assert!(!tag.is_empty() && !tag.contains(&b'}'));
    }
    if let Ok(text) = core::str::from_utf8(data) {
        if let Ok(Redirection::Moved { slot, address } | Redirection::Ask { slot, address }) =
            redirection(text)
        {
            assert!(slot < SLOTS && text.ends_with(address));
        }
    }
    let mut map = SlotMap::new();
    for step in data.chunks_exact(5).take(100) {
        let slot = u16::from_le_bytes([step[1], step[2]]);
        let (node, other) = (NodeIx(step[3].into()), NodeIx(step[4].into()));
        let _ = match step[0] % 5 {
            0 => map.assign(slot, slot.saturating_add(step[4].into()), node),
            1 => map.migrate(slot, node, other),
            2 => map.finish(slot),
            3 => map.stop(slot).map(drop),
            _ => map.unassign(slot),
        };
        match map.route_slot(slot) {
            Route::Ask { from, to } => assert!(from != to && slot < SLOTS),
            Route::Own(_) => assert!(slot < SLOTS),
            Route::Unassigned => {}
        }
    }
    let mut end = 0_u32;
    for (first, last, _) in map.ranges() {
        assert!(u32::from(first) >= end && first <= last && last < SLOTS);
        end = u32::from(last) + 1;
    }
}
