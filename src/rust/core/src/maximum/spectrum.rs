//! Read second derivatives at an estimate direction by direction, with their Monte-Carlo noise.
//!
//! In units of the complete data, `S = D I D` with `D = diag(E score^2)^-1/2`, has eigenvalues that are the observed share
//! of the information of a direction. What lies below its own noise is not known to be more than 0: the data say nothing
//! of this direction that draws could tell, and only the parameters in it lose their standard errors.

use nalgebra::{DMatrix, DVector};

use crate::inference::information::WeightedInformation;

/// Observed share of a direction that differences and rounding may give where there is none.
const FLAT: f64 = 1e-7;

/// Standard deviations of its noise that an observed share must exceed.
const SURE: f64 = 3.0;

/// An observed share below this part of its noise is taken for it in divisions.
const PART: f64 = 0.3;

/// Observed share, negative, below which a direction is climbed no farther for its being weaker.
const UP: f64 = 0.1;

/// Part of the variance of a parameter from which a direction that is not observed counts.
const MATTERS: f64 = 0.1;

/// The observed information about some parameters.
#[derive(Clone)]
pub struct InformationSpectrum {
    /// Positions among the free coordinates.
    open: Vec<usize>,
    /// The change of each coordinate that moves the log density of the complete data by about one.
    unit: DVector<f64>,
    /// Eigenvalues, their noise, and what they are at least, for divisions.
    values: DVector<f64>,
    noises: Vec<f64>,
    divisors: DVector<f64>,
    vectors: DMatrix<f64>,
    /// Deviations of the information of each replicate from their mean, in units.
    deviations: Vec<DMatrix<f64>>,
}

impl InformationSpectrum {
    /// `open`: which free coordinates take part; `None` where numbers are not finite.
    pub fn new(information: &WeightedInformation, open: &[bool]) -> Option<Self> {
        let open: Vec<usize> = (0..open.len()).filter(|k| open[*k]).collect();
        let pick = |m: &DMatrix<f64>| m.select_rows(&open).select_columns(&open);
        let observed = pick(&information.observed.all);
        if !observed.iter().all(|x| x.is_finite()) {
            return None;
        }
        let unit = |k: usize| {
            let most = information.squares[open[k]].max(observed[(k, k)].abs());
            if most > 0.0 {
                most.sqrt().recip()
            } else {
                1.0
            }
        };
        let unit = DVector::from_fn(open.len(), |k, _| unit(k));
        let scaled = |m: &DMatrix<f64>| {
            DMatrix::from_fn(m.nrows(), m.ncols(), |a, b| unit[a] * m[(a, b)] * unit[b])
        };
        let n = information.observed.replicates.len() as f64;
        let each: Vec<DMatrix<f64>> = (information.observed.replicates.iter())
            .map(|own| scaled(&pick(own)))
            .collect();
        let mean = each
            .iter()
            .fold(DMatrix::zeros(open.len(), open.len()), |sum, m| sum + m / n);
        let (values, vectors) = if open.is_empty() {
            (DVector::zeros(0), DMatrix::zeros(0, 0))
        } else {
            let eigen = scaled(&observed).symmetric_eigen();
            (eigen.eigenvalues, eigen.eigenvectors)
        };
        let mut found = Self {
            deviations: each.iter().map(|own| own - &mean).collect(),
            divisors: values.clone(),
            noises: Vec::new(),
            values,
            vectors,
            open,
            unit,
        };
        for j in 0..found.values.len() {
            let noise = found.noise(&found.vectors.column(j).into_owned());
            found.noises.push(noise);
            found.divisors[j] = found.values[j].abs().max(PART * noise).max(FLAT);
        }
        Some(found)
    }

    /// Standard deviation of `v' S v` over fresh draws.
    fn noise(&self, v: &DVector<f64>) -> f64 {
        let n = self.deviations.len() as f64;
        let each = self.deviations.iter().map(|m| v.dot(&(m * v)).powi(2));
        (each.sum::<f64>() / (n * (n - 1.0).max(1.0))).sqrt()
    }

    /// Whether a direction is observed.
    fn is_sure(&self, j: usize) -> bool {
        self.values[j] >= (SURE * self.noises[j]).max(FLAT)
    }

    /// Whether the likelihood curves up along some direction, beyond its noise.
    pub fn is_saddle(&self) -> bool {
        let each = self.values.iter().zip(&self.noises);
        each.into_iter()
            .any(|(value, noise)| -value >= (SURE * noise).max(FLAT))
    }

    /// What one Newton step would gain in `-2 log L`, and the part of it that Monte-Carlo noise gives. `score`, `noise`:
    /// of all free coordinates.
    pub fn gain(&self, score: &[f64], noise: &DMatrix<f64>) -> (f64, f64) {
        let p = self.open.len();
        let score = DVector::from_fn(p, |a, _| self.unit[a] * score[self.open[a]]);
        let noise = DMatrix::from_fn(p, p, |a, b| {
            self.unit[a] * noise[(self.open[a], self.open[b])] * self.unit[b]
        });
        let along = self.vectors.tr_mul(&score);
        let (mut gain, mut random) = (0.0, 0.0);
        for j in 0..p {
            let v = self.vectors.column(j);
            gain += along[j] * along[j] / self.divisors[j];
            random += v.dot(&(&noise * v)) / self.divisors[j];
        }
        (gain, random)
    }

    /// Newton's step for a score of all free coordinates; 0 where a coordinate does not take part.
    pub fn newton(&self, score: &[f64]) -> Vec<f64> {
        let own = DVector::from_fn(self.open.len(), |a, _| self.unit[a] * score[self.open[a]]);
        let along = self.vectors.tr_mul(&own).component_div(&self.divisors);
        let back = &self.vectors * along;
        let mut step = vec![0.0; score.len()];
        for (a, k) in self.open.iter().enumerate() {
            step[*k] = self.unit[a] * back[a];
        }
        step
    }

    /// Twice what the log-likelihood changes along a step of all free coordinates, as far as curvatures tell.
    pub fn length(&self, step: &[f64]) -> f64 {
        let p = self.open.len();
        let own = DVector::from_fn(p, |a, _| step[self.open[a]] / self.unit[a]);
        let along = self.vectors.tr_mul(&own);
        along
            .iter()
            .zip(&self.divisors)
            .map(|(x, d)| x * x * d)
            .sum()
    }

    /// A step along the direction in which the likelihood curves up most, at whose end it should have risen by about a half.
    pub fn steepest_up(&self, n: usize) -> Vec<f64> {
        let mut step = vec![0.0; n];
        let j = self.values.imin();
        let length = self.divisors[j].sqrt().recip().min(1.0 / UP);
        for (a, k) in self.open.iter().enumerate() {
            step[*k] = self.unit[a] * self.vectors[(a, j)] * length;
        }
        step
    }

    /// Covariance of the estimates in the order of all `n` free coordinates; not a number for those that do not take part
    /// and for those about which some direction that is not observed decides.
    pub fn covariance(&self, n: usize) -> DMatrix<f64> {
        let p = self.open.len();
        let mut own = DMatrix::zeros(p, p);
        for j in (0..p).filter(|j| self.is_sure(*j)) {
            let v = self.vectors.column(j);
            own += v * v.transpose() / self.values[j];
        }
        let known: Vec<bool> = (0..p).map(|k| !self.is_lost(k, own[(k, k)])).collect();
        let mut all = DMatrix::from_element(n, n, f64::NAN);
        for a in (0..p).filter(|a| known[*a]) {
            for b in (0..p).filter(|b| known[*b]) {
                all[(self.open[a], self.open[b])] = self.unit[a] * own[(a, b)] * self.unit[b];
            }
        }
        all
    }

    /// Variance of one of all free coordinates, at least; not a number where it does not take part.
    pub fn variance(&self, coordinate: usize) -> f64 {
        let Some(k) = self.open.iter().position(|open| *open == coordinate) else {
            return f64::NAN;
        };
        let each = self.divisors.iter().enumerate();
        let sum: f64 = each
            .map(|(j, divisor)| self.vectors[(k, j)].powi(2) / divisor)
            .sum();
        self.unit[k] * self.unit[k] * sum
    }

    /// Whether directions that are not observed decide about a parameter with such a variance in the others.
    fn is_lost(&self, k: usize, variance: f64) -> bool {
        let unsure = (0..self.values.len()).filter(|j| !self.is_sure(*j));
        let rest: f64 = unsure
            .map(|j| self.vectors[(k, j)].powi(2) / self.divisors[j])
            .sum();
        rest > MATTERS * variance || variance.is_nan() || variance <= 0.0
    }

    /// Positions of the parameters that take part and have no standard error.
    pub fn lost(&self, covariance: &DMatrix<f64>) -> Vec<usize> {
        let each = self.open.iter().copied();
        each.filter(|k| covariance[(*k, *k)].is_nan()).collect()
    }

    /// Positions of the parameters with a share in directions that show no information at all.
    pub fn flat(&self) -> Vec<usize> {
        let flat: Vec<usize> = (0..self.values.len())
            .filter(|j| self.divisors[*j] <= FLAT)
            .collect();
        let share = |a: usize| flat.iter().any(|j| self.vectors[(a, *j)].powi(2) > FLAT);
        let each = (0..self.open.len()).filter(|a| share(*a));
        each.map(|a| self.open[a]).collect()
    }

    /// Whether more draws might show a direction that these do not.
    pub fn is_unsure(&self) -> bool {
        (0..self.values.len()).any(|j| !self.is_sure(j) && self.divisors[j] > FLAT)
    }

    /// The largest Monte-Carlo error of a standard error, relative to it.
    pub fn error(&self, covariance: &DMatrix<f64>) -> f64 {
        let p = self.open.len();
        let known = |k: &usize| !covariance[(self.open[*k], self.open[*k])].is_nan();
        let column = |k: usize| {
            DVector::from_fn(p, |a, _| {
                let value = covariance[(self.open[a], self.open[k])];
                if value.is_nan() {
                    0.0
                } else {
                    value / self.unit[a]
                }
            })
        };
        let relative = |k: usize| {
            // d Var = -Cov dI Cov.
            0.5 * self.noise(&column(k)) / covariance[(self.open[k], self.open[k])]
        };
        (0..p).filter(known).map(relative).fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inference::information::Observed;

    fn information(
        complete: DMatrix<f64>,
        missing: DMatrix<f64>,
        wobble: f64,
    ) -> WeightedInformation {
        let p = complete.nrows();
        let observed = &complete - &missing;
        let shift = |s: f64| &observed + DMatrix::identity(p, p) * (s * wobble);
        let own = Observed {
            replicates: [1.0, -1.0, 1.0, -1.0].map(shift).to_vec(),
            all: observed.clone(),
        };
        WeightedInformation {
            free: (0..p).collect(),
            drifts: Vec::new(),
            is_closed: true,
            squares: complete.diagonal().as_slice().to_vec(),
            closed: own.clone(),
            observed: own,
            noise: DMatrix::identity(p, p),
            scores: vec![1.0; p],
            moments: Vec::new(),
            draws: None,
            importance: crate::inference::importance::Importance::default(),
        }
    }

    #[test]
    fn what_is_observed_is_inverted() {
        let complete = DMatrix::from_row_slice(2, 2, &[4e6, 1e3, 1e3, 2.0]);
        let missing = DMatrix::from_row_slice(2, 2, &[1e6, 2e2, 2e2, 0.5]);
        let found = information(complete, missing, 0.0);
        let spectrum = InformationSpectrum::new(&found, &[true, true]).unwrap();
        let covariance = spectrum.covariance(2);
        let product = &covariance * &found.observed.all;
        assert!((product - DMatrix::identity(2, 2)).norm() < 1e-9);
        let score = DVector::from_vec(vec![300.0, 0.2]);
        let exact = score.dot(&(&covariance * &score));
        let (gain, noise) = spectrum.gain(score.as_slice(), &found.noise);
        assert!((gain / exact - 1.0).abs() < 1e-9);
        assert!((noise / covariance.trace() - 1.0).abs() < 1e-9);
        assert!(!spectrum.is_saddle() && spectrum.lost(&covariance).is_empty());
    }

    #[test]
    fn a_direction_without_information_takes_its_own_parameters_alone() {
        // Parameters 0 and 1 enter as their sum, 2 by itself.
        let complete =
            DMatrix::from_row_slice(3, 3, &[5.0, 5.0, 0.0, 5.0, 5.0, 0.0, 0.0, 0.0, 4.0]);
        let found = information(complete, DMatrix::zeros(3, 3), 0.0);
        let spectrum = InformationSpectrum::new(&found, &[true; 3]).unwrap();
        let covariance = spectrum.covariance(3);
        assert_eq!(spectrum.lost(&covariance), [0, 1]);
        assert!((covariance[(2, 2)] - 0.25).abs() < 1e-12);
    }

    #[test]
    fn what_drowns_in_noise_is_not_believed() {
        let complete = DMatrix::from_row_slice(1, 1, &[1.0]);
        let missing = DMatrix::from_row_slice(1, 1, &[0.95]);
        let sure = information(complete.clone(), missing.clone(), 0.01);
        let sure = InformationSpectrum::new(&sure, &[true]).unwrap();
        assert!(sure.lost(&sure.covariance(1)).is_empty());
        // 0.02 / sqrt(3) is its noise, relative to twice the share of 0.05.
        let error = sure.error(&sure.covariance(1));
        assert!(
            (error - 0.5 * 0.01 / 3f64.sqrt() / 0.05).abs() < 1e-9,
            "{error}"
        );
        let lost = information(complete, missing, 0.1);
        let lost = InformationSpectrum::new(&lost, &[true]).unwrap();
        assert_eq!(lost.lost(&lost.covariance(1)), [0]);
        assert!(!lost.is_saddle());
    }

    #[test]
    fn a_saddle_is_seen() {
        let complete = DMatrix::from_row_slice(2, 2, &[1.0, 0.0, 0.0, 1.0]);
        let missing = DMatrix::from_row_slice(2, 2, &[0.5, 0.0, 0.0, 1.5]);
        let found = information(complete, missing, 0.01);
        assert!(InformationSpectrum::new(&found, &[true, true])
            .unwrap()
            .is_saddle());
        assert!(!InformationSpectrum::new(&found, &[true, false])
            .unwrap()
            .is_saddle());
    }
}
