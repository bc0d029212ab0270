//! Build the trajectory of the no-U-turn sampler in every lane of a block.
//!
//! A tree of `2^j` leaves doubles by a branch of as many, grown leaf by leaf. With `rho` the sum of the momenta of a
//! (sub)tree and `p, q` those of its ends, it turns back when `p.(rho - (p + q)/2) <= 0` or `q.(rho - (p + q)/2) <= 0`.
//! Every subtree of the branch ends at an odd leaf `n`, and starts at an even one whose momentum and sum were kept: leaf
//! `m` in checkpoint `popcount(m >> 1)`. As many subtrees end at `n` as its binary digits end in ones.
//!
//! Weights are `exp(H_0 - H)` of the leaves. They are cut off at `exp(600)`: a leaf so much better than the start leaves
//! it with certainty.

use super::accept::take;
use super::leapfrog::PhasePoint;
use super::{Context, LaneDraws, MassMatrix, Tally};
use crate::ir::column::{Column, LANES};
use crate::ir::vmath::{exp, Isa};

/// Gain in energy above which a trajectory has left the dynamics (that of Stan).
const DIVERGENCE: f64 = 1000.0;
const HEAVIEST: f64 = 600.0;

/// The trajectory so far.
pub struct Tree {
    left: PhasePoint,
    right: PhasePoint,
    /// Sum of the momenta.
    rho: Vec<Column>,
    weight: Column,
    /// The point drawn from it.
    drawn: PhasePoint,
    /// 1 while it may double.
    live: Column,
    moving: Column,
    start: Column,
    /// Sum of the probabilities of acceptance, and number of leaves.
    accepted: Column,
    leaves: Column,
    not_finite: u64,
    checkpoints: Vec<TreeCheckpoint>,
}

/// Momentum of a leaf, and the sum of the momenta up to it.
#[derive(Clone)]
struct TreeCheckpoint {
    momentum: Vec<Column>,
    rho: Vec<Column>,
}

/// What a tree doubles by.
pub struct Branch {
    edge: PhasePoint,
    rho: Vec<Column>,
    weight: Column,
    drawn: PhasePoint,
}

impl Tree {
    pub fn new(start: PhasePoint, moving: Column, max_depth: usize) -> Self {
        let zeros = vec![Column::ZERO; start.phi.len()];
        let checkpoint = TreeCheckpoint {
            momentum: zeros.clone(),
            rho: zeros,
        };
        Self {
            rho: start.momentum.clone(),
            weight: Column::splat(1.0),
            live: moving,
            moving,
            start: start.energy(),
            accepted: Column::ZERO,
            leaves: Column::ZERO,
            not_finite: 0,
            checkpoints: vec![checkpoint; max_depth],
            left: start.clone(),
            right: start.clone(),
            drawn: start,
        }
    }

    pub fn is_alive(&self) -> bool {
        self.live.0.iter().any(|x| *x != 0.0)
    }

    /// Grow a branch of as many leaves as there are columns of `chance`, backward where `step` is negative. Lanes whose
    /// branch turns or diverges are dead.
    pub fn grow(
        &mut self,
        context: &Context,
        state: &mut LaneDraws,
        shape: &MassMatrix,
        step: &Column,
        chance: &[Column],
    ) -> Branch {
        let isa = context.isa;
        let mut edge = self.left.clone();
        copy(isa, &mut edge, &self.right, &positive(step));
        let mut branch = Branch {
            rho: vec![Column::ZERO; edge.phi.len()],
            weight: Column::ZERO,
            drawn: edge.clone(),
            edge,
        };
        for (n, chance) in chance.iter().enumerate() {
            branch.edge.leapfrog(context, state, shape, step);
            let taken = self.weigh(&mut branch, chance);
            copy(isa, &mut branch.drawn, &branch.edge, &taken);
            add(&mut branch.rho, &branch.edge.momentum);
            if n % 2 == 0 {
                let checkpoint = &mut self.checkpoints[(n >> 1).count_ones() as usize];
                checkpoint.momentum.clone_from(&branch.edge.momentum);
                checkpoint.rho.clone_from(&branch.rho);
            } else {
                self.turn_back(n, &branch);
            }
            if !self.is_alive() {
                break;
            }
        }
        branch
    }

    /// Add the weight of the new leaf; 1 where it is drawn from the branch.
    fn weigh(&mut self, branch: &mut Branch, chance: &Column) -> Column {
        let energy = branch.edge.energy();
        let mut taken = Column::ZERO;
        for l in 0..LANES {
            if self.live.0[l] == 0.0 {
                continue;
            }
            let gain = self.start.0[l] - energy.0[l];
            self.leaves.0[l] += 1.0;
            if !gain.is_finite() || gain < -DIVERGENCE {
                self.not_finite += u64::from(!gain.is_finite());
                self.live.0[l] = 0.0;
                continue;
            }
            let weight = exp::<false>(gain.min(HEAVIEST));
            self.accepted.0[l] += weight.min(1.0);
            branch.weight.0[l] += weight;
            taken.0[l] = f64::from(u8::from(chance.0[l] * branch.weight.0[l] < weight));
        }
        taken
    }

    /// End lanes in which a subtree that ends at leaf `n` turns back.
    fn turn_back(&mut self, n: usize, branch: &Branch) {
        let last = (n >> 1).count_ones() as usize;
        let first = last + 1 - n.trailing_ones() as usize;
        for checkpoint in &self.checkpoints[first..=last] {
            let mut rho = branch.rho.clone();
            for ((rho, before), own) in
                (rho.iter_mut().zip(&checkpoint.rho)).zip(&checkpoint.momentum)
            {
                for l in 0..LANES {
                    rho.0[l] += own.0[l] - before.0[l];
                }
            }
            let ends = (&checkpoint.momentum[..], &branch.edge.momentum[..]);
            kill(&mut self.live, ends, &rho);
        }
    }

    /// Let a branch that did not turn back be part of the tree: draw from it with probability `min(1, its weight /
    /// weight of the tree)`, which favors what is far from the start, and see whether the whole turns back.
    pub fn join(&mut self, branch: Branch, step: &Column, chance: &Column) {
        let isa = Isa::detect();
        let mut taken = self.live;
        for l in 0..LANES {
            let better = chance.0[l] * self.weight.0[l] < branch.weight.0[l];
            taken.0[l] *= f64::from(u8::from(better));
            self.weight.0[l] += self.live.0[l] * branch.weight.0[l];
        }
        copy(isa, &mut self.drawn, &branch.drawn, &taken);
        let forward = positive(step);
        let backward = Column(forward.0.map(|x| 1.0 - x));
        copy(isa, &mut self.right, &branch.edge, &forward);
        copy(isa, &mut self.left, &branch.edge, &backward);
        add(&mut self.rho, &branch.rho);
        let ends = (&self.left.momentum[..], &self.right.momentum[..]);
        kill(&mut self.live, ends, &self.rho);
    }

    /// Move the chains to the points drawn.
    pub fn finish(self, state: &mut LaneDraws) -> (Tally, Column) {
        let isa = Isa::detect();
        for (to, from) in state.phi.iter_mut().zip(&self.drawn.phi) {
            take(isa, to, from, &self.moving);
        }
        take(isa, &mut state.log_lik, &self.drawn.log_lik, &self.moving);
        take(
            isa,
            &mut state.log_prior,
            &self.drawn.log_prior,
            &self.moving,
        );
        state.slope = self.drawn.slope;
        let tally = Tally {
            proposed: self.leaves.0.iter().sum::<f64>() as u64,
            accepted: self.accepted.0.iter().sum::<f64>().round() as u64,
            not_finite: self.not_finite,
        };
        let mean = |l: usize| self.accepted.0[l] / self.leaves.0[l].max(1.0);
        (tally, Column(std::array::from_fn(mean)))
    }
}

/// 1 where positive, else 0.
fn positive(step: &Column) -> Column {
    Column(step.0.map(|x| f64::from(u8::from(x > 0.0))))
}

/// Copy the lanes that are `taken`.
fn copy(isa: Isa, to: &mut PhasePoint, from: &PhasePoint, taken: &Column) {
    let pairs = (to.phi.iter_mut().zip(&from.phi))
        .chain(to.momentum.iter_mut().zip(&from.momentum))
        .chain(to.slope.iter_mut().zip(&from.slope));
    for (to, from) in pairs {
        take(isa, to, from, taken);
    }
    take(isa, &mut to.log_lik, &from.log_lik, taken);
    take(isa, &mut to.log_prior, &from.log_prior, taken);
}

fn add(to: &mut [Column], from: &[Column]) {
    for (to, from) in to.iter_mut().zip(from) {
        for l in 0..LANES {
            to.0[l] += from.0[l];
        }
    }
}

/// End the lanes in which a trajectory with these momenta at its ends and this sum of all momenta turns back.
fn kill(live: &mut Column, ends: (&[Column], &[Column]), rho: &[Column]) {
    let (mut first, mut last) = (Column::ZERO, Column::ZERO);
    for ((p, q), rho) in ends.0.iter().zip(ends.1).zip(rho) {
        for l in 0..LANES {
            let inner = rho.0[l] - 0.5 * (p.0[l] + q.0[l]);
            first.0[l] += p.0[l] * inner;
            last.0[l] += q.0[l] * inner;
        }
    }
    for l in 0..LANES {
        // NaN compares false: such a lane is dead already.
        let goes_on = first.0[l] > 0.0 && last.0[l] > 0.0;
        live.0[l] = if goes_on { live.0[l] } else { 0.0 };
    }
}
