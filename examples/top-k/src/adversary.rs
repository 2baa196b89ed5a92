//! Streams made to hurt: what each algorithm says of them.

use crate::counters::{Bound, Hit};
use crate::keys::Keys;
use crate::sample;
use crate::side_by_side::SideBySide;
use kit::{Stream, Table, Value};

/// The streams, by what they are made to break.
pub const STREAMS: [&str; 4] = ["all distinct", "one heavy last", "flat head", "colliding keys"];

/// `n` events of the stream called `name`.
#[must_use]
pub fn stream(name: &str, n: u64, dice: &mut Stream) -> Keys {
    let mut keys = Keys::default();
    match name {
        // Nothing is heavy: every list is wrong, the bound must say so.
        "all distinct" => (0..n).for_each(|i| keys.push(&format!("/once/{i}"))),
        // A twentieth of the stream, all of it after every counter is taken.
        "one heavy last" => {
            let last = n - n / 20;
            (0..n).for_each(|i| match i < last {
                true => keys.push(&format!("/once/{i}")),
                false => keys.push("/heavy"),
            });
        }
        // Twice as many equal keys as there are counters: no eviction is a right one.
        "flat head" => (0..n).for_each(|_| keys.push(&format!("/flat/{}", dice.below(1024)))),
        // One Java hash code: "Aa" and "BB" in every place. The sample's rows see one key.
        _ => (0..n).for_each(|i| keys.push(&colliding(i % 256))),
    }
    keys
}

/// One of 256 strings with the same Java `hashCode`.
fn colliding(which: u64) -> String {
    (0..8).map(|bit| if which >> bit & 1 == 0 { "Aa" } else { "BB" }).collect()
}

/// The four streams and what became of them. Also says whether every certain bound held.
#[must_use]
pub fn table(n: u64, k: usize, dice: &mut Stream) -> (Table, bool) {
    let columns = ["stream", "algorithm", "recall", "worst error", "bound", "kept"];
    let mut table = Table::new(columns);
    let mut held = true;
    for name in STREAMS {
        let keys = stream(name, n, dice);
        let mut all = SideBySide::new(k, usize::MAX);
        all.add(keys.iter());
        for outcome in all.outcomes(k).iter().skip(1) {
            let worst = outcome.worst.unwrap_or(0);
            let within = worst <= outcome.bound.most();
            let certain = matches!(outcome.bound, Bound::Certain(_));
            held &= within || !certain;
            table.row([
                name.into(),
                outcome.name.into(),
                // A stream without heavy hitters has no top k to recall.
                if name == "all distinct" { Value::Missing } else { share(outcome.recall) },
                worst.into(),
                outcome.bound.most().into(),
                if within { "✓ held" } else { "≠ exceeded" }.into(),
            ]);
        }
    }
    (table, held)
}

/// How far off the sample's Count-Min is on colliding keys, beside the real one: both 7 x 10,000.
#[must_use]
pub fn collisions(n: u64, dice: &mut Stream) -> (Hit, Hit) {
    let keys = stream(STREAMS[3], n, dice);
    let mut samples = sample::CountMinSketch::new(10_000, 7);
    let mut ours = archstone_sketch::CountMin::<u32>::new(7, 10_000).expect("a small table");
    keys.iter().for_each(|key| {
        samples.add(key);
        ours.add(key);
    });
    let key = colliding(0);
    let hit = |count| Hit { key: key.clone(), count, error: 0 };
    (hit(samples.estimate(&key)), hit(ours.count(&key).into()))
}

fn share(recall: Option<f64>) -> Value {
    recall.map_or(Value::Missing, Value::Share)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kit::Seed;

    #[test]
    fn colliding_keys_are_one_key_to_the_sample_and_many_to_us() {
        let codes: std::collections::HashSet<_> =
            (0..256).map(|i| sample::CountMinSketch::hash_code(&colliding(i))).collect();
        assert_eq!(codes.len(), 1);
        let (samples, ours) = collisions(2560, &mut Seed::new(1).stream("test"));
        assert_eq!((samples.count, ours.count), (2560, 10));
    }

    #[test]
    fn certain_bounds_hold_on_every_stream() {
        let (table, held) = table(20_000, 10, &mut Seed::new(1).stream("test"));
        assert!(held);
        assert_eq!(table.len(), 16);
    }
}
