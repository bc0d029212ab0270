//! Take linear states over any time by exponentials of their matrix over times that double.
//!
//! Uniformization: with `q` the largest rate of loss `B = A + q I` has no negative element where matter flows forward, and so
//! has every sum and product below: nothing cancels. The first rung is `e^(A unit)` with `|B| unit <= 1`, the next ones are
//! its squares. A time is a whole number of units, whose bits say which rungs are taken, and a rest, for which a series acts
//! on the states alone. The rungs hold as long as the matrix does, whatever the times are. Moler & Van Loan (2003), methods
//! 3 and 19.

use super::exponential::Exponential;
use super::square::{scale, times, Eight, Pattern, Square, EIGHT};
use crate::ir::vmath::Isa;

/// Units that a time may have are below `2^MOST_RUNGS`; beyond, values are NaN: rounding has grown as far.
const MOST_RUNGS: i32 = 40;

/// Degree of the series of the rest: `1 / 18!` is below rounding.
const DEGREE: usize = 18;

/// Rungs of eight lanes.
#[derive(Debug, Clone)]
pub struct Ladder {
    /// Of which matrix, and of which changes of it.
    a: Square,
    changes: Vec<Square>,
    /// Which of the changes are not zero.
    moving: Vec<bool>,
    /// `A + rate I`
    b: Square,
    rate: Eight,
    unit: Eight,
    rungs: Vec<Square>,
    /// Derivatives of the rungs by each change.
    slopes: Vec<Vec<Square>>,
}

/// States of eight lanes, one behind them, and their derivatives in each direction, zero behind them.
#[derive(Debug, Clone, Default)]
pub struct Moving {
    pub x: Vec<Vec<Eight>>,
    term: Vec<Vec<Eight>>,
    next: Vec<Vec<Eight>>,
}

impl Ladder {
    pub fn new(pattern: &Pattern, n_changes: usize) -> Self {
        // No matrix is equal to this one.
        let nothing = vec![[f64::NAN; EIGHT]; pattern.size * pattern.size];
        Self {
            a: nothing,
            changes: vec![pattern.zero(); n_changes],
            moving: vec![false; n_changes],
            b: pattern.zero(),
            rate: [0.0; EIGHT],
            unit: [0.0; EIGHT],
            rungs: Vec::new(),
            slopes: vec![Vec::new(); n_changes],
        }
    }

    /// Be the rungs of this matrix; its last row is zero, as those of its changes are.
    pub fn stand(
        &mut self,
        isa: Isa,
        pattern: &Pattern,
        (a, changes): (&[Eight], &[Square]),
        exponential: &mut Exponential,
    ) {
        if self.a == a && self.changes == changes {
            return;
        }
        self.a.copy_from_slice(a);
        self.changes.clone_from_slice(changes);
        let zero = |change: &Square| change.iter().flatten().all(|x| *x == 0.0);
        for (moving, change) in self.moving.iter_mut().zip(changes) {
            *moving = !zero(change);
        }
        self.measure(pattern.size);
        let mut scaled = self.b.clone();
        scale(isa, &self.unit, &mut scaled);
        let decay: Eight = std::array::from_fn(|l| (-self.rate[l] * self.unit[l]).exp());
        let mut first = exponential.of(isa, pattern, &scaled).to_vec();
        scale(isa, &decay, &mut first);
        // What drives the inputs stays what it is.
        if let Some(corner) = first.last_mut() {
            *corner = [1.0; EIGHT];
        }
        self.rungs.clear();
        self.rungs.push(first);
        for (j, slopes) in self.slopes.iter_mut().enumerate() {
            slopes.clear();
            if self.moving[j] {
                scaled.copy_from_slice(&self.changes[j]);
                scale(isa, &self.unit, &mut scaled);
                let mut slope = exponential.slope(isa, pattern, &scaled).to_vec();
                scale(isa, &decay, &mut slope);
                slopes.push(slope);
            }
        }
    }

    /// `b`, `rate` and `unit`, a power of two.
    fn measure(&mut self, size: usize) {
        let n = size - 1;
        self.rate = [0.0; EIGHT];
        for k in 0..n {
            let loss = &self.a[k * (size + 1)];
            (0..EIGHT).for_each(|l| self.rate[l] = self.rate[l].max(-loss[l]));
        }
        self.b.copy_from_slice(&self.a);
        for k in 0..size {
            let diagonal = &mut self.b[k * (size + 1)];
            (0..EIGHT).for_each(|l| diagonal[l] += self.rate[l]);
        }
        // What flows in, the last column, does not decide on the scale.
        let mut norm = self.rate;
        for j in 0..n {
            let mut sum = [0.0; EIGHT];
            for k in 0..n {
                let x = &self.b[k * size + j];
                (0..EIGHT).for_each(|l| sum[l] += x[l].abs());
            }
            // A sum that is no number must not be lost in a maximum.
            (0..EIGHT).for_each(|l| norm[l] = if sum[l] <= norm[l] { norm[l] } else { sum[l] });
        }
        self.unit = norm.map(|norm| (-norm.max(f64::MIN_POSITIVE).log2().ceil()).exp2());
        (0..EIGHT).for_each(|l| self.unit[l] += 0.0 * norm[l]);
    }

    fn climb(&mut self, isa: Isa, pattern: &Pattern, n_rungs: usize) {
        while self.rungs.len() < n_rungs {
            let Some(last) = self.rungs.last() else {
                return;
            };
            for slopes in &mut self.slopes {
                if let Some(slope) = slopes.last() {
                    let mut next = pattern.zero();
                    pattern.product(isa, slope, last, &mut next);
                    pattern.add_product(isa, last, slope, &mut next);
                    slopes.push(next);
                }
            }
            let mut next = pattern.zero();
            pattern.product(isa, last, last, &mut next);
            self.rungs.push(next);
        }
    }

    /// Take `moving.x` over a time.
    pub fn go(&mut self, isa: Isa, pattern: &Pattern, time: &Eight, moving: &mut Moving) {
        let units: Eight = std::array::from_fn(|l| (time[l] / self.unit[l]).floor());
        let rest: Eight = std::array::from_fn(|l| {
            let known = units[l] < f64::from(MOST_RUNGS).exp2();
            if known {
                time[l] - units[l] * self.unit[l]
            } else {
                f64::NAN
            }
        });
        self.series(isa, pattern, &rest, moving);
        // Rounded to whole numbers already; what is no number takes no rung.
        let units = units.map(|x| x.min(f64::from(MOST_RUNGS).exp2()) as u64);
        let needed = units.iter().max().map_or(0, |m| 64 - m.leading_zeros());
        self.climb(isa, pattern, needed as usize);
        for s in 0..(needed as usize).min(self.rungs.len()) {
            let taken = units.map(|m| m >> s & 1 == 1);
            if taken.contains(&true) {
                self.step(isa, pattern, s, &taken, moving);
            }
        }
    }

    /// One rung, in some lanes.
    fn step(
        &self,
        isa: Isa,
        pattern: &Pattern,
        s: usize,
        taken: &[bool; EIGHT],
        moving: &mut Moving,
    ) {
        let Moving { x, next, .. } = moving;
        for (j, next) in next.iter_mut().enumerate() {
            next.fill([0.0; EIGHT]);
            times(isa, pattern.rows(), &self.rungs[s], &x[j], next);
            let slope = j.checked_sub(1).and_then(|j| self.slopes[j].get(s));
            if let Some(slope) = slope {
                times(isa, pattern.rows(), slope, &x[0], next);
            }
        }
        for (x, next) in x.iter_mut().flatten().zip(next.iter().flatten()) {
            (0..EIGHT).for_each(|l| x[l] = if taken[l] { next[l] } else { x[l] });
        }
    }

    /// `e^(A rest)` times the states, `rest` below a unit.
    fn series(&self, isa: Isa, pattern: &Pattern, rest: &Eight, moving: &mut Moving) {
        let Moving { x, term, next } = moving;
        term.clone_from(x);
        for m in 1..=DEGREE {
            let factor = rest.map(|rest| rest / m as f64);
            for j in 0..x.len() {
                next[j].fill([0.0; EIGHT]);
                times(isa, pattern.own(), &self.b, &term[j], &mut next[j]);
                if let Some(change) = j.checked_sub(1).filter(|j| self.moving[*j]) {
                    times(
                        isa,
                        pattern.own(),
                        &self.changes[change],
                        &term[0],
                        &mut next[j],
                    );
                }
            }
            for j in 0..x.len() {
                scale(isa, &factor, &mut next[j]);
                for (x, next) in x[j].iter_mut().zip(&next[j]) {
                    (0..EIGHT).for_each(|l| x[l] += next[l]);
                }
            }
            std::mem::swap(term, next);
        }
        let decay: Eight = std::array::from_fn(|l| (-self.rate[l] * rest[l]).exp());
        for (j, x) in x.iter_mut().enumerate() {
            let behind = x.last().copied();
            scale(isa, &decay, x);
            if let (Some(last), Some(behind)) = (x.last_mut(), behind) {
                // One stays one, and has no derivative.
                *last = if j == 0 {
                    behind.map(|b| if b == 0.0 { 0.0 } else { 1.0 })
                } else {
                    [0.0; EIGHT]
                };
            }
        }
    }
}

impl Moving {
    pub fn new(size: usize, n_changes: usize) -> Self {
        let all = vec![vec![[0.0; EIGHT]; size]; 1 + n_changes];
        Self {
            x: all.clone(),
            term: all.clone(),
            next: all,
        }
    }
}
