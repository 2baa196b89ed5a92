//! Named members: epochs, places, names.

use archstone_hashring::{Cluster, Epoch, Place, PlacementError, Ring, Spread, Weight};

#[test]
fn every_change_is_one_epoch_and_a_refused_one_is_none() {
    let mut cluster = Cluster::new(Ring::new());
    assert_eq!((cluster.epoch(), cluster.owner("k"), cluster.is_empty()), (Epoch(0), None, true));
    assert_eq!(cluster.join("a", Weight::ONE), Ok(Epoch(1)));
    assert!(matches!(cluster.join("a", Weight::ONE), Err(PlacementError::Duplicate { .. })));
    assert_eq!(cluster.epoch(), Epoch(1));
    assert_eq!(cluster.reweight(&"a", Weight::new(2.0).unwrap()), Ok(Epoch(2)));
    assert_eq!(cluster.join("b", Weight::ONE), Ok(Epoch(3)));
    assert_eq!(cluster.leave(&"a"), Ok(Epoch(4)));
    assert!(matches!(cluster.leave(&"a"), Err(PlacementError::Unknown { .. })));
    assert!(cluster.reweight(&"a", Weight::ONE).is_err());
    assert_eq!((cluster.epoch(), cluster.len()), (Epoch(4), 1));
    assert_eq!(cluster.nodes().collect::<Vec<_>>(), [&"b"]);
    assert_eq!(cluster.owner("k"), Some(&"b"));
}

#[test]
fn copies_are_the_first_candidates_and_stand_apart() {
    let mut cluster = Cluster::new(Ring::new());
    for (rack, name) in [(0, "a"), (0, "b"), (1, "c"), (2, "d")] {
        cluster.join_at(name, Weight::ONE, Place { zone: 7, rack }).unwrap();
    }
    let spread = Spread::new(&[(7, 3)]).unwrap();
    for key in 0..200_u64 {
        let first: Vec<&&str> = cluster.replicas(&key, 4).collect();
        assert_eq!((first.len(), first[0]), (4, cluster.owner(&key).unwrap()));
        let chosen = cluster.spread(&key, &spread);
        let names: Vec<&&str> = chosen.iter().filter_map(|&node| cluster.node(node)).collect();
        assert_eq!(names.len(), 3);
        assert_eq!(names[0], first[0], "the owner is one of them");
        assert!(!(names.contains(&&"a") && names.contains(&&"b")), "one rack, one copy");
    }
    cluster.leave(&"c").unwrap();
    // Two racks for three copies: the third shares one.
    assert!((0..200_u64).all(|key| cluster.spread(&key, &spread).len() == 3));
}
