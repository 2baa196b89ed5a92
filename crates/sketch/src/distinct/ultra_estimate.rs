//! The estimators of UltraLogLog (Ertl, "UltraLogLog: A Practical and More Space-Efficient
//! Alternative to HyperLogLog for Approximate Distinct Counting", VLDB 2024). The order of the
//! floating-point operations is hash4j's where its stopping rule makes it visible.

use super::TWO_TO_64;
use crate::math::{log1p, pow, sqrt};

// The optimal parameters of the further generalised remaining area estimator.
const ETA: [f64; 4] =
    [4.663135422063788, 2.1378502137958524, 2.781144650979996, 0.9824082545153715];
const TAU: f64 = 0.8194911375910897;
/// 2^-TAU.
const STEP: f64 = 0.5666417713316728;
/// Squared relative standard error times the number of registers.
pub(super) const FGRA_VARIANCE: f64 = 0.6118931496978437;

/// Contributions are added up as whole multiples of 2^-100, so their sum depends on no order.
const UNIT: f64 = (1_u128 << 100) as f64;

/// ETA[j] STEP^(k + 3) in units, for a register 4k + j above the least full one.
const CONTRIBUTION: [u128; 256] = {
    let mut table = [0; 256];
    let mut power = STEP * STEP * STEP;
    let mut at = 0;
    while at < 256 {
        table[at] = (ETA[at % 4] * power * UNIT) as u128;
        at += 1;
        if at % 4 == 0 {
            power *= STEP;
        }
    }
    table
};

/// What the estimates need of the registers, kept up to date register by register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tally {
    /// Contributions of the registers in the middle, in units.
    sum: u128,
    /// Registers that are empty, or have only their first rank, only their second, or both.
    low: [u32; 4],
    /// Registers whose greatest rank is the last one, by the two bits below.
    high: [u32; 4],
    /// The probability that a new item changes a register, times 2^64.
    change: u128,
}

impl Tally {
    /// Of 2^lg empty registers.
    pub(super) const fn new(lg: u8) -> Self {
        Self { sum: 0, low: [1 << lg, 0, 0, 0], high: [0; 4], change: 1 << 64 }
    }

    pub(super) fn of(registers: &[u8], lg: u8) -> Self {
        let mut tally = Self { sum: 0, low: [0; 4], high: [0; 4], change: 0 };
        for &register in registers {
            tally.count(register, lg, 1);
        }
        tally
    }

    pub(super) fn replace(&mut self, old: u8, new: u8, lg: u8) {
        self.count(old, lg, -1);
        self.count(new, lg, 1);
    }

    pub(super) fn change_probability(&self) -> f64 {
        u64::try_from(self.change).map_or(TWO_TO_64, |change| change as f64) / TWO_TO_64
    }

    fn count(&mut self, register: u8, lg: u8, by: i8) {
        let shift = |cell: &mut u32| *cell = cell.wrapping_add_signed(by.into());
        let change = if let Some(middle) = register.checked_sub(4 * (lg + 1)) {
            if register >= 252 {
                shift(&mut self.high[usize::from(register & 3)]);
                [3, 1, 2, 0][usize::from(register & 3)]
            } else {
                let contribution = CONTRIBUTION[usize::from(middle)];
                self.sum = if by > 0 { self.sum + contribution } else { self.sum - contribution };
                [7, 3, 5, 1][usize::from(register & 3)] << (62 - (register >> 2))
            }
        } else {
            let (class, quarters) = match 4 * (lg + 1) - register {
                8 => (1, 2),
                4 => (2, 3),
                2 => (3, 1),
                _ => (0, 4),
            };
            shift(&mut self.low[class]);
            quarters << (62 - lg)
        };
        self.change = if by > 0 { self.change + change } else { self.change - change };
    }
}

const ETA_X: f64 = ETA[0] - ETA[1] - ETA[2] + ETA[3];

/// The further generalised remaining area estimate of 2^lg registers.
pub(super) fn fgra(tally: &Tally, lg: u8) -> f64 {
    let m = (1_u64 << lg) as f64;
    let mut sum = tally.sum as f64 / UNIT;
    let low = tally.low.map(f64::from);
    if tally.low != [0; 4] {
        sum += low_range(low, m);
    }
    if tally.high != [0; 4] {
        sum += high_range(tally.high.map(f64::from), m, 65 - lg);
    }
    // m^(1 + 1/tau), corrected for its bias at small m.
    let factor = pow(m, 1.0 + 1.0 / TAU) / (1.0 + (1.0 + TAU) / 2.0 * FGRA_VARIANCE / m);
    (factor * pow(sum, -1.0 / TAU)).min(TWO_TO_64)
}

fn low_range([c0, c4, c8, c10]: [f64; 4], m: f64) -> f64 {
    let alpha = m + 3.0 * (c0 + c4 + c8 + c10);
    let beta = m - c0 - c4;
    let gamma = 4.0 * c0 + 2.0 * c4 + 3.0 * c8 + c10;
    let fourth_root = (sqrt(beta * beta + 4.0 * alpha * gamma) - beta) / (2.0 * alpha);
    let root = fourth_root * fourth_root;
    let z = root * root;
    let mut sum = 0.0;
    if c0 > 0.0 {
        sum += c0 * sigma(z);
    }
    sum += c4 * STEP * ETA_X * psi(z, z * z);
    sum += c8 * STEP * STEP * (z * (ETA[0] - ETA[1]) + ETA[1]);
    sum + c10 * STEP * STEP * (z * (ETA[2] - ETA[3]) + ETA[3])
}

fn high_range([w0, w1, w2, w3]: [f64; 4], m: f64, last: u8) -> f64 {
    let alpha = m + 3.0 * (w0 + w1 + w2 + w3);
    let beta = w0 + w1 + 2.0 * (w2 + w3);
    let gamma = m + 2.0 * w0 + w2 - w3;
    let z = sqrt((sqrt(beta * beta + 4.0 * alpha * gamma) - beta) / (2.0 * alpha));
    let root = sqrt(z);
    let mut sum = phi(root, z) * (w0 + w1 + w2 + w3);
    sum += z * (1.0 + root) * (w0 * ETA[0] + w1 * ETA[1] + w2 * ETA[2] + w3 * ETA[3]);
    sum += root
        * STEP
        * ((w0 + w1) * (z * (ETA[0] - ETA[2]) + ETA[2])
            + (w2 + w3) * (z * (ETA[1] - ETA[3]) + ETA[3]));
    sum * pow(STEP, last.into()) / ((1.0 + root) * (1.0 + z))
}

/// The paper's psi, divided by `ETA_X`.
fn psi(z: f64, squared: f64) -> f64 {
    (z + (ETA[2] - ETA[3]) / ETA_X) * (squared + (ETA[1] - ETA[3]) / ETA_X)
        + (ETA[3] * ETA[0] - ETA[1] * ETA[2]) / (ETA_X * ETA_X)
}

fn sigma(z: f64) -> f64 {
    if z <= 0.0 {
        return ETA[3];
    }
    if z >= 1.0 {
        return f64::INFINITY;
    }
    let (mut power, mut next) = (z, z * z);
    let (mut sum, mut weight) = (0.0, ETA_X);
    loop {
        let before = sum;
        let after = next * next;
        sum += weight * (power - next) * psi(next, after);
        if sum <= before {
            return sum / z;
        }
        (power, next) = (next, after);
        weight /= STEP;
    }
}

fn phi(z: f64, squared: f64) -> f64 {
    if z <= 0.0 {
        return 0.0;
    }
    if z >= 1.0 {
        return ETA[0] * STEP / (2.0 / STEP - 1.0);
    }
    let (mut previous, mut power, mut next) = (squared, z, sqrt(z));
    let mut weight = ETA_X * STEP * STEP / (2.0 - STEP) / (1.0 + next);
    let mut value = psi(power, previous);
    let mut sum = next * (value + value) * weight;
    loop {
        previous = power;
        power = next;
        next = sqrt(power);
        let before = sum;
        let next_value = psi(power, previous);
        weight *= STEP / (1.0 + next);
        sum += next * ((next_value + next_value) - (power + next) * value) * weight;
        if sum <= before {
            return sum;
        }
        value = next_value;
    }
}

/// sqrt(ln 2 / zeta(2, 5/4)): the error of maximum likelihood times sqrt(m).
const ML_ERROR: f64 = 0.760_862_100_272_518_2;
/// 3/2 ln 2 zeta(3, 5/4) / zeta(2, 5/4)^2: its bias of the first order times m.
const ML_BIAS: f64 = 0.481_473_765_277_200_67;

/// The maximum likelihood estimate of 2^lg registers.
pub(super) fn maximum_likelihood(registers: &[u8], tally: &Tally, lg: u8) -> f64 {
    // The likelihood of x items a half-register is exp(-a x) times the product of
    // (1 - exp(-x / 2^k))^counts[k].
    let mut counts = [0_u32; 64];
    registers.iter().for_each(|&register| observe(register, &mut counts, lg));
    let last = 64 - usize::from(lg);
    counts[last - 1] += core::mem::take(&mut counts[last]);
    let m = registers.len() as f64;
    let a = tally.change_probability() * 2.0 * m;
    let x = solve(a, &counts, 0.001 * ML_ERROR / sqrt(m));
    (2.0 * m * x / (1.0 + ML_BIAS / m)).min(TWO_TO_64)
}

/// Counts the ranks that a register has.
fn observe(register: u8, counts: &mut [u32; 64], lg: u8) {
    if let Some(middle) = register.checked_sub(4 * (lg + 1)) {
        let rank = usize::from(middle >> 2);
        counts[rank] += u32::from(register & 1);
        counts[rank + 1] += u32::from(register >> 1 & 1);
        counts[rank + 2] += 1;
    } else {
        let below = 4 * (lg + 1) - register;
        counts[0] += u32::from(below == 8 || below == 2);
        counts[1] += u32::from(below == 4 || below == 2);
    }
}

/// The x that maximises exp(-a x) prod (1 - exp(-x / 2^k))^b[k]: a secant iteration from below on
/// a concave function (Ertl 2017, algorithm 8).
fn solve(a: f64, b: &[u32; 64], tolerance: f64) -> f64 {
    if a == 0.0 {
        return f64::INFINITY;
    }
    let Some(k_max) = b.iter().rposition(|&count| count > 0) else { return 0.0 };
    let two_to = |k: usize| (1_u64 << k) as f64;
    let (mut k_min, mut total) = (k_max, f64::from(b[k_max]));
    let mut weighted = total * two_to(k_max);
    for k in (0..k_max).rev().filter(|&k| b[k] > 0) {
        total += f64::from(b[k]);
        weighted += f64::from(b[k]) * two_to(k);
        k_min = k;
    }
    let mut x = if weighted <= 1.5 * a {
        total / (0.5 * weighted + a)
    } else {
        log1p(weighted / a) * (total / weighted)
    };
    let (mut step, mut previous) = (x, 0.0);
    while step > x * tolerance {
        let exponent = ((x.to_bits() >> 52) & 0x7ff) as i32 - 1021;
        let halvings = exponent.max(k_max as i32) + 1;
        // In 0 ..= 0.25, where a short series gives h(y) = 1 - y / (e^y - 1).
        let mut y = x / pow(2.0, halvings.into());
        let y2 = y * y;
        let mut h = y + y2 * (-1.0 / 3.0 + y2 * (1.0 / 45.0 - y2 / 472.5));
        // h(2y) from h(y).
        let double = |h: &mut f64, y: &mut f64| {
            let rest = 1.0 - *h;
            *h = (*y + *h * rest) / (*y + rest);
            *y += *y;
        };
        for _ in k_max as i32..exponent {
            double(&mut h, &mut y);
        }
        let mut g = f64::from(b[k_max]) * h;
        for k in (k_min..k_max).rev() {
            double(&mut h, &mut y);
            g += f64::from(b[k]) * h;
        }
        g += x * a;
        if previous < g && g <= total {
            step *= (g - total) / (previous - g);
        } else {
            step = 0.0;
        }
        x += step;
        previous = g;
    }
    x
}
