//! Look at an estimate: what draws that no step has seen say of it.

use super::arrive::MaximumSearch;
use super::spectrum::InformationSpectrum;
use crate::error::Result;
use crate::inference::importance::ImportanceSampling;
use crate::inference::information::{self, WeightedInformation};
use crate::inference::posterior::BatchPosteriors;
use crate::problem::Theta;

/// Gain in `-2 log L` that one more step may promise where the search ends; where each draw asks for the solution of
/// differential equations, that of a tenth of a standard error.
pub const TOLERANCE: f64 = 0.003;
const TOLERANCE_OF_SOLUTIONS: f64 = 0.01;

/// Noise of that gain, and error of the log-likelihood, below which the likelihood counts as known, and the tolerance then.
const KNOWN: f64 = 1e-6;

/// Monte-Carlo noise of that gain, and of standard errors relative to them, above which a look takes more draws; how many
/// times as many.
const NOISY: f64 = 0.02;
const VAGUE: f64 = 0.06;
pub const MORE: usize = 4;

/// Draws of each batch up to which a look goes that does not see whether the likelihood curves down.
const UNSURE_DRAWS: usize = 4000;

/// Gain that needs no more draws to be believed, by itself and in units of its noise.
const FAR: f64 = 4.0 * TOLERANCE;
const CLEAR: f64 = 5.0;

/// Changes on a logarithmic scale, and the gain of the step that leads there, that leave second derivatives what they are.
const BESIDE: f64 = 0.03;
const A_LITTLE: f64 = 0.05;

/// Gain below which an estimate is about where the maximum is.
const CLOSE: f64 = 2.0;

/// One of so many draws takes part in second derivatives, which evaluate twice for each parameter; the fewest of a batch.
const SLOPES: usize = 4;
const FEWEST_SLOPES: usize = 64;

/// What fresh draws say of an estimate.
#[derive(Clone)]
pub struct Look {
    pub theta: Vec<f64>,
    pub information: WeightedInformation,
    /// Around which the draws were made.
    pub proposal: BatchPosteriors,
    /// Free coordinates that nothing holds: neither a bound against its score nor a variance of 0.
    pub open: Vec<bool>,
    pub spectrum: Option<InformationSpectrum>,
    /// Score of the free coordinates, with what priors say.
    pub score: Vec<f64>,
    /// What one more Newton step would gain in `-2 log L`, and the part of it that noise gives.
    pub gain: f64,
    pub noise: f64,
    /// Whether second derivatives are those of these estimates.
    pub is_full: bool,
    /// Standard errors that were walked since the proposal was made.
    pub walked: f64,
    /// Whether draws ask for solutions of differential equations.
    is_solved: bool,
    /// Whether second derivatives are those of an earlier look.
    is_borrowed: bool,
}

impl Look {
    pub fn log_lik(&self) -> f64 {
        self.information.importance.total()
    }

    pub fn error(&self) -> f64 {
        self.information.importance.total_error()
    }

    /// Whether a further step promises no more than tolerance and noise.
    pub fn is_there(&self) -> bool {
        let saddle = self
            .spectrum
            .as_ref()
            .is_none_or(InformationSpectrum::is_saddle);
        !saddle && self.gain <= self.tolerance() + self.noise
    }

    fn tolerance(&self) -> f64 {
        let n = self.information.free.len();
        let ridge =
            |spectrum: &InformationSpectrum| !spectrum.lost(&spectrum.covariance(n)).is_empty();
        // Where draws hardly matter the maximum is known to more digits, and a step or two reaches it.
        if self.is_known() {
            KNOWN
        // Along a ridge steps promise too little.
        } else if !self.is_solved || self.spectrum.as_ref().is_some_and(ridge) {
            TOLERANCE
        } else {
            TOLERANCE_OF_SOLUTIONS
        }
    }

    /// Whether draws hardly matter.
    fn is_known(&self) -> bool {
        self.noise.max(self.error()) < KNOWN
    }

    /// Whether what is missing is little.
    pub fn is_close(&self) -> bool {
        let saddle = self
            .spectrum
            .as_ref()
            .is_none_or(InformationSpectrum::is_saddle);
        !saddle && self.gain < CLOSE
    }

    /// Whether scores or the log-likelihood are not known well.
    fn is_noisy(&self, unsettled: f64) -> bool {
        self.noise > NOISY || 2.0 * self.error() > unsettled
    }

    /// Whether more draws would tell more.
    fn is_vague(&self, unsettled: f64) -> bool {
        let Some(spectrum) = &self.spectrum else {
            return true;
        };
        let n = self.information.free.len();
        self.is_noisy(unsettled)
            || spectrum.is_unsure()
            || spectrum.error(&spectrum.covariance(n)) > VAGUE
    }

    /// Whether what is missing is plain however noisy it is.
    fn is_far(&self) -> bool {
        let saddle = self
            .spectrum
            .as_ref()
            .is_some_and(InformationSpectrum::is_saddle);
        saddle || self.gain > FAR.max(CLEAR * self.noise)
    }

    /// How much less likely than `other`, beyond what noise explains.
    pub fn falls_from(&self, other: &Self) -> bool {
        let noise = self.error().hypot(other.error());
        self.log_lik().is_nan() || self.log_lik() < other.log_lik() - 3.0 * noise - TOLERANCE
    }
}

impl MaximumSearch<'_> {
    /// Look at an estimate with second derivatives of an earlier look, which tell where to go but not whether one is there.
    pub fn glance(
        &self,
        theta: &[f64],
        (q, walked): (BatchPosteriors, f64),
        bounds: &Theta,
        (round, known): (usize, &Look),
    ) -> Result<Look> {
        // What draws around these modes miss the look has seen from which this one comes.
        let sampling = ImportanceSampling {
            trusts: true,
            ..self.sampling(theta, round, self.draws)
        };
        let mut information = self.scores(&sampling, &q)?;
        let is_full = information.is_closed;
        if is_full {
            self.penalize(&mut information);
        } else {
            information.observed = known.information.observed.clone();
        }
        let mut look = self.judge(theta, q, information, bounds);
        (look.walked, look.is_borrowed) = (walked, !is_full);
        let same = is_full || known.is_full && self.is_beside(theta, known);
        look.is_full = same && !look.is_vague(self.unsettled);
        Ok(look)
    }

    /// Whether an estimate is so near to another that its second derivatives are those of that one.
    fn is_beside(&self, theta: &[f64], other: &Look) -> bool {
        let free = other.information.free.iter();
        let mut scales = free.filter(|k| self.joint.theta.is_transformed(**k));
        let near = scales.all(|k| (theta[*k] - other.theta[*k]).abs() <= BESIDE);
        // Nothing else keeps what needs no draws from being exact.
        near && other.gain <= A_LITTLE && !other.is_known()
    }

    /// Look at an estimate with draws of this round, around `q` moved to the conditional means; more draws where these
    /// are too noisy to tell. `bounds`: where a coordinate has no room it does not take part.
    ///
    /// # Errors
    /// A population distribution that does not exist, a batch without any draw of finite density, too many parameters.
    pub fn look(
        &self,
        theta: &[f64],
        q: &BatchPosteriors,
        bounds: &Theta,
        round: usize,
    ) -> Result<Look> {
        // Second derivatives suffer first from draws that are not where they should be.
        let q = self.sampling(theta, round, self.draws).moved(q)?;
        let (mut draws, mut slopes) = (self.draws, self.slopes());
        loop {
            let sampling = self.sampling(theta, round, draws);
            let look = self.seen(&sampling, &q, &mut slopes, bounds)?;
            let unsure = look
                .spectrum
                .as_ref()
                .is_none_or(InformationSpectrum::is_unsure);
            let most = if unsure {
                (self.draws * MORE).max(UNSURE_DRAWS)
            } else {
                self.draws * MORE
            };
            let possible = sampling.draws == draws && draws < most;
            if !look.is_vague(self.unsettled) || !possible || look.is_far() {
                return Ok(look);
            }
            draws = (draws * MORE).min(most);
        }
    }

    /// What draws say, with as many second derivatives as it takes where these alone are too noisy.
    fn seen(
        &self,
        sampling: &ImportanceSampling,
        q: &BatchPosteriors,
        slopes: &mut usize,
        bounds: &Theta,
    ) -> Result<Look> {
        let information = self.scores(sampling, q)?;
        self.differentiated(sampling, (information, q), slopes, bounds)
    }

    /// A glance with second derivatives of its own; a look where its draws may no longer be where they should be.
    ///
    /// # Errors
    /// Those of a look.
    pub fn completed(&self, glance: Look, bounds: &Theta, round: usize) -> Result<Look> {
        if glance.is_borrowed && glance.walked > 0.0 {
            let sampling = ImportanceSampling {
                trusts: true,
                ..self.sampling(&glance.theta, round, self.draws)
            };
            let known = (glance.information, &glance.proposal);
            let mut slopes = self.slopes();
            let mut look = self.differentiated(&sampling, known, &mut slopes, bounds)?;
            look.walked = glance.walked;
            if !look.is_vague(self.unsettled) {
                return Ok(look);
            }
        }
        self.look(&glance.theta, &glance.proposal, bounds, round)
    }

    /// Draws of each batch that take part in second derivatives at first.
    fn slopes(&self) -> usize {
        FEWEST_SLOPES.max(self.draws / SLOPES)
    }

    fn differentiated(
        &self,
        sampling: &ImportanceSampling,
        (mut information, q): (WeightedInformation, &BatchPosteriors),
        slopes: &mut usize,
        bounds: &Theta,
    ) -> Result<Look> {
        let most = sampling.draws.min(self.draws.max(sampling.draws / SLOPES));
        loop {
            information.differentiate(&sampling.with(*slopes), q)?;
            let mut own = information.clone();
            self.penalize(&mut own);
            let look = self.judge(sampling.theta, q.clone(), own, bounds);
            let done = !look.is_vague(self.unsettled) || look.is_noisy(self.unsettled);
            if done || look.is_far() || information.is_closed || *slopes >= most {
                return Ok(look);
            }
            *slopes = (*slopes * 2).min(most);
        }
    }

    /// What draws say, of the likelihood without the density of effects that are absent.
    fn scores(
        &self,
        sampling: &ImportanceSampling,
        q: &BatchPosteriors,
    ) -> Result<WeightedInformation> {
        let mut found = information::scores(sampling, q)?;
        for (value, absent) in found.importance.log_lik.iter_mut().zip(self.absent) {
            *value -= absent;
        }
        Ok(found)
    }

    /// Add what priors say to the observed information.
    fn penalize(&self, information: &mut WeightedInformation) {
        information.observed.each(|own| {
            for (i, penalty) in self.penalty.iter().enumerate() {
                own[(i, i)] += penalty;
            }
        });
    }

    fn judge(
        &self,
        theta: &[f64],
        proposal: BatchPosteriors,
        information: WeightedInformation,
        bounds: &Theta,
    ) -> Look {
        let mut score = information.score();
        for (i, k) in information.free.iter().enumerate() {
            score[i] -= self.penalty[i] * theta[*k];
        }
        let open: Vec<bool> = (information.free.iter().zip(&score))
            .map(|(k, s)| !bounds.presses(*k, theta[*k], *s))
            .collect();
        let spectrum = InformationSpectrum::new(&information, &open);
        let (gain, noise) = spectrum.as_ref().map_or((f64::NAN, f64::NAN), |spectrum| {
            spectrum.gain(&score, &information.noise)
        });
        Look {
            theta: theta.to_vec(),
            information,
            proposal,
            open,
            spectrum,
            score,
            gain,
            noise,
            is_full: true,
            walked: 0.0,
            is_solved: self.joint.main().form.dynamics.is_some(),
            is_borrowed: false,
        }
    }
}
