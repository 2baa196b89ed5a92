//! Dot stores, each checked against the context that it came with.

use core::hash::{BuildHasher, Hash};

use super::clocks::{next_id, positive, replicas};
use super::{DecodeError, Limits, Reader, Value, Why, Writer};
use crate::clock::CausalContext;
use crate::dots::{Causal, DotFun, DotMap, DotSet, DotStore, Elements};
use crate::id::Dot;

/// A store in an encoding.
pub trait StoreWire: DotStore {
    /// The fewest bytes of a store that holds something.
    #[doc(hidden)]
    const LEAST: usize;

    /// Writes it.
    #[doc(hidden)]
    fn write_store(&self, out: &mut Writer);

    /// Reads it back; every dot must be in `context`.
    #[doc(hidden)]
    fn read_store(
        input: &mut Reader<'_>,
        context: &CausalContext,
        limits: &Limits,
    ) -> Result<Self, DecodeError>;
}

/// The next dot, which must come after `last` and be in `context`.
fn next_dot(
    input: &mut Reader<'_>,
    last: &mut Option<Dot>,
    context: &CausalContext,
) -> Result<Dot, DecodeError> {
    let at = input.clone();
    let dot = Dot::read(input)?;
    if last.is_some_and(|last| last >= dot) {
        return Err(at.error("dot", Why::Invalid("dots out of order")));
    }
    if !context.contains(dot) {
        return Err(at.error("dot", Why::Invalid("a dot that the context has not")));
    }
    *last = Some(dot);
    Ok(dot)
}

impl StoreWire for DotSet {
    const LEAST: usize = 10;

    fn write_store(&self, out: &mut Writer) {
        out.varint(self.as_slice().len() as u64);
        self.as_slice().iter().for_each(|dot| dot.put(out));
    }

    fn read_store(
        input: &mut Reader<'_>,
        context: &CausalContext,
        _: &Limits,
    ) -> Result<Self, DecodeError> {
        let (mut store, mut last) = (Self::default(), None);
        for _ in 0..input.count(9, "dots")? {
            store.insert(next_dot(input, &mut last, context)?);
        }
        Ok(store)
    }
}

impl<V: Value + Clone> StoreWire for DotFun<V> {
    const LEAST: usize = 10 + V::LEAST;

    fn write_store(&self, out: &mut Writer) {
        out.varint(self.as_slice().len() as u64);
        for (dot, value) in self.as_slice() {
            dot.put(out);
            value.put(out);
        }
    }

    fn read_store(
        input: &mut Reader<'_>,
        context: &CausalContext,
        _: &Limits,
    ) -> Result<Self, DecodeError> {
        let (mut store, mut last) = (Self::default(), None);
        for _ in 0..input.count(9 + V::LEAST, "values")? {
            let dot = next_dot(input, &mut last, context)?;
            store.insert(dot, V::read(input)?);
        }
        Ok(store)
    }
}

impl<K: Value + Ord + Clone, S: StoreWire> StoreWire for DotMap<K, S> {
    const LEAST: usize = 1 + K::LEAST + S::LEAST;

    fn write_store(&self, out: &mut Writer) {
        out.varint(self.len() as u64);
        for (key, store) in self.iter() {
            key.put(out);
            store.write_store(out);
        }
    }

    fn read_store(
        input: &mut Reader<'_>,
        context: &CausalContext,
        limits: &Limits,
    ) -> Result<Self, DecodeError> {
        let mut map = Self::default();
        for _ in 0..input.count(K::LEAST + S::LEAST, "keys")? {
            let at = input.clone();
            let key = K::read(input)?;
            if map.last_key().is_some_and(|last| *last >= key) {
                return Err(at.error("key", Why::Invalid("keys out of order")));
            }
            let store = S::read_store(input, context, limits)?;
            if store.is_empty() {
                return Err(at.error("key", Why::Invalid("nothing under a key")));
            }
            map.insert(key, store);
        }
        Ok(map)
    }
}

impl<A: StoreWire, B: StoreWire> StoreWire for (A, B) {
    const LEAST: usize = 11;

    fn write_store(&self, out: &mut Writer) {
        self.0.write_store(out);
        self.1.write_store(out);
    }

    fn read_store(
        input: &mut Reader<'_>,
        context: &CausalContext,
        limits: &Limits,
    ) -> Result<Self, DecodeError> {
        let first = A::read_store(input, context, limits)?;
        Ok((first, B::read_store(input, context, limits)?))
    }
}

impl<T, H> StoreWire for Elements<T, H>
where
    T: Value + Hash + Eq + Clone,
    H: BuildHasher + Default + Clone,
{
    const LEAST: usize = 11 + T::LEAST;

    /// By replica: the events as gaps, each with its element.
    fn write_store(&self, out: &mut Writer) {
        out.varint(self.by_replica().filter(|(_, bits)| !bits.is_empty()).count() as u64);
        for (replica, bits) in self.by_replica().filter(|(_, bits)| !bits.is_empty()) {
            replica.put(out);
            out.varint(bits.len());
            let mut last = 0;
            for counter in bits.iter() {
                out.varint(counter - last);
                last = counter;
                if let Some(item) = self.at(Dot::new(replica, counter)) {
                    item.put(out);
                }
            }
        }
    }

    fn read_store(
        input: &mut Reader<'_>,
        context: &CausalContext,
        limits: &Limits,
    ) -> Result<Self, DecodeError> {
        let mut store = Self::default();
        let mut last_id = None;
        for _ in 0..replicas(input, 10 + T::LEAST, limits)? {
            let replica = next_id(input, &mut last_id)?;
            let at = input.clone();
            let rows = input.count(1 + T::LEAST, "elements")?;
            if rows == 0 {
                return Err(at.error("elements", Why::Invalid("none")));
            }
            let mut counter = 0_u64;
            for _ in 0..rows {
                let at = input.clone();
                let gap = positive(input, "event")?;
                counter = counter
                    .checked_add(gap)
                    .ok_or_else(|| at.error("event", Why::Invalid("over 64 bits")))?;
                let dot = Dot::new(replica, counter);
                if !context.contains(dot) {
                    return Err(
                        at.error("event", Why::Invalid("an event that the context has not"))
                    );
                }
                store.push(T::read(input)?, dot);
            }
        }
        Ok(store)
    }
}

pub(super) fn write_causal<S: StoreWire>(causal: &Causal<S>, out: &mut Writer) {
    use super::Wire;
    causal.context().write_body(out);
    causal.store().write_store(out);
}

pub(super) fn read_causal<S: StoreWire>(
    input: &mut Reader<'_>,
    limits: &Limits,
) -> Result<Causal<S>, DecodeError> {
    use super::Wire;
    let context = CausalContext::read_body(input, limits)?;
    let store = S::read_store(input, &context, limits)?;
    Ok(Causal { store, context })
}
