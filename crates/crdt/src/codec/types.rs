//! The replicated types.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::hash::{BuildHasher, Hash};

use super::clocks::{next_id, positive, replicas};
use super::stores::{read_causal, write_causal};
use super::{DecodeError, Limits, Reader, StoreWire, Value, Why, Wire, Writer, kinds};
use crate::clock::{Siblings, Timestamp, VersionVector};
use crate::counter::{BoundedCounter, GCounter, PnCounter, Prefix, ResettableCounter, Row};
use crate::dots::Dots;
use crate::flag::{DisableWinsFlag, EnableWinsFlag};
use crate::id::{Dot, ReplicaId};
use crate::map::{LwwMap, OrMap};
use crate::register::{LwwRegister, MaxRegister, MinRegister, MvRegister};
use crate::set::{AddWinsSet, GSet, RemoveWinsSet, SetDelta, TwoPhaseSet};

/// A newtype around a `Causal`.
macro_rules! causal {
    ($name:ident [$($param:ident: $($bound:path),+);*], $kind:ident) => {
        impl<$($param: $($bound +)+),*> Wire for $name<$($param),*> {
            const KIND: u8 = kinds::$kind;

            fn write_body(&self, out: &mut Writer) {
                write_causal(&self.0, out);
            }

            fn read_body(input: &mut Reader<'_>, limits: &Limits) -> Result<Self, DecodeError> {
                read_causal(input, limits).map(Self)
            }
        }
    };
}

causal!(Siblings[T: Value, Clone], SIBLINGS);
causal!(MvRegister[T: Value, Clone], MULTI_VALUE);
causal!(RemoveWinsSet[T: Value, Ord, Clone], REMOVE_WINS);
causal!(EnableWinsFlag[], ENABLE_WINS);
causal!(DisableWinsFlag[], DISABLE_WINS);
causal!(OrMap[K: Value, Ord, Clone; S: StoreWire], OR_MAP);
causal!(AddWinsSet[T: Value, Hash, Eq, Clone; H: BuildHasher, Default, Clone], ADD_WINS);

impl Wire for GCounter {
    const KIND: u8 = kinds::G_COUNTER;

    fn write_body(&self, out: &mut Writer) {
        self.0.write_body(out);
    }

    fn read_body(input: &mut Reader<'_>, limits: &Limits) -> Result<Self, DecodeError> {
        VersionVector::read_body(input, limits).map(Self)
    }
}

impl Wire for PnCounter {
    const KIND: u8 = kinds::PN_COUNTER;

    fn write_body(&self, out: &mut Writer) {
        self.up.write_body(out);
        self.down.write_body(out);
    }

    fn read_body(input: &mut Reader<'_>, limits: &Limits) -> Result<Self, DecodeError> {
        let up = GCounter::read_body(input, limits)?;
        Ok(Self { up, down: GCounter::read_body(input, limits)? })
    }
}

impl Wire for ResettableCounter {
    const KIND: u8 = kinds::RESETTABLE;

    fn write_body(&self, out: &mut Writer) {
        out.varint(self.0.len() as u64);
        for (replica, row) in &self.0 {
            replica.put(out);
            for prefix in [row.added, row.reset] {
                out.varint(prefix.updates);
                if prefix.updates > 0 {
                    prefix.sum.put(out);
                }
            }
        }
    }

    fn read_body(input: &mut Reader<'_>, limits: &Limits) -> Result<Self, DecodeError> {
        let (mut rows, mut last) = (BTreeMap::new(), None);
        for _ in 0..replicas(input, 10, limits)? {
            let at = input.clone();
            let replica = next_id(input, &mut last)?;
            let mut prefix = || {
                let updates = input.varint("updates")?;
                let sum = if updates > 0 { i128::read(input)? } else { 0 };
                // No sum of that many updates is larger.
                if sum.unsigned_abs() > u128::from(updates) << 63 {
                    return Err(at.error("sum", Why::Invalid("more than its updates can add")));
                }
                Ok(Prefix { updates, sum })
            };
            let row = Row { added: prefix()?, reset: prefix()? };
            if row == Row::default() {
                return Err(at.error("row", Why::Invalid("nothing in it")));
            }
            rows.insert(replica, row);
        }
        Ok(Self(rows))
    }
}

impl Wire for BoundedCounter {
    const KIND: u8 = kinds::BOUNDED;

    fn write_body(&self, out: &mut Writer) {
        self.spent.write_body(out);
        out.varint(self.granted.len() as u64);
        for (&(from, to), &rights) in &self.granted {
            from.put(out);
            to.put(out);
            out.varint(rights);
        }
    }

    fn read_body(input: &mut Reader<'_>, limits: &Limits) -> Result<Self, DecodeError> {
        let spent = VersionVector::read_body(input, limits)?;
        let (mut granted, mut last) = (BTreeMap::new(), None);
        for _ in 0..input.count(17, "grants")? {
            let at = input.clone();
            let pair = <(ReplicaId, ReplicaId)>::read(input)?;
            if last.is_some_and(|last| last >= pair) {
                return Err(at.error("grant", Why::Invalid("pairs out of order")));
            }
            last = Some(pair);
            granted.insert(pair, positive(input, "rights")?);
        }
        Ok(Self { granted, spent })
    }
}

macro_rules! extreme {
    ($name:ident, $kind:ident) => {
        impl<T: Value> Wire for $name<T> {
            const KIND: u8 = kinds::$kind;

            fn write_body(&self, out: &mut Writer) {
                self.0.put(out);
            }

            fn read_body(input: &mut Reader<'_>, _: &Limits) -> Result<Self, DecodeError> {
                Option::read(input).map(Self)
            }
        }
    };
}
extreme!(MaxRegister, MAX);
extreme!(MinRegister, MIN);

impl<T: Value> Wire for LwwRegister<T> {
    const KIND: u8 = kinds::LWW;

    fn write_body(&self, out: &mut Writer) {
        self.stamp.put(out);
        self.value.put(out);
    }

    fn read_body(input: &mut Reader<'_>, _: &Limits) -> Result<Self, DecodeError> {
        let stamp = Timestamp::read(input)?;
        Ok(Self { stamp, value: T::read(input)? })
    }
}

impl<T: Value + Ord + Clone> Wire for GSet<T> {
    const KIND: u8 = kinds::G_SET;

    fn write_body(&self, out: &mut Writer) {
        out.varint(self.len() as u64);
        self.iter().for_each(|item| item.put(out));
    }

    fn read_body(input: &mut Reader<'_>, _: &Limits) -> Result<Self, DecodeError> {
        let mut items: Vec<T> = Vec::new();
        for _ in 0..input.count(T::LEAST, "elements")? {
            let at = input.clone();
            let item = T::read(input)?;
            if items.last().is_some_and(|last| *last >= item) {
                return Err(at.error("element", Why::Invalid("elements out of order")));
            }
            items.push(item);
        }
        Ok(items.into_iter().collect())
    }
}

impl<T: Value + Ord + Clone> Wire for TwoPhaseSet<T> {
    const KIND: u8 = kinds::TWO_PHASE;

    fn write_body(&self, out: &mut Writer) {
        self.added.write_body(out);
        self.removed.write_body(out);
    }

    fn read_body(input: &mut Reader<'_>, limits: &Limits) -> Result<Self, DecodeError> {
        let added = GSet::<T>::read_body(input, limits)?;
        let at = input.clone();
        let removed = GSet::read_body(input, limits)?;
        if added.iter().any(|item| removed.contains(item)) {
            return Err(at.error("removed", Why::Invalid("an element that is also there")));
        }
        Ok(Self { added, removed })
    }
}

impl<T: Value> Wire for SetDelta<T> {
    const KIND: u8 = kinds::SET_DELTA;

    fn write_body(&self, out: &mut Writer) {
        self.dot.put(out);
        if self.dot.is_some() {
            self.item.put(out);
            out.varint(self.dropped.len() as u64);
            self.dropped.iter().for_each(|dot| dot.put(out));
        }
    }

    fn read_body(input: &mut Reader<'_>, _: &Limits) -> Result<Self, DecodeError> {
        let dot = Option::<Dot>::read(input)?;
        let mut delta = Self { dot, item: None, dropped: Dots::new() };
        if let Some(dot) = dot {
            delta.item = Option::read(input)?;
            for _ in 0..input.count(9, "dropped dots")? {
                let at = input.clone();
                let old = Dot::read(input)?;
                if old == dot {
                    return Err(at.error("dropped dot", Why::Invalid("the event drops itself")));
                }
                delta.dropped.push(old);
            }
        }
        Ok(delta)
    }
}

/// Keys in the order of their bytes.
impl<K, V, H> Wire for LwwMap<K, V, H>
where
    K: Value + Hash + Eq + Clone,
    V: Value + Ord + Clone,
    H: BuildHasher + Default + Clone,
{
    const KIND: u8 = kinds::LWW_MAP;

    fn write_body(&self, out: &mut Writer) {
        let mut rows: Vec<_> = self
            .writes()
            .map(|(key, entry)| {
                let mut bytes = Writer::new();
                key.put(&mut bytes);
                (bytes.into_vec(), entry)
            })
            .collect();
        rows.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        out.varint(rows.len() as u64);
        for (key, (stamp, value)) in rows {
            out.bytes(&key);
            stamp.put(out);
            value.put(out);
        }
    }

    fn read_body(input: &mut Reader<'_>, _: &Limits) -> Result<Self, DecodeError> {
        let mut map = Self::default();
        let mut last: Option<Vec<u8>> = None;
        for _ in 0..input.count(K::LEAST + 17, "keys")? {
            let at = input.clone();
            let key = K::read(input)?;
            let len = input.position() - at.position();
            let bytes = at.clone().bytes(len, "key")?;
            if last.as_deref().is_some_and(|last| last >= bytes) {
                return Err(at.error("key", Why::Invalid("keys out of order")));
            }
            last = Some(bytes.to_vec());
            let stamp = Timestamp::read(input)?;
            map.write(key, (stamp, Option::read(input)?));
        }
        Ok(map)
    }
}
