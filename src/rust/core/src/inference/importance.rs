//! Compute the log-likelihood by importance sampling.
//!
//! `log p(y_b) = log (1/K) sum_k w_bk`, `w_bk = p(y_b | phi_bk) N(phi_bk; m_b, Omega) / t(phi_bk)`, with draws of the
//! multivariate t distribution of 5 degrees of freedom that has location and scale of a Gaussian approximation of
//! `p(phi_b | y_b)`. The draws are several independent randomizations of one lattice; the spread of their means gives the
//! Monte-Carlo error, to first order that of the logarithm. Batches are taken in groups, so that memory does not grow with
//! their number. Source: Pinheiro & Bates (1995), Approximations to the log-likelihood function in the nonlinear
//! mixed-effects model.

use super::cloud::{layouts_of, Cloud, Weighted};
use super::pareto::khat;
use super::points::{LatticePoints, Source};
use super::posterior::{Batches, Gaussian, Posterior};
use crate::error::Result;
use crate::parallel::Workers;
use crate::problem::{Joint, Prior};
use crate::random::{Purpose, Stream};

/// Randomizations of the lattice.
pub const REPLICATES: usize = 4;

/// Draws that move a proposal to the conditional mean and covariance.
const PILOT: usize = 256;

/// Fewest effective draws of a pilot for each element that it moves.
const PER_ELEMENT: f64 = 4.0;

/// Most lanes that are held at once, unless one batch alone has more.
const MAX_LANES: usize = 1 << 16;

/// What is sampled, and how.
#[derive(Clone, Copy)]
pub struct Sampling<'a> {
    pub joint: &'a Joint,
    pub theta: &'a [f64],
    pub workers: &'a Workers,
    pub seed: u64,
    /// Draws of each batch, rounded up to a multiple of [`REPLICATES`].
    pub draws: usize,
}

/// What the weights say; one entry a batch.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Importance {
    /// Minus infinity where no draw has a density.
    pub log_lik: Vec<f64>,
    /// Monte-Carlo standard error of `log_lik`.
    pub mc_error: Vec<f64>,
    /// Effective sample size `(sum w)^2 / sum w^2`.
    pub ess: Vec<f64>,
    /// Shape of the tail of the weights, NaN where they are too few or have none; see [`khat`].
    pub khat: Vec<f64>,
    pub draws: usize,
}

impl Importance {
    pub fn total(&self) -> f64 {
        self.log_lik.iter().sum()
    }

    /// Monte-Carlo standard error of the total: the batches are independent.
    pub fn total_error(&self) -> f64 {
        self.mc_error.iter().map(|e| e * e).sum::<f64>().sqrt()
    }

    /// Whether the weights of each batch can be relied on.
    pub fn sound(&self) -> Vec<bool> {
        // Up to this shape averages of n weights have useful errors (Vehtari et al. 2024).
        let limit = (1.0 - 1.0 / (self.draws as f64).log10()).clamp(0.0, 0.7);
        let each = self.log_lik.iter().zip(&self.ess).zip(&self.khat);
        each.map(|((value, ess), k)| {
            // Not a number is no tail.
            let heavy = *k > limit;
            value.is_finite() && *ess >= FEWEST && !heavy
        })
        .collect()
    }
}

/// Fewest effective draws of a batch that are relied on.
const FEWEST: f64 = 10.0;

/// Draws of some of the batches and their weights, in the order of the cloud that holds them.
pub struct Drawn<'d> {
    /// Their numbers among all batches.
    pub members: &'d [usize],
    pub draws: &'d [f64],
    /// Adding up to one in each batch, but zero in one of which no draw has a density.
    pub weights: &'d [f64],
}

impl<'a> Sampling<'a> {
    /// # Errors
    /// A population distribution that does not exist.
    pub fn run(&self, posterior: &Posterior) -> Result<Importance> {
        self.visit(posterior, |_, _| {})
    }

    /// The same, and `visit` the weighted draws of all batches, group by group.
    ///
    /// # Errors
    /// A population distribution that does not exist.
    pub fn visit(
        &self,
        posterior: &Posterior,
        visit: impl FnMut(&mut Cloud, &Drawn),
    ) -> Result<Importance> {
        self.pass(posterior, self.draws, 0, visit)
    }

    /// Move every proposal to the conditional mean and covariance that a first sample finds, where it finds them.
    ///
    /// # Errors
    /// A population distribution that does not exist.
    pub fn moved(&self, posterior: &Posterior) -> Result<Posterior> {
        let mut found = Weighted::none(&Batches::new(self.joint));
        let draws = self.draws.min(PILOT);
        let summary = self.pass(posterior, draws, REPLICATES, |cloud, drawn| {
            let moments = cloud.moments(drawn.draws, drawn.weights);
            for (b, moments) in drawn.members.iter().zip(&moments) {
                found[*b].copy(moments);
            }
        })?;
        let each = posterior.iter().zip(found).zip(summary.ess);
        Ok(each
            .map(|((old, moments), ess)| {
                let d = old.dim() as f64;
                let known = ess >= PER_ELEMENT * (d + 0.5 * d * (d + 1.0));
                let moved = known.then(|| moments.gaussian()).flatten();
                moved.unwrap_or_else(|| old.clone())
            })
            .collect())
    }

    /// `first`: number of the first randomization.
    fn pass(
        &self,
        posterior: &Posterior,
        draws: usize,
        first: usize,
        mut visit: impl FnMut(&mut Cloud, &Drawn),
    ) -> Result<Importance> {
        let Self { joint, theta, .. } = *self;
        let lattices = self.lattices(draws, first);
        let copies = draws.div_ceil(REPLICATES).max(1) * REPLICATES;
        let priors: Result<Vec<Prior>> = joint.parts.iter().map(|p| Prior::new(p, theta)).collect();
        let priors = priors?;
        let mut found = Importance {
            draws: copies,
            ..Importance::default()
        };
        for members in groups(joint, copies) {
            let layouts = layouts_of(joint, &members, copies);
            let mut cloud = Cloud::of(joint, &layouts, &members);
            let (draws, log_q) = self.draw(&lattices, &members, posterior);
            cloud.prepare(theta);
            cloud.set(&draws);
            let mut logs = cloud.log_lik(self.workers);
            let means = cloud.means();
            let prior = cloud.log_prior(&priors, &means);
            for ((log, prior), q) in logs.iter_mut().zip(prior).zip(log_q) {
                *log += prior - q;
            }
            for own in logs.chunks_mut(copies) {
                found.weigh(own);
            }
            let drawn = Drawn {
                members: &members,
                draws: &draws,
                weights: &logs,
            };
            visit(&mut cloud, &drawn);
        }
        Ok(found)
    }

    /// As many randomizations of a lattice as there are replicates.
    fn lattices(&self, draws: usize, first: usize) -> Vec<LatticePoints> {
        let source = Source {
            stream: Stream {
                seed: self.seed,
                purpose: Purpose::Importance,
            },
            replicate: 0,
        };
        let most = Batches::new(self.joint).max_dim();
        let lattice = LatticePoints::new(source, draws.div_ceil(REPLICATES), most);
        let replicates = first..first + REPLICATES;
        replicates
            .map(|r| lattice.replicate(u32::try_from(r).unwrap_or(0)))
            .collect()
    }

    /// Draws of some batches, and their log densities.
    fn draw(
        &self,
        lattices: &[LatticePoints],
        members: &[usize],
        posterior: &Posterior,
    ) -> (Vec<f64>, Vec<f64>) {
        let batch = |_: &mut (), i: usize| {
            let b = members[i];
            place(lattices, b, &posterior[b])
        };
        let found = self.workers.map_range(members.len(), || (), batch);
        let (draws, logs): (Vec<Vec<f64>>, Vec<Vec<f64>>) = found.into_iter().unzip();
        (draws.concat(), logs.concat())
    }
}

/// Draws of a batch around `q`, and their log densities.
fn place(lattices: &[LatticePoints], batch: usize, q: &Gaussian) -> (Vec<f64>, Vec<f64>) {
    let (d, log_det) = (q.dim(), q.log_det());
    let (mut draws, mut logs) = (Vec::new(), Vec::new());
    for lattice in lattices {
        let (points, densities) = lattice.students(batch, d);
        let first = draws.len();
        draws.resize(first + points.len(), 0.0);
        if d > 0 {
            let rows = points.chunks_exact(d);
            for (phi, z) in draws[first..].chunks_exact_mut(d).zip(rows) {
                q.place(z, phi);
            }
        }
        logs.extend(densities.iter().map(|log| log - log_det));
    }
    (draws, logs)
}

impl Importance {
    /// Add a batch; its log weights become weights.
    fn weigh(&mut self, logs: &mut [f64]) {
        // A draw whose density is not a number has none.
        for log in logs.iter_mut().filter(|log| log.is_nan()) {
            *log = f64::NEG_INFINITY;
        }
        let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        self.khat.push(khat(logs).unwrap_or(f64::NAN));
        if !largest.is_finite() {
            logs.fill(0.0);
            self.log_lik.push(f64::NEG_INFINITY);
            self.mc_error.push(f64::NAN);
            self.ess.push(0.0);
            return;
        }
        for log in logs.iter_mut() {
            *log = (*log - largest).exp();
        }
        let n = logs.len() as f64;
        let total: f64 = logs.iter().sum();
        let squares: f64 = logs.iter().map(|w| w * w).sum();
        let replicates = REPLICATES as f64;
        let spread: f64 = logs
            .chunks(logs.len() / REPLICATES)
            .map(|own| (replicates * own.iter().sum::<f64>() / total - 1.0).powi(2))
            .sum();
        self.log_lik.push(largest + (total / n).ln());
        self.mc_error
            .push((spread / (replicates * (replicates - 1.0))).sqrt());
        self.ess.push(total * total / squares);
        logs.iter_mut().for_each(|w| *w /= total);
    }
}

/// Batches that are held together: as many as the lanes of `copies` draws allow, in their order.
pub fn groups(joint: &Joint, copies: usize) -> Vec<Vec<usize>> {
    let mut levels = vec![0; joint.n_batches];
    for batch in joint.batches.iter().flatten() {
        levels[*batch] += 1;
    }
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut room = 0;
    for (batch, n) in levels.iter().enumerate() {
        let lanes = n * copies;
        match groups.last_mut().filter(|_| lanes <= room) {
            Some(group) => group.push(batch),
            None => {
                groups.push(vec![batch]);
                room = MAX_LANES.max(lanes);
            }
        }
        room -= lanes;
    }
    groups
}
