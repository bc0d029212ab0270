//! Find signs that a run stopped where nothing pulls it on, instead of at a maximum.
//!
//! Far from the data the likelihood can be flat: predictions answer to no random effect, the residual error explains
//! everything, and every step is short. The same holds for a variance that has collapsed. A random effect stands still
//! when its conditional modes vary far less than `Omega` says, `mean_i (phi_i - m_i)^2 < 0.001 omega_kk`.

use super::part::{stand, ChainDraws, GroupingRun};
use super::run::SaemRun;
use crate::inference::modes::{step_curvature, ModeOptions, Modes};
use crate::parallel::Workers;
use crate::problem::{Evaluator, Means, Prior};

/// Variance of the modes, relative to `Omega`, below which an effect stands still.
const STILL: f64 = 1e-3;

/// The same for conditional means, which the noise of the draws moves: what lies above needs no second look.
const SUSPECT: f64 = 0.05;

/// Most parameters that a sentence lists.
const MOST_NAMED: usize = 8;

impl SaemRun<'_> {
    /// What speaks against a maximum, in words; empty when nothing does.
    pub(super) fn stalls(&mut self) -> Vec<String> {
        let mut evidence = Vec::new();
        let names = &self.joint.theta.names;
        for k in self.floors.reached(self.joint, &self.theta) {
            evidence.push(format!("`{}` has fallen to its floor.", names[k]));
        }
        let (still, effects) = self.still();
        if still.len() == effects && effects > 0 {
            evidence.push(
                "No random effect moves from its mean for any subject: at these estimates the residual error explains \
                 everything."
                    .into(),
            );
        } else {
            evidence.extend(still.into_iter().map(|name| {
                format!(
                    "The random effect `{name}` does not move from its mean for any subject: at these estimates the \
                     data say nothing about it."
                )
            }));
        }
        let weak = self.smoother.as_ref().map(|smoother| smoother.weak());
        if let Some(weak) = weak.filter(|weak| !weak.is_empty()) {
            let named = weak.iter().map(|p| format!("`{}`", names[self.free[*p]]));
            let mut named: Vec<String> = named.collect();
            let more = named.len().saturating_sub(MOST_NAMED);
            if more > 0 {
                named.truncate(MOST_NAMED);
                named.push(format!("{more} more"));
            }
            evidence.push(format!(
                "The data say almost nothing about some combination of the parameters ({}): no standard errors.",
                named.join(", ")
            ));
        }
        evidence
    }

    /// Names of the effects with an estimated variance that stand still, and the number of effects with one.
    fn still(&mut self) -> (Vec<String>, usize) {
        if stand(&mut self.parts, self.joint, &self.theta).is_none() {
            return (Vec::new(), 0);
        }
        let (mut names, mut count) = (Vec::new(), 0);
        for part in &self.parts {
            let (prior, means) = (part.population.at.prior(), part.population.means());
            let estimated = self.estimated(part);
            count += estimated.len();
            let conditional = part.population.statistics.conditional().0;
            let suspects = calm(&conditional, means, prior, SUSPECT, &estimated);
            if suspects.is_empty() {
                continue;
            }
            let modes = self.modes(part, prior);
            let still = calm(&modes, means, prior, STILL, &suspects);
            let effects = part.problem().effects();
            names.extend(still.into_iter().map(|k| effects[k].name.clone()));
        }
        (names, count)
    }

    /// Effects that outcomes depend on and whose variance is estimated.
    fn estimated(&self, part: &GroupingRun) -> Vec<usize> {
        let gradients = part.problem().omega_gradients(&self.theta);
        let free = |gradient: &[f64]| self.free.iter().any(|k| gradient[*k] != 0.0);
        let moved = gradients
            .iter()
            .filter(|(a, b, gradient)| a == b && free(gradient));
        let idle = |k: usize| {
            self.joint
                .idle_effects
                .contains(&(part.problem().form.offset + k))
        };
        moved.map(|(a, _, _)| *a).filter(|k| !idle(*k)).collect()
    }

    /// Conditional modes of the levels of a grouping, given the last draws of the others.
    fn modes(&self, part: &GroupingRun, prior: &Prior) -> Vec<f64> {
        let layout = part.problem().layout(1);
        let draws = ChainDraws { parts: &self.parts };
        let target = Evaluator::of((part.problem(), &layout), &self.theta, prior.clone())
            .given(self.joint.known(part.problem(), &layout, &draws));
        let options = ModeOptions {
            max_steps: 50,
            tolerance: 1e-6,
            curvature: step_curvature(part.problem()),
        };
        let modes = Modes::find(&target, None, options, &Workers::single());
        modes.by_subject(&layout).0
    }
}

/// Which of some effects vary less than a part of what `Omega` says; `phi`: `n x d`, row-major.
fn calm(phi: &[f64], means: &Means, prior: &Prior, part: f64, effects: &[usize]) -> Vec<usize> {
    let d = means.dim;
    let spread = |k: usize| {
        let pairs = phi.iter().zip(&means.values).skip(k).step_by(d);
        let squares: f64 = pairs.map(|(x, m)| (x - m) * (x - m)).sum();
        squares / (phi.len() / d) as f64
    };
    let calm = |k: &usize| spread(*k) < part * prior.omega[(*k, *k)];
    effects.iter().copied().filter(calm).collect()
}
