//! What merging and storing must not change, and the errors of other implementations as tests.
#![cfg(all(feature = "distinct", feature = "datasketches", feature = "postgres"))]

mod common;

use std::collections::HashSet;

use archstone_sketch::distinct::{
    DsHll, DsHllUnion, Hll, HllType, PgHll, PgHllParams, Sigmas, Theta, ThetaCompact, UltraLogLog,
    theta,
};
use archstone_sketch::{Item, Merge, Wire};
use proptest::prelude::*;

/// What the laws need of a counter.
trait Counter: Merge + Wire + Clone {
    const NAME: &'static str;
    /// Of 2^lg registers.
    fn make(lg: u8) -> Self;
    fn take(&mut self, item: u64);
    fn count(&self) -> f64;
    /// Everything that does not depend on the order of arrival.
    fn state(&self) -> Vec<u8>;
}

impl Counter for Hll {
    const NAME: &'static str = "Hll";
    fn make(lg: u8) -> Self {
        Self::new(lg).unwrap()
    }
    fn take(&mut self, item: u64) {
        self.add(&item);
    }
    fn count(&self) -> f64 {
        self.estimate()
    }
    fn state(&self) -> Vec<u8> {
        let bytes = self.encode();
        // Kind, version, lg, seed; then the mode, and in mode 1 the estimate in order.
        match bytes[11] {
            0 => bytes,
            1 => bytes[20..].to_vec(),
            _ => bytes[12..].to_vec(),
        }
    }
}

impl Counter for UltraLogLog {
    const NAME: &'static str = "UltraLogLog";
    fn make(lg: u8) -> Self {
        Self::new(lg).unwrap()
    }
    fn take(&mut self, item: u64) {
        self.add(&item);
    }
    fn count(&self) -> f64 {
        self.estimate()
    }
    fn state(&self) -> Vec<u8> {
        let mut state = self.state();
        state.push(self.is_exact().into());
        state
    }
}

impl Counter for Theta {
    const NAME: &'static str = "Theta";
    fn make(lg: u8) -> Self {
        Self::new(lg.max(5)).unwrap()
    }
    fn take(&mut self, item: u64) {
        self.add(&item);
    }
    fn count(&self) -> f64 {
        self.compact_trimmed().estimate()
    }
    fn state(&self) -> Vec<u8> {
        // Which threshold a sketch has depends on when its table overflowed; what is below the
        // nominal number of hashes does not.
        self.compact_trimmed().to_datasketches()
    }
}

impl Counter for DsHll {
    const NAME: &'static str = "DsHll";
    fn make(lg: u8) -> Self {
        Self::new(lg, HllType::Eight).unwrap()
    }
    fn take(&mut self, item: u64) {
        self.add(&item);
    }
    fn count(&self) -> f64 {
        self.estimate()
    }
    fn state(&self) -> Vec<u8> {
        let image = self.to_datasketches();
        if image[0] == 10 {
            return image[40..].to_vec();
        }
        let head = if image[0] == 2 { 8 } else { 12 };
        let mut coupons: Vec<&[u8]> = image[head..].chunks_exact(4).collect();
        coupons.sort_unstable();
        coupons.concat()
    }
}

impl Counter for PgHll {
    const NAME: &'static str = "PgHll";
    fn make(lg: u8) -> Self {
        Self::new(PgHllParams { log2m: lg.max(4), ..PgHllParams::default() }).unwrap()
    }
    fn take(&mut self, item: u64) {
        self.add(&item);
    }
    fn count(&self) -> f64 {
        self.estimate()
    }
    fn state(&self) -> Vec<u8> {
        self.to_postgres()
    }
}

fn of<S: Counter>(lg: u8, items: &[u64]) -> S {
    let mut sketch = S::make(lg);
    items.iter().for_each(|&item| sketch.take(item));
    sketch
}

fn merged<S: Counter>(mut a: S, b: &S) -> S {
    a.merge(b).unwrap();
    a
}

fn laws<S: Counter>(lg: u8, parts: &[Vec<u64>]) {
    let sketches: Vec<S> = parts.iter().map(|part| of(lg, part)).collect();
    let [a, b, c] = [0, 1, 2].map(|i| &sketches[i]);
    let (ab, ba) = (merged(a.clone(), b), merged(b.clone(), a));
    assert_eq!(ab.state(), ba.state(), "{}: commutative", S::NAME);
    // DataSketches' estimate in order goes on through a merge with few items, in the order in
    // which they come.
    let most = if S::NAME == "DsHll" { 2.0 / f64::from(1 << lg).sqrt() } else { 0.0 };
    assert!((ab.count() - ba.count()).abs() <= most * ba.count(), "{}: commutative", S::NAME);
    let left = merged(ab, c);
    let right = merged(a.clone(), &merged(b.clone(), c));
    assert_eq!(left.state(), right.state(), "{}: associative", S::NAME);
    let twice = merged(a.clone(), a);
    assert_eq!(twice.state(), a.state(), "{}: idempotent", S::NAME);
    for same in [merged(a.clone(), &S::make(lg)), merged(S::make(lg), a)] {
        assert_eq!((same.state(), same.count()), (a.state(), a.count()), "{}: empty", S::NAME);
    }
    let all = of::<S>(lg, &parts.concat());
    let sum = sketches.iter().skip(1).fold(a.clone(), |sum, part| merged(sum, part));
    // One pass or many: the same registers. (A DataSketches sketch may still hold coupons where
    // its parts did too, so that its state says more.)
    assert_eq!(sum.state(), all.state(), "{}: parts", S::NAME);
}

fn round_trip<S: Counter>(lg: u8, before: &[u64], after: &[u64]) {
    let sketch = of::<S>(lg, before);
    let bytes = sketch.encode();
    let mut read = S::decode(&bytes).unwrap_or_else(|e| panic!("{}: {e}", S::NAME));
    assert_eq!(read.count(), sketch.count(), "{}", S::NAME);
    assert_eq!(read.state(), sketch.state(), "{}", S::NAME);
    if S::NAME != "DsHll" {
        assert_eq!(read.encode(), bytes, "{}: canonical", S::NAME);
    }
    // The read one counts on as the written one does.
    let mut sketch = sketch;
    for &item in after {
        read.take(item);
        sketch.take(item);
    }
    assert_eq!(read.state(), sketch.state(), "{}: after", S::NAME);
    let (a, b) = (read.count(), sketch.count());
    assert!((a - b).abs() <= 1e-9 * b, "{}: {a} is not {b}", S::NAME);
}

/// Items of a small universe, so that streams overlap, of lengths around every change of mode.
fn items() -> impl Strategy<Value = Vec<u64>> {
    let n = prop_oneof![0..4_usize, 5..10_usize, 20..70_usize, 100..200_usize, 400..3000_usize];
    (n, 0..1_u64 << 20, 1..4_u64)
        .prop_map(|(n, from, step)| (0..n as u64).map(|i| (from & 0xfff) + i * step).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn merging_obeys_the_laws(lg in 4_u8..12, parts in prop::collection::vec(items(), 3..9)) {
        laws::<Hll>(lg, &parts);
        laws::<UltraLogLog>(lg, &parts);
        laws::<Theta>(lg, &parts);
        laws::<DsHll>(lg, &parts);
        laws::<PgHll>(lg, &parts);
    }

    #[test]
    fn storing_changes_nothing_and_counting_goes_on(
        lg in 4_u8..13, before in items(), after in items(),
    ) {
        round_trip::<Hll>(lg, &before, &after);
        round_trip::<UltraLogLog>(lg, &before, &after);
        round_trip::<Theta>(lg, &before, &after);
        round_trip::<DsHll>(lg, &before, &after);
        round_trip::<PgHll>(lg, &before, &after);
    }

    #[test]
    fn a_foreign_image_counts_on_as_its_sketch(
        lg in 4_u8..13, before in items(), after in items(),
    ) {
        for kind in [HllType::Four, HllType::Six, HllType::Eight] {
            let mut sketch = DsHll::new(lg, kind).unwrap();
            before.iter().for_each(|item| sketch.add(item));
            let mut read = DsHll::from_datasketches(&sketch.to_datasketches()).unwrap();
            for item in &after {
                sketch.add(item);
                read.add(item);
            }
            prop_assert_eq!(Counter::state(&read), Counter::state(&sketch));
            prop_assert!((read.estimate() - sketch.estimate()).abs() <= 1e-9 * sketch.estimate());
        }
        let mut sketch = of::<PgHll>(lg, &before);
        let mut read = PgHll::from_postgres(&sketch.to_postgres()).unwrap();
        for item in &after {
            sketch.add(item);
            read.add(item);
        }
        prop_assert_eq!(read.to_postgres(), sketch.to_postgres());
    }

    #[test]
    fn downsizing_equals_counting_with_fewer_registers(
        from in 5_u8..13, by in 1_u8..6, stream in items(),
    ) {
        let to = from.saturating_sub(by).max(4);
        let (large, small) = (of::<Hll>(from, &stream), of::<Hll>(to, &stream));
        prop_assert_eq!(large.downsized(to).unwrap().state(), small.state());
        let (large, small) = (of::<UltraLogLog>(from, &stream), of::<UltraLogLog>(to, &stream));
        prop_assert_eq!(Counter::state(&large.downsized(to).unwrap()), Counter::state(&small));
    }

    #[test]
    fn exact_thetas_are_sets(a in items(), b in items()) {
        let (x, y) = (of::<Theta>(13, &a).compact(), of::<Theta>(13, &b).compact());
        let (a, b): (HashSet<u64>, HashSet<u64>) = (a.into_iter().collect(), b.into_iter().collect());
        let count = |sketch: ThetaCompact| sketch.estimate() as usize;
        prop_assert_eq!(count(theta::union(13, [&x, &y]).unwrap()), a.union(&b).count());
        prop_assert_eq!(count(theta::intersection(&x, &y).unwrap()), a.intersection(&b).count());
        prop_assert_eq!(count(theta::difference(&x, &y).unwrap()), a.difference(&b).count());
        let jaccard = theta::jaccard(&x, &y).unwrap().estimate;
        let truth = match a.union(&b).count() {
            0 => 1.0,
            n => a.intersection(&b).count() as f64 / n as f64,
        };
        prop_assert!((jaccard - truth).abs() < 1e-12);
    }
}

#[test]
fn fewer_than_64_items_are_counted_exactly_in_512_bytes() {
    fn check<S: Counter>(lg: u8, bytes: impl Fn(&S) -> usize) {
        let mut sketch = S::make(lg);
        for n in 1..64_u64 {
            for _ in 0..3 {
                sketch.take(n.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            }
            let count = sketch.count();
            assert!((count - n as f64).abs() < 1e-4, "{}: {count} of {n}", S::NAME);
            if S::NAME != "DsHll" {
                assert_eq!(count, n as f64, "{}", S::NAME);
            }
            assert!(bytes(&sketch) <= 512, "{}: {} bytes at {n}", S::NAME, bytes(&sketch));
            assert!(sketch.encode().len() <= 550, "{}: {}", S::NAME, sketch.encode().len());
        }
    }
    for lg in [4, 12, 18] {
        check::<Hll>(lg, Hll::heap_bytes);
        check::<UltraLogLog>(lg, UltraLogLog::heap_bytes);
    }
    check::<DsHll>(12, DsHll::heap_bytes);
    [6, 12, 26].into_iter().for_each(|lg| check::<Theta>(lg, Theta::heap_bytes));
    // The bytes of explicit hashes that PostgreSQL keeps.
    check::<PgHll>(11, |sketch| sketch.to_postgres().len());
}

#[test]
fn sketches_of_another_shape_are_refused_and_change_nothing() {
    fn refused<S: Counter>(mut a: S, b: &S, property: &str) {
        a.take(7);
        let before = a.state();
        let error = a.merge(b).unwrap_err();
        assert_eq!(error.what, property, "{}", S::NAME);
        assert_eq!(a.state(), before, "{}", S::NAME);
    }
    refused(Hll::make(10), &Hll::make(11), "lg");
    refused(Hll::make(10), &Hll::make(10).with_seed(1), "seed");
    refused(UltraLogLog::make(10), &UltraLogLog::make(11), "lg");
    refused(UltraLogLog::make(10), &UltraLogLog::make(10).with_seed(1), "seed");
    refused(Theta::make(10), &Theta::make(11), "lg");
    refused(Theta::make(10), &Theta::make(10).with_seed(1).unwrap(), "seed");
    refused(DsHll::make(10), &DsHll::make(11), "lg");
    refused(PgHll::make(10), &PgHll::make(11), "log2m");
    let params = PgHllParams { log2m: 10, expthresh: 128, ..PgHllParams::default() };
    refused(PgHll::make(10), &PgHll::new(params).unwrap(), "expthresh");
    let (mut a, mut b) = (Theta::make(10), Theta::make(10).with_seed(1).unwrap());
    a.add("a");
    b.add("a");
    let (a, b) = (a.compact(), b.compact());
    assert!(theta::intersection(&a, &b).is_err());
    assert!(theta::difference(&a, &b).is_err());
    assert!(theta::jaccard(&a, &b).is_err());
    assert!(theta::union(12, [&a, &b]).is_err());
}

/// tantivy 3054, datasketches-rust 115: a list read without free slots dropped what came after.
#[test]
fn a_list_that_was_read_has_room() {
    for n in 0..8_u64 {
        let sketch = of::<DsHll>(12, &(0..n).collect::<Vec<_>>());
        let mut read = DsHll::from_datasketches(&sketch.to_datasketches()).unwrap();
        (100..1100_u64).for_each(|item| read.add(&item));
        let truth = (n + 1000) as f64;
        assert!(read.bounds(Sigmas::Three).contains(truth), "{} of {truth}", read.estimate());
    }
}

/// datafusion-comet 4802: registers of a compact image were skipped, a union of twice 1000 gave 989.
#[test]
fn a_union_of_two_images_counts_both() {
    for kind in [HllType::Four, HllType::Six, HllType::Eight] {
        let mut union = DsHllUnion::new(12).unwrap();
        for from in [0, 1000] {
            let mut sketch = DsHll::new(12, kind).unwrap();
            (from..from + 1000_u64).for_each(|item| sketch.add(&item));
            union.add(&DsHll::from_datasketches(&sketch.to_datasketches()).unwrap());
        }
        let estimate = union.result(kind).estimate();
        assert!((estimate - 2000.0).abs() < 100.0, "{kind:?}: {estimate}");
    }
}

/// doris 67469: a down-sampled union updated again kept a stale estimate, and its precision
/// depended on the order.
#[test]
fn a_down_sampled_union_that_is_updated_again_is_not_stale() {
    let sketch = |lg: u8, from: u64, n: u64| {
        let mut sketch = DsHll::new(lg, HllType::Six).unwrap();
        (from..from + n).for_each(|item| sketch.add(&item));
        sketch
    };
    let parts = [
        sketch(12, 0, 20_000),
        sketch(10, 20_000, 20_000),
        sketch(12, 40_000, 20_000),
        sketch(11, 60_000, 5),
    ];
    let mut answers = Vec::new();
    for order in [[0, 1, 2, 3], [2, 3, 1, 0], [3, 1, 0, 2], [1, 0, 3, 2]] {
        let mut union = DsHllUnion::new(12).unwrap();
        order.iter().for_each(|&i: &usize| union.add(&parts[i]));
        let all = union.result(HllType::Eight);
        assert_eq!(all.lg(), 10);
        assert!(all.bounds(Sigmas::Three).contains(60_005.0), "{}", all.bounds(Sigmas::Three));
        answers.push(all.estimate());
    }
    assert!(answers.iter().all(|a| (a - answers[0]).abs() < 1e-6 * a), "{answers:?}");
}

/// datasketches-rust 237: a lower bound below the number of registers that were hit.
#[test]
fn a_lower_bound_is_never_below_the_registers_hit() {
    for n in [8_u64, 16, 30, 60, 200] {
        for sigmas in [Sigmas::One, Sigmas::Two, Sigmas::Three] {
            let sketch = of::<DsHll>(4, &(0..n).collect::<Vec<_>>());
            let image = sketch.to_datasketches();
            let hit = image[40..].iter().filter(|&&register| register > 0).count() as f64;
            assert!(sketch.bounds(sigmas).lower >= hit, "{n}");
            let bounds = sketch.bounds(sigmas);
            assert!(bounds.lower <= bounds.estimate && bounds.estimate <= bounds.upper);
        }
    }
}

/// datasketches-rust 133: exceptions of 4-bit registers that Java could not read.
#[test]
fn a_lower_bound_of_hll_is_never_below_the_registers_hit_either() {
    for n in [64_u64, 70, 100, 200] {
        let mut sketch = Hll::new(12).unwrap();
        (0..n).for_each(|item| sketch.add(&item));
        let hit: std::collections::BTreeSet<u64> =
            (0..n).map(|item| item.digest(0) >> 52).collect();
        assert!(sketch.bounds(Sigmas::Three).lower >= hit.len() as f64, "{n}");
    }
}

#[test]
fn the_fullest_registers_count_alike_in_a_merged_sketch_and_in_its_copy() {
    // Merged, so that the registers alone answer; then the last of 16 gets the greatest rank.
    let (mut a, mut b) = (Hll::new(4).unwrap(), Hll::new(4).unwrap());
    (0..500_u64).for_each(|item| a.add(&item));
    (500..1000_u64).for_each(|item| b.add(&item));
    a.merge(&b).unwrap();
    for index in 0..16 {
        a.add_hash(index << 60);
        let copy = Hll::decode(&a.encode()).unwrap();
        assert_eq!(copy.estimate(), a.estimate(), "{index}");
    }
}

#[test]
fn a_merged_ultraloglog_has_no_martingale_estimate() {
    let (mut a, mut b) = (UltraLogLog::new(10).unwrap(), UltraLogLog::new(10).unwrap());
    (0..1000_u64).for_each(|item| a.add(&item));
    (1000..2000_u64).for_each(|item| b.add(&item));
    assert!(a.martingale().is_some());
    a.merge(&b).unwrap();
    assert_eq!(a.martingale(), None);
}

#[test]
fn registers_at_every_distance_from_the_least_fit_in_four_bits() {
    let mut sketch = DsHll::new(6, HllType::Four).unwrap();
    // Values 1 to 63: distances 0 to 62 from the least.
    (0..64_u64).for_each(|slot| sketch.add_hash(slot, 1 << 63 >> slot.min(62)));
    let read = DsHll::from_datasketches(&sketch.to_datasketches()).unwrap();
    let eight = |sketch: &DsHll| sketch.clone().with_type(HllType::Eight).to_datasketches();
    assert_eq!(eight(&read)[40..], eight(&sketch)[40..]);
}

#[test]
fn exceptions_of_four_bit_registers_survive() {
    // Values far above the least: hashes with many leading zeros.
    let mut sketch = DsHll::new(6, HllType::Four).unwrap();
    (0..2000_u64).for_each(|item| sketch.add(&item));
    for slot in 0..10_u64 {
        sketch.add_hash(slot, 1 << (10 + slot));
    }
    let image = sketch.to_datasketches();
    assert!(u32::from_le_bytes(image[36..40].try_into().unwrap()) >= 10);
    assert_eq!(image.len(), 40 + 32 + 4 * 10 + (image.len() - 40 - 32 - 40));
    let read = DsHll::from_datasketches(&image).unwrap();
    let eight = |sketch: &DsHll| sketch.clone().with_type(HllType::Eight).to_datasketches();
    assert_eq!(eight(&read)[40..], eight(&sketch)[40..]);
    assert_eq!(read.to_datasketches(), image);
}

#[test]
fn the_default_hash_is_that_of_java_and_cpp_for_strings_and_numbers() {
    // `update("apple")` in Java hashes the UTF-8 without terminator; 7L, 7 and "7" differ.
    let image = |fill: &dyn Fn(&mut DsHll)| {
        let mut sketch = DsHll::new(12, HllType::Eight).unwrap();
        fill(&mut sketch);
        sketch.to_datasketches()
    };
    let bytes = image(&|s| s.add("apple"));
    assert_eq!(bytes, image(&|s| s.add(&String::from("apple"))));
    assert_eq!(bytes, image(&|s| s.add(&b"apple"[..])));
    assert_eq!(image(&|s| s.add(&7_u64)), image(&|s| s.add(&7_i32)));
    assert_eq!(image(&|s| s.add(&-0.0_f64)), image(&|s| s.add(&0.0_f32)));
    assert_ne!(image(&|s| s.add(&7_u64)), image(&|s| s.add("7")));
    assert_ne!(image(&|s| s.add(&7_u64)), image(&|s| s.add(&7.0_f64)));
}

#[cfg(feature = "serde")]
#[test]
fn serde_carries_the_encoding() {
    let sketch = of::<Hll>(8, &(0..1000).collect::<Vec<_>>());
    let json = serde_json::to_string(&sketch).unwrap();
    let read: Hll = serde_json::from_str(&json).unwrap();
    assert_eq!(read.encode(), sketch.encode());
    assert!(serde_json::from_str::<Hll>("[48,1,255]").is_err());
}
