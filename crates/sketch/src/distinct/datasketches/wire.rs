//! The HLL images of Apache DataSketches, compact and updatable, of lists, sets and registers.

use alloc::vec;
use alloc::vec::Vec;

use archstone_core::bytes::{DecodeError, Reader, Why, Writer};

use super::coupons::{ADDRESS, ADDRESS_BITS};
use super::{DsHll, HllType};
use crate::wire::serde_as_wire;
use crate::{Wire, kinds};

const FAMILY: u8 = 7;
const EMPTY: u8 = 4;
const COMPACT: u8 = 8;
const OUT_OF_ORDER: u8 = 16;

const LIST: u8 = 0;
const SET: u8 = 1;
const REGISTERS: u8 = 2;

/// A nibble that says: look among the exceptions.
const EXCEPTION: u8 = 15;

impl DsHll {
    /// The compact image, which C++, Java and every other DataSketches library read.
    #[must_use]
    pub fn to_datasketches(&self) -> Vec<u8> {
        let mut out = Writer::new();
        let kind = (self.kind as u8) << 2;
        if self.registers.is_empty() {
            let lg_slots = self.coupons.lg_slots() as u8;
            if self.coupons.is_list() {
                let flags = if self.coupons.len() == 0 { COMPACT | EMPTY } else { COMPACT };
                let len = self.coupons.len() as u8;
                out.bytes(&[2, 1, FAMILY, self.lg, lg_slots, flags, len, kind | LIST]);
            } else {
                out.bytes(&[3, 1, FAMILY, self.lg, lg_slots, COMPACT, 0, kind | SET]);
                out.u32(self.coupons.len() as u32);
            }
            self.coupons.iter().for_each(|coupon| out.u32(coupon));
            return out.into_vec();
        }
        let flags = if self.merged { COMPACT | OUT_OF_ORDER } else { COMPACT };
        let least = match self.kind {
            HllType::Four => self.registers.iter().copied().min().unwrap_or(0),
            HllType::Six | HllType::Eight => 0,
        };
        out.bytes(&[10, 1, FAMILY, self.lg, 0, flags, least, kind | REGISTERS]);
        out.f64(if self.merged { 0.0 } else { self.hip });
        out.f64(self.sums[0]);
        out.f64(self.sums[1]);
        out.u32(self.registers.iter().filter(|&&register| register == least).count() as u32);
        match self.kind {
            HllType::Eight => {
                out.u32(0);
                out.bytes(&self.registers);
            }
            HllType::Six => {
                out.u32(0);
                for four in self.registers.chunks_exact(4) {
                    let word = four.iter().rev().fold(0_u32, |word, &r| word << 6 | u32::from(r));
                    out.bytes(&word.to_le_bytes()[..3]);
                }
                // The reference keeps one byte more, to read its registers two bytes at a time.
                out.u8(0);
            }
            HllType::Four => {
                let exceptions = self.registers.iter().enumerate();
                let exceptions: Vec<u32> = exceptions
                    .filter(|(_, register)| **register - least >= EXCEPTION)
                    .map(|(slot, &register)| u32::from(register) << ADDRESS_BITS | slot as u32)
                    .collect();
                out.u32(exceptions.len() as u32);
                let nibble = |register: u8| (register - least).min(EXCEPTION);
                for two in self.registers.chunks_exact(2) {
                    out.u8(nibble(two[0]) | nibble(two[1]) << 4);
                }
                exceptions.into_iter().for_each(|exception| out.u32(exception));
            }
        }
        out.into_vec()
    }

    /// Reads a compact or updatable image of any DataSketches library.
    ///
    /// The sums of registers are taken anew when they are not those of the registers; bytes after
    /// the image are ignored, as the reference does.
    ///
    /// # Errors
    /// When the bytes are cut short or are no such image.
    pub fn from_datasketches(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::new(bytes);
        let start = input.clone();
        let head = input.bytes(8, "header")?;
        let &[words, version, family, lg, lg_slots, flags, state, mode] = head else {
            return Err(start.error("header", Why::Invalid("not 8 bytes")));
        };
        if family != FAMILY {
            return Err(start.error("family", Why::Kind { found: family, expected: FAMILY }));
        }
        if version != 1 {
            return Err(start.error("version", Why::Version { found: version, newest: 1 }));
        }
        let kind = match mode >> 2 & 3 {
            0 => HllType::Four,
            1 => HllType::Six,
            2 => HllType::Eight,
            _ => return Err(start.error("type", Why::Invalid("not 4, 6 or 8 bits"))),
        };
        let mut sketch =
            Self::new(lg, kind).map_err(|_| start.error("lg", Why::Invalid("not 4 to 21")))?;
        let compact = flags & COMPACT != 0;
        match (mode & 3, words) {
            (LIST, 2) => {
                let slots = if compact { state.into() } else { 8 };
                if state >= 8 {
                    return Err(start.error("list", Why::Invalid("8 coupons or more")));
                }
                let slots = if flags & EMPTY != 0 { 0 } else { slots };
                sketch.read_coupons(&mut input, slots, state.into(), flags & EMPTY != 0)?;
            }
            (SET, 3) => {
                if lg < 8 || !(5..=lg - 3).contains(&lg_slots) {
                    return Err(start.error("set", Why::Invalid("a size that 2^lg does not have")));
                }
                let len = input.u32("number of coupons")? as usize;
                if len * 4 > 3 << lg_slots {
                    return Err(start.error("set", Why::Invalid("over three quarters full")));
                }
                let slots = if compact { len } else { 1 << lg_slots };
                sketch.read_coupons(&mut input, slots, len, false)?;
            }
            (REGISTERS, 10) => sketch.read_registers(&mut input, flags, lg_slots, state)?,
            _ => return Err(start.error("mode", Why::Invalid("not list, set or registers"))),
        }
        Ok(sketch)
    }

    fn read_coupons(
        &mut self,
        input: &mut Reader<'_>,
        slots: usize,
        len: usize,
        empty: bool,
    ) -> Result<(), DecodeError> {
        let start = input.clone();
        let words = input.bytes(4 * slots, "coupons")?.chunks_exact(4);
        for word in words {
            let coupon = u32::from_le_bytes(word.try_into().unwrap_or_default());
            if coupon != 0 && coupon >> ADDRESS_BITS == 0 {
                return Err(start.error("coupons", Why::Invalid("one without a value")));
            }
            if coupon != 0 && !self.coupons.insert(coupon, self.lg) {
                return Err(start.error("coupons", Why::Invalid("more than fit")));
            }
        }
        if self.coupons.len() != len || (len == 0) != (empty || len == 0) {
            return Err(start.error("coupons", Why::Invalid("not as many as announced")));
        }
        Ok(())
    }

    fn read_registers(
        &mut self,
        input: &mut Reader<'_>,
        flags: u8,
        lg_slots: u8,
        least: u8,
    ) -> Result<(), DecodeError> {
        let start = input.clone();
        let hip = input.f64("estimate")?;
        let sums = [input.f64("sum of registers")?, input.f64("sum of registers")?];
        input.u32("number at the least")?;
        let exceptions = input.u32("number of exceptions")? as usize;
        let merged = flags & OUT_OF_ORDER != 0;
        if !merged && !(0.0..=1e300).contains(&hip) {
            return Err(start.error("estimate", Why::Invalid("not a number of items")));
        }
        let k = 1_usize << self.lg;
        let packed = match self.kind {
            HllType::Four => input.bytes(k / 2, "registers")?,
            HllType::Six => input.bytes(k / 4 * 3, "registers")?,
            HllType::Eight => input.bytes(k, "registers")?,
        };
        let registers = match self.kind {
            HllType::Eight => packed.to_vec(),
            HllType::Six => {
                let word = |three: &[u8]| u32::from_le_bytes([three[0], three[1], three[2], 0]);
                let words = packed.chunks_exact(3).map(word);
                words.flat_map(|word| (0..4).map(move |i| (word >> (6 * i)) as u8 & 63)).collect()
            }
            HllType::Four => {
                let slots = match (flags & COMPACT != 0, exceptions) {
                    (true, n) => n,
                    (false, 0) => 0,
                    (false, _) => 1_usize.checked_shl(lg_slots.into()).unwrap_or(usize::MAX),
                };
                read_nibbles(packed, input, slots, exceptions, least, self.lg)?
            }
        };
        if registers.iter().any(|&register| register > 63) {
            return Err(start.error("registers", Why::Invalid("one over 63")));
        }
        if registers.iter().all(|&register| register == 0) && hip != 0.0 {
            return Err(start.error("registers", Why::Invalid("all empty, with an estimate")));
        }
        self.set_registers(registers.into_boxed_slice(), (!merged).then_some(hip));
        let near = |given: f64, is: f64| (given - is).abs() <= 1e-6 * is;
        if near(sums[0], self.sums[0]) && near(sums[1], self.sums[1]) {
            self.sums = sums;
        }
        Ok(())
    }
}

fn read_nibbles(
    packed: &[u8],
    input: &mut Reader<'_>,
    slots: usize,
    exceptions: usize,
    least: u8,
    lg: u8,
) -> Result<Vec<u8>, DecodeError> {
    let start = input.clone();
    let mut registers = vec![0; packed.len() * 2];
    for (two, &byte) in registers.chunks_exact_mut(2).zip(packed) {
        two.copy_from_slice(&[byte & 15, byte >> 4]);
    }
    let words = input.bytes(slots.saturating_mul(4), "exceptions")?.chunks_exact(4);
    let mut found = 0;
    for word in words {
        let pair = u32::from_le_bytes(word.try_into().unwrap_or_default());
        if pair == 0 {
            continue;
        }
        // A raised mark: a register of the image has no more than 4 bits here.
        let (slot, value) =
            ((pair & ADDRESS & ((1 << lg) - 1)) as usize, (pair >> ADDRESS_BITS) as u8);
        if registers[slot] != EXCEPTION || value < least.saturating_add(EXCEPTION) {
            return Err(start.error("exceptions", Why::Invalid("one that is none")));
        }
        registers[slot] = value | 0x80;
        found += 1;
    }
    if found != exceptions || registers.contains(&EXCEPTION) {
        return Err(start.error("exceptions", Why::Invalid("not as many as announced")));
    }
    for register in &mut registers {
        *register =
            if *register & 0x80 == 0 { register.saturating_add(least) } else { *register & 0x7f };
    }
    Ok(registers)
}

impl Wire for DsHll {
    fn encode_to(&self, out: &mut Writer) {
        let image = self.to_datasketches();
        out.header(kinds::DS_HLL, 1);
        out.varint(image.len() as u64);
        out.bytes(&image);
    }

    fn decode_from(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.header(kinds::DS_HLL, 1)?;
        let len = input.count(1, "length of the image")?;
        let start = input.clone();
        let image = input.bytes(len, "image")?;
        let sketch = Self::from_datasketches(image)
            .map_err(|error| DecodeError { at: start.position() + error.at, ..error })?;
        Ok(sketch)
    }
}

serde_as_wire!([] DsHll);
