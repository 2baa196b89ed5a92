//! A script of fences and fixes out of any bytes: what a test and the fuzz target run.

#![allow(unreachable_pub, reason = "shared by a test and a fuzz target")]

use std::collections::HashMap;
use std::time::Duration;

use archstone_geo::fence::{FenceSet, FixError, Rules, What};
use archstone_geo::{Circle, LatLng, Meters, Polygon, Time};

/// Runs the script; coming in and leaving must alternate, and memory stay bounded.
pub fn any_fixes(bytes: &[u8]) {
    let mut set = FenceSet::<u8, u8>::new(4).with_silence(Duration::from_secs(100));
    let mut inside: HashMap<(u8, u8), bool> = HashMap::new();
    let mut taken = 0_u64;
    for step in bytes.chunks_exact(18) {
        let number =
            |at: usize| f64::from_le_bytes(step[at..at + 8].try_into().expect("eight bytes"));
        let id = step[1] % 8;
        // Any finite doubles, and often some next to each other.
        let at = |lat: f64, lng: f64| {
            LatLng::wrapped(lat, lng).unwrap_or_else(|_| {
                let half = f64::from(i16::from_le_bytes([step[2], step[3]])) / 364.0;
                let other = f64::from(i16::from_le_bytes([step[4], step[5]])) / 182.0;
                LatLng::wrapped(half, other).expect("finite")
            })
        };
        match step[0] % 8 {
            0 => {
                let rules = Rules::new()
                    .with_hysteresis(Meters(number(2)))
                    .with_dwell(Duration::from_secs(u64::from(step[1])));
                let center = at(number(10), f64::from(step[2]));
                set.add(id, Circle::new(center, Meters(number(2))), rules);
                inside.retain(|key, _| key.0 != id);
            }
            1 => {
                let corner = |i: usize| {
                    at(f64::from(step[i] as i8) * 0.7, f64::from(step[i + 1] as i8) * 1.4)
                };
                let rings = [vec![corner(2), corner(4), corner(6), corner(8)]];
                if let Ok(polygon) = Polygon::new(&rings) {
                    set.add(id, polygon, Rules::new());
                    inside.retain(|key, _| key.0 != id);
                }
            }
            2 => {
                set.remove(&id);
                inside.retain(|key, _| key.0 != id);
            }
            3 => {
                set.forget(&id, |e| lost(&mut inside, *e.fence, *e.object, e.what));
            }
            4 => {
                let now =
                    Time::from_nanos(u64::from_le_bytes(step[2..10].try_into().expect("eight")));
                set.expire(now, |e| lost(&mut inside, *e.fence, *e.object, e.what));
            }
            _ => {
                let position = at(number(2), number(10));
                let time =
                    Time::from_nanos(u64::from_le_bytes(step[10..18].try_into().expect("eight")));
                let fix = set.update(&id, position, time, |e| match e.what {
                    What::Enter(_) => {
                        assert_ne!(inside.insert((*e.fence, *e.object), true), Some(true));
                    }
                    What::Exit(_) | What::Lost(_) => {
                        assert_eq!(inside.insert((*e.fence, *e.object), false), Some(true));
                    }
                    What::Cross { enter, exit } => assert!(enter.time <= exit.time),
                    _ => {}
                });
                match fix {
                    Ok(()) => taken += 1,
                    Err(FixError::Late { time, last }) => assert!(time <= last),
                    Err(_) => assert_eq!(set.objects(), 4),
                }
            }
        }
        assert!(set.objects() <= 4 && set.fences() <= 8);
    }
    let stats = set.stats();
    assert_eq!(stats.fixes, taken + stats.late + stats.full);
}

fn lost(inside: &mut HashMap<(u8, u8), bool>, fence: u8, object: u8, what: What) {
    assert!(matches!(what, What::Lost(_)));
    assert_eq!(inside.insert((fence, object), false), Some(true));
}
