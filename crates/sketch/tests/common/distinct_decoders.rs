//! Every decoder of a distinct counter on any bytes: what the hostile test and the fuzz target run.
#![allow(unreachable_pub, reason = "each of the two uses its part")]

use archstone_sketch::distinct::theta::ThetaRef;
use archstone_sketch::distinct::{DsHll, Hll, PgHll, Sigmas, Theta, ThetaCompact, UltraLogLog};
use archstone_sketch::{Bounds, DecodeError, Merge, Wire};

pub type Probe = fn(&[u8]) -> Result<Bounds, DecodeError>;

/// Every decoder, with what is done to its result.
pub const DECODERS: [(&str, Probe); 10] = [
    ("Hll", |bytes| Hll::decode(bytes).map(|sketch| sketch.bounds(Sigmas::Three))),
    ("UltraLogLog", |bytes| {
        UltraLogLog::decode(bytes).map(|sketch| {
            let _ = (sketch.is_exact() || sketch.ml() >= 0.0, sketch.martingale());
            sketch.bounds(Sigmas::Three)
        })
    }),
    ("UltraLogLog state", |bytes| {
        UltraLogLog::from_state(bytes).map(|sketch| sketch.bounds(Sigmas::One))
    }),
    ("Theta", |bytes| Theta::decode(bytes).map(|sketch| sketch.bounds(Sigmas::Two))),
    ("ThetaCompact", |bytes| ThetaCompact::decode(bytes).map(|s| s.bounds(Sigmas::Three))),
    ("theta image", |bytes| {
        ThetaCompact::from_datasketches(bytes).map(|sketch| sketch.bounds(Sigmas::Three))
    }),
    ("theta view", |bytes| {
        let view = ThetaRef::new(bytes)?;
        let _ = view.hashes().max();
        Ok(view.bounds(Sigmas::One))
    }),
    ("DsHll image", |bytes| {
        DsHll::from_datasketches(bytes).map(|sketch| sketch.bounds(Sigmas::Three))
    }),
    ("DsHll", |bytes| DsHll::decode(bytes).map(|sketch| sketch.bounds(Sigmas::Three))),
    ("PgHll image", |bytes| PgHll::from_postgres(bytes).map(|sketch| sketch.bounds(Sigmas::Three))),
];

/// Whether the bytes are a sketch; if so, with ordered bounds, if not, with an error inside them.
pub fn decode(decoder: usize, bytes: &[u8]) -> bool {
    let (name, decode) = DECODERS[decoder];
    match decode(bytes) {
        Ok(bounds) => {
            let Bounds { lower, estimate, upper } = bounds;
            assert!(0.0 <= lower && lower <= estimate && estimate <= upper, "{name}: {bounds}");
            true
        }
        Err(error) => {
            assert!(error.at <= bytes.len(), "{name}: {error}");
            false
        }
    }
}

/// The body of the fuzz target: the first byte names the decoder. A sketch that was read can be
/// added to, merged with itself and written, and what is written is read again.
#[allow(dead_code, reason = "the fuzz target's")]
pub fn any_bytes(data: &[u8]) {
    fn use_it<S: Wire + Merge>(read: Result<S, DecodeError>, add: impl Fn(&mut S)) {
        let Ok(mut sketch) = read else { return };
        add(&mut sketch);
        let again = S::decode(&sketch.encode()).expect("what is written is read");
        sketch.merge(&again).expect("the same shape");
    }
    let Some((&first, bytes)) = data.split_first() else { return };
    decode(usize::from(first) % DECODERS.len(), bytes);
    match first % 7 {
        0 => use_it(Hll::decode(bytes), |sketch| sketch.add(&first)),
        1 => use_it(UltraLogLog::decode(bytes), |sketch| sketch.add(&first)),
        2 => use_it(Theta::decode(bytes), |sketch| sketch.add(&first)),
        3 => use_it(DsHll::from_datasketches(bytes), |sketch| sketch.add(&first)),
        4 => use_it(PgHll::from_postgres(bytes), |sketch| sketch.add(&first)),
        5 => use_it(UltraLogLog::from_state(bytes), |sketch| sketch.add(&first)),
        _ => {
            if let Ok(sketch) = ThetaCompact::from_datasketches(bytes) {
                let again = ThetaCompact::from_datasketches(&sketch.to_datasketches_compressed());
                assert_eq!(again.expect("what is written is read"), sketch);
            }
        }
    }
}
