//! Compute exponentials of small matrices and their derivatives by a polynomial, a matrix a lane.
//!
//! `e^B = sum_m B^m / m!` for `|B| <= 1`, with few products: Paterson & Stockmeyer (1973). A chain of `n` states takes `n - 1`
//! degrees to come through. Derivatives follow the same steps: Al-Mohy & Higham (2009).

use super::square::{add_scaled, Eight, Pattern, Square, EIGHT};
use crate::ir::vmath::Isa;

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
    /// `B^m` for `m` from 1.
    powers: Vec<Square>,
    /// Horner's sums before each product.
    sums: Vec<Square>,
    slopes: ExponentialSlopes,
}

/// The same for derivatives in one direction.
#[derive(Debug, Clone)]
struct ExponentialSlopes {
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
            powers: squares(n_powers),
            sums: squares(n_powers),
            slopes: ExponentialSlopes {
                powers: squares(n_powers),
                sum: pattern.zero(),
                next: pattern.zero(),
            },
        }
    }

    /// `e^b`
    pub fn of(&mut self, isa: Isa, pattern: &Pattern, b: &[Eight]) -> &[Eight] {
        let last = self.n_powers - 1;
        self.powers[0].copy_from_slice(b);
        for m in 1..self.n_powers {
            let (known, next) = self.powers.split_at_mut(m);
            pattern.product(isa, &known[m - 1], &known[0], &mut next[0]);
        }
        for block in (0..self.n_powers).rev() {
            let (sums, above) = self.sums.split_at_mut(block + 1);
            let sum = &mut sums[block];
            sum.fill([0.0; EIGHT]);
            if let Some(above) = above.first() {
                pattern.add_product(isa, above, &self.powers[last], sum);
            }
            let own = &self.coefficients[block * self.n_powers..];
            for i in 0..pattern.size {
                let diagonal = &mut sum[i * (pattern.size + 1)];
                diagonal.iter_mut().for_each(|x| *x += own[0]);
            }
            for (weight, power) in own[1..self.n_powers].iter().zip(&self.powers) {
                add_scaled(isa, *weight, power, sum);
            }
        }
        &self.sums[0]
    }

    /// The derivative of the last exponential where its matrix changes by `e`.
    pub fn slope(&mut self, isa: Isa, pattern: &Pattern, e: &[Eight]) -> &[Eight] {
        let ExponentialSlopes { powers, sum, next } = &mut self.slopes;
        let last = self.n_powers - 1;
        powers[0].copy_from_slice(e);
        for m in 1..self.n_powers {
            let (known, new) = powers.split_at_mut(m);
            pattern.product(isa, &known[m - 1], &self.powers[0], &mut new[0]);
            pattern.add_product(isa, &self.powers[m - 1], &known[0], &mut new[0]);
        }
        for block in (0..self.n_powers).rev() {
            next.fill([0.0; EIGHT]);
            if block < last {
                pattern.add_product(isa, sum, &self.powers[last], next);
                pattern.add_product(isa, &self.sums[block + 1], &powers[last], next);
            }
            let own = &self.coefficients[block * self.n_powers..];
            for (weight, power) in own[1..self.n_powers].iter().zip(powers.iter()) {
                add_scaled(isa, *weight, power, next);
            }
            std::mem::swap(sum, next);
        }
        sum
    }
}
