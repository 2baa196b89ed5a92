//! One fix: what it does to the stays of its object.

use alloc::vec::Vec;
use core::hash::{BuildHasher, Hash};

use archstone_core::Time;

use super::path::{Passage, Path};
use super::{Cap, Fence, FenceSet, Moment, Rules, Scratch, Stay, What};
use crate::coord::LatLng;
use crate::region::Region;
use crate::sphere::unit;

impl<F: Hash + Eq, O: Hash + Eq, S: BuildHasher> FenceSet<F, O, S> {
    /// A first fix: in or out of what is there.
    pub(super) fn first(&mut self, slot: u32, at: LatLng, time: Time) {
        let path = Path::new(at, unit(at), at);
        self.candidates(&path);
        let Scratch { found, told, .. } = &mut self.scratch;
        let Some(object) = &mut self.objects[slot as usize] else { return };
        let moment = Moment { at, time };
        for &number in found.iter() {
            if let Some(fence) = entered_at(&self.fences, &self.caps, number, &path) {
                told.push((number, What::Enter(moment)));
                let stay = Stay {
                    fence: number,
                    serial: fence.serial,
                    since: time,
                    dwelt: false,
                    left: None,
                };
                object.stays.push(dwell(stay, &fence.rules, &path, [time; 2], time, told));
            }
        }
    }

    /// A fix with a way to it.
    pub(super) fn next(&mut self, slot: u32, at: LatLng, time: Time) {
        let Some(object) = &self.objects[slot as usize] else { return };
        let path = Path::new(object.at, unit(object.at), at);
        let times = [object.time, time];
        self.candidates(&path);
        let Scratch { found, cuts, told } = &mut self.scratch;
        let Some(object) = &mut self.objects[slot as usize] else { return };
        let here = Moment { at, time };
        let moment = |t: f64| Moment { at: path.at(t), time: between(times, t) };
        if !object.stays.is_empty() {
            found.retain(|&number| {
                let fence = self.fences[number as usize].as_ref();
                !object.stays.iter().any(|stay| {
                    stay.fence == number && fence.is_some_and(|f| f.serial == stay.serial)
                })
            });
            object.stays.retain_mut(|stay| {
                let fence = self.fences[stay.fence as usize].as_ref();
                let Some(fence) = fence.filter(|fence| fence.serial == stay.serial) else {
                    return false;
                };
                if fence.area.contains(at) {
                    stay.left = None;
                } else {
                    let passage = path.passage(&fence.area, [stay.left.is_none(), false], cuts);
                    stay.left = passage.left.map(moment).or(stay.left);
                }
                let end = stay.left.map_or(time, |left| left.time);
                *stay = dwell(*stay, &fence.rules, &path, times, end, told);
                match stay.left {
                    Some(left) if is_clear(fence, at) => {
                        told.push((stay.fence, What::Exit(left)));
                        false
                    }
                    _ => true,
                }
            });
        }
        for &number in found.iter() {
            let cap = &self.caps[number as usize];
            if path.is_clear_of(cap.center, cap.chord) {
                continue;
            }
            let Some(fence) = &self.fences[number as usize] else { continue };
            let inside = fence.area.contains(at);
            let passage = if fence.serial > object.serial {
                // It has not seen the fence before: no way to it.
                Passage { entered: inside.then_some(1.0), left: None }
            } else {
                path.passage(&fence.area, [false, inside], cuts)
            };
            let Some(entered) = passage.entered else { continue };
            let enter = if entered >= 1.0 { here } else { moment(entered) };
            let left = if inside { None } else { passage.left.map(moment) };
            match left {
                Some(exit) if is_clear(fence, at) => {
                    told.push((number, What::Cross { enter, exit }));
                }
                _ => {
                    told.push((number, What::Enter(enter)));
                    let stay = Stay {
                        fence: number,
                        serial: fence.serial,
                        since: enter.time,
                        dwelt: false,
                        left,
                    };
                    let end = left.map_or(time, |left| left.time);
                    object.stays.push(dwell(stay, &fence.rules, &path, times, end, told));
                }
            }
        }
    }

    /// Into `scratch.found`: every fence that the way may meet, once, in the order of their numbers.
    fn candidates(&mut self, path: &Path) {
        let found = &mut self.scratch.found;
        found.clear();
        let one_by_one = self.grid.find(path, found);
        if one_by_one != 0 {
            let all = (0_u32..).zip(&self.fences);
            found.extend(all.filter_map(|(number, fence)| {
                let level = fence.as_ref()?.placed.level;
                (one_by_one >> level & 1 == 1).then_some(number)
            }));
        }
        if found.len() > 1 {
            found.sort_unstable();
            found.dedup();
        }
    }
}

/// The fence, if the end of the way is in it.
fn entered_at<'a, F>(
    fences: &'a [Option<Fence<F>>],
    caps: &[Cap],
    number: u32,
    path: &Path,
) -> Option<&'a Fence<F>> {
    let cap = &caps[number as usize];
    if path.is_clear_of(cap.center, cap.chord) {
        return None;
    }
    fences[number as usize].as_ref().filter(|fence| fence.area.contains(path.to))
}

/// Whether a fix that is outside is so by more than the hysteresis.
fn is_clear<F>(fence: &Fence<F>, at: LatLng) -> bool {
    let hysteresis = fence.rules.hysteresis();
    hysteresis.0 == 0.0 || fence.area.signed_distance(at) > hysteresis
}

/// Notes that a stay has lasted as long as the rules say, if it has by `end`.
fn dwell(
    mut stay: Stay,
    rules: &Rules,
    path: &Path,
    times: [Time; 2],
    end: Time,
    told: &mut Vec<(u32, What)>,
) -> Stay {
    if let (Some(dwell), false) = (rules.dwell(), stay.dwelt) {
        if end.since(stay.since) >= dwell {
            // A stay that went on after all, by a fix outside and one inside again, may have lasted
            // so long before this way began.
            let time = (stay.since + dwell).max(times[0]);
            let span = times[1].since(times[0]).as_secs_f64();
            let t = if span > 0.0 { time.since(times[0]).as_secs_f64() / span } else { 1.0 };
            told.push((stay.fence, What::Dwell(Moment { at: path.at(t), time })));
            stay.dwelt = true;
        }
    }
    stay
}

/// The instant at the share `t` of the way.
fn between([from, to]: [Time; 2], t: f64) -> Time {
    let nanos = to.as_nanos() - from.as_nanos();
    // `as` saturates; a share is at most one.
    let share = ((nanos as f64 * t) as u64).min(nanos);
    Time::from_nanos(from.as_nanos() + share)
}
