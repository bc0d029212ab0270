//! Choose the points at which expectations under `q` are computed: deterministic ones that stay, or fresh ones.

use std::f64::consts::{PI, SQRT_2};

use gauss_quad::hermite::GaussHermite;

use super::options::{PosteriorFamily, RuleKind, VemOptions};
use crate::error::Result;
use crate::inference::cloud::Cloud;
use crate::inference::points::{cubature, monte_carlo, whitened, LatticePoints, PointSource};
use crate::inference::posterior::{BatchGaussian, Batches};
use crate::random::{Purpose, Stream};

/// Standardized points of every batch, in the order of the draws of a cloud, and a weight for each draw; the weights of
/// a batch add up to one.
#[derive(Debug, Clone)]
pub struct BatchPoints {
    pub z: Vec<f64>,
    pub weights: Vec<f64>,
}

/// A rule and where its randomness comes from.
#[derive(Debug, Clone, Copy)]
pub struct PointRule {
    pub kind: RuleKind,
    /// Points of each batch.
    pub copies: usize,
    seed: u64,
}

impl PointRule {
    pub fn new(options: &VemOptions, batches: &Batches, seed: u64) -> Self {
        let most = batches.max_dim();
        let copies = match options.rule {
            RuleKind::Cubature => (0..batches.len())
                .map(|b| cubature_points(batches.dim(b)))
                .max()
                .unwrap_or(0),
            RuleKind::Qmc => options.points.unwrap_or(match options.family {
                PosteriorFamily::PlanarFlow => (FOR_FLOWS * most).max(2 * FOR_FLOWS),
                _ => points_for(most),
            }),
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

    /// The points of batches that have these `numbers` among all; those of another `replicate` are independent, but for
    /// cubature, whose points are always the same.
    ///
    /// # Errors
    /// Fewer points than a batch has random effects.
    pub fn points(
        &self,
        batches: &Batches,
        numbers: &[usize],
        replicate: u32,
    ) -> Result<BatchPoints> {
        let n = self.copies;
        let source = PointSource {
            stream: Stream {
                seed: self.seed,
                purpose: Purpose::Bound,
            },
            replicate,
        };
        let lattice = (self.kind == RuleKind::Qmc)
            .then(|| LatticePoints::new(source, n / 2, batches.max_dim()));
        let mut found = BatchPoints {
            z: Vec::with_capacity(n * batches.offsets[batches.len()]),
            weights: Vec::with_capacity(n * batches.len()),
        };
        for (b, number) in numbers.iter().enumerate() {
            let d = batches.dim(b);
            let equal = |own: Vec<f64>| {
                let used = own.len() / d;
                (own, vec![1.0 / used as f64; used])
            };
            let (own, weights) = match (&lattice, self.kind, few(d)) {
                _ if d == 0 => (Vec::new(), vec![1.0]),
                (Some(lattice), _, _) => equal(whitened(&lattice.normals(*number, d), n, d)?),
                (None, RuleKind::MonteCarlo, _) => equal(monte_carlo(source, *number, n, d)),
                (None, _, Some(nodes)) => product(nodes, d),
                (None, _, None) => equal(cubature(d)),
            };
            // Batches with fewer effects have fewer points of cubature: the others count for nothing.
            found.z.extend_from_slice(&own);
            found.z.resize(found.z.len() + n * d - own.len(), 0.0);
            found.weights.extend_from_slice(&weights);
            found.weights.resize(n * (b + 1), 0.0);
        }
        Ok(found)
    }
}

/// Points of quasi-Monte-Carlo for each dimension, and half of the fewest, that a flow does not slip through.
const FOR_FLOWS: usize = 64;

/// Points of quasi-Monte-Carlo for so many dimensions.
fn points_for(dim: usize) -> usize {
    (4 * dim).max(32)
}

/// Nodes a dimension where so few effects allow a product rule of Gauss and Hermite, which is exact to a higher degree
/// than the `2 d` points: 9 for one effect, 5 for two.
fn few(dim: usize) -> Option<usize> {
    match dim {
        1 => Some(5),
        2 => Some(3),
        _ => None,
    }
}

/// Points of cubature in so many dimensions: a batch with fewer effects may have more of them.
fn cubature_points(dim: usize) -> usize {
    few(dim).map_or(2 * dim, |nodes| nodes.pow(narrow(dim)))
}

/// Points (`nodes^dim x dim`, row-major) and weights of the product rule for the standard normal density.
fn product(nodes: usize, dim: usize) -> (Vec<f64>, Vec<f64>) {
    let pairs: Vec<(f64, f64)> = match nodes.try_into() {
        Ok(degree) => GaussHermite::new(degree)
            .as_node_weight_pairs()
            .iter()
            .map(|(x, w)| (x * SQRT_2, w / PI.sqrt()))
            .collect(),
        Err(_) => Vec::new(),
    };
    let (mut z, mut weights) = (Vec::new(), Vec::new());
    for point in 0..nodes.pow(narrow(dim)) {
        let mut rest = point;
        let mut weight = 1.0;
        for _ in 0..dim {
            let (x, w) = pairs[rest % nodes];
            z.push(x);
            weight *= w;
            rest /= nodes;
        }
        weights.push(weight);
    }
    (z, weights)
}

fn narrow(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

impl BatchPoints {
    /// Put the points of a batch under `q` among the draws.
    pub fn place(&self, cloud: &Cloud, batch: usize, q: &BatchGaussian, draws: &mut [f64]) {
        let d = q.dim();
        for c in 0..cloud.copies {
            let first = cloud.first(batch, c);
            q.place(&self.z[first..first + d], &mut draws[first..first + d]);
        }
    }
}
