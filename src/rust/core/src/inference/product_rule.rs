//! Sum a product rule over the random effects of some subjects.
//!
//! With a center `c` and the Cholesky factor `L` of a precision, `phi = c + sqrt(2) L'^-1 x` turns the integrand into a
//! smooth function times `exp(-|x|^2)`, which a product of Gauss-Hermite rules integrates.

use super::log_sum::{LaneSums, LogSum};
use crate::data::Layout;
use crate::ir::column::{Column, LANES};
use crate::ir::symmetric::{at, solve_upper};
use crate::ir::vmath::Isa;
use crate::parallel::Workers;
use crate::problem::{Evaluator, Prior, Problem};

/// Center and scale of the rule of every subject.
#[derive(Debug, Clone)]
pub struct Places {
    pub dim: usize,
    /// `n_subjects x d`, row-major.
    pub centers: Vec<f64>,
    /// Lower Cholesky factor of the precision, by rows; `n_subjects x d (d + 1) / 2`.
    pub factors: Vec<f64>,
}

impl Places {
    fn size(&self) -> usize {
        self.dim * (self.dim + 1) / 2
    }

    pub fn center(&self, subject: usize) -> &[f64] {
        &self.centers[subject * self.dim..(subject + 1) * self.dim]
    }

    pub fn factor(&self, subject: usize) -> &[f64] {
        &self.factors[subject * self.size()..(subject + 1) * self.size()]
    }

    /// The integral of a subject.
    pub fn value(&self, subject: usize, sum: &LogSum) -> f64 {
        let factor = self.factor(subject);
        let log_det: f64 = (0..self.dim).map(|k| factor[at(k, k)].ln()).sum();
        sum.value() + 0.5 * self.dim as f64 * std::f64::consts::LN_2 - log_det
    }

    /// Move the rule of a subject to the mean and the covariance that a sum found, where these are sound.
    ///
    /// Moments are those of `z = L' (phi - c)`, which keeps its digits however flat the distribution is: the new
    /// factor is `L Q`, `Q Q'` the inverse covariance of `z`.
    pub fn shift(&mut self, subject: usize, sum: &LogSum) {
        let d = self.dim;
        // Where no point has a density there are no moments.
        let Some((mean, inner)) = sum.moments().filter(|(mean, _)| mean.len() == d) else {
            return;
        };
        let old = self.factor(subject).to_vec();
        let mut step = mean;
        for i in (0..d).rev() {
            let later: f64 = (i + 1..d).map(|j| old[at(j, i)] * step[j]).sum();
            step[i] = (step[i] - later) / old[at(i, i)];
        }
        let center = &mut self.centers[subject * d..(subject + 1) * d];
        center.iter_mut().zip(step).for_each(|(c, x)| *c += x);
        let first = subject * self.size();
        for i in 0..d {
            for j in 0..=i {
                let product = (j..=i).map(|k| old[at(i, k)] * inner[(k, j)]);
                self.factors[first + at(i, j)] = product.sum();
            }
        }
    }

    /// Standardized distance of a point from the center, the largest over the coordinates.
    pub fn distance(&self, subject: usize, phi: &[f64]) -> f64 {
        let (center, factor) = (self.center(subject), self.factor(subject));
        let along = |i: usize| -> f64 {
            (i..self.dim)
                .map(|j| factor[at(j, i)] * (phi[j] - center[j]))
                .sum()
        };
        (0..self.dim).map(|i| along(i).abs()).fold(0.0, f64::max)
    }
}

/// What is integrated.
#[derive(Clone, Copy)]
pub struct Integrand<'a> {
    pub workers: &'a Workers,
    pub problem: &'a Problem,
    pub theta: &'a [f64],
    pub prior: &'a Prior,
}

/// Lanes that the points of few subjects are spread over, so that threads can share them.
const SPREAD: usize = 4 * LANES;

impl Integrand<'_> {
    /// The density in the lanes of a layout.
    pub fn target<'b>(&'b self, layout: &'b Layout) -> Evaluator<'b> {
        Evaluator::of((self.problem, layout), self.theta, self.prior.clone())
    }

    /// One sum for each of `members` (ascending); with `moments`, also those of the standardized deviations.
    ///
    /// `points`: those of one dimension and `ln(weight) + x^2`.
    pub fn sums(
        &self,
        places: &Places,
        members: &[usize],
        points: &[(f64, f64)],
        moments: bool,
    ) -> Vec<LogSum> {
        if members.is_empty() {
            return Vec::new();
        }
        let n_points = points
            .len()
            .pow(u32::try_from(places.dim).unwrap_or(u32::MAX));
        let copies = (SPREAD / members.len()).clamp(1, n_points);
        let layout = self.problem.layout_of(members, copies);
        let pass = Pass {
            workers: self.workers,
            layout: &layout,
            target: &self.target(&layout),
            places,
            points,
            n_points,
            moments,
        };
        pass.run(members)
    }
}

/// What a pass over all blocks and points reads.
struct Pass<'a> {
    workers: &'a Workers,
    layout: &'a Layout,
    target: &'a Evaluator<'a>,
    places: &'a Places,
    points: &'a [(f64, f64)],
    n_points: usize,
    moments: bool,
}

/// Memory of a pass; one a thread.
#[derive(Default)]
struct PassMemory {
    work: Vec<Column>,
    phi: Vec<Column>,
    /// Points of the copies, `copies x d`, and their log weights.
    nodes: Vec<f64>,
    log_weights: Vec<f64>,
}

impl Pass<'_> {
    /// One sum for each of the members, its copies added in their order.
    fn run(&self, members: &[usize]) -> Vec<LogSum> {
        let found = (self.workers).map_range(
            self.layout.blocks.len(),
            PassMemory::default,
            |memory, b| self.block(b, memory),
        );
        let copies = self.layout.copies;
        let mut sums = vec![LogSum::default(); members.len() * copies];
        for (block, found) in self.layout.blocks.iter().zip(found) {
            for (l, lane) in block.lanes.iter().enumerate() {
                let member = members.binary_search(&(lane.subject as usize));
                if let Ok(member) = member {
                    sums[member * copies + lane.copy as usize] = found.lane(l);
                }
            }
        }
        let merged = sums.chunks(copies).map(|own| {
            let mut total = LogSum::default();
            own.iter().for_each(|sum| total.merge(sum));
            total
        });
        merged.collect()
    }

    fn block(&self, b: usize, memory: &mut PassMemory) -> LaneSums {
        let (isa, d) = (Isa::detect(), self.places.dim);
        let center = self.layout.columns(b, &self.places.centers, d);
        let factor = (self.layout).columns(b, &self.places.factors, self.places.size());
        let mut sums = LaneSums::new(if self.moments { d } else { 0 });
        for first in (0..self.n_points).step_by(self.layout.copies) {
            let mut term = self.deviations(b, first, d, memory);
            let PassMemory { work, phi, .. } = memory;
            let counted = if self.moments {
                phi.clone()
            } else {
                Vec::new()
            };
            solve_upper(isa, &factor, phi);
            for (column, center) in phi.iter_mut().zip(&center) {
                for l in 0..LANES {
                    column.0[l] += center.0[l];
                }
            }
            let density = self.target.log_density(b, phi, work);
            for l in 0..LANES {
                term.0[l] += density.0[l];
            }
            sums.add(isa, &term, &counted);
        }
        sums
    }

    /// Put the standardized point `first + copy` of the rule into `memory.phi`, lane by lane; returns its log weight,
    /// minus infinity where there is none.
    fn deviations(&self, b: usize, first: usize, d: usize, memory: &mut PassMemory) -> Column {
        memory.nodes.clear();
        memory.log_weights.clear();
        for copy in 0..self.layout.copies {
            let mut point = first + copy;
            let counts = point < self.n_points;
            let mut log_weight = if counts { 0.0 } else { f64::NEG_INFINITY };
            for _ in 0..d {
                let (node, weight) = self.points[point % self.points.len()];
                let at = std::f64::consts::SQRT_2 * node;
                memory.nodes.push(if counts { at } else { 0.0 });
                log_weight += weight;
                point /= self.points.len();
            }
            memory.log_weights.push(log_weight);
        }
        memory.phi.clear();
        memory.phi.resize(d, Column::ZERO);
        let mut log_weight = Column::splat(f64::NEG_INFINITY);
        for (l, lane) in self.layout.blocks[b].lanes.iter().enumerate() {
            let copy = lane.copy as usize;
            log_weight.0[l] = memory.log_weights[copy];
            for (column, node) in memory.phi.iter_mut().zip(&memory.nodes[copy * d..]) {
                column.0[l] = *node;
            }
        }
        log_weight
    }
}
