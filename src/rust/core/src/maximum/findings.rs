//! Say of the end of a search what is known there, and on what evidence it is a maximum.

use nalgebra::DMatrix;

use super::arrival::SearchPoint;
use super::arrive::MaximumSearch;
use super::look::Look;
use super::sense;
use super::spectrum::InformationSpectrum;
use super::stance::Stance;
use crate::fitted::FitStatus;
use crate::inference::cloud::LevelMoments;
use crate::inference::information::free;
use crate::inference::posterior::Batches;
use crate::inference::sandwich::filled;
use crate::problem::Joint;

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

impl MaximumSearch<'_> {
    /// What is known at the end of a search. `stopped`: the watcher ended it.
    pub fn arrival(&self, at: SearchPoint, stopped: bool) -> Arrival {
        let SearchPoint { look, stance, .. } = &at;
        let free = free(self.joint);
        let known = look
            .spectrum
            .as_ref()
            .map(|spectrum| CurvatureFindings::new(spectrum, look));
        let mut evidence = self.where_it_stands(&at);
        evidence.extend(known.as_ref().and_then(|known| self.unknown(known, look)));
        let hidden = sense::hidden(&self.of(stance), look);
        let is_hidden = hidden.is_some();
        let mut objections = sense::objections(self.joint, look);
        let lost = known.iter().flat_map(|known| &known.lost).copied();
        objections.extend(sense::runaways(
            self.joint,
            look,
            lost.filter(|i| !at.is_spread(*i)),
        ));
        objections.extend(hidden);
        let is_flat = known.as_ref().is_some_and(|known| !known.flat.is_empty());
        let status = match self.status(look) {
            _ if stopped => FitStatus::Interrupted,
            FitStatus::Converged if is_flat || !objections.is_empty() => FitStatus::Stalled,
            status => status,
        };
        evidence.extend(objections);
        let border = at.zero.contains(&true);
        let (covariance_error, covariance) = known.map_or((f64::NAN, None), |known| {
            let own = among(&look.information.free, &free, &known.covariance);
            (known.covariance_error, Some(own))
        });
        Arrival {
            theta: look.theta.clone(),
            conditional: self.conditional(look, stance),
            status,
            evidence,
            doubtful: border
                || look
                    .spectrum
                    .as_ref()
                    .is_none_or(InformationSpectrum::is_unsure),
            hidden: is_hidden,
            free,
            covariance,
            covariance_error,
            look: at.look,
        }
    }

    /// What is said of the place of an estimate.
    fn where_it_stands(&self, at: &SearchPoint) -> Vec<String> {
        let mut evidence = vec![promise(self.joint, &at.look)];
        let is_saddle = at
            .look
            .spectrum
            .as_ref()
            .is_some_and(InformationSpectrum::is_saddle);
        if is_saddle {
            evidence.push(
                "The log-likelihood curves up along some direction: it is no maximum.".into(),
            );
        }
        let place = if is_saddle { "here" } else { "at the maximum" };
        for (spread, _) in at.spreads.iter().zip(&at.zero).filter(|(_, zero)| **zero) {
            evidence.push(format!(
                "`{}` is 0 {place}: standard errors are those of the model without it.",
                self.joint.theta.names[spread.coordinate]
            ));
        }
        let bound = at.at_bounds();
        if !bound.is_empty() {
            evidence.push(format!("At a bound: {}.", self.names(&at.look, &bound)));
        }
        evidence
    }

    /// What the data do not say, in words.
    fn unknown(&self, known: &CurvatureFindings, look: &Look) -> Option<String> {
        if !known.flat.is_empty() {
            let names = self.names(look, &known.flat);
            return Some(format!(
                "The data do not tell apart or do not depend on {names}: other values are as likely."
            ));
        }
        (!known.lost.is_empty()).then(|| {
            let names = self.names(look, &known.lost);
            format!("How well the data know {names} is below the noise of the draws: no standard errors.")
        })
    }

    /// Names of free coordinates by their positions.
    fn names(&self, look: &Look, positions: &[usize]) -> String {
        let name = |i: &usize| format!("`{}`", self.joint.theta.names[look.information.free[*i]]);
        positions.iter().map(name).collect::<Vec<_>>().join(", ")
    }

    /// Conditional moments of all effects; those apart from their means are put back.
    fn conditional(&self, look: &Look, stance: &Stance) -> Vec<(Vec<f64>, Vec<f64>)> {
        let joint = stance.joint.as_ref().unwrap_or(self.joint);
        let batches = Batches::new(joint);
        let levels = LevelMoments {
            joint,
            batches: &batches,
            moments: &look.information.moments,
        };
        let means = self.joint.means(&look.theta);
        let each = self.joint.parts.iter().enumerate();
        each.map(|(group, part)| {
            let (mut mean, sd) = levels.conditional(group);
            let d = part.n_phi();
            let means = &means[group];
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
        let saddle = look
            .spectrum
            .as_ref()
            .is_none_or(InformationSpectrum::is_saddle);
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
}

impl SearchPoint {
    /// Free coordinates at a bound that is no variance of 0.
    fn at_bounds(&self) -> Vec<usize> {
        let free = self.look.information.free.iter().enumerate();
        let is_zero = |k: usize| {
            let mut each = self.spreads.iter().zip(&self.zero);
            each.any(|(s, zero)| *zero && s.coordinate == k)
        };
        free.filter(|(i, k)| !self.look.open[*i] && !is_zero(**k))
            .map(|(i, _)| i)
            .collect()
    }

    /// Whether a free coordinate says how far an effect varies.
    fn is_spread(&self, position: usize) -> bool {
        let k = self.look.information.free[position];
        self.spreads.iter().any(|s| s.coordinate == k)
    }
}

/// What second derivatives say of the parameters.
struct CurvatureFindings {
    covariance: DMatrix<f64>,
    covariance_error: f64,
    /// Positions of free coordinates on which the likelihood does not depend, and of those without a standard error.
    flat: Vec<usize>,
    lost: Vec<usize>,
}

impl CurvatureFindings {
    fn new(spectrum: &InformationSpectrum, look: &Look) -> Self {
        let covariance = spectrum.covariance(look.information.free.len());
        Self {
            covariance_error: spectrum.error(&covariance),
            flat: spectrum.flat(),
            lost: spectrum.lost(&covariance),
            covariance,
        }
    }
}
