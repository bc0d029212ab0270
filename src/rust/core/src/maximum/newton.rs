//! Take Newton steps with draws that are made anew where they lead.

use super::arrive::MaximumSearch;
use super::look::{Look, TOLERANCE};
use crate::inference::laplace;
use crate::inference::posterior::BatchPosteriors;
use crate::problem::Theta;

/// The longest Newton step in standard errors, that after which a few draws look first, how many, and how often it is
/// halved.
const REACH: f64 = 3.0;
const NEAR: f64 = 0.5;
const TRIAL: usize = 256;
const HALVINGS: i32 = 5;

/// The longest change on a logarithmic scale: a factor of 150.
const LONG: f64 = 5.0;

impl MaximumSearch<'_> {
    /// A Newton step, or the first of its halves after which fresh draws say that the likelihood has risen. Directions
    /// along which it curves up are climbed as if it curved down; where the score says nothing, to both sides.
    pub fn newton(&self, from: &Look, bounds: &Theta, round: &mut usize) -> Option<Look> {
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
        let longest = (from.information.free.iter().zip(step))
            .filter(|(k, _)| self.joint.theta.is_transformed(**k))
            .fold(0.0f64, |longest, (_, x)| longest.max(x.abs()));
        let shrink = (LONG / longest).min(1.0);
        // Where hardly anything is to be gained nothing is far away: the data do not know these coordinates.
        if shrink < 1.0 && length * length < TOLERANCE {
            return None;
        }
        for halving in 0..HALVINGS {
            let part = shrink * 0.5f64.powi(halving);
            let mut theta = from.theta.clone();
            for (k, x) in from.information.free.iter().zip(step) {
                theta[*k] = bounds.clamp(*k, theta[*k] + part * x);
            }
            *round += 1;
            let Some((q, walked)) = self.proposal(&theta, from, (part * length, *round)) else {
                continue;
            };
            if length > NEAR && !self.rises(&theta, &q, from, *round) {
                continue;
            }
            let Ok(next) = self.glance(&theta, (q, walked), bounds, (*round, from)) else {
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

    /// Where draws are best made after a step of so many standard errors from a look, and how many were walked since.
    fn proposal(
        &self,
        theta: &[f64],
        from: &Look,
        (length, round): (f64, usize),
    ) -> Option<(BatchPosteriors, f64)> {
        let walked = from.walked + length;
        if walked < NEAR {
            return Some((from.proposal.clone(), walked));
        }
        // A search from the population's means may find another mode of a subject far from them.
        let first = laplace::centers(self.joint, &from.proposal);
        let q = self.laplace(theta, Some(&first)).ok()?;
        let moved = self.sampling(theta, round, self.draws).moved(&q).ok()?;
        Some((moved, 0.0))
    }

    /// Whether a few draws say that estimates are more likely than those of a look.
    fn rises(&self, theta: &[f64], q: &BatchPosteriors, from: &Look, round: usize) -> bool {
        let found = self.sampling(theta, round, TRIAL).run(q);
        found.is_ok_and(|found| {
            let absent: f64 = self.absent.iter().sum();
            found.total() - absent > from.log_lik() - 3.0 * found.total_error()
        })
    }
}
