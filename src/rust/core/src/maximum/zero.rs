//! Decide which variances of random effects are 0 at the maximum.
//!
//! On the logarithmic scale a variance whose best value is 0 goes down forever by ever shorter steps, and one that an
//! estimator has lost never comes back: at 0 the score says nothing. Both are settled by trial: the likelihood with the
//! standard deviation at its lowest value, and with one that the data of these levels could resolve.

use super::arrive::MaximumSearch;
use super::look::Look;
use crate::inference::posterior::Batches;
use crate::ir::symmetric::at;
use crate::model::parameter::ParameterShape;
use crate::problem::{CovarianceUpdate, Joint, Variance};

/// A standard deviation this part of its start is 0.
const ZERO: f64 = 1e-5;

/// Variance of the logarithm of a standard deviation above which it may be 0.
const VAGUE: f64 = 0.15;

/// Log-likelihood that a variance of 0 may cost, that the border of a full covariance must bring, and that a variance
/// above 0 must bring at a first trial.
const COST: f64 = 0.003;
const WORTH: f64 = 0.01;
const LITTLE: f64 = 0.001;

/// Sets of draws at which a trial is compared.
const RUNS: usize = 3;

/// The most draws of each batch in a set, unless the batches are few.
const FEW: usize = 300;

/// Standard deviations to try, in units of what the data of a level resolve.
const TRIALS: [f64; 3] = [0.1, 0.3, 1.0];

/// Standard deviations of its noise above which a gain is believed.
const SURE: f64 = 3.0;

/// A coordinate that says how far an effect varies.
#[derive(Debug, Clone)]
pub struct SpreadCoordinate {
    pub coordinate: usize,
    /// Where it stands for a variance of 0.
    pub lowest: f64,
    /// Part of a standard deviation to the change of the coordinate: 1 on the logarithmic scale, 2 for variances.
    power: f64,
    /// The effects of the model that vary by it.
    pub effects: Vec<usize>,
    /// Whether they vary by nothing else.
    pub alone: bool,
}

/// Free coordinates that alone say how far an effect varies, on a logarithmic scale.
pub fn spreads(joint: &Joint) -> Vec<SpreadCoordinate> {
    let theta = &joint.theta;
    let mut found: Vec<SpreadCoordinate> = Vec::new();
    let mut note = |coordinate: usize, power: f64, effects: Vec<usize>, alone: bool| {
        if let Some(known) = found.iter_mut().find(|s| s.coordinate == coordinate) {
            known.effects.extend(effects);
        } else if theta.free[coordinate]
            && theta.lower[coordinate] <= theta.start[coordinate] + ZERO.ln() + 1e-9
        {
            // A bound of the user's above it leaves no way to 0.
            let lowest = theta.start[coordinate] + power * ZERO.ln();
            found.push(SpreadCoordinate {
                coordinate,
                lowest: lowest.max(theta.lower[coordinate]),
                power,
                effects,
                alone,
            });
        }
    };
    for part in &joint.parts {
        for block in &part.form.covariance {
            let first = part.form.offset + block.first;
            match &block.update {
                CovarianceUpdate::Diagonal(variances) => {
                    for (a, variance) in variances.iter().enumerate() {
                        match *variance {
                            Variance::LogVariance(k) => note(k, 2.0, vec![first + a], true),
                            Variance::LogSd(k) => note(k, 1.0, vec![first + a], true),
                            Variance::Sd(_) | Variance::Known => {}
                        }
                    }
                }
                CovarianceUpdate::Full { first: k, .. } if is_cholesky(joint, *k) => {
                    let all: Vec<usize> = (first..first + block.len).collect();
                    for a in 0..block.len {
                        note(k + at(a, a), 1.0, all.clone(), false);
                    }
                }
                _ => {}
            }
        }
    }
    found
}

fn is_cholesky(joint: &Joint, first: usize) -> bool {
    let mut parameters = joint.model().parameters.iter();
    let own = parameters.find(|p| p.first == first);
    own.is_some_and(|p| matches!(p.shape, ParameterShape::Covariance { .. }))
}

impl MaximumSearch<'_> {
    /// Estimates with those variances at 0 that the likelihood does not miss there, and which these are; the others
    /// stay. Those that are at 0 already are among them.
    pub fn vanish(
        &self,
        look: &Look,
        spreads: &[SpreadCoordinate],
        round: &mut usize,
    ) -> (Vec<f64>, Vec<bool>) {
        let mut zero: Vec<bool> = spreads.iter().map(|s| s.is_zero(&look.theta)).collect();
        let doubtful: Vec<usize> = (0..spreads.len())
            .filter(|i| !zero[*i] && spreads[*i].is_doubtful(look))
            .collect();
        let mut theta = look.theta.clone();
        if doubtful.is_empty() {
            return (theta, zero);
        }
        let at_zero = |theta: &[f64], which: &[usize]| {
            let mut moved = theta.to_vec();
            for i in which {
                moved[spreads[*i].coordinate] = spreads[*i].lowest;
            }
            moved
        };
        // All together first; where that costs too much, one by one.
        let mut sets = vec![doubtful.clone()];
        if doubtful.len() > 1 {
            sets.extend(doubtful.iter().map(|i| vec![*i]));
        }
        let mut base = self.values(&theta, round);
        for (n, set) in sets.into_iter().enumerate() {
            let trial = at_zero(&theta, &set);
            let values = self.values(&trial, round);
            let Some((gain, error)) = gain(&values, &base) else {
                continue;
            };
            // The border of a full covariance has maxima of its own: there it must be better, not merely as good.
            let alone = set.iter().all(|i| spreads[*i].alone);
            let least = if alone {
                -COST - error.min(COST)
            } else {
                WORTH
            };
            if gain >= least {
                theta = trial;
                base = values;
                set.iter().for_each(|i| zero[*i] = true);
                if n == 0 {
                    break;
                }
            }
        }
        *round += RUNS;
        (theta, zero)
    }

    /// Estimates with a variance above 0 where that is more likely; `None` where no variance wants it.
    pub fn revive(
        &self,
        look: &Look,
        (spreads, zero): (&[SpreadCoordinate], &mut [bool]),
        round: &mut usize,
    ) -> Option<Vec<f64>> {
        if !zero.contains(&true) {
            return None;
        }
        let mut theta = None;
        let mut base = self.values(&look.theta, round);
        for (i, spread) in spreads.iter().enumerate() {
            if !zero[i] {
                continue;
            }
            let from = theta.clone().unwrap_or_else(|| look.theta.clone());
            for trial in self.trials(&from, spread) {
                let values = self.values(&trial, round);
                if gain(&values, &base).is_some_and(|(gain, error)| gain > LITTLE + SURE * error) {
                    theta = Some(trial);
                    base = values;
                    zero[i] = false;
                }
            }
        }
        *round += RUNS;
        theta
    }

    /// Estimates with a variance above 0, smaller ones first.
    fn trials(&self, theta: &[f64], spread: &SpreadCoordinate) -> Vec<Vec<f64>> {
        let Some(resolved) = self.resolved(theta, spread) else {
            return Vec::new();
        };
        let each = TRIALS.into_iter().map(|part| {
            let value = spread.power * (part * resolved).ln();
            self.joint.theta.clamp(spread.coordinate, value)
        });
        let possible = each.filter(|value| *value > spread.lowest);
        possible
            .map(|value| {
                let mut trial = theta.to_vec();
                trial[spread.coordinate] = value;
                trial
            })
            .collect()
    }

    /// Log-likelihoods, whatever varies, each with draws of its own: those of different estimates share them and differ
    /// by much less noise than each has. Not a number where there is none.
    fn values(&self, theta: &[f64], round: &usize) -> [f64; RUNS] {
        let mut found = [f64::NAN; RUNS];
        let Ok(q) = self.laplace(theta, None) else {
            return found;
        };
        // Differences in shared draws need few of them.
        let few = MaximumSearch::at_least(self.joint, FEW);
        for (run, value) in found.iter_mut().enumerate() {
            let sampling = self.sampling(theta, *round + 1 + run, self.draws.min(few));
            let total = sampling.moved(&q).and_then(|q| sampling.run(&q));
            *value = total.map_or(f64::NAN, |found| found.total());
        }
        found
    }

    /// The standard deviation at which an effect is known from the data of a level as well as from the population: the
    /// median over the batches; from the curvature of Laplace's posteriors at the starting value.
    fn resolved(&self, theta: &[f64], spread: &SpreadCoordinate) -> Option<f64> {
        let mut moved = theta.to_vec();
        moved[spread.coordinate] = self.joint.theta.start[spread.coordinate];
        let omega = (self.joint.theta.start[spread.coordinate] / spread.power).exp();
        let q = self.laplace(&moved, None).ok()?;
        let batches = Batches::new(self.joint);
        let effect = *spread.effects.first()?;
        let mut information: Vec<f64> = Vec::new();
        for (q, own) in q.iter().zip(&batches.coordinates) {
            for (i, c) in own.iter().enumerate() {
                if self.joint.parts[c.group].form.offset + c.effect == effect {
                    information.push(1.0 / q.covariance(i, i) - 1.0 / (omega * omega));
                }
            }
        }
        information.retain(|x| x.is_finite() && *x > 0.0);
        information.sort_by(f64::total_cmp);
        let middle = information.get(information.len() / 2)?;
        Some(middle.sqrt().recip())
    }
}

/// What some estimates gain over others in the same draws, and its error; `None` where it is not known.
fn gain(values: &[f64; RUNS], base: &[f64; RUNS]) -> Option<(f64, f64)> {
    let n = RUNS as f64;
    let each = values.iter().zip(base).map(|(value, base)| value - base);
    let mean = each.clone().sum::<f64>() / n;
    let square: f64 = each.map(|gain| (gain - mean).powi(2)).sum();
    (mean.is_finite()).then(|| (mean, (square / (n * (n - 1.0))).sqrt()))
}

impl SpreadCoordinate {
    pub fn is_zero(&self, theta: &[f64]) -> bool {
        theta[self.coordinate] <= self.lowest + 1e-6
    }

    /// Whether a look leaves it open that it is 0: its logarithm, the other parameters moving along, is hardly known.
    fn is_doubtful(&self, look: &Look) -> bool {
        let free = &look.information.free;
        let at = free.iter().position(|k| *k == self.coordinate);
        let (Some(i), Some(spectrum)) = (at, &look.spectrum) else {
            return false;
        };
        let variance = spectrum.variance(i) / (self.power * self.power);
        variance.is_nan() || variance > VAGUE
    }
}
