//! Our own bytes of the filters: header, parameters, then the table in little-endian words.
//!
//! | kind | fields after the two bytes of the header |
//! |---|---|
//! | Bloom, counting | seed u64, hashes u8, bits (counters) varint, words |
//! | block | seed u64, blocks varint, blocks of 8 words of 32 bits |
//! | scalable | seed u64, first varint, fpr f64, layers varint, items in the last varint, each layer's words |
//! | cuckoo | seed u64, fingerprint bits u8, buckets varint, buckets |
//! | binary fuse | seed u64, fingerprint bytes u8, shorter segments u8 (0 or 1), items varint, fingerprints |
//!
//! What follows from other fields (the shapes of layers, the segments of a fuse filter, the length
//! of a cuckoo filter) is not written, so there is nothing in them to contradict.

use alloc::vec::Vec;

use super::block::MOST_BLOCKS;
use super::cuckoo::{FINGERPRINT_BITS, MOST_BUCKETS, PADDING, table_len};
use super::fuse::{Layout, MOST_ITEMS};
use super::kernel::Block;
use super::scalable::{MOST_LAYERS, layer_shape};
use super::shape::{MOST_BITS, MOST_HASHES, Shape};
use super::{
    BinaryFuse, BlockBloom, Bloom, CountingBloom, Cuckoo, Fingerprint, ScalableBloom, counting,
};
use crate::kinds;
use crate::wire::{DecodeError, Reader, Why, Wire, Writer, serde_as_wire};

/// The newest version of each kind that this build reads and the one it writes.
const VERSION: u8 = 1;

fn write_shape(out: &mut Writer, shape: &Shape) {
    out.u64(shape.seed);
    out.u8(shape.hashes as u8);
    out.varint(shape.bits);
}

fn read_shape(input: &mut Reader<'_>) -> Result<Shape, DecodeError> {
    let seed = input.u64("seed")?;
    let start = input.clone();
    let hashes = u32::from(input.u8("hashes")?);
    if !(1..=MOST_HASHES).contains(&hashes) {
        let why = Why::Limit { value: hashes.into(), limit: MOST_HASHES.into() };
        return Err(start.error("hashes", why));
    }
    let start = input.clone();
    let bits = input.varint_up_to(MOST_BITS, "bits")?;
    if bits == 0 || bits % 64 != 0 {
        return Err(start.error("bits", Why::Invalid("not a multiple of 64 above 0")));
    }
    Shape::with_bits(bits, hashes, seed)
        .map_err(|_| start.error("bits", Why::Invalid("not a filter of this platform")))
}

/// `count` items of `len` bytes each.
fn table<'a>(
    input: &mut Reader<'a>,
    count: u64,
    len: u64,
    what: &'static str,
) -> Result<&'a [u8], DecodeError> {
    let left = input.remaining() as u64;
    let needed = count.saturating_mul(len);
    if needed > left {
        return Err(input.error(what, Why::Truncated { needed, left }));
    }
    input.bytes(needed as usize, what)
}

fn write_words(out: &mut Writer, words: &[u64]) {
    for &word in words {
        out.u64(word);
    }
}

fn words(bytes: &[u8]) -> Vec<u64> {
    let word = |bytes: &[u8]| {
        let mut word = [0; 8];
        word.copy_from_slice(bytes);
        u64::from_le_bytes(word)
    };
    bytes.chunks_exact(8).map(word).collect()
}

pub(super) fn bloom<'a>(input: &mut Reader<'a>) -> Result<(Shape, &'a [u8]), DecodeError> {
    input.header(kinds::BLOOM, VERSION)?;
    let shape = read_shape(input)?;
    Ok((shape, table(input, shape.bits / 64, 8, "words")?))
}

impl Wire for Bloom {
    fn encode_to(&self, out: &mut Writer) {
        out.header(kinds::BLOOM, VERSION);
        write_shape(out, &self.shape);
        write_words(out, &self.words);
    }

    fn decode_from(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (shape, bytes) = bloom(input)?;
        Ok(Self { shape, words: words(bytes) })
    }
}
serde_as_wire!([] Bloom);

impl Wire for CountingBloom {
    fn encode_to(&self, out: &mut Writer) {
        out.header(kinds::COUNTING_BLOOM, VERSION);
        write_shape(out, &self.shape);
        write_words(out, &self.words);
    }

    fn decode_from(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.header(kinds::COUNTING_BLOOM, VERSION)?;
        let shape = read_shape(input)?;
        let bytes = table(input, counting::words(&shape) as u64, 8, "words")?;
        Ok(Self { shape, words: words(bytes) })
    }
}
serde_as_wire!([] CountingBloom);

pub(super) fn block_bloom<'a>(input: &mut Reader<'a>) -> Result<(u64, &'a [u8]), DecodeError> {
    input.header(kinds::BLOCK_BLOOM, VERSION)?;
    let seed = input.u64("seed")?;
    let start = input.clone();
    let blocks = input.varint_up_to(MOST_BLOCKS, "blocks")?;
    if blocks == 0 {
        return Err(start.error("blocks", Why::Invalid("a filter has at least one")));
    }
    Ok((seed, table(input, blocks, 32, "blocks")?))
}

/// The block in 32 bytes.
#[inline]
pub(super) fn block(bytes: &[u8]) -> [u32; 8] {
    let mut block = [0; 8];
    for (word, bytes) in block.iter_mut().zip(bytes.chunks_exact(4)) {
        let mut four = [0; 4];
        four.copy_from_slice(bytes);
        *word = u32::from_le_bytes(four);
    }
    block
}

/// The blocks in `bytes`, 32 each.
pub(super) fn blocks(bytes: &[u8]) -> Vec<Block> {
    bytes.chunks_exact(32).map(|bytes| Block(block(bytes))).collect()
}

pub(super) fn write_blocks(out: &mut Writer, blocks: &[Block]) {
    for block in blocks {
        for word in block.0 {
            out.u32(word);
        }
    }
}

impl Wire for BlockBloom {
    fn encode_to(&self, out: &mut Writer) {
        out.header(kinds::BLOCK_BLOOM, VERSION);
        out.u64(self.seed);
        out.varint(self.blocks());
        write_blocks(out, &self.blocks);
    }

    fn decode_from(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (seed, bytes) = block_bloom(input)?;
        Ok(Self::of(seed, blocks(bytes)))
    }
}
serde_as_wire!([] BlockBloom);

impl Wire for ScalableBloom {
    fn encode_to(&self, out: &mut Writer) {
        out.header(kinds::SCALABLE_BLOOM, VERSION);
        out.u64(self.seed);
        out.varint(self.first);
        out.f64(self.fpr);
        out.varint(self.layers.len() as u64);
        out.varint(self.in_last);
        for layer in &self.layers {
            write_words(out, &layer.words);
        }
    }

    fn decode_from(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.header(kinds::SCALABLE_BLOOM, VERSION)?;
        let seed = input.u64("seed")?;
        let start = input.clone();
        let first = input.varint("first")?;
        let fpr = input.f64("fpr")?;
        let start_layers = input.clone();
        let count = input.varint_up_to(MOST_LAYERS.into(), "layers")?;
        if count == 0 {
            return Err(start_layers.error("layers", Why::Invalid("a filter has at least one")));
        }
        let in_last = input.varint("items in the last layer")?;
        let mut layers = Vec::new();
        for index in 0..count as u32 {
            let shape = layer_shape(first, fpr, seed, index).map_err(|_| {
                start.error("first and fpr", Why::Invalid("no filter of this size"))
            })?;
            let words = words(table(input, shape.bits / 64, 8, "words")?);
            layers.push(Bloom { shape, words });
        }
        Ok(Self { first, fpr, seed, layers, in_last })
    }
}
serde_as_wire!([] ScalableBloom);

impl Wire for Cuckoo {
    fn encode_to(&self, out: &mut Writer) {
        out.header(kinds::CUCKOO, VERSION);
        out.u64(self.seed);
        out.u8(self.bits as u8);
        out.varint(self.buckets);
        out.bytes(&self.table[..self.table.len() - PADDING]);
    }

    fn decode_from(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.header(kinds::CUCKOO, VERSION)?;
        let seed = input.u64("seed")?;
        let start = input.clone();
        let bits = u32::from(input.u8("fingerprint bits")?);
        if !FINGERPRINT_BITS.contains(&bits) || bits % 2 != 0 {
            return Err(start.error("fingerprint bits", Why::Invalid("8, 10, 12, 14 or 16")));
        }
        let start = input.clone();
        let buckets = input.varint_up_to(MOST_BUCKETS, "buckets")?;
        if buckets == 0 {
            return Err(start.error("buckets", Why::Invalid("a filter has at least one")));
        }
        let len = table_len(buckets, bits) - PADDING as u64;
        let mut table = table(input, len, 1, "buckets")?.to_vec();
        table.resize(table.len() + PADDING, 0);
        let mut filter = Self { seed, bits, buckets, len: 0, table };
        filter.len = filter.count();
        Ok(filter)
    }
}
serde_as_wire!([] Cuckoo);

/// The fields of an encoded [`BinaryFuse`].
pub(super) struct FuseParts<'a> {
    pub(super) seed: u64,
    pub(super) len: u64,
    pub(super) shorter: bool,
    pub(super) layout: Layout,
    pub(super) prints: &'a [u8],
}

pub(super) fn binary_fuse<'a, F: Fingerprint>(
    input: &mut Reader<'a>,
) -> Result<FuseParts<'a>, DecodeError> {
    input.header(kinds::BINARY_FUSE, VERSION)?;
    let seed = input.u64("seed")?;
    let start = input.clone();
    if usize::from(input.u8("fingerprint bytes")?) != F::LEN {
        return Err(start.error("fingerprint bytes", Why::Invalid("of another fingerprint")));
    }
    let start = input.clone();
    let shorter = match input.u8("shorter segments")? {
        0 => false,
        1 => true,
        _ => return Err(start.error("shorter segments", Why::Invalid("0 or 1"))),
    };
    let len = input.varint_up_to(MOST_ITEMS, "items")?;
    let layout = Layout::for_items(len, shorter);
    let prints = table(input, layout.slots() as u64, F::LEN as u64, "fingerprints")?;
    Ok(FuseParts { seed, len, shorter, layout, prints })
}

impl<F: Fingerprint> Wire for BinaryFuse<F> {
    fn encode_to(&self, out: &mut Writer) {
        out.header(kinds::BINARY_FUSE, VERSION);
        out.u64(self.seed);
        out.u8(F::LEN as u8);
        out.u8(self.shorter.into());
        out.varint(self.len);
        for print in &self.prints {
            out.bytes(&print.to_bytes()[..F::LEN]);
        }
    }

    fn decode_from(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let FuseParts { seed, len, shorter, layout, prints } = binary_fuse::<F>(input)?;
        let prints = (0..layout.slots()).map(|i| F::read(prints, i)).collect();
        Ok(Self { seed, len, shorter, layout, prints })
    }
}
serde_as_wire!([F: Fingerprint] BinaryFuse<F>);
