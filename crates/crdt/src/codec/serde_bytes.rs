//! serde: every type as its encoded bytes, so that its checks hold there too.

use alloc::vec::Vec;
use core::fmt;
use core::hash::{BuildHasher, Hash};

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};

use super::{StoreWire, Value, Wire};
use crate::clock::itc::Stamp;
use crate::clock::{CausalContext, Siblings, VersionVector};
use crate::counter::{BoundedCounter, GCounter, PnCounter, ResettableCounter};
use crate::flag::{DisableWinsFlag, EnableWinsFlag};
use crate::map::{LwwMap, OrMap};
use crate::register::{LwwRegister, MaxRegister, MinRegister, MvRegister};
use crate::sequence::Sequence;
use crate::set::{AddWinsSet, GSet, RemoveWinsSet, SetDelta, TwoPhaseSet};
use crate::tree::MoveTree;

struct Bytes;

impl<'de> Visitor<'de> for Bytes {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the bytes of an encoded state")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
        Ok(bytes.to_vec())
    }

    fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
        Ok(bytes)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<u8>, A::Error> {
        // No reservation from a promised length: the sequence may be lying.
        let mut bytes = Vec::new();
        while let Some(byte) = seq.next_element()? {
            bytes.push(byte);
        }
        Ok(bytes)
    }
}

macro_rules! as_bytes {
    ($($name:ident<$($param:ident: $($bound:path),+);*>),* $(,)?) => {$(
        impl<$($param: $($bound +)+),*> Serialize for $name<$($param),*> {
            fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
                serializer.serialize_bytes(&self.encode())
            }
        }

        impl<'de, $($param: $($bound +)+),*> Deserialize<'de> for $name<$($param),*> {
            fn deserialize<Z: Deserializer<'de>>(deserializer: Z) -> Result<Self, Z::Error> {
                let bytes = deserializer.deserialize_byte_buf(Bytes)?;
                Self::decode(&bytes).map_err(Z::Error::custom)
            }
        }
    )*};
}

as_bytes!(
    VersionVector<>, CausalContext<>, Stamp<>, Siblings<T: Value, Clone>,
    GCounter<>, PnCounter<>, ResettableCounter<>, BoundedCounter<>,
    MaxRegister<T: Value>, MinRegister<T: Value>, LwwRegister<T: Value>,
    MvRegister<T: Value, Clone>, GSet<T: Value, Ord, Clone>, TwoPhaseSet<T: Value, Ord, Clone>,
    AddWinsSet<T: Value, Hash, Eq, Clone; H: BuildHasher, Default, Clone>, SetDelta<T: Value>,
    RemoveWinsSet<T: Value, Ord, Clone>, EnableWinsFlag<>, DisableWinsFlag<>,
    LwwMap<K: Value, Hash, Eq, Clone; V: Value, Ord, Clone; H: BuildHasher, Default, Clone>,
    OrMap<K: Value, Ord, Clone; S: StoreWire>,
    Sequence<T: Value, Clone>, MoveTree<K: Value, Ord, Clone>,
);
