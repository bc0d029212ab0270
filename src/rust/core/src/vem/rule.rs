//! Choose the points at which expectations under `q` are computed: deterministic ones that stay, or fresh ones.

use super::options::{RuleKind, VemOptions};
use crate::error::Result;
use crate::inference::cloud::Cloud;
use crate::inference::points::{cubature, monte_carlo, whitened, LatticePoints, Source};
use crate::inference::posterior::{Batches, Gaussian};
use crate::random::{Purpose, Stream};

/// Standardized points of every batch, in the order of the draws of a cloud, and a weight for each draw; the weights of
/// a batch add up to one.
#[derive(Debug, Clone)]
pub struct Points {
    pub z: Vec<f64>,
    pub weights: Vec<f64>,
}

/// A rule and where its randomness comes from.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    pub kind: RuleKind,
    /// Points of each batch.
    pub copies: usize,
    seed: u64,
}

impl Rule {
    pub fn new(options: &VemOptions, batches: &Batches, seed: u64) -> Self {
        let most = batches.max_dim();
        let copies = match options.rule {
            RuleKind::Cubature => 2 * most,
            RuleKind::Qmc => options.points.unwrap_or(points_for(most)),
            RuleKind::MonteCarlo => options.points.unwrap_or((2 * most).max(8)),
        };
        Self {
            kind: options.rule,
            copies: copies.max(1),
            seed,
        }
    }

    /// A rule whose points stay, in place of one whose points are always fresh.
    pub fn staying(self, batches: &Batches) -> Self {
        match self.kind {
            RuleKind::MonteCarlo => Self::verifying(points_for(batches.max_dim()), self.seed),
            _ => self,
        }
    }

    /// `copies` points a batch of randomized quasi-Monte-Carlo, whatever the rule of the run.
    pub fn verifying(copies: usize, seed: u64) -> Self {
        Self {
            kind: RuleKind::Qmc,
            copies,
            seed,
        }
    }

    /// The points; those of another `replicate` are independent, but for cubature, whose points are always the same.
    ///
    /// # Errors
    /// Fewer points than a batch has random effects.
    pub fn points(&self, batches: &Batches, replicate: u32) -> Result<Points> {
        let members: Vec<usize> = (0..batches.len()).collect();
        self.points_of(batches, &members, replicate)
    }

    /// The same of some of the batches, one after another; each has the points it has among all.
    ///
    /// # Errors
    /// Fewer points than a batch has random effects.
    pub fn points_of(
        &self,
        batches: &Batches,
        members: &[usize],
        replicate: u32,
    ) -> Result<Points> {
        let n = self.copies;
        let source = Source {
            stream: Stream {
                seed: self.seed,
                purpose: Purpose::Bound,
            },
            replicate,
        };
        let lattice = (self.kind == RuleKind::Qmc)
            .then(|| LatticePoints::new(source, n / 2, batches.max_dim()));
        let dims: usize = members.iter().map(|b| batches.dim(*b)).sum();
        let mut found = Points {
            z: Vec::with_capacity(n * dims),
            weights: Vec::with_capacity(n * members.len()),
        };
        for b in members {
            let d = batches.dim(*b);
            let own = match (&lattice, self.kind) {
                _ if d == 0 => Vec::new(),
                (Some(lattice), _) => whitened(&lattice.normals(*b, d), n, d)?,
                (None, RuleKind::MonteCarlo) => monte_carlo(source, *b, n, d),
                (None, _) => cubature(d),
            };
            // Batches with fewer effects have fewer points of cubature: the others count for nothing.
            let used = if d == 0 { 1 } else { own.len() / d };
            found.z.extend_from_slice(&own);
            found.z.resize(found.z.len() + (n - used.min(n)) * d, 0.0);
            let weight = |c: usize| if c < used { 1.0 / used as f64 } else { 0.0 };
            found.weights.extend((0..n).map(weight));
        }
        Ok(found)
    }
}

/// Points of quasi-Monte-Carlo for so many dimensions.
fn points_for(dim: usize) -> usize {
    (4 * dim).max(32)
}

impl Points {
    /// Put the points of a batch under `q` among the draws.
    pub fn place(&self, cloud: &Cloud, batch: usize, q: &Gaussian, draws: &mut [f64]) {
        let d = q.dim();
        for c in 0..cloud.copies {
            let first = cloud.first(batch, c);
            q.place(&self.z[first..first + d], &mut draws[first..first + d]);
        }
    }
}
