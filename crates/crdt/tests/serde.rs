//! serde: the encoded bytes, checks included.
#![cfg(feature = "serde")]

use archstone_crdt::ReplicaId;
use archstone_crdt::codec::Wire;
use archstone_crdt::set::AddWinsSet;

#[test]
fn a_state_goes_through_json_and_a_changed_one_does_not() {
    let mut set = AddWinsSet::<String>::new();
    set.add(ReplicaId(1), "milk".into()).unwrap();
    let json = serde_json::to_string(&set).unwrap();
    assert_eq!(serde_json::from_str::<Vec<u8>>(&json).unwrap(), set.encode());
    assert_eq!(serde_json::from_str::<AddWinsSet<String>>(&json).unwrap(), set);
    let changed = json.replacen("109", "110", 1);
    let error = serde_json::from_str::<AddWinsSet<String>>(&changed).unwrap_err();
    assert!(error.to_string().contains("the bytes were changed"), "{error}");
}
