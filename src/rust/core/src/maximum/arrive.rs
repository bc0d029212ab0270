//! Judge an estimate at fresh importance draws, and go on from it until these say that the maximum is reached.
//!
//! Each look computes score `s`, observed information `I` and log-likelihood at draws that no step has seen. One more
//! Newton step would gain `s' I^-1 s` in `-2 log L`: to second order what is missing to the maximum. While that is more
//! than the tolerance and its own noise, quasi-Newton steps climb the likelihood at draws that stay, and the next look
//! judges where they led; steps after which fresh draws say that the likelihood has fallen are taken back.

use super::ascent::{climb, Patience, Summit, Surface};
use super::look::{Look, MORE, TOLERANCE};
use super::maximizer::Maximizer;
use super::sampled::{Sampled, StudentProposal};
use super::spectrum::InformationSpectrum;
use crate::error::Result;
use crate::inference::cloud::{layouts, Cloud};
use crate::inference::importance::ImportanceSampling;
use crate::inference::kept::StoredModel;
use crate::inference::laplace;
use crate::inference::points::{LatticePoints, PointSource};
use crate::inference::posterior::{BatchPosteriors, Batches};
use crate::parallel::Workers;
use crate::problem::{EffectValues, Joint, Theta};
use crate::random::{Purpose, Stream};

/// Draws of all batches together that a climb or a look holds, and the fewest of a batch.
const MOST_LANES: usize = 1 << 22;
const FEWEST: usize = 16;

/// Draws of all batches together below which those of each are more: a few subjects cost little and tell little.
const ENOUGH_LANES: usize = 3600;

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

/// Climbs, and Newton steps on end, after which the likelihood has not risen that end a search.
const BARREN: usize = 2;
const IDLE: usize = 6;

/// Part of the promise of a step that the next may still promise before second derivatives are taken anew.
const SLOW: f64 = 0.1;

/// How the maximum is searched.
#[derive(Clone, Copy)]
pub struct MaximumSearch<'a> {
    pub joint: &'a Joint,
    pub workers: &'a Workers,
    pub seed: u64,
    /// Importance draws of each batch by which an estimate is judged, and that a climb holds.
    pub draws: usize,
    pub climbing: usize,
    /// Error of `-2 log L` above which a look takes more draws.
    pub unsettled: f64,
    /// Climbs at most; none: an estimate is judged and stays.
    pub rounds: usize,
    /// Whether the search ends where Newton steps lead no further, before any climb.
    pub hurries: bool,
    /// Whether climbs move weights of learned functions, too.
    pub trains: bool,
    /// Precision of the prior of each coordinate that moves.
    pub penalty: &'a [f64],
    /// Log density of effects that are absent, one entry a batch, or none.
    pub absent: &'a [f64],
    pub patience: Patience,
}

/// What a turn of a search led to.
enum SearchTurn {
    Went,
    Nowhere,
    /// There were no numbers; or the watcher has ended it.
    Ended,
    Stopped,
}

/// Whether to go on: sees the estimates of each step and the log-likelihood at the draws that stay.
pub type Watch<'w> = dyn FnMut(&[f64], f64) -> bool + 'w;

impl<'a> MaximumSearch<'a> {
    /// Laplace's posterior of every batch; `first`: where modes are searched, NaN for the mean.
    ///
    /// # Errors
    /// A population distribution that does not exist.
    pub fn laplace(&self, theta: &[f64], first: Option<&EffectValues>) -> Result<BatchPosteriors> {
        laplace::posterior(
            self.joint,
            &Batches::new(self.joint),
            theta,
            first,
            self.workers,
        )
    }

    /// So many draws of each batch, or more where the batches are few.
    pub fn at_least(joint: &Joint, draws: usize) -> usize {
        draws.max(ENOUGH_LANES / joint.n_batches.max(1))
    }

    /// Lanes that a look or a climb may hold.
    fn most_lanes(&self) -> usize {
        match &self.joint.main().form.dynamics {
            Some(_) => MOST_SOLVED.max(FEWEST_SOLVED * self.joint.n_batches),
            None => MOST_LANES,
        }
    }

    /// Draws of a round that no other has.
    pub fn sampling<'s>(
        &'s self,
        theta: &'s [f64],
        round: usize,
        draws: usize,
    ) -> ImportanceSampling<'s> {
        let most = self.most_lanes() / self.joint.n_batches.max(1);
        ImportanceSampling {
            trusts: false,
            joint: self.joint,
            theta,
            workers: self.workers,
            seed: self
                .seed
                .wrapping_add((round as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)),
            draws: draws.min(most.max(FEWEST)),
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
        let (mut barren, mut idle, mut highest) = (0, 0, best.log_lik());
        let climbs = if self.hurries { 0 } else { self.rounds };
        for _ in 0..climbs + steps {
            let done = best.is_there() || self.rounds == 0 || self.hurries && !newton;
            if done || barren == BARREN || idle == IDLE {
                break;
            }
            let turn = if newton {
                self.newton_on(&mut best, bounds, round, watch)
            } else {
                self.climb_on(&mut best, &mut climbing, bounds, round, watch)
            };
            match turn {
                SearchTurn::Stopped => return (best, true),
                SearchTurn::Ended => break,
                SearchTurn::Nowhere if newton => newton = false,
                SearchTurn::Nowhere => barren += 1,
                SearchTurn::Went => newton = steps > 0,
            }
            if best.log_lik() > highest + TOLERANCE + best.error() {
                (idle, highest) = (0, best.log_lik());
            } else {
                idle += 1;
            }
        }
        if !best.is_full {
            if let Ok(full) = self.completed(best.clone(), bounds, *round) {
                best = full;
            }
        }
        (best, false)
    }

    /// A Newton step, with second derivatives of where it leads if those of before no longer serve.
    fn newton_on(
        &self,
        best: &mut Look,
        bounds: &Theta,
        round: &mut usize,
        watch: &mut Watch,
    ) -> SearchTurn {
        let mut slow = false;
        match self.newton(best, bounds, round) {
            Some(next) => {
                // Second derivatives of another place lead on ever more slowly.
                let saddle = best
                    .spectrum
                    .as_ref()
                    .is_some_and(InformationSpectrum::is_saddle);
                slow = saddle || next.gain > SLOW * best.gain;
                *best = next;
                if !watch(&best.theta, best.log_lik()) {
                    return SearchTurn::Stopped;
                }
            }
            None if best.is_full => return SearchTurn::Nowhere,
            None => best.gain = f64::INFINITY,
        }
        if !best.is_full && (slow || best.is_there() || !best.gain.is_finite()) {
            match self.completed(best.clone(), bounds, *round) {
                Ok(full) => *best = full,
                Err(_) => return SearchTurn::Ended,
            }
        }
        SearchTurn::Went
    }

    /// A climb with so many draws of each batch, more the next time where these were too few to show the way.
    fn climb_on(
        &self,
        best: &mut Look,
        climbing: &mut usize,
        bounds: &Theta,
        round: &mut usize,
        watch: &mut Watch,
    ) -> SearchTurn {
        let from = (best.theta.as_slice(), &best.proposal);
        let Some(Summit { theta, stopped, .. }) = self.climb(from, bounds, *climbing, watch) else {
            return SearchTurn::Ended;
        };
        *round += 1;
        let Ok(next) = self.look(&theta, &best.proposal, bounds, *round) else {
            return SearchTurn::Ended;
        };
        let rises = next.log_lik() > best.log_lik() + TOLERANCE + best.error();
        if next.falls_from(best) {
            *climbing = (*climbing * MORE).min(self.climbing * MORE * MORE);
        } else {
            *best = next;
        }
        match (stopped, rises) {
            (true, _) => SearchTurn::Stopped,
            (false, true) => SearchTurn::Went,
            (false, false) => SearchTurn::Nowhere,
        }
    }

    /// Climb the likelihood from a `theta`, at draws around these distributions of the effects; where that ends.
    pub fn climb(
        &self,
        (start, q): (&[f64], &BatchPosteriors),
        bounds: &Theta,
        draws: usize,
        watch: &mut Watch,
    ) -> Option<Summit> {
        let joint = self.joint;
        let kept = StoredModel::new(joint);
        let most = self.most_lanes() / joint.n_batches.max(1);
        let drawn = layouts(joint, draws.min(most.max(FEWEST)));
        let single = layouts(joint, 1);
        let mut cloud = Cloud::new(&kept.joint, &drawn, start).ok()?;
        let mut maximizer = match self.trains {
            true => Maximizer::training(&kept.joint, &single, start, self.penalty).ok()?,
            false => Maximizer::new(&kept.joint, &single, start).ok()?,
        };
        let moving = maximizer.moving.clone();
        let lattice = self.lattice(&cloud);
        let (mut theta, mut q) = (start.to_vec(), q.clone());
        let mut found = None;
        // A climb that ends where its draws no longer are begins again around where they should be.
        for _ in 0..self.rounds.max(1) {
            let proposal = StudentProposal::new(&q, &lattice);
            kept.set(&mut cloud, &proposal.draws, &theta, self.workers);
            let mut sampled = Sampled {
                cloud: &mut cloud,
                maximizer: &mut maximizer,
                proposal: &proposal,
                penalty: self.penalty,
                workers: self.workers,
                there: None,
            };
            let summit = climb(
                &mut sampled,
                (bounds, &moving),
                &theta,
                self.patience,
                watch,
            )?;
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
        let source = PointSource {
            stream,
            replicate: CLIMB,
        };
        LatticePoints::new(source, cloud.copies, cloud.batches.max_dim())
    }
}
