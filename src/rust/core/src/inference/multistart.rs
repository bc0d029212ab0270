//! Search again, from other starts, for conditional modes that one climb did not find.
//!
//! A round draws `n` starts for each such level from the population distribution, ranks them by their log density,
//! climbs from the best `k` and keeps the best end. The next round has twice as many of both. With a Latin hypercube
//! each of the `n` equally likely intervals of a whitened effect holds one start (McKay, Beckman & Conover 1979). Effects
//! that are normal on no scale take their starts from the normal distribution that stands in for theirs.
//!
//! Random numbers are addressed by level, start and round: what one level finds does not depend on the others.

use std::ops::Range;

use super::climb::{Climber, End, Starts};
use super::ebe::StartDesign;
use crate::data::Layout;
use crate::ir::column::{Column, LANES};
use crate::ir::vmath::{qnorm, Isa};
use crate::problem::Means;
use crate::random::{LaneIds, Purpose, Stream};

/// Numbers of starts, rounds, and the slope that ends them.
#[derive(Debug, Clone, Copy)]
pub struct StartPlan {
    pub n: usize,
    pub k: usize,
    pub rounds: usize,
    pub tol: f64,
    pub sampling: StartDesign,
    /// Number of the first round.
    pub first: u32,
}

/// The best ends so far, one a level.
#[derive(Debug, Clone)]
pub struct BestEnds {
    pub ends: Vec<End>,
    pub rounds: Vec<u32>,
}

/// Searches for one grouping at one `theta`.
pub struct MultiStart<'a> {
    pub climber: Climber<'a>,
    pub means: &'a Means,
    /// All levels, one copy.
    pub layout: &'a Layout,
    pub seed: u64,
}

/// Levels searched together.
const TOGETHER: usize = LANES;

/// Most lanes that are evaluated together.
const MOST_LANES: usize = 64 * LANES;

/// Gain in log density that a round must bring for another to follow: twice as many starts would hardly find what so
/// many did not, and a density with corners has its maximum at a slope.
const WORTHWHILE: f64 = 0.01;

/// Whether a climb ended at no maximum.
pub fn is_lost(end: &End, tol: f64) -> bool {
    let found = end.settled && end.value.is_finite() && end.slope <= tol;
    !found
}

/// Whether other starts are tried; a tolerance of 0 asks for them everywhere.
fn is_open(end: &End, tol: f64) -> bool {
    tol <= 0.0 || is_lost(end, tol)
}

/// Whether a new end replaces the old one: it lies higher, or as high at a lower slope.
fn is_better(new: &End, old: &End) -> bool {
    if !new.value.is_finite() || !old.value.is_finite() {
        return new.value.is_finite();
    }
    let tie = 1e-9 * old.value.abs().max(1.0);
    let flatter = new.settled >= old.settled && new.slope < old.slope;
    new.value > old.value + tie || (new.value >= old.value - tie && flatter)
}

impl BestEnds {
    pub fn new(ends: Vec<End>) -> Self {
        Self {
            rounds: vec![0; ends.len()],
            ends,
        }
    }

    fn offer(&mut self, level: usize, end: End) {
        if is_better(&end, &self.ends[level]) {
            self.ends[level] = end;
        }
    }
}

impl MultiStart<'_> {
    /// Climb from `candidate` (`levels x d`, row-major) where it lies higher than what was found.
    pub fn try_candidate(&self, found: &mut BestEnds, candidate: &[f64], tol: f64) {
        let d = self.climber.problem.n_phi();
        let of = |level: usize| &candidate[level * d..(level + 1) * d];
        let all = Starts::one((0..found.ends.len()).collect(), candidate.to_vec());
        let values = self.values(self.layout, &all);
        let higher: Vec<usize> = (0..found.ends.len())
            .filter(|level| {
                let (here, there) = (found.ends[*level].value, values[*level]);
                let higher = !here.is_finite() || there > here + 1e-9 * here.abs().max(1.0);
                there.is_finite() && higher
            })
            .collect();
        if higher.is_empty() {
            return;
        }
        let phi = higher.iter().flat_map(|level| of(*level).to_vec());
        let starts = Starts::one(higher.clone(), phi.collect());
        for (level, end) in higher.iter().zip(self.climber.climb(&starts, tol)) {
            found.offer(*level, end);
        }
    }

    /// Rounds of starts for every level that is lost, or for all when the tolerance is 0.
    pub fn run(&self, found: &mut BestEnds, plan: StartPlan) {
        let movable = self.climber.problem.n_phi() > 0;
        let mut lost: Vec<usize> = (0..found.ends.len())
            .filter(|level| movable && is_open(&found.ends[*level], plan.tol))
            .collect();
        let mut round = plan;
        for _ in 0..plan.rounds {
            let mut next = Vec::new();
            for levels in lost.chunks(TOGETHER) {
                next.extend(self.round(found, levels, round));
            }
            lost = next;
            round.n *= 2;
            round.k *= 2;
            round.first += 1;
        }
    }

    /// One round for some levels; those for which another one is worth while.
    fn round(&self, found: &mut BestEnds, levels: &[usize], round: StartPlan) -> Vec<usize> {
        let d = self.climber.problem.n_phi();
        let best = self.best_starts(found, levels, round);
        let before: Vec<f64> = levels.iter().map(|i| found.ends[*i].value).collect();
        let together = copies_of(levels, round.k);
        for first in (0..round.k).step_by(together) {
            let starts = chunk(levels, &best, first..first + together, d);
            let ends = self.climber.climb(&starts, round.tol);
            for (s, end) in ends.into_iter().enumerate() {
                found.offer(levels[s / together], end);
            }
        }
        let mut open = Vec::new();
        for (level, before) in levels.iter().zip(before) {
            found.rounds[*level] += 1;
            let end = &found.ends[*level];
            let settled = end.value - before <= WORTHWHILE;
            if is_open(end, round.tol) && !settled {
                open.push(*level);
            }
        }
        open
    }

    /// The `k` starts of highest density for each level, `[level][start * d + coordinate]`.
    fn best_starts(&self, found: &BestEnds, levels: &[usize], round: StartPlan) -> Vec<Vec<f64>> {
        let d = self.climber.problem.n_phi();
        let draws: Vec<Vec<f64>> = levels.iter().map(|i| self.draws(*i, round)).collect();
        let together = copies_of(levels, round.n);
        let layout = self.climber.problem.layout_of(levels, together);
        let mut ranked = vec![Vec::new(); levels.len()];
        for first in (0..round.n).step_by(together) {
            let starts = chunk(levels, &draws, first..first + together, d);
            let values = self.values(&layout, &starts);
            for (s, value) in values.into_iter().enumerate() {
                let start = first + s % together;
                if start < round.n && value.is_finite() {
                    ranked[s / together].push((value, start));
                }
            }
        }
        let each = ranked.into_iter().zip(levels).zip(&draws);
        each.map(|((mut ranked, level), draws)| {
            // A stable sort: of equal starts the first.
            ranked.sort_by(|a: &(f64, usize), b| b.0.total_cmp(&a.0));
            ranked.truncate(round.k);
            let starts = ranked.iter().map(|(_, s)| &draws[s * d..(s + 1) * d]);
            let mut best: Vec<f64> = starts.flatten().copied().collect();
            if best.is_empty() {
                best.extend(&found.ends[*level].phi);
            }
            best
        })
        .collect()
    }

    /// Log density at starts on their layout, in their order.
    fn values(&self, layout: &Layout, starts: &Starts) -> Vec<f64> {
        let target = self.climber.target(layout);
        let mut work = Vec::new();
        let mut out = vec![f64::NAN; starts.levels.len() * starts.copies];
        for (b, block) in layout.blocks.iter().enumerate() {
            let mut phi = starts.columns(layout, b, self.climber.problem.n_phi());
            target.put_held(b, &mut phi);
            let value = target.log_density(b, &phi, &mut work);
            for (l, lane) in block.lanes.iter().enumerate() {
                out[starts.place(lane.subject as usize, lane.copy as usize)] = value.0[l];
            }
        }
        out
    }

    /// Starts of a level, `n x d`, row-major.
    pub fn draws(&self, level: usize, round: StartPlan) -> Vec<f64> {
        let (n, d) = (round.n, self.climber.problem.n_phi());
        let uniforms = self.uniforms(level, round);
        let ranks = |k: usize| {
            let mut order: Vec<usize> = (0..n).collect();
            order.sort_by(|a, b| uniforms[k][*a].total_cmp(&uniforms[k][*b]));
            let mut ranks = vec![0; n];
            for (rank, start) in order.into_iter().enumerate() {
                ranks[start] = rank;
            }
            ranks
        };
        let whitened: Vec<Vec<f64>> = (0..d)
            .map(|k| {
                let within = &uniforms[d + k];
                match round.sampling {
                    StartDesign::Random => within.iter().map(|u| qnorm::<false>(*u)).collect(),
                    StartDesign::Lhs => (ranks(k).iter().zip(within))
                        .map(|(rank, u)| qnorm::<false>((*rank as f64 + u) / n as f64))
                        .collect(),
                }
            })
            .collect();
        let (mean, chol) = (self.means.of(level), &self.climber.prior.chol);
        let coordinate = |s: usize, k: usize| {
            let moves = (0..=k).map(|j| chol[(k, j)] * whitened[j][s]);
            mean[k] + moves.sum::<f64>()
        };
        (0..n)
            .flat_map(|s| (0..d).map(move |k| (s, k)))
            .map(|(s, k)| coordinate(s, k))
            .collect()
    }

    /// Uniform numbers for the starts of a level: first those that order them, then those within an interval.
    fn uniforms(&self, level: usize, round: StartPlan) -> Vec<Vec<f64>> {
        let stream = Stream {
            seed: self.seed,
            purpose: Purpose::ModeStart,
        };
        let d = self.climber.problem.n_phi();
        let mut out = vec![Vec::with_capacity(round.n); 2 * d];
        let mut columns = vec![Column::ZERO; 2 * d];
        let narrow = |i: usize| u32::try_from(i).unwrap_or(u32::MAX);
        for first in (0..round.n).step_by(LANES) {
            let lanes = LaneIds {
                subject: [narrow(level); LANES],
                chain: std::array::from_fn(|l| narrow(first + l)),
            };
            stream.uniforms(Isa::detect(), &lanes, round.first, 0, &mut columns);
            for (out, column) in out.iter_mut().zip(&columns) {
                out.extend(column.0.iter().take(round.n - first));
            }
        }
        out
    }
}

/// Copies of each level that are evaluated together, of `n`.
fn copies_of(levels: &[usize], n: usize) -> usize {
    (MOST_LANES / levels.len()).clamp(1, n.max(1))
}

/// Some of the starts of each level; where there are no more, the list begins again.
fn chunk(levels: &[usize], starts: &[Vec<f64>], which: Range<usize>, d: usize) -> Starts {
    let mut phi = Vec::with_capacity(levels.len() * which.len() * d);
    for list in starts {
        for copy in which.clone() {
            let s = copy % (list.len() / d);
            phi.extend(&list[s * d..(s + 1) * d]);
        }
    }
    Starts {
        levels: levels.to_vec(),
        copies: which.len(),
        phi,
    }
}
