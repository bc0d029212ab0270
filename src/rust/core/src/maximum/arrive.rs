//! Judge an estimate at fresh importance draws, and go on from it until these say that the maximum is reached.
//!
//! Each look computes score `s`, observed information `I` and log-likelihood at draws that no step has seen. One more
//! Newton step would gain `s' I^-1 s` in `-2 log L`: to second order what is missing to the maximum. While that is more
//! than the tolerance and its own noise, quasi-Newton steps climb the likelihood at draws that stay, and the next look
//! judges where they led; steps after which fresh draws say that the likelihood has fallen are taken back.

use super::ascent::{climb, Patience, Summit, Surface};
use super::maximizer::Maximizer;
use super::sampled::{Kept, Proposal, Sampled};
use super::spectrum::Spectrum;
use crate::error::Result;
use crate::inference::cloud::{layouts, Cloud};
use crate::inference::importance::Sampling;
use crate::inference::information::{self, Information};
use crate::inference::laplace;
use crate::inference::points::{LatticePoints, Source};
use crate::inference::posterior::{Batches, Posterior};
use crate::parallel::Workers;
use crate::problem::{Joint, Points, Theta};
use crate::random::{Purpose, Stream};

/// Gain in `-2 log L` that one more step may promise where the search ends.
pub const TOLERANCE: f64 = 0.003;

/// Noise of that gain below which the likelihood counts as known, and the tolerance then.
const KNOWN: f64 = 1e-6;

/// Monte-Carlo noise of that gain, of `-2 log L`, and of standard errors relative to them, above which a look takes more
/// draws; how many times as many.
const NOISY: f64 = 0.02;
const UNSETTLED: f64 = 0.3;
const VAGUE: f64 = 0.06;
const MORE: usize = 4;

/// Draws of each batch up to which a look goes that does not see whether the likelihood curves down.
const UNSURE_DRAWS: usize = 4000;

/// Gain that needs no more draws to be believed.
const FAR: f64 = 0.5;

/// One of so many draws takes part in second derivatives, which evaluate twice for each parameter; the fewest of a batch.
const SLOPES: usize = 4;
const FEWEST_SLOPES: usize = 64;

/// Draws of all batches together that a climb or a look holds, and the fewest of a batch.
const MOST_LANES: usize = 1 << 22;
const FEWEST: usize = 16;

/// The same where each draw asks for a solution of differential equations.
const MOST_SOLVED: usize = 1 << 17;
const FEWEST_SOLVED: usize = 64;

/// The randomization of the points of a climb, none that a likelihood is computed with.
const CLIMB: u32 = 1 << 16;

/// Effective part of the draws of a batch below which a climb is not believed beyond its round.
const DEGENERATE: f64 = 0.2;

/// Most parameters for which Newton steps are taken, and how many of them at most, also where a search hurries.
const FEW_PARAMETERS: usize = 40;
const STEPS: usize = 20;
const FEW_STEPS: usize = 6;

/// Climbs after which the likelihood has not risen that end a search.
const BARREN: usize = 2;

/// The longest Newton step in standard errors, that after which a few draws look first, how many, and how often it is
/// halved.
const REACH: f64 = 3.0;
const NEAR: f64 = 0.5;
const TRIAL: usize = 256;
const HALVINGS: i32 = 5;

/// Part of the promise of a step that the next may still promise before second derivatives are taken anew.
const SLOW: f64 = 0.1;

/// How the maximum is searched.
#[derive(Clone, Copy)]
pub struct Search<'a> {
    pub joint: &'a Joint,
    pub workers: &'a Workers,
    pub seed: u64,
    /// Importance draws of each batch by which an estimate is judged, and that a climb holds.
    pub draws: usize,
    pub climbing: usize,
    /// Climbs at most; none: an estimate is judged and stays.
    pub rounds: usize,
    /// Whether the search ends where Newton steps lead no further, before any climb.
    pub hurries: bool,
    /// Precision of the prior of each free coordinate.
    pub penalty: &'a [f64],
    /// Log density of effects that are absent, one entry a batch, or none.
    pub absent: &'a [f64],
    pub patience: Patience,
}

/// What fresh draws say of an estimate.
pub struct Look {
    pub theta: Vec<f64>,
    pub information: Information,
    /// Around which the draws were made.
    pub proposal: Posterior,
    /// Free coordinates that nothing holds: neither a bound against its score nor a variance of 0.
    pub open: Vec<bool>,
    pub spectrum: Option<Spectrum>,
    /// Score of the free coordinates, with what priors say.
    pub score: Vec<f64>,
    /// What one more Newton step would gain in `-2 log L`, and the part of it that noise gives.
    pub gain: f64,
    pub noise: f64,
    /// Whether second derivatives are those of these estimates.
    is_full: bool,
}

impl Look {
    pub fn log_lik(&self) -> f64 {
        self.information.importance.total()
    }

    pub fn error(&self) -> f64 {
        self.information.importance.total_error()
    }

    /// Whether a further step promises more than tolerance and noise.
    pub fn is_there(&self) -> bool {
        let saddle = self.spectrum.as_ref().is_none_or(Spectrum::is_saddle);
        // Where draws hardly matter the maximum is known to more digits, and a step or two reaches it.
        let tolerance = if self.noise < KNOWN { KNOWN } else { TOLERANCE };
        !saddle && self.gain <= tolerance + self.noise
    }

    /// Whether more draws would tell more.
    fn is_vague(&self) -> bool {
        let Some(spectrum) = &self.spectrum else {
            return true;
        };
        let n = self.information.free.len();
        let noisy = self.noise > NOISY || 2.0 * self.error() > UNSETTLED;
        noisy || spectrum.is_unsure() || spectrum.error(&spectrum.covariance(n)) > VAGUE
    }

    /// Whether what is missing is plain however noisy it is.
    fn is_far(&self) -> bool {
        let saddle = self.spectrum.as_ref().is_some_and(Spectrum::is_saddle);
        saddle || self.gain > FAR.max(10.0 * self.noise)
    }

    /// How much less likely than `other`, beyond what noise explains.
    fn falls_from(&self, other: &Self) -> bool {
        let noise = self.error().hypot(other.error());
        self.log_lik().is_nan() || self.log_lik() < other.log_lik() - 3.0 * noise - TOLERANCE
    }
}

/// Whether to go on: sees the estimates of each step and the log-likelihood at the draws that stay.
pub type Watch<'w> = dyn FnMut(&[f64], f64) -> bool + 'w;

impl<'a> Search<'a> {
    /// Laplace's posterior of every batch; `first`: where modes are searched, NaN for the mean.
    ///
    /// # Errors
    /// A population distribution that does not exist.
    pub fn laplace(&self, theta: &[f64], first: Option<&Points>) -> Result<Posterior> {
        laplace::posterior(
            self.joint,
            &Batches::new(self.joint),
            theta,
            first,
            self.workers,
        )
    }

    /// Lanes that a look or a climb may hold.
    fn most_lanes(&self) -> usize {
        match &self.joint.main().form.dynamics {
            Some(_) => MOST_SOLVED.max(FEWEST_SOLVED * self.joint.n_batches),
            None => MOST_LANES,
        }
    }

    /// Draws of a round that no other has.
    pub fn sampling<'s>(&'s self, theta: &'s [f64], round: usize, draws: usize) -> Sampling<'s> {
        let most = self.most_lanes() / self.joint.n_batches.max(1);
        Sampling {
            joint: self.joint,
            theta,
            workers: self.workers,
            seed: self
                .seed
                .wrapping_add((round as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)),
            draws: draws.min(most.max(FEWEST)),
        }
    }

    /// Look at an estimate with second derivatives of an earlier look, which tell where to go but not whether one is there.
    fn glance(
        &self,
        theta: &[f64],
        q: &Posterior,
        bounds: &Theta,
        (round, known): (usize, &Look),
    ) -> Result<Look> {
        let sampling = self.sampling(theta, round, self.draws);
        let q = sampling.moved(q)?;
        let mut information = information::scores(&sampling, &q)?;
        let is_full = information.is_closed;
        if !is_full {
            information.observed.clone_from(&known.information.observed);
            information
                .replicates
                .clone_from(&known.information.replicates);
        }
        let mut look = self.judge(theta, q, information, bounds);
        look.is_full = is_full && !look.is_vague();
        Ok(look)
    }

    /// Look at an estimate with draws of this round, around `q` moved to the conditional means; more draws where these
    /// are too noisy to tell. `bounds`: where a coordinate has no room it does not take part.
    ///
    /// # Errors
    /// A population distribution that does not exist, a batch without any draw of finite density, too many parameters.
    pub fn look(&self, theta: &[f64], q: &Posterior, bounds: &Theta, round: usize) -> Result<Look> {
        let mut draws = self.draws;
        let mut q = q.clone();
        loop {
            let sampling = self.sampling(theta, round, draws);
            q = sampling.moved(&q)?;
            let information =
                information::information(&sampling, &q, FEWEST_SLOPES.max(draws / SLOPES))?;
            let look = self.judge(theta, q.clone(), information, bounds);
            let unsure = look.spectrum.as_ref().is_none_or(Spectrum::is_unsure);
            let most = if unsure {
                (self.draws * MORE).max(UNSURE_DRAWS)
            } else {
                self.draws * MORE
            };
            let possible = sampling.draws == draws && draws < most;
            if !look.is_vague() || !possible || look.is_far() {
                return Ok(look);
            }
            draws *= MORE;
        }
    }

    fn judge(
        &self,
        theta: &[f64],
        proposal: Posterior,
        mut information: Information,
        bounds: &Theta,
    ) -> Look {
        for (value, absent) in information.importance.log_lik.iter_mut().zip(self.absent) {
            *value -= absent;
        }
        let mut score = information.score();
        for (i, k) in information.free.iter().enumerate() {
            score[i] -= self.penalty[i] * theta[*k];
            information.observed[(i, i)] += self.penalty[i];
            for own in &mut information.replicates {
                own[(i, i)] += self.penalty[i];
            }
        }
        let open: Vec<bool> = (information.free.iter().zip(&score))
            .map(|(k, s)| !bounds.presses(*k, theta[*k], *s))
            .collect();
        let spectrum = Spectrum::new(&information, &open);
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
        }
    }

    /// Go on from `start` until fresh draws promise nothing more, at most so many rounds; the best look. The flag says
    /// whether the watcher ended it.
    ///
    /// A round is a Newton step, its draws made anew where it leads; where none rises, a climb at draws that stay.
    pub fn go_on(
        &self,
        start: Look,
        bounds: &Theta,
        round: &mut usize,
        watch: &mut Watch,
    ) -> (Look, bool) {
        let mut best = start;
        let mut climbing = self.climbing;
        let mut newton = best.information.free.len() <= FEW_PARAMETERS;
        let steps = match newton {
            true if self.hurries => FEW_STEPS,
            true => STEPS,
            false => 0,
        };
        let mut barren = 0;
        let climbs = if self.hurries { 0 } else { self.rounds };
        for _ in 0..climbs + steps {
            if best.is_there() || self.rounds == 0 {
                break;
            }
            if newton {
                let mut slow = false;
                match self.newton(&best, bounds, round) {
                    Some(next) => {
                        // Second derivatives of another place lead on ever more slowly.
                        let saddle = best.spectrum.as_ref().is_some_and(Spectrum::is_saddle);
                        slow = saddle || next.gain > SLOW * best.gain;
                        best = next;
                        if !watch(&best.theta, best.log_lik()) {
                            return (best, true);
                        }
                    }
                    None if best.is_full => newton = false,
                    None => best.gain = f64::INFINITY,
                }
                if !best.is_full && (slow || best.is_there() || !best.gain.is_finite()) {
                    let Ok(full) = self.look(&best.theta, &best.proposal, bounds, *round) else {
                        break;
                    };
                    best = full;
                }
                continue;
            }
            if self.hurries {
                break;
            }
            let from = (best.theta.as_slice(), &best.proposal);
            let Some(Summit { theta, stopped, .. }) = self.climb(from, bounds, climbing, watch)
            else {
                break;
            };
            *round += 1;
            let Ok(next) = self.look(&theta, &best.proposal, bounds, *round) else {
                break;
            };
            if next.log_lik() <= best.log_lik() + TOLERANCE + best.error() {
                barren += 1;
            }
            if next.falls_from(&best) {
                // These draws were too few to show the way.
                climbing = (climbing * MORE).min(self.climbing * MORE * MORE);
            } else {
                newton = next.log_lik() > best.log_lik() + TOLERANCE && steps > 0;
                best = next;
            }
            if stopped {
                return (best, true);
            }
            if barren == BARREN {
                break;
            }
        }
        if !best.is_full {
            best = (self.look(&best.theta, &best.proposal, bounds, *round)).unwrap_or(best);
        }
        (best, false)
    }

    /// A Newton step, or the first of its halves after which fresh draws say that the likelihood has risen. Directions
    /// along which it curves up are climbed as if it curved down; where the score says nothing, to both sides.
    fn newton(&self, from: &Look, bounds: &Theta, round: &mut usize) -> Option<Look> {
        let spectrum = from.spectrum.as_ref()?;
        let mut step = spectrum.newton(&from.score);
        let length = from.gain.max(0.0).sqrt();
        if length > REACH {
            step.iter_mut().for_each(|x| *x *= REACH / length);
        }
        if spectrum.is_saddle() && length < NEAR {
            let up = spectrum.steepest_up(from.score.len());
            let down: Vec<f64> = up.iter().map(|x| -x).collect();
            let mut sides = [up, down].into_iter();
            return sides.find_map(|step| self.along(from, (&step, 1.0), bounds, round));
        }
        self.along(from, (&step, length), bounds, round)
    }

    /// A step of so many standard errors, halved until the likelihood rises as it promises.
    fn along(
        &self,
        from: &Look,
        (step, length): (&[f64], f64),
        bounds: &Theta,
        round: &mut usize,
    ) -> Option<Look> {
        for halving in 0..HALVINGS {
            let part = 0.5f64.powi(halving);
            let mut theta = from.theta.clone();
            for (k, x) in from.information.free.iter().zip(step) {
                theta[*k] = bounds.clamp(*k, theta[*k] + part * x);
            }
            *round += 1;
            let Ok(q) = self.laplace(&theta, None) else {
                continue;
            };
            if length > NEAR && !self.rises(&theta, &q, from, *round) {
                continue;
            }
            let Ok(next) = self.glance(&theta, &q, bounds, (*round, from)) else {
                continue;
            };
            let promised = part * (1.0 - 0.5 * part) * length.min(REACH) * length;
            let kept = next.log_lik() - from.log_lik() + 3.0 * from.error().hypot(next.error());
            if kept >= 0.1 * promised.min(10.0) || promised < TOLERANCE && !next.falls_from(from) {
                return Some(next);
            }
        }
        None
    }

    /// Whether a few draws say that estimates are more likely than those of a look.
    fn rises(&self, theta: &[f64], q: &Posterior, from: &Look, round: usize) -> bool {
        let sampling = self.sampling(theta, round, TRIAL);
        let found = sampling.moved(q).and_then(|q| sampling.run(&q));
        found.is_ok_and(|found| {
            let absent: f64 = self.absent.iter().sum();
            found.total() - absent > from.log_lik() - 3.0 * found.total_error()
        })
    }

    /// Climb the likelihood from a `theta`, at draws around these distributions of the effects; where that ends.
    pub fn climb(
        &self,
        (start, q): (&[f64], &Posterior),
        bounds: &Theta,
        draws: usize,
        watch: &mut Watch,
    ) -> Option<Summit> {
        let joint = self.joint;
        let kept = Kept::new(joint);
        let most = self.most_lanes() / joint.n_batches.max(1);
        let layouts = layouts(joint, draws.min(most.max(FEWEST)));
        let mut cloud = Cloud::new(&kept.joint, &layouts);
        let mut maximizer = Maximizer::new(&kept.joint, &layouts);
        let free = maximizer.free.clone();
        let lattice = self.lattice(&cloud);
        let (mut theta, mut q) = (start.to_vec(), q.clone());
        let mut found = None;
        // A climb that ends where its draws no longer are begins again around where they should be.
        for _ in 0..self.rounds.max(1) {
            let proposal = Proposal::new(&cloud, &q, &lattice);
            kept.set(&mut cloud, &proposal.draws, &theta, self.workers);
            let mut sampled = Sampled {
                cloud: &mut cloud,
                maximizer: &mut maximizer,
                proposal: &proposal,
                penalty: self.penalty,
                workers: self.workers,
                there: None,
            };
            let summit = climb(&mut sampled, (bounds, &free), &theta, self.patience, watch)?;
            sampled.at(&summit.theta)?;
            let there = sampled.there.take()?;
            let settled = there.least_effective() >= DEGENERATE;
            theta.clone_from(&summit.theta);
            let done = settled || summit.stopped;
            found = Some(summit);
            if done {
                break;
            }
            q = self.sampling(&theta, 0, draws).moved(&q).unwrap_or(q);
        }
        found
    }

    /// The same points in every climb, so that climbs differ by their proposals alone.
    fn lattice(&self, cloud: &Cloud) -> LatticePoints {
        let stream = Stream {
            seed: self.seed,
            purpose: Purpose::Importance,
        };
        let source = Source {
            stream,
            replicate: CLIMB,
        };
        LatticePoints::new(source, cloud.copies, cloud.batches.max_dim())
    }
}
