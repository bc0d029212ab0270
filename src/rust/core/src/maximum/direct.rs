//! Maximize the likelihood of a model without random effects, which is its density.
//!
//! With nothing to integrate out score, observed information and log-likelihood are exact, whatever is drawn. A step is
//! `D (|S| + lambda I)^-1 D s` with the score `s` and the observed information `S = D^-1 I D^-1` in units of its diagonal:
//! directions in which the likelihood curves up are taken by the size of their curvature, and `lambda` grows where the
//! likelihood does not rise. Sources: Marquardt (1963), An algorithm for least-squares estimation of nonlinear parameters;
//! Greenstadt (1967), On the relative efficiencies of gradient methods.

use nalgebra::{DMatrix, DVector};

use super::arrive::{MaximumSearch, Watch};
use super::findings::Arrival;
use super::look::Look;
use crate::error::Result;
use crate::inference::information::free;
use crate::inference::posterior::{BatchGaussian, BatchPosteriors};

/// Most parameters for which second derivatives show the way.
const FEW_PARAMETERS: usize = 100;

/// Steps, and steps that failed one after another, at most.
const STEPS: usize = 300;
const FAILURES: usize = 40;

/// Gain in `-2 log L` that a further step may promise at the maximum: a part of 1e-6 of a standard error.
const PROMISED: f64 = 1e-12;

/// The first damping, and how much less and more of it follows.
const DAMPING: f64 = 1e-2;
const LESS: f64 = 0.1;
const MORE: f64 = 5.0;

/// Damping below which there is none.
const UNDAMPED: f64 = 1e-7;

/// Part of the promised rise that a step must keep, and the relative rounding error of a value.
const KEPT: f64 = 1e-3;
const ROUNDING: f64 = 1e-12;

/// Smallest curvature by which a step is divided, in units.
const FLAT: f64 = 1e-9;

/// The longest step on a transformed scale, such as that of the logarithm.
const LONGEST: f64 = 2.0;

impl MaximumSearch<'_> {
    /// The maximum that is reached from `start`, for a model without random effects.
    ///
    /// # Errors
    /// A start without a density, too many parameters.
    pub fn direct(&self, start: &[f64], watch: &mut Watch) -> Result<Arrival> {
        let q = vec![BatchGaussian::nothing(); self.joint.n_batches];
        let theta = if free(self.joint).len() <= FEW_PARAMETERS {
            self.damped(start, &q, watch)?
        } else {
            let bounds = &self.joint.theta;
            let summit = MaximumSearch { rounds: 1, ..*self }.climb((start, &q), bounds, 1, watch);
            summit.map_or_else(|| start.to_vec(), |summit| summit.theta)
        };
        self.arrive(&theta, &q, watch)
    }

    /// Newton's steps, damped where they lead too far.
    fn damped(&self, start: &[f64], q: &BatchPosteriors, watch: &mut Watch) -> Result<Vec<f64>> {
        let bounds = &self.joint.theta;
        let mut best = self.look(start, q, bounds, 0)?;
        let mut damping = DAMPING;
        for _ in 0..STEPS {
            if best.gain <= PROMISED {
                break;
            }
            let Some(next) = self.risen(&best, q, &mut damping) else {
                break;
            };
            let done = next.gain >= best.gain && self.height(&next) <= self.height(&best);
            if done {
                break;
            }
            best = next;
            if !watch(&best.theta, best.log_lik()) {
                break;
            }
        }
        Ok(best.theta)
    }

    /// What is maximized: the log-likelihood and what priors say.
    fn height(&self, look: &Look) -> f64 {
        look.log_lik() - self.prior(&look.information.free, &look.theta)
    }

    fn prior(&self, free: &[usize], theta: &[f64]) -> f64 {
        let each = free.iter().zip(self.penalty);
        each.map(|(k, precision)| 0.5 * precision * theta[*k] * theta[*k])
            .sum()
    }

    /// The first step after which the likelihood has risen, with ever more damping.
    fn risen(&self, from: &Look, q: &BatchPosteriors, damping: &mut f64) -> Option<Look> {
        let bounds = &self.joint.theta;
        let curved = Curved::new(from)?;
        let value = self.height(from);
        for _ in 0..FAILURES {
            let step = curved.step(*damping);
            let mut theta = from.theta.clone();
            let mut promised = 0.0;
            let free = from.information.free.iter().enumerate();
            let longest = free.clone().map(|(i, k)| {
                if bounds.is_identity(*k) {
                    0.0
                } else {
                    step[i].abs()
                }
            });
            let part = (LONGEST / longest.fold(LONGEST, f64::max)).min(1.0);
            for (i, k) in free {
                theta[*k] = bounds.clamp(*k, theta[*k] + part * step[i]);
                promised += 0.5 * from.score[i] * (theta[*k] - from.theta[*k]);
            }
            let found = self.sampling(&theta, 0, 1).run(q).ok();
            let there =
                found.map(|found| found.total() - self.prior(&from.information.free, &theta));
            let rounding = ROUNDING * (1.0 + value.abs());
            let rises = there.is_some_and(|there| there - value >= KEPT * promised - rounding);
            if rises && theta != from.theta {
                if let Ok(next) = self.look(&theta, q, bounds, 0) {
                    *damping = if *damping <= UNDAMPED {
                        0.0
                    } else {
                        *damping * LESS
                    };
                    return Some(next);
                }
            }
            *damping = damping.max(UNDAMPED) * MORE;
        }
        None
    }
}

/// The observed information in units of its diagonal, direction by direction.
struct Curved {
    /// Positions of the coordinates that may move, and of how many.
    open: Vec<usize>,
    n: usize,
    unit: DVector<f64>,
    values: DVector<f64>,
    vectors: DMatrix<f64>,
    /// The score along each direction.
    along: DVector<f64>,
}

impl Curved {
    fn new(look: &Look) -> Option<Self> {
        let observed = &look.information.observed.all;
        let open: Vec<usize> = (0..look.open.len()).filter(|k| look.open[*k]).collect();
        if open.is_empty() || !observed.iter().chain(&look.score).all(|x| x.is_finite()) {
            return None;
        }
        let unit = DVector::from_fn(open.len(), |a, _| {
            let most = observed[(open[a], open[a])].abs().max(f64::MIN_POSITIVE);
            most.sqrt().recip()
        });
        let scaled = DMatrix::from_fn(open.len(), open.len(), |a, b| {
            unit[a] * observed[(open[a], open[b])] * unit[b]
        });
        if !scaled.iter().all(|x| x.is_finite()) {
            return None;
        }
        let eigen = scaled.symmetric_eigen();
        let score = DVector::from_fn(open.len(), |a, _| unit[a] * look.score[open[a]]);
        Some(Self {
            along: eigen.eigenvectors.tr_mul(&score),
            values: eigen.eigenvalues,
            vectors: eigen.eigenvectors,
            n: look.open.len(),
            open,
            unit,
        })
    }

    /// The step of all free coordinates.
    fn step(&self, damping: f64) -> Vec<f64> {
        let divisors = self.values.map(|value| value.abs().max(FLAT) + damping);
        let back = &self.vectors * self.along.component_div(&divisors);
        let mut step = vec![0.0; self.n];
        for (a, k) in self.open.iter().enumerate() {
            step[*k] = self.unit[a] * back[a];
        }
        step
    }
}
