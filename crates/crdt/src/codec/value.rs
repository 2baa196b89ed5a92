use alloc::string::String;
use alloc::vec::Vec;

use super::{DecodeError, Reader, Why, Writer};
use crate::clock::Timestamp;
use crate::id::{Dot, ReplicaId};

/// What can stand in a register, a set or a map of an encoding. One value, one form.
pub trait Value: Sized {
    /// The fewest bytes of a value.
    const LEAST: usize;

    /// Writes it.
    fn put(&self, out: &mut Writer);

    /// Reads it back.
    ///
    /// # Errors
    /// For anything that `put` does not write.
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError>;
}

macro_rules! unsigned {
    ($($int:ty),*) => {$(
        impl Value for $int {
            const LEAST: usize = 1;
            fn put(&self, out: &mut Writer) {
                out.varint(*self as u64);
            }
            fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Ok(input.varint_up_to(Self::MAX as u64, "number")? as Self)
            }
        }
    )*};
}
unsigned!(u8, u16, u32, u64);

macro_rules! signed {
    ($($int:ty),*) => {$(
        impl Value for $int {
            const LEAST: usize = 1;
            // Zigzag: small numbers of either sign are short.
            fn put(&self, out: &mut Writer) {
                let wide = i64::from(*self);
                out.varint(((wide << 1) ^ (wide >> 63)) as u64);
            }
            fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
                let at = input.clone();
                let zigzag = input.varint("number")?;
                let wide = (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64);
                Self::try_from(wide).map_err(|_| at.error("number", Why::Invalid("out of range")))
            }
        }
    )*};
}
signed!(i8, i16, i32, i64);

impl Value for i128 {
    const LEAST: usize = 16;
    fn put(&self, out: &mut Writer) {
        out.bytes(&self.to_le_bytes());
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let low = u128::from(input.u64("number")?);
        Ok((low | u128::from(input.u64("number")?) << 64) as Self)
    }
}

impl Value for bool {
    const LEAST: usize = 1;
    fn put(&self, out: &mut Writer) {
        out.u8(u8::from(*self));
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(input.varint_up_to(1, "flag")? == 1)
    }
}

impl Value for () {
    const LEAST: usize = 0;
    fn put(&self, _: &mut Writer) {}
    fn read(_: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(())
    }
}

impl Value for Vec<u8> {
    const LEAST: usize = 1;
    fn put(&self, out: &mut Writer) {
        out.varint(self.len() as u64);
        out.bytes(self);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let len = input.count(1, "length")?;
        Ok(input.bytes(len, "bytes")?.to_vec())
    }
}

impl Value for String {
    const LEAST: usize = 1;
    fn put(&self, out: &mut Writer) {
        out.varint(self.len() as u64);
        out.bytes(self.as_bytes());
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let len = input.count(1, "length")?;
        let at = input.clone();
        let bytes = input.bytes(len, "text")?;
        let text = core::str::from_utf8(bytes);
        text.map(Self::from).map_err(|_| at.error("text", Why::Invalid("no UTF-8")))
    }
}

impl<T: Value> Value for Option<T> {
    const LEAST: usize = 1;
    fn put(&self, out: &mut Writer) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        bool::read(input)?.then(|| T::read(input)).transpose()
    }
}

impl<A: Value, B: Value> Value for (A, B) {
    const LEAST: usize = A::LEAST + B::LEAST;
    fn put(&self, out: &mut Writer) {
        self.0.put(out);
        self.1.put(out);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok((A::read(input)?, B::read(input)?))
    }
}

impl Value for ReplicaId {
    const LEAST: usize = 8;
    fn put(&self, out: &mut Writer) {
        out.u64(self.0);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.u64("replica").map(Self)
    }
}

impl Value for Dot {
    const LEAST: usize = 9;
    fn put(&self, out: &mut Writer) {
        self.replica.put(out);
        out.varint(self.counter);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let replica = ReplicaId::read(input)?;
        let at = input.clone();
        match input.varint("event")? {
            0 => Err(at.error("event", Why::Invalid("events are counted from 1"))),
            counter => Ok(Self { replica, counter }),
        }
    }
}

impl Value for Timestamp {
    const LEAST: usize = 16;
    fn put(&self, out: &mut Writer) {
        out.u64(self.as_u64());
        self.replica().put(out);
    }
    fn read(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let time = input.u64("stamp")?;
        Ok(Self::from_u64(time, ReplicaId::read(input)?))
    }
}
