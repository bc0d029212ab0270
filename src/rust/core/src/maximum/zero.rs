//! Decide which variances of random effects are 0 at the maximum.
//!
//! On the logarithmic scale a variance whose best value is 0 goes down forever by ever shorter steps, and one that an
//! estimator has lost never comes back: at 0 the score says nothing. Both are settled by trial: the likelihood with the
//! standard deviation at its lowest value, and with one that the data of these levels could resolve.

use super::arrive::{Look, Search};
use crate::inference::posterior::Batches;
use crate::ir::symmetric::at;
use crate::model::parameter::Shape;
use crate::problem::{CovarianceUpdate, Joint, Variance};

/// A standard deviation this part of its start is 0.
const ZERO: f64 = 1e-5;

/// Variance of the logarithm of a standard deviation above which it may be 0.
const VAGUE: f64 = 0.15;

/// Log-likelihood that a variance of 0 may cost, and that one above 0 must bring.
const COST: f64 = 0.003;
const WORTH: f64 = 0.01;

/// Standard deviations to try, in units of what the data of a level resolve.
const TRIALS: [f64; 2] = [0.3, 1.0];

/// A coordinate that says how far an effect varies.
#[derive(Debug, Clone)]
pub struct Spread {
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
pub fn spreads(joint: &Joint) -> Vec<Spread> {
    let theta = &joint.theta;
    let mut found: Vec<Spread> = Vec::new();
    let mut note = |coordinate: usize, power: f64, effects: Vec<usize>, alone: bool| {
        if let Some(known) = found.iter_mut().find(|s| s.coordinate == coordinate) {
            known.effects.extend(effects);
        } else if theta.free[coordinate]
            && theta.lower[coordinate] <= theta.start[coordinate] + ZERO.ln() + 1e-9
        {
            // A bound of the user's above it leaves no way to 0.
            let lowest = theta.start[coordinate] + power * ZERO.ln();
            found.push(Spread {
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
    own.is_some_and(|p| matches!(p.shape, Shape::Covariance { .. }))
}

impl Search<'_> {
    /// Estimates with those variances at 0 that the likelihood does not miss there, and which these are; the others
    /// stay. Those that are at 0 already are among them.
    pub fn vanish(
        &self,
        look: &Look,
        spreads: &[Spread],
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
        let mut best = look.log_lik();
        // All together first; where that costs too much, one by one.
        let mut sets = vec![doubtful.clone()];
        if doubtful.len() > 1 {
            sets.extend(doubtful.iter().map(|i| vec![*i]));
        }
        for (n, set) in sets.into_iter().enumerate() {
            let trial = at_zero(&theta, &set);
            let Some((value, error)) = self.value(&trial, round) else {
                continue;
            };
            // The border of a full covariance has maxima of its own: there it must be better, not merely as good.
            let alone = set.iter().all(|i| spreads[*i].alone);
            let cost = if alone {
                COST + error.min(0.05)
            } else {
                -WORTH
            };
            if value >= best - cost {
                theta = trial;
                best = best.max(value);
                set.iter().for_each(|i| zero[*i] = true);
                if n == 0 {
                    break;
                }
            }
        }
        (theta, zero)
    }

    /// Estimates with a variance above 0 where that is more likely; `None` where no variance wants it.
    pub fn revive(
        &self,
        look: &Look,
        (spreads, zero): (&[Spread], &mut [bool]),
        round: &mut usize,
    ) -> Option<Vec<f64>> {
        let (mut best, mut theta) = (look.log_lik() + WORTH + 3.0 * look.error(), None);
        for (i, spread) in spreads
            .iter()
            .enumerate()
            .filter(|(i, _)| zero[*i])
            .collect::<Vec<_>>()
        {
            let Some(resolved) = self.resolved(&look.theta, spread) else {
                continue;
            };
            for part in TRIALS {
                let mut trial: Vec<f64> = theta.clone().unwrap_or_else(|| look.theta.clone());
                let value = self
                    .joint
                    .theta
                    .clamp(spread.coordinate, spread.power * (part * resolved).ln());
                trial[spread.coordinate] = value;
                if value <= spread.lowest {
                    continue;
                }
                if let Some((value, error)) = self.value(&trial, round) {
                    if value > best + 3.0 * error {
                        best = value;
                        theta = Some(trial);
                        zero[i] = false;
                    }
                }
            }
        }
        theta
    }

    /// Log-likelihood and its error, whatever varies.
    fn value(&self, theta: &[f64], round: &mut usize) -> Option<(f64, f64)> {
        *round += 1;
        let q = self.laplace(theta, None).ok()?;
        let sampling = self.sampling(theta, *round, self.draws);
        let found = sampling.run(&sampling.moved(&q).ok()?).ok()?;
        let value = found.total();
        value.is_finite().then(|| (value, found.total_error()))
    }

    /// The standard deviation at which an effect is known from the data of a level as well as from the population: the
    /// median over the batches; from the curvature of Laplace's posteriors at the starting value.
    fn resolved(&self, theta: &[f64], spread: &Spread) -> Option<f64> {
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

impl Spread {
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
