//! Version vectors, contexts and stamps.

use alloc::vec::Vec;

use super::{DecodeError, Limits, Reader, Value, Why, Wire, Writer, kinds};
use crate::clock::itc::Stamp;
use crate::clock::{CausalContext, VersionVector};
use crate::id::ReplicaId;

/// A count of replicas, each of which takes at least `least` bytes.
pub(super) fn replicas(
    input: &mut Reader<'_>,
    least: usize,
    limits: &Limits,
) -> Result<usize, DecodeError> {
    let at = input.clone();
    let count = input.count(least, "replicas")?;
    if count > limits.replicas {
        let why = Why::Limit { value: count as u64, limit: limits.replicas as u64 };
        return Err(at.error("replicas", why));
    }
    Ok(count)
}

/// The next id, which must come after `last`.
pub(super) fn next_id(
    input: &mut Reader<'_>,
    last: &mut Option<ReplicaId>,
) -> Result<ReplicaId, DecodeError> {
    let at = input.clone();
    let id = ReplicaId::read(input)?;
    if last.is_some_and(|last| last >= id) {
        return Err(at.error("replica", Why::Invalid("ids out of order")));
    }
    *last = Some(id);
    Ok(id)
}

/// A number of at least 1.
pub(super) fn positive(input: &mut Reader<'_>, what: &'static str) -> Result<u64, DecodeError> {
    let at = input.clone();
    match input.varint(what)? {
        0 => Err(at.error(what, Why::Invalid("zero is left out"))),
        number => Ok(number),
    }
}

impl Wire for VersionVector {
    const KIND: u8 = kinds::VERSION_VECTOR;

    fn write_body(&self, out: &mut Writer) {
        out.varint(self.len() as u64);
        for (replica, count) in self.iter() {
            replica.put(out);
            out.varint(count);
        }
    }

    fn read_body(input: &mut Reader<'_>, limits: &Limits) -> Result<Self, DecodeError> {
        let count = replicas(input, 9, limits)?;
        let mut entries = Vec::with_capacity(count);
        let mut last = None;
        for _ in 0..count {
            entries.push((next_id(input, &mut last)?, positive(input, "count")?));
        }
        Ok(entries.into_iter().collect())
    }
}

impl Wire for CausalContext {
    const KIND: u8 = kinds::CONTEXT;

    fn write_body(&self, out: &mut Writer) {
        self.vector().write_body(out);
        out.varint(self.cloud_sets().len() as u64);
        for (replica, runs) in self.cloud_sets() {
            replica.put(out);
            out.varint(runs.runs().len() as u64);
            let mut end = self.vector().get(*replica);
            for &(first, last) in runs.runs() {
                // At least 2: a run that touches the one before it would be one with it.
                out.varint(first - end);
                out.varint(last - first);
                end = last;
            }
        }
    }

    fn read_body(input: &mut Reader<'_>, limits: &Limits) -> Result<Self, DecodeError> {
        let mut context = Self::from(VersionVector::read_body(input, limits)?);
        let mut last_id = None;
        for _ in 0..replicas(input, 11, limits)? {
            let replica = next_id(input, &mut last_id)?;
            let at = input.clone();
            let runs = input.count(2, "runs")?;
            if runs == 0 {
                return Err(at.error("runs", Why::Invalid("none")));
            }
            let mut end = context.vector().get(replica);
            for _ in 0..runs {
                let at = input.clone();
                let bad = || at.error("run", Why::Invalid("touches the one before, or no end"));
                let gap = input.varint("gap")?;
                let more = input.varint("run")?;
                let first = end.checked_add(gap).filter(|_| gap >= 2).ok_or_else(bad)?;
                end = first.checked_add(more).ok_or_else(bad)?;
                context.insert_run(replica, first, end);
            }
        }
        Ok(context)
    }
}

/// The bits of the paper.
impl Wire for Stamp {
    const KIND: u8 = kinds::ITC;

    fn write_body(&self, out: &mut Writer) {
        out.bytes(&self.write_bits());
    }

    fn read_body(input: &mut Reader<'_>, _: &Limits) -> Result<Self, DecodeError> {
        let at = input.clone();
        let bits = input.bytes(input.remaining(), "stamp")?;
        Self::read_bits(bits).map_err(|why| at.error("stamp", Why::Invalid(why)))
    }
}
