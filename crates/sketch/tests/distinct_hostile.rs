//! Distinct counters on parameters and bytes that nobody means well with.
#![cfg(all(feature = "distinct", feature = "datasketches", feature = "postgres"))]

mod common;
#[path = "common/distinct_decoders.rs"]
mod decoders;

use archstone_sketch::Wire;
use archstone_sketch::distinct::{
    DsHll, DsHllUnion, Hll, HllType, PgHll, PgHllParams, Theta, UltraLogLog,
};
use decoders::{DECODERS, decode};
use testkit::alloc::{Counting, measure};

#[global_allocator]
static ALLOC: Counting = Counting;

#[test]
fn every_senseless_parameter_is_an_error_that_names_it() {
    for lg in (0..=u8::MAX).filter(|lg| !(4..=21).contains(lg)) {
        assert!(Hll::new(lg).unwrap_err().to_string().starts_with("lg is"), "{lg}");
        assert!(DsHll::new(lg, HllType::Four).is_err() && DsHllUnion::new(lg).is_err(), "{lg}");
    }
    for lg in (0..=u8::MAX).filter(|lg| !(3..=26).contains(lg)) {
        assert!(UltraLogLog::new(lg).is_err(), "{lg}");
    }
    for lg in (0..=u8::MAX).filter(|lg| !(5..=26).contains(lg)) {
        assert!(Theta::new(lg).is_err(), "{lg}");
    }
    let small = Hll::new(10).unwrap();
    assert!(small.downsized(3).is_err() && small.downsized(22).is_err());
    for bad in [0.0, -0.0, -1.0, 1.0, 5e-324, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX]
    {
        assert!(Hll::with_error(bad).is_err(), "{bad}");
    }
    for bad in [0.0, -0.1, 1.1, f32::NAN, f32::INFINITY, f32::MIN_POSITIVE] {
        assert!(Theta::new(12).unwrap().with_sampling(bad).is_err(), "{bad}");
    }
    let params = PgHllParams::default();
    for log2m in [0, 3, 18, 255] {
        assert!(PgHll::new(PgHllParams { log2m, ..params }).is_err(), "{log2m}");
    }
    for regwidth in [0, 9, 255] {
        assert!(PgHll::new(PgHllParams { regwidth, ..params }).is_err(), "{regwidth}");
    }
    for expthresh in [-2, 3, 131_073, i32::MAX, i32::MIN] {
        assert!(PgHll::new(PgHllParams { expthresh, ..params }).is_err(), "{expthresh}");
    }
}

#[test]
fn with_error_takes_the_smallest_that_is_enough() {
    assert_eq!(Hll::with_error(0.26).unwrap().lg(), 4);
    assert_eq!(Hll::with_error(0.01).unwrap().lg(), 14);
    assert_eq!(Hll::with_error(0.000_72).unwrap().lg(), 21);
}

#[test]
fn extreme_hashes_are_counted_without_a_panic() {
    for lg in [4, 12, 21] {
        let mut hll = Hll::new(lg).unwrap();
        let mut ds = DsHll::new(lg, HllType::Four).unwrap();
        let mut ultra = UltraLogLog::new(lg).unwrap().dense();
        for hash in [0, 1, u64::MAX, u64::MAX - 1, 1 << 63, 1 << 32] {
            for i in 0..100_u64 {
                hll.add_hash(hash ^ i.reverse_bits());
                hll.add_hash(hash ^ i);
                ds.add_hash(hash ^ i, hash);
                ultra.add_hash(hash ^ i.reverse_bits());
            }
        }
        for sketch in [hll.estimate(), ds.estimate(), ultra.estimate(), ultra.ml()] {
            assert!(sketch.is_finite() && sketch > 0.0, "lg {lg}: {sketch}");
        }
    }
    // Saturated in every register: 2^64 is the most that 64-bit hashes can tell.
    let full = UltraLogLog::from_state(&[255; 8]).unwrap();
    assert_eq!(full.estimate(), 18_446_744_073_709_551_616.0);
    assert!(full.ml() <= 18_446_744_073_709_551_616.0);
    let mut pg = PgHll::new(PgHllParams { expthresh: 0, ..PgHllParams::default() }).unwrap();
    pg.add_hash(0);
    assert_eq!(pg.estimate(), 0.0); // as the original has it: no bit, no rank
    assert_eq!(PgHll::from_postgres(&pg.to_postgres()).unwrap().estimate(), 0.0);
}

/// Images of every kind and mode, each with the decoder that made it.
fn images() -> Vec<(usize, Vec<u8>)> {
    let mut images = Vec::new();
    for n in [0, 1, 7, 20, 63, 64, 100, 300, 5000_u64] {
        let mut hll = Hll::new(7).unwrap();
        let mut ultra = UltraLogLog::new(6).unwrap();
        let mut theta = Theta::new(6).unwrap();
        let mut pg =
            PgHll::new(PgHllParams { log2m: 7, expthresh: 16, ..PgHllParams::default() }).unwrap();
        let mut ds = [4, 9].map(|lg| DsHll::new(lg, HllType::Four).unwrap());
        for i in 0..n {
            hll.add(&i);
            ultra.add(&i);
            theta.add(&i);
            pg.add(&i);
            ds.iter_mut().for_each(|sketch| sketch.add(&i));
        }
        images.push((0, hll.encode()));
        images.push((1, ultra.encode()));
        images.push((2, ultra.state()));
        images.push((3, theta.encode()));
        images.push((4, theta.compact().encode()));
        images.push((5, theta.to_datasketches()));
        images.push((5, theta.compact().to_datasketches_compressed()));
        images.push((6, theta.to_datasketches()));
        for kind in [HllType::Four, HllType::Six, HllType::Eight] {
            for sketch in &ds {
                images.push((7, sketch.clone().with_type(kind).to_datasketches()));
            }
        }
        images.push((8, ds[1].encode()));
        images.push((9, pg.to_postgres()));
        images.push((9, pg.with_max_sparse(0).to_postgres()));
    }
    images
}

/// The first byte by which `any_bytes` reads what each of [`DECODERS`] does.
const FUZZED: [u8; 10] = [0, 1, 5, 2, 6, 6, 6, 3, 3, 4];

/// [`decode`] in little memory.
fn probe(decoder: usize, bytes: &[u8]) -> bool {
    let (read, used) = measure(|| decode(decoder, bytes));
    let most = 64 * bytes.len() as i64 + 4096;
    assert!(used.peak <= most, "{}: {} for {}", DECODERS[decoder].0, used.peak, bytes.len());
    read
}

#[test]
fn cut_short_anywhere_is_an_error() {
    for (decoder, image) in images() {
        assert!(probe(decoder, &image), "{}", DECODERS[decoder].0);
        for len in 0..image.len() {
            let read = probe(decoder, &image[..len]);
            let name = DECODERS[decoder].0;
            // A state is any power of two; six-bit registers end with a byte that nobody reads; a
            // list of PostgreSQL's hashes or pairs may end after any of them.
            let spare = name == "PgHll image"
                || name == "UltraLogLog state"
                || (name == "DsHll image" && len + 1 == image.len() && image[7] == 6);
            assert!(!read || spare, "{name}: {len} of {}", image.len());
        }
    }
}

#[test]
fn any_bit_flipped_is_an_error_or_a_sketch() {
    for (decoder, mut image) in images() {
        for bit in 0..image.len() * 8 {
            image[bit / 8] ^= 1 << (bit % 8);
            probe(decoder, &image);
            let choice = FUZZED[decoder];
            decoders::any_bytes(&[&[choice], &image[..]].concat());
            image[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

#[test]
fn garbage_is_an_error_or_a_sketch() {
    let mut next = 0;
    let mut random = || {
        next += 1;
        common::mix(next)
    };
    for (decoder, image) in images() {
        for _ in 0..200 {
            // A true beginning, random bytes after it.
            let keep = random() as usize % (image.len() + 1);
            let mut bytes = image[..keep].to_vec();
            let len = keep + random() as usize % 80;
            bytes.resize_with(len, || random() as u8);
            probe(decoder, &bytes);
            bytes.insert(0, random() as u8);
            decoders::any_bytes(&bytes);
        }
    }
}

#[test]
fn headers_that_promise_much_reserve_little() {
    for lg in 0..=255 {
        probe(7, &[2, 1, 7, lg, 3, 8, 7, 8]);
        probe(7, &[3, 1, 7, lg, 18, 0, 0, 9, 0xff, 0xff, 0xff, 0x0f]);
        probe(7, &[10, 1, 7, lg, 255, 8, 0, 2]);
        probe(9, &[0x13, lg, 0x7f, 0xff, 0xff, 0xff, 0xff]);
        probe(9, &[0x14, lg, 0x7f, 0xff]);
        probe(0, &[0x30, 1, lg, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
        probe(1, &[0x31, 1, lg, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
        probe(3, &[0x32, 1, lg, 0, 0, 0x80, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0]);
    }
    probe(
        5,
        &[
            3, 3, 3, 0, 0, 0x1a, 0xcc, 0x93, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0,
            0, 0,
        ],
    );
    probe(5, &[1, 4, 3, 1, 4, 0x1a, 0xcc, 0x93, 0xff, 0xff, 0xff, 0xff]);
}

/// `bytes` with what stands at the first place of `old` replaced.
fn patched(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let at = bytes.windows(old.len()).position(|w| w == old).unwrap();
    [&bytes[..at], new, &bytes[at + old.len()..]].concat()
}

#[test]
fn states_that_no_stream_leads_to_are_refused() {
    let mut hll = Hll::new(6).unwrap();
    (0..500_u64).for_each(|item| hll.add(&item));
    let (image, hip) = (hll.encode(), hll.estimate().to_le_bytes());
    for wrong in [f64::NAN, f64::INFINITY, -1.0, 0.0, 1e301] {
        let error = Hll::decode(&patched(&image, &hip, &wrong.to_le_bytes())).unwrap_err();
        assert_eq!(error.what, "estimate", "{wrong}");
    }
    let mut ultra = UltraLogLog::new(6).unwrap();
    (0..500_u64).for_each(|item| ultra.add(&item));
    let mut image = ultra.encode();
    *image.last_mut().unwrap() = 1;
    assert_eq!(UltraLogLog::decode(&image).unwrap_err().what, "registers");

    let mut sampled = Theta::new(6).unwrap().with_sampling(0.5).unwrap();
    (0..20_u64).for_each(|item| sampled.add(&item));
    let (image, theta) = (sampled.encode(), sampled.theta());
    let over = patched(&image, &theta.to_le_bytes(), &(theta + 1).to_le_bytes());
    assert_eq!(Theta::decode(&over).unwrap_err().what, "theta");
    // 100 hashes are exact at 2^6, and more than a sketch of 2^5 ever keeps.
    let mut many = Theta::new(6).unwrap();
    (0..100_u64).for_each(|item| many.add(&item));
    let image = many.encode();
    let smaller = Theta::new(5).unwrap().encode();
    let lg = image.iter().zip(&smaller).position(|(a, b)| a != b).unwrap();
    let mut image = image;
    image[lg] = 5;
    assert_eq!(Theta::decode(&image).unwrap_err().what, "hashes");
}
