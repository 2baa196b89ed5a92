//! Which fences may a way meet: cells of a cube grid, as coarse as each fence wants.
//!
//! Space, in steps of 2^-30 of the Earth's radius, is cut into cubes of 2^level steps; a fence lies in
//! the few that its part of the sphere meets, at the level where it spans no more than three or
//! five to an axis. A way asks the cubes around it at every level that has fences. There is no pole and
//! no antimeridian in it.

use alloc::vec::Vec;
use core::hash::BuildHasher;

use hashbrown::HashTable;

use super::path::Path;
use super::{Area, chord_of};
use crate::cube::STEPS;
use crate::math;
use crate::region::Region;
use crate::sphere::{Sphere, position};
use crate::vector::{V3, dot, norm, scale, sub};

/// Cubes of 24 m, so that three coordinates of 19 bits and the level have room in 64.
const FINEST: u32 = 12;
/// Cubes of half the Earth.
const COARSEST: u32 = 30;

#[derive(Clone)]
struct Cell {
    key: u64,
    fences: Vec<u32>,
}

#[derive(Clone)]
pub(super) struct Grid<S> {
    hasher: S,
    cells: HashTable<Cell>,
    /// Fences at each level.
    levels: [u32; COARSEST as usize + 1],
}

/// Where a fence is kept: enough to take it out again.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) level: u8,
    keys: Vec<u64>,
}

impl Placed {
    pub(super) fn memory(&self) -> usize {
        self.keys.capacity() * size_of::<u64>()
    }
}

fn key(level: u32, at: [i32; 3]) -> u64 {
    // 19 bits hold -2^18 ..= 2^18 but for the last, which shares its key with the first: two cells on
    // opposite sides of the Earth, whose fences are then asked in vain.
    let bits = |x: i32| (x as u64) & 0x7_ffff;
    u64::from(level) << 57 | bits(at[0]) << 38 | bits(at[1]) << 19 | bits(at[2])
}

/// The cubes of a level from `low` to `high`, in steps.
fn span(level: u32, low: V3, high: V3) -> [[i32; 2]; 3] {
    // In range: coordinates are within a few units of 2^30.
    let cube = |x: f64| (math::floor(x) as i64 >> level) as i32;
    [0, 1, 2].map(|axis| [cube(low[axis]), cube(high[axis])])
}

fn each(level: u32, span: [[i32; 2]; 3], mut f: impl FnMut([i32; 3], u64)) {
    for x in span[0][0]..=span[0][1] {
        for y in span[1][0]..=span[1][1] {
            for z in span[2][0]..=span[2][1] {
                f([x, y, z], key(level, [x, y, z]));
            }
        }
    }
}

impl<S: BuildHasher> Grid<S> {
    pub(super) fn new(hasher: S) -> Self {
        Self { hasher, cells: HashTable::new(), levels: [0; COARSEST as usize + 1] }
    }

    /// Puts a fence into its cubes.
    pub(super) fn add(&mut self, number: u32, area: &Area) -> Placed {
        let bounds = area.bounding_circle();
        let (center, chord) = (scale(bounds.vector(), STEPS), chord_of(&bounds) * STEPS + 4.0);
        // A circle over three cubes an axis; a polygon, which may be thin in its circle, over five.
        let wanted = match area {
            Area::Circle(_) => chord,
            Area::Polygon(_) => 0.5 * chord,
        };
        let level = (FINEST..COARSEST).find(|&level| edge(level) >= wanted).unwrap_or(COARSEST);
        let half = edge(level) * 0.5;
        let reach = half * math::sqrt(3.0) + 4.0;
        let mut keys = Vec::new();
        let by = |sign: f64| center.map(|x| x + sign * chord);
        each(level, span(level, by(-1.0), by(1.0)), |at, key| {
            let middle = at.map(|x| f64::from(x) * edge(level) + half);
            let height = norm(middle);
            let on_sphere = (height - STEPS).abs() <= reach;
            if on_sphere && norm(sub(middle, center)) <= chord + reach && meets(area, middle, reach)
            {
                keys.push(key);
            }
        });
        for &key in &keys {
            let hash = self.hasher.hash_one(key);
            let entry = self.cells.entry(
                hash,
                |cell| cell.key == key,
                |cell| self.hasher.hash_one(cell.key),
            );
            entry.or_insert(Cell { key, fences: Vec::new() }).into_mut().fences.push(number);
        }
        self.levels[level as usize] += 1;
        // At most 30.
        Placed { level: level as u8, keys }
    }

    pub(super) fn remove(&mut self, number: u32, placed: &Placed) {
        for &key in &placed.keys {
            let hash = self.hasher.hash_one(key);
            if let Ok(mut entry) = self.cells.find_entry(hash, |cell| cell.key == key) {
                let cell = entry.get_mut();
                if let Some(at) = cell.fences.iter().position(|&other| other == number) {
                    cell.fences.swap_remove(at);
                }
                if cell.fences.is_empty() {
                    entry.remove();
                }
            }
        }
        self.levels[usize::from(placed.level)] -= 1;
    }

    /// Appends every fence that the way may meet, some more than once. Where the way is so long that a
    /// level has fewer fences than it has cubes, the fences had better be asked one by one: the bits say
    /// of which levels.
    pub(super) fn find(&self, path: &Path, found: &mut Vec<u32>) -> u32 {
        let mut one_by_one = 0;
        for level in FINEST..=COARSEST {
            let fences = self.levels[level as usize];
            if fences == 0 {
                continue;
            }
            let pieces = path.length * STEPS / edge(level);
            if pieces > 4.0 + f64::from(fences) {
                one_by_one |= 1 << level;
                continue;
            }
            // At least 1, at most 4 + 2^32.
            let pieces = pieces as u64 + 1;
            // How far the arc of a piece rises over its chord, and two steps of rounding.
            let piece = path.length / pieces as f64;
            let bulge = (0.125 * piece * piece * STEPS).min(STEPS) + 2.0;
            let mut from = scale(path.a, STEPS);
            for i in 1..=pieces {
                let to = if i == pieces { path.b } else { path.vector(i as f64 / pieces as f64) };
                let to = scale(to, STEPS);
                let low = [0, 1, 2].map(|k| from[k].min(to[k]) - bulge);
                let high = [0, 1, 2].map(|k| from[k].max(to[k]) + bulge);
                each(level, span(level, low, high), |_, key| {
                    if let Some(cell) =
                        self.cells.find(self.hasher.hash_one(key), |cell| cell.key == key)
                    {
                        found.extend_from_slice(&cell.fences);
                    }
                });
                from = to;
            }
        }
        one_by_one
    }

    /// Bytes on the heap.
    pub(super) fn memory(&self) -> usize {
        self.cells.capacity() * (size_of::<Cell>() + 1)
            + self.cells.iter().map(|cell| cell.fences.capacity() * size_of::<u32>()).sum::<usize>()
    }
}

fn edge(level: u32) -> f64 {
    f64::from(1_u32 << level)
}

/// Whether the area may have a part in the ball of `reach` around `middle`.
fn meets(area: &Area, middle: V3, reach: f64) -> bool {
    let Area::Polygon(polygon) = area else { return true };
    if dot(middle, middle) == 0.0 || reach >= 0.5 * STEPS {
        return true;
    }
    // The nearest position of the sphere is within `reach` of the middle, so what is in the ball is
    // within twice that of it: a chord, and its angle is at most a ninth longer up to a unit.
    let off = polygon.signed_distance(position(middle)).0 / Sphere::EARTH.radius();
    off <= 2.0 * reach / STEPS * 1.12
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;
    use crate::coord::{LatLng, Meters};

    /// A fence in the one cube that a position on the way is in must be found: where the way rises out
    /// of the box of its ends, too. (Fences lie in a margin of cubes, which hides this from outside.)
    #[test]
    fn every_cube_that_a_way_goes_through_is_asked() {
        let mut risen = 0;
        for i in 0..30_000_u32 {
            let f = f64::from(i);
            let level = 22 + i % 9;
            let from = LatLng::wrapped(f * 1.7, f * 7.3).unwrap();
            let meters = edge(level) / STEPS * Sphere::EARTH.radius() * (0.1 + f * 0.618 % 4.0);
            let to = Sphere::EARTH.destination(from, f * 31.0 % 360.0, Meters(meters.min(1.9e7)));
            let path = Path::new(from, crate::sphere::unit(from), to);
            let p = scale(path.vector(f * 0.754_9 % 1.0), STEPS);
            let [x, y, z] = span(level, p, p).map(|axis| axis[0]);
            let mut grid = Grid::new(std::hash::RandomState::new());
            let key = key(level, [x, y, z]);
            let hash = grid.hasher.hash_one(key);
            grid.cells.insert_unique(hash, Cell { key, fences: alloc::vec![7] }, |_| 0);
            grid.levels[level as usize] = 1;
            let mut found = Vec::new();
            let one_by_one = grid.find(&path, &mut found);
            assert!(found.contains(&7) || one_by_one != 0, "{from} {to} {level}");
            let ends = [path.a, path.b].map(|p| scale(p, STEPS));
            risen += u32::from((0..3).any(|k| {
                let cube = |x: f64| span(level, [x; 3], [x; 3])[0][0];
                let at = [cube(ends[0][k]), cube(ends[1][k])];
                let here = cube(p[k]);
                here < at[0].min(at[1]) || here > at[0].max(at[1])
            }));
        }
        assert!(risen > 50, "{risen}");
    }
}
