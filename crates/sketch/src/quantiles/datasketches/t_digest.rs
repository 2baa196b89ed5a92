//! t-digest: preamble, numbers of clusters and of buffered numbers, extremes, clusters, numbers.
//!
//! | byte | 0 | 1 | 2 | 3, 4 | 5 | 6, 7 | 8 to 11 | 12 to 15 | 16 .. |
//! |---|---|---|---|---|---|---|---|---|---|
//! | | longs | 1 | 20 | k | flags | 0 | clusters | numbers | least, greatest, (mean, weight) each, numbers |
//!
//! An empty one ends after byte 7, one of one number has it there. `tdigest<float>` of C++ has floats
//! and 32-bit weights in the same places and says so nowhere. The reference implementation (Dunning)
//! has two forms of its own, big-endian, that begin with 1 and 2.

use alloc::vec::Vec;

use super::preamble;
use crate::quantiles::TDigest;
use crate::quantiles::t_digest::{Cluster, key};
use crate::wire::{DecodeError, Reader, Why, Writer};

const FAMILY: u8 = 20;
const EMPTY: u8 = 1;
const SINGLE: u8 = 2;
const REVERSE: u8 = 4;

impl TDigest {
    /// The image that Apache DataSketches reads (`tdigest<double>` of C++, `TDigestDouble` of Java).
    #[must_use]
    pub fn to_datasketches(&self) -> Vec<u8> {
        let digest = self.settled();
        let (empty, single) = (digest.is_empty(), digest.n() == 1);
        let mut out = Writer::new();
        out.bytes(&[if empty || single { 1 } else { 2 }, 1, FAMILY]);
        out.u16(digest.k);
        let flag = |on, flag| if on { flag } else { 0 };
        out.u8(flag(empty, EMPTY) | flag(single, SINGLE) | flag(digest.reverse, REVERSE));
        out.u16(0);
        if single {
            out.f64(digest.min);
        } else if !empty {
            out.u32(digest.clusters.len() as u32);
            out.u32(0);
            out.f64(digest.min);
            out.f64(digest.max);
            for cluster in &digest.clusters {
                out.f64(cluster.mean);
                out.u64(cluster.weight);
            }
        }
        out.into_vec()
    }

    /// Reads an image of Apache DataSketches with doubles, or one of the reference implementation
    /// (`asBytes`, `asSmallBytes`).
    ///
    /// # Errors
    /// When the bytes are neither.
    pub fn from_datasketches(bytes: &[u8]) -> Result<Self, DecodeError> {
        if let [0, 0, 0, form] = bytes.get(..4).unwrap_or_default() {
            return reference(bytes, *form);
        }
        image(bytes, |input| input.f64("number"), |input| input.u64("weight"), (16, 8))
    }

    /// Reads an image of `tdigest<float>` of C++.
    ///
    /// # Errors
    /// When the bytes are none.
    pub fn from_datasketches_f32(bytes: &[u8]) -> Result<Self, DecodeError> {
        let float =
            |input: &mut Reader<'_>| input.u32("number").map(|word| f32::from_bits(word).into());
        image(bytes, float, |input| input.u32("weight").map(u64::from), (8, 4))
    }
}

fn image(
    bytes: &[u8],
    number: impl Fn(&mut Reader<'_>) -> Result<f64, DecodeError>,
    weight: impl Fn(&mut Reader<'_>) -> Result<u64, DecodeError>,
    (cluster_len, number_len): (usize, usize),
) -> Result<TDigest, DecodeError> {
    let input = &mut Reader::new(bytes);
    let start = input.clone();
    let wrong = |why| Err(start.error("t-digest image", Why::Invalid(why)));
    let (longs, _) = preamble(input, FAMILY, &[(1, 1), (2, 1)])?;
    let (k, flags) = (input.u16("k")?, input.u8("flags")?);
    input.u16("padding")?;
    if k < TDigest::MIN_K {
        return wrong("k less than 10");
    }
    let (empty, single) = (flags & EMPTY != 0, flags & SINGLE != 0);
    if (longs == 1) != (empty || single) || (empty && single) || flags > 7 {
        return wrong("flags that do not belong to the preamble");
    }
    let mut digest = TDigest::empty(k);
    digest.reverse = flags & REVERSE != 0;
    if empty {
        input.clone().finish()?;
        return Ok(digest);
    }
    if single {
        let mean = number(input)?;
        (digest.min, digest.max) = (mean, mean);
        digest.clusters.push(Cluster { mean, weight: 1 });
    } else {
        let (clusters, numbers) = (input.u32("clusters")? as usize, input.u32("numbers")? as usize);
        (digest.min, digest.max) = (number(input)?, number(input)?);
        let needed = clusters.saturating_mul(cluster_len) as u128
            + numbers.saturating_mul(number_len) as u128;
        if needed > input.remaining() as u128 {
            return wrong("more clusters than bytes");
        }
        for _ in 0..clusters {
            digest.clusters.push(Cluster { mean: number(input)?, weight: weight(input)? });
        }
        for _ in 0..numbers {
            digest.buffer.push(key((number(input)? + 0.0).to_bits() as i64));
        }
    }
    input.clone().finish()?;
    let mut digest = digest.checked(&start)?;
    if digest.buffer.len() >= digest.buffer_size() {
        digest.flush();
    }
    Ok(digest)
}

/// The two forms of the reference implementation: kind, least, greatest, compression, clusters.
fn reference(bytes: &[u8], form: u8) -> Result<TDigest, DecodeError> {
    let input = &mut Reader::new(bytes);
    let start = input.clone();
    let wrong = |why| Err(start.error("t-digest of the reference", Why::Invalid(why)));
    input.u32("form")?;
    let double =
        |input: &mut Reader<'_>| input.u64("number").map(|word| f64::from_bits(word.swap_bytes()));
    let float = |input: &mut Reader<'_>| {
        input.u32("number").map(|word| f64::from(f32::from_bits(word.swap_bytes())))
    };
    let (min, max) = (double(input)?, double(input)?);
    let (k, clusters, verbose) = match form {
        1 => {
            let k = double(input)?;
            (k, input.u32("clusters")?.swap_bytes() as usize, true)
        }
        2 => {
            let k = float(input)?;
            // Sizes of its arrays, which follow from k.
            input.u32("sizes")?;
            (k, usize::from(input.u16("clusters")?.swap_bytes()), false)
        }
        _ => return wrong("a form that is none"),
    };
    if !(f64::from(TDigest::MIN_K)..=f64::from(u16::MAX)).contains(&k) {
        return wrong("a compression not within 10 to 65535");
    }
    if clusters > input.remaining() / if verbose { 16 } else { 8 } {
        return wrong("more clusters than bytes");
    }
    let mut digest = TDigest::empty(k as u16);
    (digest.min, digest.max) = (min, max);
    for _ in 0..clusters {
        let (weight, mean) =
            if verbose { (double(input)?, double(input)?) } else { (float(input)?, float(input)?) };
        // Weights are doubles there.
        if !(1.0..=1e18).contains(&weight) || weight as u64 as f64 != weight {
            return wrong("a weight that is no count");
        }
        digest.clusters.push(Cluster { mean, weight: weight as u64 });
    }
    input.clone().finish()?;
    if clusters == 0 {
        return Ok(TDigest::empty(k as u16));
    }
    digest.checked(&start)
}
