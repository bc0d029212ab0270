//! Follow Hamiltonian dynamics for one step.
//!
//! With target `pi` and a shape `A`, momentum `p ~ N(0, I)` and energy `H = -ln pi(phi) + |p|^2 / 2`, the dynamics are
//! `dphi/dt = A p`, `dp/dt = A' grad ln pi`. The leapfrog step keeps volumes and can be reversed whatever `A` is: where a
//! coordinate is held its row of `A` is zero. `A A'` is the inverse of what is called the metric, or mass.
//! Source: Neal (2011).

use nalgebra::DMatrix;

use super::prior::PriorKernel;
use super::{Context, Kernel, LaneDraws};
use crate::ir::column::{Column, LANES};
use crate::ir::symmetric::{solve_lower, solve_upper};
use crate::ir::vmath::{per_isa, Isa};

/// What stretches momenta to steps in `phi`.
#[derive(Clone, Copy)]
pub enum MassMatrix<'a> {
    /// The Cholesky factor of `Omega`.
    Prior(&'a DMatrix<f64>),
    /// The inverse of the transposed factor of a precision.
    Laplace(&'a [Column]),
    /// Standard deviations, one column a coordinate.
    Diagonal(&'a [Column]),
}

impl MassMatrix<'_> {
    /// `A x`
    fn spread(&self, isa: Isa, x: &mut [Column]) {
        match self {
            Self::Laplace(factor) => solve_upper(isa, factor, x),
            Self::Diagonal(sd) => scale(isa, sd, x),
            Self::Prior(chol) => {
                for i in (0..x.len()).rev() {
                    let row = |l: usize| (0..=i).map(|j| chol[(i, j)] * x[j].0[l]).sum();
                    x[i] = Column(std::array::from_fn(row));
                }
            }
        }
    }

    /// `A' x`
    fn gather(&self, isa: Isa, x: &mut [Column]) {
        match self {
            Self::Laplace(factor) => solve_lower(isa, factor, x),
            Self::Diagonal(sd) => scale(isa, sd, x),
            Self::Prior(chol) => {
                for i in 0..x.len() {
                    let row = |l: usize| (i..x.len()).map(|j| chol[(j, i)] * x[j].0[l]).sum();
                    x[i] = Column(std::array::from_fn(row));
                }
            }
        }
    }
}

/// A point of phase space in every lane.
#[derive(Debug, Clone)]
pub struct PhasePoint {
    pub phi: Vec<Column>,
    pub momentum: Vec<Column>,
    /// Gradient of the log density.
    pub slope: Vec<Column>,
    pub log_lik: Column,
    pub log_prior: Column,
}

impl PhasePoint {
    /// The current draws, with momenta from `state.noise`. Chains that cannot move from where they are, because there
    /// is no density or no gradient, are given a draw from the population to move to.
    pub fn current(context: &Context, state: &mut LaneDraws) -> Self {
        let d = state.phi.len();
        let momentum = state.noise[..d].to_vec();
        let mut point = Self::at(context, state);
        if point.is_lost(state) {
            PriorKernel.sweep(context, state);
            point = Self::at(context, state);
        }
        point.momentum = momentum;
        point
    }

    fn at(context: &Context, state: &mut LaneDraws) -> Self {
        let phi = state.phi.clone();
        let mut slope = std::mem::take(&mut state.slope);
        let (log_lik, log_prior) = if slope.is_empty() {
            slope.resize(phi.len(), Column::ZERO);
            context.slope(state, &phi, &mut slope)
        } else {
            (state.log_lik, state.log_prior)
        };
        Self {
            phi,
            momentum: Vec::new(),
            slope,
            log_lik,
            log_prior,
        }
    }

    fn is_lost(&self, state: &LaneDraws) -> bool {
        let moving = state.moving();
        (0..LANES).filter(|l| moving.0[*l] != 0.0).any(|l| {
            let slope: f64 = self.slope.iter().map(|s| s.0[l]).sum();
            !(self.log_lik.0[l] + self.log_prior.0[l] + slope).is_finite()
        })
    }

    /// `H` of every lane.
    pub fn energy(&self) -> Column {
        let mut energy = Column::ZERO;
        for momentum in &self.momentum {
            for l in 0..LANES {
                energy.0[l] += 0.5 * momentum.0[l] * momentum.0[l];
            }
        }
        for l in 0..LANES {
            energy.0[l] -= self.log_lik.0[l] + self.log_prior.0[l];
        }
        energy
    }

    /// One step of the given length in every lane.
    pub fn leapfrog(
        &mut self,
        context: &Context,
        state: &mut LaneDraws,
        shape: &MassMatrix,
        step: &Column,
    ) {
        self.kick(context.isa, state, shape, step);
        let mut drift = self.momentum.clone();
        shape.spread(context.isa, &mut drift);
        release(state, &mut drift);
        push(context.isa, step, 1.0, &drift, &mut self.phi);
        let phi = std::mem::take(&mut self.phi);
        (self.log_lik, self.log_prior) = context.slope(state, &phi, &mut self.slope);
        self.phi = phi;
        self.kick(context.isa, state, shape, step);
    }

    /// Half a step of the momentum.
    fn kick(&mut self, isa: Isa, state: &LaneDraws, shape: &MassMatrix, step: &Column) {
        let mut force = self.slope.clone();
        release(state, &mut force);
        shape.gather(isa, &mut force);
        push(isa, step, 0.5, &force, &mut self.momentum);
    }
}

/// Zero where coordinates are held.
pub fn release(state: &LaneDraws, x: &mut [Column]) {
    if let Some(held) = &state.held {
        for (x, held) in x.iter_mut().zip(&held.coordinates) {
            for l in 0..LANES {
                x.0[l] = if held.0[l] != 0.0 { 0.0 } else { x.0[l] };
            }
        }
    }
}

#[inline(always)]
fn scale_body<const FMA: bool>(factor: &[Column], x: &mut [Column]) {
    for (x, factor) in x.iter_mut().zip(factor) {
        for l in 0..LANES {
            x.0[l] *= factor.0[l];
        }
    }
}

per_isa! {
    fn scale(factor: &[Column], x: &mut [Column]) = scale_body, plain;
}

#[inline(always)]
fn push_body<const FMA: bool>(step: &Column, part: f64, by: &[Column], x: &mut [Column]) {
    for (x, by) in x.iter_mut().zip(by) {
        for l in 0..LANES {
            x.0[l] += part * step.0[l] * by.0[l];
        }
    }
}

per_isa! {
    /// `x + part step by`
    fn push(step: &Column, part: f64, by: &[Column], x: &mut [Column]) = push_body, fused;
}
