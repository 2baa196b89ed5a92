//! How many rooms too many: the limit that earns most on seeded no-shows, and what it costs.
//!
//! A guest who does not come pays for the first night all the same; one who comes and finds no room
//! is walked: another hotel's room, a taxi, goodwill. The classic answer is the newsvendor's: sell
//! until the chance that one more guest must be walked is price / (price + walk) - but the demand is
//! not endless and no-shows come together (a storm, a fair), so it is simulated night by night.

use kit::{Seed, Stream};

/// What a night earns and costs, in cents.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Rooms of the type.
    pub rooms: u64,
    /// For a room and night.
    pub price: i64,
    /// For each guest who is walked, the refund included.
    pub walk: i64,
    /// Of those who have booked, how many do not come.
    pub no_show: f64,
    /// How much that differs from night to night: its standard deviation.
    pub spread: f64,
    /// Bookings that are asked for, on an average night.
    pub demand: f64,
    /// Whether a guest who does not come pays.
    pub pays: bool,
}

/// A limit, tried on every night.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tried {
    /// The limit.
    pub limit: u64,
    /// Earned a night, less what the walked cost, in cents.
    pub earned: f64,
    /// Walked, of 1,000 guests who came.
    pub walked: f64,
    /// Rooms empty in the morning, a night.
    pub empty: f64,
}

/// Nights, each with its demand and its share of no-shows: the same for every limit.
fn nights(terms: Terms, count: usize, dice: &mut Stream) -> Vec<(u64, Vec<bool>)> {
    let night = |dice: &mut Stream| {
        let demand = (terms.demand + terms.demand.sqrt() * dice.normal()).round().max(0.0) as u64;
        let share = (terms.no_show + terms.spread * dice.normal()).clamp(0.0, 0.9);
        let comes = (0..2 * terms.rooms).map(|_| !dice.chance(share)).collect();
        (demand, comes)
    };
    (0..count).map(|_| night(dice)).collect()
}

/// Every limit from the rooms to half as many again, on the same nights.
#[must_use]
pub fn curve(seed: Seed, terms: Terms, count: usize) -> Vec<Tried> {
    let nights = nights(terms, count, &mut seed.stream("no-shows"));
    let tried = |limit: u64| {
        let (mut earned, mut walked, mut came, mut empty) = (0, 0, 0, 0);
        for (demand, comes) in &nights {
            let sold = limit.min(*demand);
            let here = comes.iter().take(sold as usize).filter(|comes| **comes).count() as u64;
            let away = here.saturating_sub(terms.rooms);
            let paying = if terms.pays { sold } else { here };
            earned += terms.price * paying as i64 - terms.walk * away as i64;
            (walked, came) = (walked + away, came + here);
            empty += terms.rooms.saturating_sub(here);
        }
        let nights = count.max(1) as f64;
        Tried {
            limit,
            earned: earned as f64 / nights,
            walked: 1_000.0 * walked as f64 / came.max(1) as f64,
            empty: empty as f64 / nights,
        }
    };
    (terms.rooms..=terms.rooms * 3 / 2).map(tried).collect()
}

/// The limit that earns most; of equals the lowest.
#[must_use]
pub fn best(curve: &[Tried]) -> Tried {
    let first = curve.first().copied().unwrap_or_default();
    curve
        .iter()
        .skip(1)
        .fold(first, |best, tried| if tried.earned > best.earned { *tried } else { best })
}

/// The newsvendor's limit for endless demand and independent guests: the highest at which one more
/// guest is worth selling to, `P(shows >= rooms + 1 of limit) <= price / walk`.
#[must_use]
pub fn newsvendor(terms: Terms) -> u64 {
    let show = 1.0 - terms.no_show;
    let gain = if terms.pays { 1.0 } else { show };
    let mut limit = terms.rooms;
    while limit < terms.rooms * 3 / 2 {
        // The next guest costs a walk when she comes and the others fill the house.
        let mut others = 0.0;
        for here in terms.rooms..=limit {
            others += binomial(limit, here, show);
        }
        if terms.walk as f64 * show * others > terms.price as f64 * gain {
            break;
        }
        limit += 1;
    }
    limit
}

/// The chance that of `n` guests `k` come, each with `p`.
fn binomial(n: u64, k: u64, p: f64) -> f64 {
    let choose: f64 = (0..k).map(|i| ((n - i) as f64 / (k - i) as f64).ln()).sum();
    let (come, not) = (p.powi(k as i32), (1.0 - p).powi((n - k) as i32));
    choose.exp() * come * not
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: Terms = Terms {
        rooms: 100,
        price: 10_000,
        walk: 30_000,
        no_show: 0.08,
        spread: 0.0,
        demand: 1_000.0,
        pays: false,
    };

    #[test]
    fn chances_of_a_binomial_add_up_and_its_mean_is_np() {
        for (n, p) in [(1, 0.5), (10, 0.3), (60, 0.92), (109, 0.92)] {
            let all: f64 = (0..=n).map(|k| binomial(n, k, p)).sum();
            let mean: f64 = (0..=n).map(|k| k as f64 * binomial(n, k, p)).sum();
            assert!((all - 1.0).abs() < 1e-9, "{n} {p}: {all}");
            assert!((mean - n as f64 * p).abs() < 1e-6, "{n} {p}: {mean}");
        }
    }

    #[test]
    fn the_simulated_best_is_the_newsvendors_where_its_assumptions_hold() {
        for walk in [15_000, 30_000, 60_000] {
            let terms = Terms { walk, ..TERMS };
            let best = best(&curve(Seed::new(1), terms, 20_000));
            let theory = newsvendor(terms);
            assert!(best.limit.abs_diff(theory) <= 1, "{walk}: {} and {theory}", best.limit);
            assert!(theory > 100);
        }
    }

    #[test]
    fn nobody_is_walked_at_the_rooms_and_no_room_is_oversold_when_everybody_comes() {
        let curve = curve(Seed::new(1), TERMS, 500);
        assert_eq!(curve[0].walked, 0.0);
        let all_come = Terms { no_show: 0.0, ..TERMS };
        assert_eq!(newsvendor(all_come), 100);
    }
}
