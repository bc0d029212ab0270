//! Compute the log-likelihood by importance sampling.
//!
//! `log p(y_b) = log (1/K) sum_k w_bk`, `w_bk = p(y_b | phi_bk) N(phi_bk; m_b, Omega) / t(phi_bk)`, with draws of the
//! multivariate t distribution of 5 degrees of freedom that has location and scale of a Gaussian approximation of
//! `p(phi_b | y_b)`. The draws are several independent randomizations of one lattice; the spread of their means gives the
//! Monte-Carlo error, to first order that of the logarithm. Batches whose weights are poor, or whose draws miss what a few
//! draws from the population find, are drawn again from mixtures that are fitted to them (`adaptive.rs`); the others are
//! left alone. Batches are taken in groups, so that memory does not grow with their number. Source: Pinheiro & Bates
//! (1995), Approximations to the log-likelihood function in the nonlinear mixed-effects model.

use super::adaptive::DrawTarget;
use super::cloud::{layouts_of, Cloud};
use super::points::{LatticePoints, PointSource};
use super::posterior::{BatchGaussian, BatchPosteriors, Batches};
use super::redraw::{better, mixes, DrawnGroup};
use super::weights::Weight;
use crate::error::Result;
use crate::parallel::Workers;
use crate::problem::Joint;
use crate::random::{Purpose, Stream};

/// Most effects of a level whose distribution importance draws are trusted to cover: beyond, a few of the weights carry
/// all, and neither score nor information is known.
pub const MOST_EFFECTS: usize = 24;

/// Whether importance draws can tell score, information and likelihood.
pub fn is_sampled(joint: &Joint) -> bool {
    joint.parts.iter().all(|part| part.n_phi() <= MOST_EFFECTS)
}

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
pub struct ImportanceSampling<'a> {
    pub joint: &'a Joint,
    pub theta: &'a [f64],
    pub workers: &'a Workers,
    pub seed: u64,
    /// Draws of each batch, rounded up to a multiple of [`REPLICATES`].
    pub draws: usize,
    /// Whether draws are taken for what they are: nobody asks whether they miss something.
    pub trusts: bool,
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
    /// Shape of the tail of the weights, NaN where they are too few or have none; see `pareto.rs`.
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
        (0..self.log_lik.len()).map(|b| self.is_sound(b)).collect()
    }

    pub fn is_sound(&self, batch: usize) -> bool {
        self.of(batch).is_sound(self.draws)
    }

    fn of(&self, batch: usize) -> Weight {
        Weight {
            log_lik: self.log_lik[batch],
            mc_error: self.mc_error[batch],
            ess: self.ess[batch],
            khat: self.khat[batch],
        }
    }

    fn push(&mut self, weight: Weight) {
        self.log_lik.push(weight.log_lik);
        self.mc_error.push(weight.mc_error);
        self.ess.push(weight.ess);
        self.khat.push(weight.khat);
    }
}

/// Draws of some of the batches and their weights, in the order of the cloud that holds them.
pub struct WeightedDraws<'d> {
    /// Their numbers among all batches.
    pub members: &'d [usize],
    pub draws: &'d [f64],
    /// Adding up to one in each batch, but zero in one of which no draw has a density.
    pub weights: &'d [f64],
}

impl<'a> ImportanceSampling<'a> {
    /// The same with no more draws than so many.
    pub fn with(&self, draws: usize) -> Self {
        Self {
            draws: self.draws.min(draws),
            ..*self
        }
    }

    /// # Errors
    /// A population distribution that does not exist.
    pub fn run(&self, posterior: &BatchPosteriors) -> Result<Importance> {
        self.visit(posterior, |_, _| {})
    }

    /// The same for some of the batches, ascending: one entry each.
    ///
    /// # Errors
    /// A population distribution that does not exist.
    pub fn some(&self, posterior: &BatchPosteriors, members: &[usize]) -> Result<Importance> {
        let log_lik = |cloud: &mut Cloud| cloud.log_lik(self.workers);
        self.visit_some(posterior, members, log_lik, |_, _, _| {})
    }

    /// The same for all, and `visit` their weighted draws, group by group.
    ///
    /// # Errors
    /// A population distribution that does not exist.
    pub fn visit(
        &self,
        posterior: &BatchPosteriors,
        mut visit: impl FnMut(&mut Cloud, &WeightedDraws),
    ) -> Result<Importance> {
        let log_lik = |cloud: &mut Cloud| cloud.log_lik(self.workers);
        self.visit_by(posterior, log_lik, |cloud, drawn, _| visit(cloud, drawn))
    }

    /// The same where `log_lik` says what the data say of draws, and may remember more of them. `visit` hears of which of
    /// its batches the draws are no longer those.
    ///
    /// # Errors
    /// A population distribution that does not exist.
    pub fn visit_by(
        &self,
        posterior: &BatchPosteriors,
        log_lik: impl FnMut(&mut Cloud) -> Vec<f64>,
        visit: impl FnMut(&mut Cloud, &WeightedDraws, &[usize]),
    ) -> Result<Importance> {
        self.visit_some(posterior, &self.all(), log_lik, visit)
    }

    fn all(&self) -> Vec<usize> {
        (0..self.joint.n_batches).collect()
    }

    fn visit_some(
        &self,
        posterior: &BatchPosteriors,
        members: &[usize],
        log_lik: impl FnMut(&mut Cloud) -> Vec<f64>,
        mut visit: impl FnMut(&mut Cloud, &WeightedDraws, &[usize]),
    ) -> Result<Importance> {
        let ground = DrawTarget::new(*self)?;
        let draws = (self.draws, 0);
        self.pass((posterior, members), draws, log_lik, |cloud, group| {
            let mut better = Vec::new();
            if !(self.trusts && self.joint.n_classes() == 0) {
                better = group.improve(&ground, posterior);
            }
            if !better.is_empty() {
                cloud.set(&group.draws);
            }
            visit(cloud, &group.drawn(), &better);
        })
    }

    /// Move every proposal to the conditional mean and covariance that a first sample finds, where it finds them; where
    /// its weights are poor, to those that a fitted mixture finds.
    ///
    /// # Errors
    /// A population distribution that does not exist.
    pub fn moved(&self, posterior: &BatchPosteriors) -> Result<BatchPosteriors> {
        let ground = DrawTarget::new(*self)?;
        let mut found = posterior.clone();
        let draws = (self.draws.min(PILOT), 1);
        let log_lik = |cloud: &mut Cloud| cloud.log_lik(self.workers);
        let all = self.all();
        self.pass((posterior, &all), draws, log_lik, |_, group| {
            let mut lost = Vec::new();
            for (i, b) in group.members.iter().enumerate() {
                let (phi, weights) = group.own(i);
                let known = group.found[i].ess >= enough(posterior[*b].dim());
                let moved = known.then(|| ground.gaussian(*b, phi, weights)).flatten();
                match moved {
                    Some(moved) => found[*b] = moved,
                    None if mixes(&posterior[*b]) => lost.push(*b),
                    None => (),
                }
            }
            for (b, sample) in lost
                .iter()
                .zip(better(&ground, &lost, posterior, self.draws))
            {
                let mut weights = sample.log_weights();
                let known = Weight::of(&mut weights).ess >= enough(posterior[*b].dim());
                let moved = known.then(|| ground.gaussian(*b, &sample.phi, &weights));
                if let Some(moved) = moved.flatten() {
                    found[*b] = moved;
                }
            }
        })?;
        Ok(found)
    }

    /// So many draws of each batch around `posterior`, from a set of randomizations, group by group.
    fn pass(
        &self,
        (posterior, members): (&BatchPosteriors, &[usize]),
        (draws, set): (usize, usize),
        mut log_lik: impl FnMut(&mut Cloud) -> Vec<f64>,
        mut visit: impl FnMut(&mut Cloud, &mut DrawnGroup),
    ) -> Result<Importance> {
        let Self { joint, theta, .. } = *self;
        let lattices = self.lattices(draws, set, 0);
        let copies = draws.div_ceil(REPLICATES).max(1) * REPLICATES;
        let mut found = Importance {
            draws: copies,
            ..Importance::default()
        };
        for members in groups(joint, copies)
            .into_iter()
            .map(|group| {
                let wanted = |b: &usize| members.binary_search(b).is_ok();
                group.into_iter().filter(wanted).collect::<Vec<usize>>()
            })
            .filter(|group| !group.is_empty())
        {
            let layouts = layouts_of(joint, &members, copies);
            let mut cloud = Cloud::of((joint, &layouts), &members, theta)?;
            let (draws, log_q) = self.draw(&lattices, &members, posterior);
            cloud.set(&draws);
            let logs = log_lik(&mut cloud);
            let mut logs = cloud.with_prior(logs);
            logs.iter_mut().zip(log_q).for_each(|(log, q)| *log -= q);
            let mut group = DrawnGroup {
                found: logs.chunks_mut(copies).map(Weight::of).collect(),
                batches: cloud.batches.clone(),
                members,
                copies,
                draws,
                weights: logs,
            };
            visit(&mut cloud, &mut group);
            group
                .found
                .into_iter()
                .for_each(|weight| found.push(weight));
        }
        Ok(found)
    }

    /// As many randomizations of a lattice as there are replicates; `more`: dimensions beyond those of a t distribution.
    pub(super) fn lattices(&self, draws: usize, set: usize, more: usize) -> Vec<LatticePoints> {
        let source = PointSource {
            stream: Stream {
                seed: self.seed,
                purpose: Purpose::Importance,
            },
            replicate: 0,
        };
        let most = Batches::new(self.joint).max_dim() + more;
        let lattice = LatticePoints::new(source, draws.div_ceil(REPLICATES), most);
        let replicates = set * REPLICATES..(set + 1) * REPLICATES;
        replicates
            .map(|r| lattice.replicate(u32::try_from(r).unwrap_or(0)))
            .collect()
    }

    /// Draws of some batches, and their log densities.
    fn draw(
        &self,
        lattices: &[LatticePoints],
        members: &[usize],
        posterior: &BatchPosteriors,
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
pub fn place(lattices: &[LatticePoints], batch: usize, q: &BatchGaussian) -> (Vec<f64>, Vec<f64>) {
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

/// Effective draws from which moments of `d` effects are taken.
fn enough(d: usize) -> f64 {
    let d = d as f64;
    PER_ELEMENT * (d + 0.5 * d * (d + 1.0))
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
