//! Compute exponentials of matrices and their derivatives, a matrix a lane.
//!
//! Uniformization with scaling and squaring: with `q` the largest rate of loss `B = A + q I` has no negative element
//! where matter flows forward, and so has every sum and product below: nothing cancels. `tau = t / 2^s` with
//! `|B| tau <= 1`, `e^(A tau) = e^(-q tau) sum_m (B tau)^m / m!`, then `s` squarings, each lane as many as it needs. A
//! chain of `n` states takes `n - 1` degrees to come through. Moler & Van Loan (2003), methods 3 and 19; Paterson &
//! Stockmeyer (1973). Derivatives follow the same steps: Al-Mohy & Higham (2009).

use super::square::{add_scaled, keep, scale, Eight, Pattern, Square, EIGHT};
use crate::ir::vmath::Isa;

/// `|B| t` may be up to `2^MOST_SQUARINGS`; beyond, values are NaN: rounding has grown as far.
const MOST_SQUARINGS: u32 = 30;

/// Powers of the matrix that are multiplied out: the degree of the polynomial is `powers^2 - 1`.
const FEW: usize = 5;
const MANY: usize = 6;
/// States from which the larger degree is taken.
const LONG: usize = 16;

/// All steps to the exponential of one set of matrices.
#[derive(Debug, Clone)]
pub struct Exponential {
    n_powers: usize,
    /// `1 / m!`
    coefficients: Vec<f64>,
    tau: Eight,
    decay: Eight,
    squarings: [u32; EIGHT],
    /// `(B tau)^m` for `m` from 1.
    powers: Vec<Square>,
    /// Horner's sums before each product.
    sums: Vec<Square>,
    /// `e^(A tau)`, and after each squaring.
    grown: Vec<Square>,
    slopes: Slopes,
}

/// The same for derivatives in one direction.
#[derive(Debug, Clone)]
struct Slopes {
    powers: Vec<Square>,
    sum: Square,
    next: Square,
}

impl Exponential {
    pub fn new(pattern: &Pattern) -> Self {
        let n_powers = if pattern.size > LONG { MANY } else { FEW };
        let mut coefficients = vec![1.0; n_powers * n_powers];
        for m in 1..coefficients.len() {
            coefficients[m] = coefficients[m - 1] / m as f64;
        }
        let squares = |n: usize| vec![pattern.zero(); n];
        Self {
            n_powers,
            coefficients,
            tau: [0.0; EIGHT],
            decay: [0.0; EIGHT],
            squarings: [0; EIGHT],
            powers: squares(n_powers),
            sums: squares(n_powers - 1),
            grown: squares(1),
            slopes: Slopes {
                powers: squares(n_powers),
                sum: pattern.zero(),
                next: pattern.zero(),
            },
        }
    }

    /// `e^(a time)`; the last row of `a` is zero, its last column what flows in, which does not decide on the scale.
    pub fn of(&mut self, isa: Isa, pattern: &Pattern, a: &[Eight], time: &Eight) -> &[Eight] {
        self.prepare(isa, pattern, a, time);
        for m in 1..self.n_powers {
            let (known, next) = self.powers.split_at_mut(m);
            pattern.product(isa, &known[m - 1], &known[0], &mut next[0]);
        }
        let last = self.n_powers - 1;
        for block in (0..self.n_powers).rev() {
            let mut sum = std::mem::take(&mut self.grown[0]);
            sum.fill([0.0; EIGHT]);
            if block < last {
                pattern.add_product(isa, &self.sums[block], &self.powers[last], &mut sum);
            }
            let own = &self.coefficients[block * self.n_powers..];
            for i in 0..pattern.size {
                sum[i * (pattern.size + 1)]
                    .iter_mut()
                    .for_each(|x| *x += own[0]);
            }
            for (weight, power) in own[1..self.n_powers].iter().zip(&self.powers) {
                add_scaled(isa, *weight, power, &mut sum);
            }
            if block > 0 {
                self.sums[block - 1].clone_from(&sum);
            }
            self.grown[0] = sum;
        }
        scale(isa, &self.decay, &mut self.grown[0]);
        // What drives the inputs stays what it is.
        if let Some(corner) = self.grown[0].last_mut() {
            *corner = [1.0; EIGHT];
        }
        self.square(isa, pattern);
        &self.grown[most(&self.squarings)]
    }

    fn square(&mut self, isa: Isa, pattern: &Pattern) {
        let most = most(&self.squarings);
        while self.grown.len() <= most {
            self.grown.push(pattern.zero());
        }
        for s in 0..most {
            let done = done(&self.squarings, s);
            let (known, next) = self.grown.split_at_mut(s + 1);
            pattern.product(isa, &known[s], &known[s], &mut next[0]);
            keep(isa, &done, &known[s], &mut next[0]);
        }
    }

    /// Scale, and put `tau B` into the first power.
    fn prepare(&mut self, isa: Isa, pattern: &Pattern, a: &[Eight], time: &Eight) {
        let (size, n) = (pattern.size, pattern.size - 1);
        let mut rate = [0.0f64; EIGHT];
        for k in 0..n {
            let loss = &a[k * (size + 1)];
            (0..EIGHT).for_each(|l| rate[l] = rate[l].max(-loss[l]));
        }
        let b = &mut self.powers[0];
        b.copy_from_slice(a);
        for k in 0..size {
            let diagonal = &mut b[k * (size + 1)];
            (0..EIGHT).for_each(|l| diagonal[l] += rate[l]);
        }
        let mut norm = [0.0f64; EIGHT];
        for j in 0..n {
            let mut sum = [0.0; EIGHT];
            for k in 0..n {
                let x = &b[k * size + j];
                (0..EIGHT).for_each(|l| sum[l] += x[l].abs());
            }
            // A sum that is no number must not be lost in a maximum.
            (0..EIGHT).for_each(|l| norm[l] = if sum[l] <= norm[l] { norm[l] } else { sum[l] });
        }
        for l in 0..EIGHT {
            let needed = (norm[l] * time[l]).log2().ceil().max(0.0);
            let is_known = needed <= f64::from(MOST_SQUARINGS);
            self.squarings[l] = (0..=MOST_SQUARINGS)
                .find(|s| f64::from(*s) >= needed)
                .unwrap_or(0);
            let halves = 0.5f64.powi(i32::try_from(self.squarings[l]).unwrap_or(0));
            self.tau[l] = if is_known { time[l] * halves } else { f64::NAN };
            self.decay[l] = (-rate[l] * self.tau[l]).exp();
        }
        scale(isa, &self.tau, b);
    }

    /// The derivative of the last exponential where the matrix changes by `e`, whose last row is zero.
    pub fn slope(&mut self, isa: Isa, pattern: &Pattern, e: &[Eight]) -> &[Eight] {
        let Slopes { powers, sum, next } = &mut self.slopes;
        let last = self.n_powers - 1;
        powers[0].copy_from_slice(e);
        scale(isa, &self.tau, &mut powers[0]);
        for m in 1..self.n_powers {
            let (known, new) = powers.split_at_mut(m);
            pattern.product(isa, &known[m - 1], &self.powers[0], &mut new[0]);
            pattern.add_product(isa, &self.powers[m - 1], &known[0], &mut new[0]);
        }
        for block in (0..self.n_powers).rev() {
            next.fill([0.0; EIGHT]);
            if block < last {
                pattern.add_product(isa, sum, &self.powers[last], next);
                pattern.add_product(isa, &self.sums[block], &powers[last], next);
            }
            let own = &self.coefficients[block * self.n_powers..];
            for (weight, power) in own[1..self.n_powers].iter().zip(powers.iter()) {
                add_scaled(isa, *weight, power, next);
            }
            std::mem::swap(sum, next);
        }
        scale(isa, &self.decay, sum);
        for s in 0..most(&self.squarings) {
            let done = done(&self.squarings, s);
            pattern.product(isa, sum, &self.grown[s], next);
            pattern.add_product(isa, &self.grown[s], sum, next);
            keep(isa, &done, sum, next);
            std::mem::swap(sum, next);
        }
        sum
    }
}

fn most(squarings: &[u32; EIGHT]) -> usize {
    squarings.iter().max().map_or(0, |s| *s as usize)
}

/// Lanes that have been squared often enough.
fn done(squarings: &[u32; EIGHT], s: usize) -> [bool; EIGHT] {
    squarings.map(|own| own as usize <= s)
}
