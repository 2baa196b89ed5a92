//! Fences against a model that knows every fence and walks every way step by step. One file: the model, and
//! the histories, scenes and real tracks that it is asked about.
#![cfg(feature = "std")]

#[path = "common/any_fixes.rs"]
mod any_fixes;
mod common;

use std::collections::HashMap;
use std::time::Duration;

use archstone_geo::fence::{Area, FenceSet, FixError, Moment, Rules, What};
use archstone_geo::{Circle, LatLng, Meters, Metric, Polygon, Region, Sphere, Time};
use common::{anywhere, at};
use proptest::prelude::*;

const EARTH: Sphere = Sphere::EARTH;

/// One fence and one object, by the words of the documentation: no cells, no vectors; a way is walked in
/// steps that are no longer than the edge is far.
#[derive(Clone, Default)]
struct Model {
    last: Option<Moment>,
    stay: Option<ModelStay>,
}

#[derive(Clone)]
struct ModelStay {
    since: Time,
    dwelt: bool,
    left: Option<Moment>,
}

/// Shares of the way from `a` to `b` at which it comes in (`true`) or goes out.
fn walk(area: &Area, a: LatLng, b: LatLng) -> Vec<(f64, bool)> {
    let length = EARTH.distance(a, b).0;
    if length == 0.0 {
        return Vec::new();
    }
    let on = |t: f64| EARTH.intermediate(a, b, t);
    let (mut t, mut inside, mut found) = (0.0, area.contains(a), Vec::new());
    while t < 1.0 {
        let step = (area.signed_distance(on(t)).0.abs() * 0.999).max(0.2) / length;
        let next = (t + step).min(1.0);
        if area.contains(on(next)) != inside {
            let (mut low, mut high) = (t, next);
            for _ in 0..60 {
                let middle = 0.5 * (low + high);
                if area.contains(on(middle)) == inside { low = middle } else { high = middle }
            }
            inside = !inside;
            found.push((high, inside));
        }
        t = next;
    }
    found
}

impl Model {
    /// What the fence says of this fix.
    fn fix(&mut self, area: &Area, rules: &Rules, here: Moment, silence: Duration) -> Vec<What> {
        let mut told = Vec::new();
        let mut last = self.last.replace(here);
        if let Some(gone) = last.filter(|last| here.time.since(last.time) > silence) {
            told.extend(self.stay.take().map(|_| What::Lost(gone)));
            last = None;
        }
        let Some(last) = last else {
            if area.contains(here.at) {
                told.push(What::Enter(here));
                self.stay = Some(ModelStay { since: here.time, dwelt: false, left: None });
                self.dwell(rules, here, here, &mut told);
            }
            return told;
        };
        let span = here.time.since(last.time).as_secs_f64();
        let moment = |t: f64| Moment {
            at: EARTH.intermediate(last.at, here.at, t),
            time: last.time + Duration::from_secs_f64(span * t),
        };
        // The bounding circle tells most ways apart, as it must over 139 098 fixes.
        let (bounds, step) = (area.bounding_circle(), EARTH.distance(last.at, here.at));
        let far = bounds.signed_distance(here.at) > step + Meters(10.0);
        if far && self.stay.is_none() {
            return told;
        }
        let inside = area.contains(here.at);
        let clear = !inside
            && (rules.hysteresis() == Meters::ZERO
                || area.signed_distance(here.at) > rules.hysteresis());
        let way = walk(area, last.at, here.at);
        let out = way.iter().rev().find(|cut| !cut.1).map(|cut| moment(cut.0));
        match &mut self.stay {
            Some(stay) => {
                stay.left = if inside { None } else { out.or(stay.left) };
                self.dwell(rules, last, here, &mut told);
                if let Some(left) = self.stay.as_ref().unwrap().left.filter(|_| clear) {
                    told.push(What::Exit(left));
                    self.stay = None;
                }
            }
            None => {
                if let Some((t, _)) = way.iter().find(|cut| cut.1) {
                    let enter = moment(*t);
                    if clear {
                        told.push(What::Cross { enter, exit: out.unwrap() });
                    } else {
                        told.push(What::Enter(enter));
                        let left = if inside { None } else { out };
                        self.stay = Some(ModelStay { since: enter.time, dwelt: false, left });
                        self.dwell(rules, last, here, &mut told);
                    }
                }
            }
        }
        told
    }

    fn dwell(&mut self, rules: &Rules, last: Moment, here: Moment, told: &mut Vec<What>) {
        let (Some(stay), Some(dwell)) = (&mut self.stay, rules.dwell()) else { return };
        let end = stay.left.map_or(here.time, |left| left.time);
        if !stay.dwelt && end.since(stay.since) >= dwell {
            stay.dwelt = true;
            let time = (stay.since + dwell).max(last.time);
            let span = here.time.since(last.time).as_secs_f64();
            let t = if span > 0.0 { time.since(last.time).as_secs_f64() / span } else { 1.0 };
            told.push(What::Dwell(Moment { at: EARTH.intermediate(last.at, here.at, t), time }));
        }
    }
}

fn moments(what: What) -> (&'static str, Vec<Moment>) {
    match what {
        What::Enter(m) => ("enter", vec![m]),
        What::Exit(m) => ("exit", vec![m]),
        What::Cross { enter, exit } => ("cross", vec![enter, exit]),
        What::Dwell(m) => ("dwell", vec![m]),
        What::Lost(m) => ("lost", vec![m]),
        _ => unreachable!(),
    }
}

/// The same kind, within 1 m and what 1 m takes.
fn same(ours: What, model: What, speed: f64) -> bool {
    let ((a, at_a), (b, at_b)) = (moments(ours), moments(model));
    a == b
        && at_a.iter().zip(&at_b).all(|(a, b)| {
            let apart = a.time.max(b.time).since(a.time.min(b.time)).as_secs_f64();
            EARTH.distance(a.at, b.at).0 < 1.0 && apart <= 1e-6 + 1.0 / speed.max(1e-3)
        })
}

fn star(center: LatLng, radii: &[f64], hole: bool) -> Option<Polygon> {
    let n = radii.len() as f64;
    let ring = |by: f64| -> Vec<LatLng> {
        let corner =
            |(i, r): (usize, &f64)| EARTH.destination(center, i as f64 * 360.0 / n, Meters(r * by));
        radii.iter().enumerate().map(corner).collect()
    };
    let mut rings = vec![ring(1.0)];
    if hole {
        rings.push(ring(0.4));
    }
    Polygon::new(&rings).ok()
}

fn rules() -> impl Strategy<Value = Rules> {
    let hysteresis = prop_oneof![Just(0.0), Just(300.0), Just(5e4)];
    (hysteresis, proptest::option::of(0_u64..4_000)).prop_map(|(h, dwell)| {
        let rules = Rules::new().with_hysteresis(Meters(h));
        dwell.map_or(rules, |s| rules.with_dwell(Duration::from_secs(s)))
    })
}

/// Around a few places, so that ways meet them: any size from a house to a continent.
fn fences(center: LatLng) -> impl Strategy<Value = Vec<(Area, Rules)>> {
    let place = (-180.0..180.0, 0.0..4e5_f64)
        .prop_map(move |(bearing, far)| EARTH.destination(center, bearing, Meters(far)));
    let circle = (place.clone(), 1.0..6.3_f64)
        .prop_map(|(c, log)| Some(Area::from(Circle::new(c, Meters(10_f64.powf(log))))));
    let polygon = (place, 2.5..5.8_f64, prop::collection::vec(0.2..1.0_f64, 3..14), any::<bool>())
        .prop_map(|(c, log, radii, hole)| {
            let radii: Vec<f64> = radii.iter().map(|r| r * 10_f64.powf(log)).collect();
            star(c, &radii, hole).map(Area::from)
        });
    let area = prop_oneof![circle, polygon].prop_filter_map("an edge over a pole", |area| area);
    prop::collection::vec((area, rules()), 1..25)
}

#[derive(Clone, Debug)]
enum Step {
    /// Object, bearing, metres, seconds.
    Move(u8, f64, f64, u64),
    Jump(u8, LatLng, u64),
    Late(u8),
    Forget(u8),
    Expire(u64),
    Remove(prop::sample::Index),
    Add(prop::sample::Index),
}

fn step() -> impl Strategy<Value = Step> {
    let object = 0_u8..4;
    prop_oneof![
        20 => (object.clone(), -180.0..180.0, 0.0..6.0_f64, 1_u64..900).prop_map(|(o, b, log, s)| Step::Move(o, b, 10_f64.powf(log), s)),
        1 => (object.clone(), anywhere(), 1_u64..900).prop_map(|(o, p, s)| Step::Jump(o, p, s)),
        2 => object.clone().prop_map(Step::Late),
        1 => object.prop_map(Step::Forget),
        1 => (0_u64..3_000).prop_map(Step::Expire),
        1 => any::<prop::sample::Index>().prop_map(Step::Remove),
        1 => any::<prop::sample::Index>().prop_map(Step::Add),
    ]
}

fn scene() -> impl Strategy<Value = (LatLng, Vec<(Area, Rules)>, Vec<Step>)> {
    anywhere().prop_flat_map(|center| {
        (Just(center), fences(center), prop::collection::vec(step(), 1..120))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn every_history_is_that_of_walking_all_the_ways((center, fences, steps) in scene()) {
        let silence = Duration::from_secs(2_000);
        let mut set = FenceSet::<usize, u8>::new(3).with_silence(silence);
        let mut there: HashMap<usize, (Area, Rules, Time)> = HashMap::new();
        for (id, (area, rules)) in fences.iter().enumerate() {
            prop_assert!(!set.add(id, area.clone(), *rules));
            there.insert(id, (area.clone(), *rules, Time::ZERO));
        }
        let mut models: HashMap<(usize, u8), Model> = HashMap::new();
        let mut known: HashMap<u8, Moment> = HashMap::new();
        let mut now = Time::from_secs(1);
        for step in steps {
            let (object, to, seconds) = match step {
                Step::Move(object, bearing, meters, s) => {
                    let from = known.get(&object).map_or(center, |m| m.at);
                    (object, EARTH.destination(from, bearing, Meters(meters)), s)
                }
                Step::Jump(object, to, s) => (object, to, s),
                Step::Late(object) => {
                    if let Some(last) = known.get(&object) {
                        for time in [last.time, last.time - Duration::from_nanos(1)] {
                            let late = set.update(&object, center, time, |_| panic!("an event of a late fix"));
                            prop_assert_eq!(late, Err(FixError::Late { time, last: last.time }));
                        }
                    }
                    continue;
                }
                Step::Forget(object) => {
                    let (mut told, mut model) = (Vec::new(), Vec::new());
                    prop_assert_eq!(set.forget(&object, |e| told.push((*e.fence, e.what))), known.contains_key(&object));
                    lose(&mut models, &mut known, object, &mut model);
                    told.sort_by_key(|t| t.0);
                    model.sort_by_key(|t| t.0);
                    prop_assert_eq!(told, model);
                    continue;
                }
                Step::Expire(s) => {
                    now += Duration::from_secs(s);
                    let (mut told, mut model) = (Vec::new(), Vec::new());
                    let over: Vec<u8> = known.iter().filter(|(_, m)| now.since(m.time) > silence).map(|(o, _)| *o).collect();
                    prop_assert_eq!(set.expire(now, |e| told.push((*e.fence, e.what))), over.len());
                    for object in over {
                        lose(&mut models, &mut known, object, &mut model);
                    }
                    told.sort_by_key(|t| t.0);
                    model.sort_by_key(|t| t.0);
                    prop_assert_eq!(told.len(), model.len());
                    continue;
                }
                Step::Remove(at) => {
                    let id = at.index(fences.len());
                    prop_assert_eq!(set.remove(&id), there.remove(&id).is_some());
                    models.retain(|key, _| key.0 != id);
                    continue;
                }
                Step::Add(at) => {
                    let id = at.index(fences.len());
                    let (area, rules) = fences[id].clone();
                    prop_assert_eq!(set.add(id, area.clone(), rules), there.insert(id, (area, rules, now)).is_some());
                    models.retain(|key, _| key.0 != id);
                    continue;
                }
            };
            now += Duration::from_secs(seconds);
            let here = Moment { at: to, time: now };
            let speed = known.get(&object).map_or(1.0, |m| EARTH.distance(m.at, to).0 / now.since(m.time).as_secs_f64());
            let mut told: Vec<(usize, What)> = Vec::new();
            let taken = set.update(&object, to, now, |e| {
                assert_eq!(*e.object, object);
                told.push((*e.fence, e.what));
            });
            if !known.contains_key(&object) && known.len() == 3 {
                prop_assert_eq!(taken, Err(FixError::Full { capacity: 3 }));
                prop_assert!(told.is_empty());
                continue;
            }
            prop_assert_eq!(taken, Ok(()));
            // Ways next to half the Earth may go either side for a digit.
            if known.get(&object).is_some_and(|m| EARTH.distance(m.at, to).0 > 1.99e7) {
                return Ok(());
            }
            known.insert(object, here);
            for (id, (area, rules, _)) in &there {
                let model = models.entry((*id, object)).or_default().fix(area, rules, here, silence);
                let ours: Vec<What> = told.iter().filter(|t| t.0 == *id).map(|t| t.1).collect();
                let equal = ours.len() == model.len() && ours.iter().zip(&model).all(|(a, b)| same(*a, *b, speed));
                prop_assert!(equal, "fence {}: {:?}, by walking {:?}", id, ours, model);
                for what in &ours {
                    for m in moments(*what).1 {
                        let edge = area.signed_distance(m.at).0.abs();
                        prop_assert!(matches!(what, What::Dwell(_) | What::Lost(_)) || m == here || edge < 1.0, "{:?} is {} m off the edge", what, edge);
                    }
                }
            }
            prop_assert!(told.windows(2).all(|pair| moments(pair[0].1).1[0].time <= moments(pair[1].1).1[0].time));
            let mut inside: Vec<usize> = set.inside(&object).copied().collect();
            let mut model: Vec<usize> = models.iter().filter(|(k, m)| k.1 == object && m.stay.is_some()).map(|(k, _)| k.0).collect();
            inside.sort_unstable();
            model.sort_unstable();
            prop_assert_eq!(inside, model);
            prop_assert_eq!(set.position(&object), Some(here));
            prop_assert_eq!((set.objects(), set.fences()), (known.len(), there.len()));
        }
    }

    /// Any doubles as positions, radii and hysteresis, any times, in any order.
    #[test]
    fn any_script_is_run_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        any_fixes::any_fixes(&bytes);
    }

    /// However the ways run, coming in and leaving alternate, and their times do not fall.
    #[test]
    fn coming_and_going_alternate((center, fences, moves) in scene()) {
        let mut set = FenceSet::<usize, ()>::new(1);
        for (id, (area, rules)) in fences.into_iter().enumerate() {
            set.add(id, area, rules);
        }
        let (mut here, mut now) = (center, Time::ZERO);
        let mut states: HashMap<usize, (bool, Time)> = HashMap::new();
        for step in moves {
            if let Step::Move(_, bearing, meters, seconds) = step {
                here = EARTH.destination(here, bearing, Meters(meters));
                now += Duration::from_secs(seconds);
                set.update(&(), here, now, |e| {
                    let state = states.entry(*e.fence).or_insert((false, Time::ZERO));
                    let all = moments(e.what).1;
                    for m in &all {
                        assert!(m.time >= state.1 && m.time <= now);
                        state.1 = m.time;
                    }
                    match e.what {
                        What::Enter(_) => assert!(!std::mem::replace(&mut state.0, true)),
                        What::Exit(_) => assert!(std::mem::replace(&mut state.0, false)),
                        What::Cross { .. } => assert!(!state.0),
                        _ => assert!(state.0),
                    }
                }).unwrap();
            }
        }
    }
}

fn lose(
    models: &mut HashMap<(usize, u8), Model>,
    known: &mut HashMap<u8, Moment>,
    object: u8,
    told: &mut Vec<(usize, What)>,
) {
    let Some(last) = known.remove(&object) else { return };
    models.retain(|key, model| {
        if key.1 == object && model.stay.is_some() {
            told.push((key.0, What::Lost(last)));
        }
        key.1 != object
    });
}

/// A circle of 1 km at (10, 10).
fn one(rules: Rules) -> FenceSet<&'static str, u32> {
    let mut set = FenceSet::new(10);
    set.add("one", Circle::new(at(10.0, 10.0), Meters(1_000.0)), rules);
    set
}

fn told(set: &mut FenceSet<&'static str, u32>, lat: f64, lng: f64, seconds: u64) -> Vec<What> {
    let mut all = Vec::new();
    set.update(&1, at(lat, lng), Time::from_secs(seconds), |e| all.push(e.what)).unwrap();
    all
}

#[test]
fn a_jump_over_a_fence_is_seen_with_point_and_time() {
    let mut set = one(Rules::new());
    assert_eq!(told(&mut set, 10.0, 9.0, 0), []);
    let [What::Cross { enter, exit }] = told(&mut set, 10.0, 11.0, 100)[..] else { panic!() };
    for m in [enter, exit] {
        assert!((EARTH.distance(m.at, at(10.0, 10.0)).0 - 1_000.0).abs() < 1e-3);
    }
    // 219 km in 100 s, the fence in the middle; 1 km takes 0.457 s. The way runs 84 m north of its center.
    let share = |m: Moment| m.time.as_nanos() as f64 * 1e-9;
    assert!((share(enter) - 49.545).abs() < 0.01, "{}", share(enter));
    assert!((share(exit) - 50.455).abs() < 0.01, "{}", share(exit));
    assert_eq!(set.inside(&1).count(), 0);
}

#[test]
fn jitter_about_the_edge_is_one_stay() {
    let edge = 10.0 + 1_000.0 / EARTH.radius() * 180.0 / std::f64::consts::PI;
    let step = 1e-4; // 11 m
    let mut set = one(Rules::new().with_hysteresis(Meters(20.0)));
    let mut all = Vec::new();
    for i in 0..100_u64 {
        let off = if i % 2 == 0 { step } else { -step };
        all.extend(told(&mut set, edge + off, 10.0, 1 + i));
    }
    assert!(matches!(all[..], [What::Enter(m)] if m.time < Time::from_secs(3)), "{all:?}");
    // Then it leaves: the exit is where it last crossed the edge.
    let last = told(&mut set, edge + 3.0 * step, 10.0, 200);
    assert!(matches!(last[..], [What::Exit(m)] if EARTH.distance(m.at, at(edge, 10.0)).0 < 0.01));
    // Without hysteresis it flaps.
    let mut set = one(Rules::new());
    let flaps: usize = (0..100_u64)
        .map(|i| told(&mut set, edge + if i % 2 == 0 { step } else { -step }, 10.0, 1 + i).len())
        .sum();
    assert_eq!(flaps, 99);
}

#[test]
fn nothing_is_told_of_what_does_not_move() {
    let mut set = one(Rules::new());
    assert_eq!(told(&mut set, 10.0, 10.0, 1).len(), 1);
    for i in 2..50 {
        assert_eq!(told(&mut set, 10.0, 10.0, i), []);
    }
    assert_eq!(set.stats().events, 1);
}

#[test]
fn a_stay_is_told_of_once_it_has_lasted() {
    let mut set = one(Rules::new().with_dwell(Duration::from_secs(60)));
    assert!(matches!(told(&mut set, 10.0, 10.0, 100)[..], [What::Enter(_)]));
    assert_eq!(told(&mut set, 10.0, 10.0, 159), []);
    assert!(
        matches!(told(&mut set, 10.0, 10.001, 200)[..], [What::Dwell(m)] if m.time == Time::from_secs(160))
    );
    assert_eq!(told(&mut set, 10.0, 10.0, 900), []);
    assert!(matches!(told(&mut set, 10.0, 12.0, 901)[..], [What::Exit(_)]));
    // A stay whose end shows that it had lasted, too.
    let mut set = one(Rules::new().with_dwell(Duration::from_secs(60)));
    told(&mut set, 10.0, 10.0, 100);
    assert!(matches!(
        told(&mut set, 10.0, 10.02, 400)[..],
        [What::Dwell(_), What::Exit(m)] if m.time < Time::from_secs(240)
    ));
    // And one that had not.
    let mut set = one(Rules::new().with_dwell(Duration::from_secs(60)));
    told(&mut set, 10.0, 10.0, 100);
    assert!(matches!(told(&mut set, 10.0, 10.02, 200)[..], [What::Exit(_)]));
}

#[test]
fn old_fixes_are_refused_and_counted() {
    let mut set = one(Rules::new());
    told(&mut set, 10.0, 9.0, 100);
    for seconds in [100, 99, 0] {
        let time = Time::from_secs(seconds);
        let late = set.update(&1, at(10.0, 10.0), time, |_| panic!("an event"));
        assert_eq!(late, Err(FixError::Late { time, last: Time::from_secs(100) }));
    }
    assert_eq!((set.stats().fixes, set.stats().late), (4, 3));
    assert_eq!(
        FixError::Late { time: Time::from_nanos(5), last: Time::from_nanos(7) }.to_string(),
        "a fix of 5 ns is not newer than the last, of 7 ns"
    );
    // The last fix still counts: the way goes from it.
    assert!(matches!(told(&mut set, 10.0, 11.0, 200)[..], [What::Cross { .. }]));
}

#[test]
fn objects_are_bounded_and_silent_ones_expire() {
    let mut set = FenceSet::<u8, u32>::new(100).with_silence(Duration::from_secs(60));
    set.add(0, Circle::new(at(0.0, 0.0), Meters(1e5)), Rules::new());
    for object in 0..100 {
        set.update(&object, at(0.0, 0.0), Time::from_secs(u64::from(object)), |_| {}).unwrap();
    }
    let before = set.memory();
    for object in 100..100_000 {
        let full = set.update(&object, at(0.0, 0.0), Time::from_secs(100), |_| {});
        assert_eq!(full, Err(FixError::Full { capacity: 100 }));
    }
    assert_eq!((set.objects(), set.stats().full, set.memory()), (100, 99_900, before));
    // Number 7 is heard again, so it stays.
    set.update(&7, at(0.0, 0.0), Time::from_secs(99), |_| {}).unwrap();
    let mut lost = 0;
    let count = set.expire(Time::from_secs(110), |e| {
        assert!(matches!(e.what, What::Lost(m) if m.time == Time::from_secs(u64::from(*e.object))));
        lost += 1;
    });
    assert_eq!((count, lost, set.objects()), (49, 49, 51));
    assert!(
        set.position(&7).is_some() && set.position(&49).is_none() && set.position(&50).is_some()
    );
    // Whoever comes and goes leaves nothing behind.
    for round in 0..10_000_u64 {
        set.update(&1_000, at(0.0, 0.0), Time::from_secs(round), |_| {}).unwrap();
        set.forget(&1_000, |_| {});
    }
    assert!(set.memory() <= before + 100 * 64, "{} {before}", set.memory());
    // A clock that jumps to the end of time.
    assert_eq!(set.expire(Time::MAX, |_| {}), 51);
    assert_eq!(set.objects(), 0);
}

#[test]
fn a_silent_object_is_lost_and_its_next_fix_has_no_way_to_it() {
    let mut set = one(Rules::new()).with_silence(Duration::from_secs(60));
    told(&mut set, 10.0, 10.0, 10);
    let lost = told(&mut set, 10.0, 12.0, 71);
    assert!(matches!(lost[..], [What::Lost(m)] if m.time == Time::from_secs(10)));
    assert_eq!(told(&mut set, 10.0, 8.0, 132), []);
    assert!(matches!(told(&mut set, 10.0, 12.0, 192)[..], [What::Cross { .. }]));
}

#[test]
fn fences_hold_at_poles_at_the_antimeridian_and_for_half_the_earth() {
    let mut set = FenceSet::<&str, u32>::new(10);
    let cap = |c, km| Circle::new(c, Meters::from_km(km));
    set.add("pole", cap(at(90.0, 0.0), 100.0), Rules::new());
    set.add("dateline", cap(at(0.0, 180.0), 100.0), Rules::new());
    set.add("all but a hole", cap(at(0.0, 90.0), 19_900.0), Rules::new());
    set.add("half", cap(at(0.0, 0.0), 10_007.5), Rules::new());
    let square = [at(-5.0, 175.0), at(-5.0, -175.0), at(5.0, -175.0), at(5.0, 175.0)];
    set.add("square", Polygon::new(&[square.to_vec()]).unwrap(), Rules::new());
    let arctic = [at(80.0, 0.0), at(80.0, 120.0), at(80.0, -120.0)];
    set.add("arctic", Polygon::new(&[arctic.to_vec()]).unwrap(), Rules::new());
    let mut go = |object: u32, from: LatLng, to: LatLng| {
        let mut all = Vec::new();
        set.update(&object, from, Time::from_secs(1), |_| {}).unwrap();
        set.update(&object, to, Time::from_secs(2), |e| {
            all.push((*e.fence, moments(e.what).0));
        })
        .unwrap();
        all.sort_unstable();
        all
    };
    let pole = go(1, at(70.0, 30.0), at(70.0, -150.0));
    assert_eq!(pole, [("arctic", "cross"), ("half", "exit"), ("pole", "cross")]);
    let line = go(2, at(0.0, 170.0), at(0.0, -170.0));
    assert_eq!(line, [("dateline", "cross"), ("square", "cross")]);
    // Over the hole at (0, -90), 115 km wide on either side.
    let hole = go(3, at(0.0, -100.0), at(0.0, -80.0));
    assert_eq!(hole, [("half", "enter")]);
    assert_eq!(go(4, at(0.0, -100.0), at(0.0, -90.0)), [("all but a hole", "exit")]);
}

#[test]
fn one_level_of_fences_and_a_way_around_the_earth() {
    // 5 000 houses along the equator, 15 m; a way over all of them asks them one by one.
    let mut set = FenceSet::<u32, u8>::new(2);
    for i in 0..5_000_u32 {
        set.add(i, Circle::new(at(0.0, f64::from(i) * 0.03), Meters(15.0)), Rules::new());
    }
    let mut order = Vec::new();
    set.update(&1, at(0.0, -1.0), Time::from_secs(1), |_| {}).unwrap();
    set.update(&1, at(0.0, 160.0), Time::from_secs(2), |e| order.push(*e.fence)).unwrap();
    assert_eq!(order, (0..5_000).collect::<Vec<_>>());
    // And a short way meets the two next to it.
    order.clear();
    set.update(&2, at(0.0, 0.02), Time::from_secs(1), |_| {}).unwrap();
    set.update(&2, at(0.0, 0.08), Time::from_secs(2), |e| order.push(*e.fence)).unwrap();
    assert_eq!(order, [1, 2]);
}

#[test]
fn neighbours_hand_an_object_over_at_one_moment() {
    let mut set = FenceSet::<&str, u32>::new(1);
    let (a, b) = (at(10.0, 10.0), at(30.0, 12.0));
    set.add("east", Polygon::new(&[vec![a, at(20.0, 30.0), b]]).unwrap(), Rules::new());
    set.add("west", Polygon::new(&[vec![a, b, at(20.0, 0.0)]]).unwrap(), Rules::new());
    let mut all = Vec::new();
    set.update(&1, at(20.0, 8.0), Time::from_secs(1), |_| {}).unwrap();
    set.update(&1, at(20.0, 14.0), Time::from_secs(2), |e| all.push((*e.fence, e.what))).unwrap();
    let [("west", What::Exit(exit)), ("east", What::Enter(enter))] = all[..] else {
        panic!("{all:?}")
    };
    assert!(EARTH.distance(exit.at, enter.at).0 < 1e-3);
}

/// A panic in the caller's closure leaves no event for the next fix.
#[test]
fn a_panic_in_the_closure_leaves_nothing_behind() {
    let mut set = one(Rules::new());
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = set.update(&1, at(10.0, 10.0), Time::from_secs(1), |_| panic!("the caller's"));
    }));
    assert!(caught.is_err());
    assert_eq!(told(&mut set, 10.0, 10.0, 2), []);
    assert!(matches!(told(&mut set, 10.0, 12.0, 3)[..], [What::Exit(_)]));
}

/// 139 098 real fixes of 842 aircraft through 460 fences, each fence walked on its own.
#[test]
fn real_tracks_give_the_events_of_walking_them() {
    let Some(path) = testkit::golden::data("geo/moving_flights.csv.gz") else { return };
    let mut fences: Vec<(Area, Rules)> = Vec::new();
    for i in 0..400_u32 {
        let f = f64::from(i);
        let center = at(45.6 + f * 0.618_034 % 2.4, 5.8 + f * 0.754_878 % 4.9);
        let radius = 300.0 * 1.011_f64.powf(f * 7.0 % 400.0);
        let rules = Rules::new()
            .with_hysteresis(Meters([0.0, 200.0, 2_000.0][i as usize % 3]))
            .with_dwell(Duration::from_secs(u64::from(i) % 300));
        if i % 4 == 0 {
            let radii: Vec<f64> =
                (0..9).map(|k| radius * (0.4 + f64::from((i + k * 5) % 7) * 0.1)).collect();
            fences.push((star(center, &radii, i % 8 == 0).unwrap().into(), rules));
        } else {
            fences.push((Circle::new(center, Meters(radius)).into(), rules));
        }
    }
    let silence = Duration::from_secs(600);
    let mut set = FenceSet::<usize, String>::new(1_000).with_silence(silence);
    for (id, (area, rules)) in fences.iter().enumerate() {
        set.add(id, area.clone(), *rules);
    }
    let mut models: HashMap<String, Vec<Model>> = HashMap::new();
    let (mut fixes, mut counts) = (0_u64, HashMap::new());
    for (seconds, object, lat, lng) in testkit::golden::csv::<(u64, String, f64, f64)>(path) {
        let here = Moment { at: at(lat, lng), time: Time::from_secs(seconds) };
        let mut ours: Vec<(usize, What)> = Vec::new();
        let taken =
            set.update(object.as_str(), here.at, here.time, |e| ours.push((*e.fence, e.what)));
        fixes += 1;
        if taken.is_err() {
            assert!(matches!(taken, Err(FixError::Late { .. })) && ours.is_empty());
            continue;
        }
        let models = models.entry(object).or_insert_with(|| vec![Model::default(); fences.len()]);
        let mut expected = Vec::new();
        for (id, ((area, rules), model)) in fences.iter().zip(models).enumerate() {
            expected.extend(model.fix(area, rules, here, silence).into_iter().map(|w| (id, w)));
        }
        ours.sort_by_key(|e| e.0);
        let equal = ours.len() == expected.len()
            && ours.iter().zip(&expected).all(|(a, b)| a.0 == b.0 && same(a.1, b.1, 30.0));
        assert!(equal, "{ours:?}\n{expected:?}");
        for (_, what) in ours {
            *counts.entry(moments(what).0).or_insert(0) += 1;
        }
    }
    println!("{fixes} fixes, {} late: {counts:?}", set.stats().late);
    assert_eq!(fixes, 139_098);
    for kind in ["enter", "exit", "cross", "dwell", "lost"] {
        assert!(counts.get(kind).is_some_and(|n| *n > 50), "{kind}: {counts:?}");
    }
}
