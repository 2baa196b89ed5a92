//! Two replicas that diverge while they cannot talk, and meet again.

use archstone_crdt::codec::Wire;
use archstone_crdt::dots::Elements;
use archstone_crdt::map::OrMap;
use archstone_crdt::{Delta, Exhausted, Lattice, ReplicaId};

fn main() -> Result<(), Exhausted> {
    let (ann, bob) = (ReplicaId(1), ReplicaId(2));
    let mut here: OrMap<String, Elements<String>> = OrMap::new();
    here.update(ann, "cart".into(), |cart| cart.insert("milk".into()))?;
    let mut there = here.clone();

    // Apart: bob empties the cart that he sees, ann goes on filling it.
    there.remove(bob, "cart")?;
    here.update(ann, "cart".into(), |cart| cart.insert("bread".into()))?;
    let show = |who: &str, map: &OrMap<String, Elements<String>>| {
        let cart = map.get("cart").map(|cart| cart.iter().cloned().collect::<Vec<_>>());
        println!("{who}: {:?}", cart.unwrap_or_default());
    };
    show("ann, apart", &here);
    show("bob, apart", &there);

    // They meet: each sends what the other lacks.
    let (to_bob, to_ann) = (here.delta_since(there.context()), there.delta_since(here.context()));
    println!("{} and {} bytes", to_bob.encode().len(), to_ann.encode().len());
    here.merge(&to_ann);
    there.merge(&to_bob);
    show("both", &here);
    assert_eq!(here.encode(), there.encode());
    Ok(())
}
