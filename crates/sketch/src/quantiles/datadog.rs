//! Datadog's protobuf message of a DDSketch.
//!
//! Message: 1 mapping (1 gamma, 2 offset of indexes, 3 interpolation), 2 positive and 3 negative
//! store (1 a map of bucket to count, 2 packed counts of neighbouring buckets, 3 the first one's
//! number, zigzag), 4 count of zeros. Counts are doubles; ours have to be whole.

use alloc::vec::Vec;

use super::store::Store;
use super::{DdSketch, MAX_WEIGHT};
use crate::math::round;
use crate::wire::{DecodeError, Reader, Why, Writer};

/// How the writer numbers its buckets. The message does not say, and it differs by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DatadogKeys {
    /// Bucket i ends at `gamma^i`: the libraries for Python and Ruby.
    Ceil,
    /// Bucket i begins at `gamma^i`: the libraries for Go and Java, the agent.
    Floor,
}

const VARINT: u64 = 0;
const DOUBLE: u64 = 1;
const BYTES: u64 = 2;
const WORD: u64 = 5;

impl DdSketch {
    /// Datadog's message. Extremes are not in it.
    #[must_use]
    pub fn to_datadog(&self, keys: DatadogKeys) -> Vec<u8> {
        let mut mapping = Writer::new();
        double(&mut mapping, 1, self.index.gamma());
        let mut out = Writer::new();
        bytes(&mut out, 1, &mapping.into_vec());
        for (field, store) in [(2, &self.positive), (3, &self.negative)] {
            bytes(&mut out, field, &store_message(store, keys));
        }
        if self.zero > 0 {
            double(&mut out, 4, self.zero as f64);
        }
        out.into_vec()
    }

    /// Reads Datadog's message; quantiles are those of the writer.
    ///
    /// # Errors
    /// When the bytes are not such a message, the mapping is not the logarithm, a count is not whole,
    /// or buckets lie so far apart that they need much more memory than the bytes.
    pub fn from_datadog(message: &[u8], keys: DatadogKeys) -> Result<Self, DecodeError> {
        let start = Reader::new(message);
        let wrong = |why| start.error("DDSketch message", Why::Invalid(why));
        let (mut gamma, mut offset, mut zero) = (None, 0.0, 0);
        fields(message, |field, value| {
            match (field, value) {
                (1, Value::Bytes(mapping)) => fields(mapping, |field, value| {
                    match (field, value) {
                        (1, Value::Double(value)) => gamma = Some(value),
                        (2, Value::Double(value)) => offset = value,
                        (3, Value::Varint(0)) => {}
                        (3, _) => return Err(wrong("a mapping that is not the logarithm")),
                        _ => {}
                    }
                    Ok(())
                })?,
                (4, Value::Double(value)) => zero = count(value).ok_or(wrong("zeros in parts"))?,
                _ => {}
            }
            Ok(())
        })?;
        let index = gamma.and_then(Self::index_of).ok_or(wrong("a gamma that is none"))?;
        let whole = round(offset);
        if whole != offset || offset.abs() > 1e9 {
            return Err(wrong("an offset in parts of a bucket"));
        }
        let shift = i64::from(keys == DatadogKeys::Floor) - whole as i64;
        let mut sketch = Self::empty(index);
        sketch.zero = zero;
        // A word for each place: half of one for a byte is within what is allowed.
        let limits = Limits { span: index.span(), places: message.len() / 2 + 64, shift };
        fields(message, |field, value| match (field, value) {
            (2, Value::Bytes(store)) => read_store(&mut sketch.positive, store, &limits),
            (3, Value::Bytes(store)) => read_store(&mut sketch.negative, store, &limits),
            _ => Ok(()),
        })?;
        sketch.n = sketch.weigh().ok_or(wrong("a weight above 2^60"))?;
        sketch.forget_extremes();
        Ok(sketch)
    }
}

fn store_message(store: &Store, keys: DatadogKeys) -> Vec<u8> {
    let shift = i32::from(keys == DatadogKeys::Floor);
    let mut out = Writer::new();
    let (Some((first, _)), Some((last, _))) = (store.iter().next(), store.iter().next_back())
    else {
        return out.into_vec();
    };
    let span = (last - first) as usize + 1;
    // A pair of the map takes 13 to 16 bytes, a place in the row 8.
    if span > 2 * store.iter().count() + 16 {
        for (bucket, n) in store.iter() {
            let mut pair = Writer::new();
            pair.varint(VARINT | 1 << 3);
            pair.varint(zigzag(bucket - shift));
            double(&mut pair, 2, n as f64);
            bytes(&mut out, 1, &pair.into_vec());
        }
    } else {
        let mut row = Writer::new();
        let mut next = first;
        for (bucket, n) in store.iter() {
            (next..bucket).for_each(|_| row.f64(0.0));
            row.f64(n as f64);
            next = bucket + 1;
        }
        bytes(&mut out, 2, &row.into_vec());
        out.varint(VARINT | 3 << 3);
        out.varint(zigzag(first - shift));
    }
    out.into_vec()
}

/// Where buckets may be.
struct Limits {
    /// The buckets of the least and the greatest number.
    span: (i32, i32),
    places: usize,
    /// From their numbers to ours.
    shift: i64,
}

fn read_store(store: &mut Store, message: &[u8], limits: &Limits) -> Result<(), DecodeError> {
    let start = Reader::new(message);
    let wrong = |why| start.error("store", Why::Invalid(why));
    let Limits { span, places, shift } = *limits;
    let add = |store: &mut Store, bucket: i64, value: f64| {
        let n = count(value).ok_or(wrong("a count that is not whole"))?;
        if n == 0 {
            return Ok(());
        }
        // A bucket more at both ends: the writer rounds otherwise.
        let inside = |bucket: &i32| (span.0 - 1..=span.1 + 1).contains(bucket);
        let bucket = i32::try_from(bucket + shift).ok().filter(inside);
        let bucket = bucket.ok_or(wrong("a bucket beyond the numbers"))?.clamp(span.0, span.1);
        if store.places_with(bucket) > places {
            return Err(wrong("buckets too far apart for so few bytes"));
        }
        store.add(bucket, n);
        Ok(())
    };
    let mut first = 0;
    fields(message, |field, value| {
        match (field, value) {
            (1, Value::Bytes(pair)) => {
                let (mut bucket, mut n) = (0, 0.0);
                fields(pair, |field, value| {
                    match (field, value) {
                        (1, Value::Varint(value)) => bucket = unzigzag(value),
                        (2, Value::Double(value)) => n = value,
                        _ => {}
                    }
                    Ok(())
                })?;
                add(store, bucket.into(), n)?;
            }
            (3, Value::Varint(value)) => first = i64::from(unzigzag(value)),
            _ => {}
        }
        Ok(())
    })?;
    // The row, packed or a field a count, now that its place is known.
    let mut place = first;
    let mut next = |value: f64| {
        place += 1;
        add(store, place - 1, value)
    };
    fields(message, |field, value| match (field, value) {
        (2, Value::Double(value)) => next(value),
        (2, Value::Bytes(row)) if row.len() % 8 != 0 => Err(wrong("a row cut short")),
        (2, Value::Bytes(row)) => row
            .chunks_exact(8)
            .try_for_each(|eight| next(f64::from_le_bytes(eight.try_into().unwrap_or_default()))),
        _ => Ok(()),
    })
}

/// A count that is whole.
fn count(value: f64) -> Option<u64> {
    let fits = (0.0..=MAX_WEIGHT as f64).contains(&value) && round(value) == value;
    fits.then_some(value as u64)
}

enum Value<'a> {
    Varint(u64),
    Double(f64),
    Bytes(&'a [u8]),
}

/// Calls `each` with every field of a message; unknown ones are passed over by it.
fn fields<'a>(
    message: &'a [u8],
    mut each: impl FnMut(u64, Value<'a>) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    let input = &mut Reader::new(message);
    while input.remaining() > 0 {
        let start = input.clone();
        let tag = varint(input)?;
        let value = match tag & 7 {
            VARINT => Value::Varint(varint(input)?),
            DOUBLE => Value::Double(input.f64("double")?),
            BYTES => {
                let len = usize::try_from(varint(input)?).unwrap_or(usize::MAX);
                Value::Bytes(input.bytes(len, "field")?)
            }
            WORD => {
                input.u32("field")?;
                continue;
            }
            _ => return Err(start.error("field", Why::Invalid("a wire type that is none"))),
        };
        each(tag >> 3, value)?;
    }
    Ok(())
}

/// Protobuf allows longer forms than needed, which ours do not.
fn varint(input: &mut Reader<'_>) -> Result<u64, DecodeError> {
    let start = input.clone();
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = input.u8("varint")?;
        value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(start.error("varint", Why::Invalid("over 64 bits")))
}

fn double(out: &mut Writer, field: u64, value: f64) {
    out.varint(DOUBLE | field << 3);
    out.f64(value);
}

fn bytes(out: &mut Writer, field: u64, value: &[u8]) {
    out.varint(BYTES | field << 3);
    out.varint(value.len() as u64);
    out.bytes(value);
}

fn zigzag(value: i32) -> u64 {
    (value << 1 ^ value >> 31) as u32 as u64
}

fn unzigzag(value: u64) -> i32 {
    let value = value as u32;
    (value >> 1) as i32 ^ -((value & 1) as i32)
}
