//! Bring an estimate to the maximum and say on what evidence it is one.

use nalgebra::DMatrix;

use super::arrive::{Look, Search, Watch};
use super::sense;
use super::spectrum::Spectrum;
use super::zero::{spreads, Spread};
use crate::error::Result;
use crate::fitted::FitStatus;
use crate::inference::posterior::Posterior;
use crate::inference::sandwich::filled;
use crate::problem::{Joint, Theta};

/// Turns of climbs and of trials with variances at 0 or above.
const TURNS: usize = 4;

/// Gain in `-2 log L` that one more step may promise of a converged fit beside twice its noise, and the noise above which
/// nothing can be said.
const SHORT: f64 = 0.1;
const MOST_NOISE: f64 = 0.25;

/// An estimate and what is known of it.
pub struct Arrival {
    pub look: Look,
    pub status: FitStatus,
    pub evidence: Vec<String>,
    /// Covariance of the estimate of the free coordinates, not a number where there is none.
    pub covariance: Option<DMatrix<f64>>,
    /// The largest Monte-Carlo error of a standard error, relative to it.
    pub covariance_error: f64,
}

impl Arrival {
    /// Robust covariance of the estimate.
    pub fn sandwich(&self) -> Option<DMatrix<f64>> {
        let bread = self.covariance.as_ref()?;
        Some(filled(bread, &self.look.information))
    }
}

impl Search<'_> {
    /// Judge `theta` and go on from it; `q`: distributions of the effects to start from.
    ///
    /// # Errors
    /// A population distribution that does not exist, a batch without any draw of finite density, too many parameters.
    pub fn arrive(&self, theta: &[f64], q: &Posterior, watch: &mut Watch) -> Result<Arrival> {
        let spreads = spreads(self.joint);
        let mut zero: Vec<bool> = spreads.iter().map(|s| s.is_zero(theta)).collect();
        let mut revived = vec![false; spreads.len()];
        let mut bounds = held(self.joint, &spreads, &zero);
        let mut round = 1;
        let mut look = self.look(theta, q, &bounds, round)?;
        let mut stopped = false;
        for _ in 0..TURNS {
            (look, stopped) = self.go_on(look, &bounds, &mut round, watch);
            if stopped || self.rounds == 0 {
                break;
            }
            let (next, now) = self.vanish(&look, &spreads, &mut round);
            let next = if next == look.theta {
                let mut open: Vec<bool> = zero.iter().zip(&revived).map(|(z, r)| *z && !r).collect();
                let found = self.revive(&look, (&spreads, &mut open), &mut round);
                for (i, open) in open.iter().enumerate() {
                    revived[i] |= zero[i];
                    zero[i] = zero[i] && *open;
                }
                found
            } else {
                zero = now;
                Some(next)
            };
            let Some(next) = next else { break };
            bounds = held(self.joint, &spreads, &zero);
            round += 1;
            let q = self.laplace(&next, None)?;
            look = self.look(&next, &q, &bounds, round)?;
        }
        Ok(self.arrival(look, (&spreads, &zero), stopped))
    }

    fn arrival(&self, look: Look, (spreads, zero): (&[Spread], &[bool]), stopped: bool) -> Arrival {
        let names = |positions: &[usize]| {
            let each = positions.iter().map(|i| {
                let k = look.information.free[*i];
                format!("`{}`", self.joint.theta.names[k])
            });
            each.collect::<Vec<_>>().join(", ")
        };
        let mut evidence = vec![format!(
            "At fresh draws one more Newton step promises {:.3} in -2 log L, of which Monte-Carlo noise about {:.3}.",
            look.gain, look.noise
        )];
        let mut status = self.status(&look);
        if look.spectrum.as_ref().is_some_and(Spectrum::is_saddle) {
            evidence.push("The log-likelihood curves up along some direction: it is no maximum.".into());
        }
        for (spread, _) in spreads.iter().zip(zero).filter(|(_, zero)| **zero) {
            evidence.push(format!(
                "`{}` is 0 at the maximum: standard errors are those of the model without it.",
                self.joint.theta.names[spread.coordinate]
            ));
        }
        let bound = self.at_bounds(&look, spreads, zero);
        if !bound.is_empty() {
            evidence.push(format!("At a bound: {}.", names(&bound)));
        }
        let n = look.information.free.len();
        let covariance = look.spectrum.as_ref().map(|s| s.covariance(n));
        let mut covariance_error = f64::NAN;
        if let (Some(spectrum), Some(covariance)) = (&look.spectrum, &covariance) {
            covariance_error = spectrum.error(covariance);
            let flat = spectrum.flat();
            let lost = spectrum.lost(covariance);
            if !flat.is_empty() {
                evidence.push(format!(
                    "The data do not tell apart or do not depend on {}: other values are as likely.",
                    names(&flat)
                ));
                if status == FitStatus::Converged {
                    status = FitStatus::Stalled;
                }
            } else if !lost.is_empty() {
                evidence.push(format!(
                    "Of {} the draws do not show how well the data know them: no standard errors.",
                    names(&lost)
                ));
            }
        }
        let senseless = sense::objections(self.joint, &look);
        if !senseless.is_empty() && status == FitStatus::Converged {
            status = FitStatus::Stalled;
        }
        evidence.extend(senseless);
        if stopped {
            status = FitStatus::Interrupted;
        }
        Arrival {
            look,
            status,
            evidence,
            covariance,
            covariance_error,
        }
    }

    fn status(&self, look: &Look) -> FitStatus {
        let saddle = look.spectrum.as_ref().is_none_or(Spectrum::is_saddle);
        if !look.gain.is_finite() || !look.log_lik().is_finite() {
            FitStatus::NotFinite
        } else if !saddle && look.noise <= MOST_NOISE && look.gain <= SHORT + 2.0 * look.noise {
            FitStatus::Converged
        } else if self.rounds > 0 {
            FitStatus::Stalled
        } else {
            FitStatus::MaxIterations
        }
    }

    /// Free coordinates at a bound that is no variance of 0.
    fn at_bounds(&self, look: &Look, spreads: &[Spread], zero: &[bool]) -> Vec<usize> {
        let free = look.information.free.iter().enumerate();
        let is_zero = |k: usize| {
            let mut each = spreads.iter().zip(zero);
            each.any(|(s, zero)| *zero && s.coordinate == k)
        };
        free.filter(|(i, k)| !look.open[*i] && !is_zero(**k))
            .map(|(i, _)| i)
            .collect()
    }
}

/// The bounds of the model, without room for variances that are 0.
fn held(joint: &Joint, spreads: &[Spread], zero: &[bool]) -> Theta {
    let mut bounds = joint.theta.clone();
    for (spread, _) in spreads.iter().zip(zero).filter(|(_, zero)| **zero) {
        let k = spread.coordinate;
        bounds.lower[k] = spread.lowest;
        bounds.upper[k] = spread.lowest;
    }
    bounds
}
