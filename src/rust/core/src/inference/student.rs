//! Draw from the multivariate t distribution with 5 degrees of freedom, and evaluate its density.
//!
//! `t = z sqrt(5) / s` with `z ~ N(0, I)` and `s` the root of a chi-square variable of 5 degrees of freedom, here the
//! quantile of `s` at a number `Phi(x)`, `x ~ N(0, 1)`. With `phi` and `Phi` the normal density and distribution function
//! `P(S <= s) = 2 phi(s) sum_{n >= 0} s^(5 + 2n) / (1 3 5 ... (5 + 2n))` and `P(S > s) = 2 Phi(-s) + 2 phi(s) (s + s^3/3)`.
//! Tails this heavy bound the weights of importance sampling wherever a Gaussian density bounds the posterior (Pinheiro
//! & Bates 1995).

use std::f64::consts::{LN_2, PI};
use std::sync::OnceLock;

use crate::distributions::LN_SQRT_2PI;
use crate::ir::vmath::{dnorm, lgamma, map_plain, pnorm, Function, Isa};

/// Degrees of freedom.
pub const DF: f64 = 5.0;

/// Log density of the standard distribution in `dim` dimensions at a squared distance from the origin.
#[derive(Debug, Clone, Copy)]
pub struct StudentDensity {
    norm: f64,
    exponent: f64,
}

impl StudentDensity {
    pub fn new(dim: usize) -> Self {
        let exponent = 0.5 * (DF + dim as f64);
        let norm = lgamma::<false>(exponent) - lgamma::<false>(0.5 * DF);
        Self {
            norm: norm - 0.5 * dim as f64 * (DF * PI).ln(),
            exponent,
        }
    }

    /// One entry a square.
    pub fn logs(&self, squares: &[f64]) -> Vec<f64> {
        let scaled: Vec<f64> = squares.iter().map(|square| square / DF).collect();
        let mut logs = vec![0.0; squares.len()];
        map_plain(Isa::detect(), Function::Log1p, &scaled, &mut logs);
        for log in &mut logs {
            *log = self.norm - self.exponent * *log;
        }
        logs
    }
}

/// Turn `n x (dim + 1)` standard normal numbers (row-major) into draws, `n x dim`, and their log densities. The first of a
/// row gives the distance: the weights of importance sampling depend on it most, and the first coordinates of a lattice
/// are its best.
pub fn students(normals: &[f64], dim: usize) -> (Vec<f64>, Vec<f64>) {
    let n = normals.len() / (dim + 1);
    let (mut draws, mut squares) = (Vec::with_capacity(n * dim), Vec::with_capacity(n));
    for row in normals.chunks_exact(dim + 1) {
        let stretch = DF.sqrt() / root_of_chi_square(row[0]);
        let first = draws.len();
        draws.extend(row[1..].iter().map(|z| z * stretch));
        squares.push(draws[first..].iter().map(|t| t * t).sum());
    }
    let logs = StudentDensity::new(dim).logs(&squares);
    (draws, logs)
}

/// Nodes of the table on each side of zero, and their distance: out to 8.5, where no number of 53 bits leads.
const SIDE: usize = 272;
const STEP: f64 = 1.0 / 32.0;

/// The quantile of `s` at `Phi(x)`, by cubic interpolation: within `1e-8`, which moves a draw but not its density.
pub fn root_of_chi_square(x: f64) -> f64 {
    static TABLE: OnceLock<Vec<(f64, f64)>> = OnceLock::new();
    let table = TABLE.get_or_init(table);
    let place = (x / STEP + SIDE as f64).clamp(0.0, (2 * SIDE) as f64 - 1e-9);
    let (k, t) = (place as usize, place.fract());
    let ((a, slope_a), (b, slope_b)) = (table[k], table[k + 1]);
    let (chord, r) = (b - a, 1.0 - t);
    let bend = r * (slope_a * STEP - chord) - t * (slope_b * STEP - chord);
    a + t * chord + t * r * bend
}

/// Quantile and slope at every node, from the middle outward.
fn table() -> Vec<(f64, f64)> {
    let mut table = vec![(0.0, 0.0); 2 * SIDE + 1];
    let median = node(0.0, 2.0);
    table[SIDE] = median;
    for sign in [-1.0, 1.0] {
        let (mut s, mut slope) = median;
        for k in 1..=SIDE {
            let x = sign * k as f64 * STEP;
            // From the neighbor along its slope in the logarithm, so as to stay positive.
            (s, slope) = node(x, s * (sign * STEP * slope / s).exp());
            let at = if sign < 0.0 { SIDE - k } else { SIDE + k };
            table[at] = (s, slope);
        }
    }
    table
}

/// Quantile at `Phi(x)` by Newton's iteration in logarithms, and its derivative in `x`.
fn node(x: f64, start: f64) -> (f64, f64) {
    let mut s = start;
    for _ in 0..8 {
        let log_density = LN_2 - LN_SQRT_2PI - 0.5 * s * s + 4.0 * s.ln() - 3f64.ln();
        let density = log_density.exp();
        let (log_ratio, slope) = if x < 0.0 {
            let lower = lower(s);
            ((pnorm::<false>(x) / lower).ln(), density * s / lower)
        } else {
            let upper = upper(s);
            ((upper / pnorm::<false>(-x)).ln(), density * s / upper)
        };
        s *= (log_ratio / slope).clamp(-1.0, 1.0).exp();
    }
    let density = 2.0 / 3.0 * dnorm::<false>(s) * s.powi(4);
    (s, dnorm::<false>(x) / density)
}

fn lower(s: f64) -> f64 {
    let (mut term, mut sum) = (s.powi(5) / 15.0, 0.0);
    let mut odd = 5.0;
    while term > f64::EPSILON * sum {
        sum += term;
        odd += 2.0;
        term *= s * s / odd;
    }
    2.0 * dnorm::<false>(s) * sum
}

fn upper(s: f64) -> f64 {
    2.0 * (pnorm::<false>(-s) + dnorm::<false>(s) * (s + s * s * s / 3.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_invert_both_tails() {
        // qnorm(p) and qchisq(p, 5) by R 4.2, p = 1e-12, 0.001, 0.3, 0.5, 0.9, and 1e-9 of the upper tail.
        let known = [
            (-7.034_483_825_301_131, 5.124_643_496_830_535e-5),
            (-3.090_232_306_167_813, 2.102_126_026_221_292e-1),
            (-0.524_400_512_708_040_7, 2.999_908_132_759_907),
            (0.0, 4.351_460_191_095_526),
            (1.281_551_565_544_600_8, 9.236_356_899_781_12),
            (5.997_807_015_007_686, 50.692_193_701_543_03),
        ];
        for (x, square) in known {
            let s = root_of_chi_square(x);
            assert!(
                (s * s / square - 1.0).abs() < 1e-7,
                "{x}: {} {square}",
                s * s
            );
        }
    }

    #[test]
    fn the_table_holds_between_its_nodes() {
        for k in 0..2000 {
            let x = -8.0 + 0.008 * f64::from(k);
            let (exact, _) = node(x, root_of_chi_square(x));
            let error = (root_of_chi_square(x) / exact - 1.0).abs();
            assert!(error < 1e-7, "{x}: {error:.1e}");
        }
    }

    #[test]
    fn the_density_is_that_of_the_literature_in_one_dimension_and_integrates_to_one_in_two() {
        // dt(1.3, 5, log = TRUE) by R 4.2.
        let one = StudentDensity::new(1).logs(&[1.3 * 1.3])[0];
        assert!((one + 1.842_147_474_172_834_5).abs() < 1e-14, "{one}");
        let two = StudentDensity::new(2);
        let h = 1e-3;
        let ring = |k: i32| {
            let r = h * (f64::from(k) + 0.5);
            2.0 * PI * r * h * two.logs(&[r * r])[0].exp()
        };
        let total: f64 = (0..200_000).map(ring).sum();
        assert!((total - 1.0).abs() < 1e-6, "{total}");
    }
}
