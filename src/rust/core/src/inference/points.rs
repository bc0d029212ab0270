//! Make standardized points of every batch: randomized quasi-Monte-Carlo, Monte-Carlo, cubature.
//!
//! A lattice of `n` points, shifted around the unit cube by uniform numbers of the batch alone, becomes normal numbers by
//! the quantile: averages are unbiased, and errors of the batches independent. For a bound the points are mirrored,
//! `z, -z`, and whitened, `z <- L^-1 z` with `L L' = (1/n) sum z z'`: the rule is exact for every polynomial of degree 3,
//! as the `2 d` points `+-sqrt(d) e_k` of weight `1/(2 d)` are. Sources: Cranley & Patterson (1976), Randomization of
//! number theoretic methods for multiple integration; Stroud (1957), Remarks on the disposition of points in numerical
//! integration formulas.

use nalgebra::DMatrix;

use super::lattice::Lattice;
use super::student::students;
use crate::error::{Error, ErrorClass, Result};
use crate::ir::column::{Column, LANES};
use crate::ir::vmath::{map_plain, Function, Isa};
use crate::random::{LaneIds, Stream};

/// Where random numbers of points come from: equal sources give equal points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PointSource {
    pub stream: Stream,
    pub replicate: u32,
}

/// Quasi-Monte-Carlo points of batches that share a lattice.
#[derive(Debug, Clone)]
pub struct LatticePoints {
    source: PointSource,
    lattice: Lattice,
}

impl LatticePoints {
    /// `n` points of each batch; `most`: the largest dimension that will be asked for.
    pub fn new(source: PointSource, n: usize, most: usize) -> Self {
        Self {
            source,
            // One more for the distance of a draw of the t distribution.
            lattice: Lattice::new(n, most + 1),
        }
    }

    /// The same lattice, randomized another way.
    pub fn replicate(&self, replicate: u32) -> Self {
        Self {
            source: PointSource {
                replicate,
                ..self.source
            },
            lattice: self.lattice.clone(),
        }
    }

    /// Standard normal points of a batch, `n x dim`, row-major.
    pub fn normals(&self, batch: usize, dim: usize) -> Vec<f64> {
        quantiles(&self.uniforms(batch, dim))
    }

    /// Draws of the standard t distribution with 5 degrees of freedom (`n x dim`, row-major) and their log densities.
    pub fn students(&self, batch: usize, dim: usize) -> (Vec<f64>, Vec<f64>) {
        students(&self.normals(batch, dim + 1), dim)
    }

    fn uniforms(&self, batch: usize, dim: usize) -> Vec<f64> {
        debug_assert!(dim <= self.lattice.dim());
        let mut shift = Vec::with_capacity(dim);
        for first in (0..dim).step_by(LANES) {
            let mut column = [Column::ZERO];
            let PointSource { stream, replicate } = self.source;
            let lanes = lanes(batch, first);
            stream.uniforms(Isa::detect(), &lanes, replicate, 0, &mut column);
            shift.extend(column[0].0.iter().take(dim - first));
        }
        self.lattice.shifted(&shift)
    }
}

/// Standard normal Monte-Carlo points of a batch, `n x dim`, row-major.
pub fn monte_carlo(source: PointSource, batch: usize, n: usize, dim: usize) -> Vec<f64> {
    let mut out = Vec::with_capacity(n * dim);
    let mut columns = vec![Column::ZERO; dim];
    let PointSource { stream, replicate } = source;
    for first in (0..n).step_by(LANES) {
        let lanes = lanes(batch, first);
        stream.normals(Isa::detect(), &lanes, replicate, 0, &mut columns);
        for l in 0..LANES.min(n - first) {
            out.extend(columns.iter().map(|column| column.0[l]));
        }
    }
    out
}

/// The `2 dim` points `+-sqrt(dim) e_k`, row-major, all of the same weight.
pub fn cubature(dim: usize) -> Vec<f64> {
    let mut out = vec![0.0; 2 * dim * dim];
    for k in 0..dim {
        let length = (dim as f64).sqrt();
        out[2 * k * dim + k] = length;
        out[(2 * k + 1) * dim + k] = -length;
    }
    out
}

/// `n` points from at least `n / 2` others, mirrored and whitened: mean 0, covariance the identity, both to the last
/// digits. An odd `n` has the origin among them. `half`: `n / 2` rows or more of `dim` numbers; those beyond are left out.
///
/// # Errors
/// Fewer points than span the space.
pub fn whitened(half: &[f64], n: usize, dim: usize) -> Result<Vec<f64>> {
    let pairs = (n / 2).min(half.len() / dim.max(1));
    let rows = DMatrix::from_row_slice(pairs, dim, &half[..pairs * dim]);
    let size = (2 * pairs + n % 2) as f64;
    let covariance = rows.transpose() * &rows * (2.0 / size);
    let few = || {
        Error::new(
            ErrorClass::Option,
            "too_few_points",
            format!("{n} points a batch are too few for its {dim} random effects."),
        )
        .at("`points`")
        .hint(format!("Use points = {} or more.", 2 * dim))
    };
    let spans = pairs >= dim;
    let factor = covariance.cholesky().filter(|_| spans).ok_or_else(few)?;
    let white = factor
        .l()
        .solve_lower_triangular(&rows.transpose())
        .ok_or_else(few)?;
    // Columns of `white` are points: its storage has them one after another.
    let mut out = Vec::with_capacity(n * dim);
    out.extend_from_slice(white.as_slice());
    out.extend(white.iter().map(|z| -z));
    out.resize(out.len() + (n % 2) * dim, 0.0);
    Ok(out)
}

/// A batch at its points, or coordinates, `first..first + LANES`.
fn lanes(batch: usize, first: usize) -> LaneIds {
    let narrow = |i: usize| u32::try_from(i).unwrap_or(u32::MAX);
    LaneIds {
        subject: [narrow(batch); LANES],
        chain: std::array::from_fn(|l| narrow(first + l)),
    }
}

fn quantiles(uniforms: &[f64]) -> Vec<f64> {
    let mut out = vec![0.0; uniforms.len()];
    map_plain(Isa::detect(), Function::Qnorm, uniforms, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::vmath::pnorm;
    use crate::random::Purpose;

    const D: usize = 4;

    fn source(seed: u64, replicate: u32) -> PointSource {
        let purpose = Purpose::Importance;
        PointSource {
            stream: Stream { seed, purpose },
            replicate,
        }
    }

    fn lattice(n: usize, replicate: u32) -> LatticePoints {
        LatticePoints::new(source(7, replicate), n, D)
    }

    fn mean(points: &[f64], f: impl Fn(&[f64]) -> f64) -> f64 {
        let n = points.len() / D;
        points.chunks_exact(D).map(f).sum::<f64>() / n as f64
    }

    /// Mean square of the errors over replicates.
    fn error(exact: f64, one: impl Fn(u32) -> f64) -> f64 {
        let squares = (0..50).map(|r| (one(r) - exact).powi(2));
        squares.sum::<f64>() / 50.0
    }

    #[test]
    fn coordinates_are_spread_evenly() {
        let points = lattice(128, 0).normals(3, D);
        for j in 0..D {
            let column = points.iter().skip(j).step_by(D);
            let mut u: Vec<f64> = column.map(|z| pnorm::<false>(*z)).collect();
            u.sort_by(f64::total_cmp);
            for (k, u) in u.iter().enumerate() {
                let cell = k as f64 / 128.0;
                assert!(*u > cell - 1e-12 && *u < cell + 1.0 / 128.0 + 1e-12, "{j}");
            }
        }
    }

    #[test]
    fn averages_have_less_variance_than_monte_carlo_and_no_bias() {
        // E exp(sum z / 3 - ...) = 1 with the right constant; smooth, and no polynomial.
        let f = |z: &[f64]| (z.iter().sum::<f64>() / 3.0 - 4.0 / 18.0).exp();
        for (n, gain) in [(64, 3.0), (125, 3.0), (512, 6.0)] {
            let plain = error(1.0, |r| mean(&monte_carlo(source(7, r), 0, n, D), f));
            let quasi = error(1.0, |r| mean(&lattice(n, r).normals(0, D), f));
            assert!(quasi < plain / gain, "{n}: {quasi:.1e} {plain:.1e}");
            let bias: f64 = (0..50)
                .map(|r| mean(&lattice(n, r).normals(0, D), f) - 1.0)
                .sum();
            assert!((bias / 50.0).powi(2) < 9.0 * quasi / 50.0, "{n}");
        }
    }

    /// A Gaussian density divided by that of the t distribution: the weights of importance sampling.
    #[test]
    fn weights_of_the_t_distribution_integrate_a_gaussian_density() {
        let ratio = |(points, logs): (Vec<f64>, Vec<f64>)| {
            let rows = points.chunks_exact(D).zip(logs);
            let terms = rows.map(|(t, log)| {
                let square: f64 = t.iter().map(|t| t * t).sum();
                (-0.5 * square - 4.0 * crate::distributions::LN_SQRT_2PI - log).exp()
            });
            terms.sum::<f64>() / 128.0
        };
        let quasi = error(1.0, |r| ratio(lattice(128, r).students(0, D)));
        let plain = error(1.0, |r| {
            ratio(students(&monte_carlo(source(7, r), 0, 128, D + 1), D))
        });
        assert!(quasi < plain / 6.0, "{quasi:.1e} {plain:.1e}");
        assert!(plain.sqrt() < 0.1, "{plain:.1e}");
    }

    #[test]
    fn rules_for_a_bound_have_mean_zero_and_covariance_one() {
        let points = |n: usize| whitened(&lattice(n / 2, 0).normals(5, D), n, D).unwrap();
        for rule in [cubature(D), points(2 * D), points(33), points(64)] {
            let n = (rule.len() / D) as f64;
            for a in 0..D {
                assert!(mean(&rule, |z| z[a]).abs() < 1e-13);
                for b in 0..D {
                    let product = mean(&rule, |z| z[a] * z[b]);
                    assert!((product - f64::from(u8::from(a == b))).abs() < 1e-12, "{n}");
                    assert!(mean(&rule, |z| z[0] * z[a] * z[b]).abs() < 1e-12, "{n}");
                }
            }
        }
    }

    #[test]
    fn a_rule_of_too_few_points_is_refused_with_the_number_that_would_do() {
        let error = whitened(&lattice(3, 0).normals(0, D), 7, D).unwrap_err();
        assert_eq!(error.reason, "too_few_points");
        assert!(error.hint.unwrap().contains("points = 8"));
    }

    #[test]
    fn equal_sources_give_equal_bits_and_others_none() {
        let bits = |points: Vec<f64>| points.into_iter().map(f64::to_bits).collect::<Vec<u64>>();
        let of = |seed: u64, replicate: u32, batch: usize| {
            let points = LatticePoints::new(source(seed, replicate), 50, D);
            [
                bits(points.normals(batch, D)),
                bits(points.students(batch, D).0),
                bits(monte_carlo(source(seed, replicate), batch, 50, D)),
            ]
        };
        assert_eq!(of(1, 2, 3), of(1, 2, 3));
        for (other, one) in [of(2, 2, 3), of(1, 3, 3), of(1, 2, 4)]
            .into_iter()
            .flat_map(|o| o.into_iter().zip(of(1, 2, 3)))
        {
            assert!(other.iter().zip(&one).all(|(a, b)| a != b));
        }
        assert_eq!(
            LatticePoints::new(source(1, 0), 50, D)
                .replicate(2)
                .normals(3, D),
            LatticePoints::new(source(1, 2), 50, D).normals(3, D)
        );
    }
}
