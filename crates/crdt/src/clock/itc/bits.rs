//! Bits, most significant first, and the paper's numbers that widen as they grow.

use alloc::vec::Vec;

#[derive(Debug, Default)]
pub(super) struct BitWriter {
    out: Vec<u8>,
    /// Bits of the last byte that are taken; 0 when it is full.
    used: u32,
}

impl BitWriter {
    /// The low `width` bits of `value`.
    pub(super) fn put(&mut self, value: u64, width: u32) {
        for bit in (0..width).rev() {
            if self.used == 0 {
                self.out.push(0);
            }
            let one = (value >> bit) as u8 & 1;
            if let Some(last) = self.out.last_mut() {
                *last |= one << (7 - self.used);
            }
            self.used = (self.used + 1) % 8;
        }
    }

    /// 0 and 2 bits for 0..4, 10 and 3 bits for 4..12, 110 and 4 for 12..28, and so on.
    pub(super) fn number(&mut self, mut value: u64) {
        let mut width = 2;
        while value >= 1 << width {
            self.put(1, 1);
            value -= 1 << width;
            width += 1;
        }
        self.put(0, 1);
        self.put(value, width);
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.out
    }
}

#[derive(Debug)]
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> BitReader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) fn take(&mut self, width: u32) -> Result<u64, &'static str> {
        let mut value = 0;
        for _ in 0..width {
            let byte = self.bytes.get(self.at / 8).ok_or("bits that end too early")?;
            value = (value << 1) | u64::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Ok(value)
    }

    pub(super) fn number(&mut self, limit: u64) -> Result<u64, &'static str> {
        let (mut base, mut width) = (0_u64, 2);
        while self.take(1)? == 1 {
            base += 1 << width;
            width += 1;
            if base > limit {
                return Err("a count over the limit");
            }
        }
        let value = base + self.take(width)?;
        if value > limit { Err("a count over the limit") } else { Ok(value) }
    }

    /// Refuses whole bytes that are left, and bits in the last that are not zero.
    pub(super) fn finish(mut self) -> Result<(), &'static str> {
        if self.at.div_ceil(8) != self.bytes.len() {
            return Err("bytes after the end");
        }
        let rest = (8 - self.at % 8) % 8;
        if self.take(rest as u32)? != 0 {
            return Err("bits after the end");
        }
        Ok(())
    }
}
