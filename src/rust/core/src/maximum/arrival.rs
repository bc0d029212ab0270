//! Bring an estimate to the maximum and say on what evidence it is one.

use nalgebra::DMatrix;

use super::arrive::{Search, Watch};
use super::look::Look;
use super::sense;
use super::spectrum::Spectrum;
use super::stance::Stance;
use super::zero::{spreads, Spread};
use crate::error::Result;
use crate::fitted::FitStatus;
use crate::inference::cloud::Levels;
use crate::inference::information::free;
use crate::inference::posterior::{Batches, Posterior};
use crate::inference::sandwich::filled;
use crate::problem::{Joint, Means};

/// Turns of climbs and of trials with variances at 0 or above.
const TURNS: usize = 5;

/// Gain in `-2 log L` that one more step may promise of a converged fit beside twice its noise, and the noise above which
/// nothing can be said.
const SHORT: f64 = 0.1;
const MOST_NOISE: f64 = 0.25;

/// Distance in standard errors, squared, of estimates that are no others.
const NEAR: f64 = 0.02;

/// An estimate and what is known of it.
pub struct Arrival {
    pub theta: Vec<f64>,
    pub status: FitStatus,
    pub evidence: Vec<String>,
    /// What the last look says, in the form of the model in which it was taken.
    pub look: Look,
    /// Free coordinates of the model, and their covariance: not a number where there is none.
    free: Vec<usize>,
    pub covariance: Option<DMatrix<f64>>,
    /// Whether there may be a better maximum elsewhere: a variance is 0 or a full covariance stands at its border, where
    /// there are maxima of their own, or the likelihood hardly depends on some direction.
    pub doubtful: bool,
    /// Whether equations without solution hide a part of the likelihood.
    pub hidden: bool,
    /// The largest Monte-Carlo error of a standard error, relative to it.
    pub covariance_error: f64,
    /// Conditional means and standard deviations of `phi` of each grouping, `levels x d`, row-major.
    pub conditional: Vec<(Vec<f64>, Vec<f64>)>,
}

impl Arrival {
    /// Whether estimates are about those of the arrival, by the curvatures there: far less than the data can tell apart.
    pub fn is_near(&self, theta: &[f64]) -> bool {
        let step: Vec<f64> = (self.look.information.free.iter())
            .map(|k| theta[*k] - self.theta[*k])
            .collect();
        let spectrum = self.look.spectrum.as_ref();
        spectrum.is_some_and(|spectrum| spectrum.length(&step) < NEAR)
    }

    /// Robust covariance of the estimate.
    pub fn sandwich(&self) -> Option<DMatrix<f64>> {
        let look = &self.look;
        let n = look.information.free.len();
        let bread = look.spectrum.as_ref()?.covariance(n);
        Some(among(
            &look.information.free,
            &self.free,
            &filled(&bread, &look.information),
        ))
    }
}

/// What one more step promises; without effects no draw can tell otherwise.
fn promise(joint: &Joint, look: &Look) -> String {
    if joint.model().effects.is_empty() {
        return format!(
            "One more Newton step promises {:.1e} in -2 log L.",
            look.gain
        );
    }
    format!(
        "At fresh draws one more Newton step promises {:.3} in -2 log L, of which Monte-Carlo noise about {:.3}.",
        look.gain, look.noise
    )
}

/// A matrix about some coordinates in the order of more of them; not a number elsewhere.
fn among(own: &[usize], all: &[usize], matrix: &DMatrix<f64>) -> DMatrix<f64> {
    let place = |k: &usize| own.iter().position(|o| o == k);
    let places: Vec<Option<usize>> = all.iter().map(place).collect();
    DMatrix::from_fn(all.len(), all.len(), |a, b| match (places[a], places[b]) {
        (Some(a), Some(b)) => matrix[(a, b)],
        _ => f64::NAN,
    })
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
        let mut round = 1;
        let mut stance = self.stance(theta, q, (&spreads, &zero))?;
        let mut look = self.look_from(&stance, theta, round)?;
        // A variance on its way to 0 gets there by ever shorter steps; far from the data all of them may be 0.
        if self.rounds > 0 && look.is_close() {
            let (next, now) = self.vanish(&look, &spreads, &mut round);
            if now != zero {
                zero = now;
                round += 1;
                stance = self.stance(&next, &self.laplace(&next, None)?, (&spreads, &zero))?;
                look = self.look_from(&stance, &next, round)?;
            }
        }
        let (mut stopped, mut climbed) = (false, self.hurries);
        for _ in 0..TURNS {
            let search = self.of(&stance);
            // Of a likelihood that is another's the maximum is not searched.
            if sense::hidden(&search, &look).is_some() {
                break;
            }
            (look, stopped) = search
                .hurried()
                .go_on(look, &stance.bounds, &mut round, watch);
            if stopped || self.rounds == 0 {
                break;
            }
            // Climbs would follow errors of the solver.
            if !look.is_there() && sense::is_rough(&search, &look) {
                break;
            }
            let (mut next, now) = self.vanish(&look, &spreads, &mut round);
            if now == zero {
                let mut shut: Vec<bool> =
                    zero.iter().zip(&revived).map(|(z, r)| *z && !r).collect();
                let asked = shut.clone();
                match self.revive(&look, (&spreads, &mut shut), &mut round) {
                    Some(found) => next = found,
                    // Climbs cost most: what they could be needed for is settled first.
                    None if climbed || look.is_there() => break,
                    None => {
                        (look, stopped) = search.go_on(look, &stance.bounds, &mut round, watch);
                        climbed = true;
                        if stopped {
                            break;
                        }
                        continue;
                    }
                }
                // One that has left 0 and goes back stays there; one that has not may leave it from elsewhere.
                for i in (0..zero.len()).filter(|i| asked[*i] && !shut[*i]) {
                    revived[i] = true;
                    zero[i] = false;
                }
            } else {
                zero = now;
            }
            round += 1;
            stance = self.stance(&next, &self.laplace(&next, None)?, (&spreads, &zero))?;
            look = self.look_from(&stance, &next, round)?;
        }
        self.arrival(look, &stance, (&spreads, &zero), stopped)
    }

    /// The same without climbs.
    #[must_use]
    pub fn hurried(self) -> Self {
        Self {
            hurries: true,
            ..self
        }
    }

    fn look_from(&self, stance: &Stance, theta: &[f64], round: usize) -> Result<Look> {
        self.of(stance)
            .look(theta, &stance.q, &stance.bounds, round)
    }

    fn of<'s>(&'s self, stance: &'s Stance) -> Search<'s> {
        Search {
            joint: stance.joint.as_ref().unwrap_or(self.joint),
            penalty: &stance.penalty,
            absent: &stance.absent,
            ..*self
        }
    }

    fn arrival(
        &self,
        look: Look,
        stance: &Stance,
        (spreads, zero): (&[Spread], &[bool]),
        stopped: bool,
    ) -> Result<Arrival> {
        let named = |k: usize| format!("`{}`", self.joint.theta.names[k]);
        let names = |positions: &[usize]| {
            let each = positions.iter().map(|i| named(look.information.free[*i]));
            each.collect::<Vec<_>>().join(", ")
        };
        let mut evidence = vec![promise(self.joint, &look)];
        let mut status = self.status(&look);
        if look.spectrum.as_ref().is_some_and(Spectrum::is_saddle) {
            evidence.push(
                "The log-likelihood curves up along some direction: it is no maximum.".into(),
            );
        }
        for (spread, _) in spreads.iter().zip(zero).filter(|(_, zero)| **zero) {
            evidence.push(format!(
                "{} is 0 at the maximum: standard errors are those of the model without it.",
                named(spread.coordinate)
            ));
        }
        let bound = self.at_bounds(&look, spreads, zero);
        if !bound.is_empty() {
            evidence.push(format!("At a bound: {}.", names(&bound)));
        }
        let free = free(self.joint);
        let mut covariance = None;
        let mut covariance_error = f64::NAN;
        let mut lost = Vec::new();
        if let Some(spectrum) = &look.spectrum {
            let own = spectrum.covariance(look.information.free.len());
            covariance_error = spectrum.error(&own);
            let flat = spectrum.flat();
            lost = spectrum.lost(&own);
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
                    "How well the data know {} is below the noise of the draws: no standard errors.",
                    names(&lost)
                ));
            }
            covariance = Some(among(&look.information.free, &free, &own));
        }
        let mut senseless = sense::objections(self.joint, &look);
        let unknown = lost.into_iter().filter(|i| {
            let spread = |s: &Spread| s.coordinate == look.information.free[*i];
            !spreads.iter().any(spread)
        });
        senseless.extend(sense::runaways(self.joint, &look, unknown));
        let border = zero.contains(&true);
        let doubtful = border || look.spectrum.as_ref().is_none_or(Spectrum::is_unsure);
        let hidden = sense::hidden(&self.of(stance), &look);
        let is_hidden = hidden.is_some();
        senseless.extend(hidden);
        if !senseless.is_empty() && status == FitStatus::Converged {
            status = FitStatus::Stalled;
        }
        evidence.extend(senseless);
        if stopped {
            status = FitStatus::Interrupted;
        }
        Ok(Arrival {
            theta: look.theta.clone(),
            conditional: self.conditional(&look, stance),
            look,
            status,
            evidence,
            doubtful,
            hidden: is_hidden,
            free,
            covariance,
            covariance_error,
        })
    }

    /// Conditional moments of all effects; those apart from their means are put back.
    fn conditional(&self, look: &Look, stance: &Stance) -> Vec<(Vec<f64>, Vec<f64>)> {
        let joint = stance.joint.as_ref().unwrap_or(self.joint);
        let batches = Batches::new(joint);
        let levels = Levels {
            joint,
            batches: &batches,
            moments: &look.information.moments,
        };
        let each = self.joint.parts.iter().enumerate();
        each.map(|(group, part)| {
            let (mut mean, sd) = levels.conditional(group);
            let d = part.n_phi();
            let means = Means::new(part, &part.layout(1), &look.theta);
            let moved: Vec<usize> = (0..d)
                .filter(|k| stance.moved[part.form.offset + k])
                .collect();
            for level in 0..part.n_subjects() {
                for k in &moved {
                    mean[level * d + k] += means.of(level)[*k];
                }
            }
            (mean, sd)
        })
        .collect()
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
