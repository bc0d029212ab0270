//! Propose from the population distribution: `phi* ~ N(m_i, Omega)`, whatever the chain holds.
//!
//! The proposal density cancels against the prior, so the ratio is that of the likelihoods.
//! Source: Kuhn & Lavielle (2005), first kernel.

use super::accept::{accept, gain, refuse_held, Proposal};
use super::{Context, Kernel, LaneDraws, Tally};
use crate::ir::column::{Column, LANES};
use nalgebra::DMatrix;

pub struct PriorKernel;

impl Kernel for PriorKernel {
    fn name(&self) -> &'static str {
        "prior"
    }

    fn sweep(&self, context: &Context, state: &mut LaneDraws) -> Tally {
        let phi = population_draw(context, state);
        state.draw_uniforms(context, 1);
        let (log_lik, log_prior) = context.target(state, &phi);
        let mut ratio = gain(&log_lik, &state.log_lik);
        let refused = refuse_held(state, &mut ratio);
        accept(
            context.isa,
            state,
            Proposal {
                phi,
                log_lik,
                log_prior,
            },
            &ratio,
            0,
        )
        .without(refused)
    }
}

/// `m_i + L z` in every lane.
pub fn population_draw(context: &Context, state: &mut LaneDraws) -> Vec<Column> {
    let d = state.phi.len();
    state.draw_normals(context, d);
    let mut phi = state.take_proposal();
    phi.copy_from_slice(&state.mean);
    add_lower(&context.prior.chol, &state.noise, &mut phi);
    phi
}

/// `x + F z` for a lower triangle that all lanes share.
pub fn add_lower(factor: &DMatrix<f64>, noise: &[Column], x: &mut [Column]) {
    for (i, column) in x.iter_mut().enumerate() {
        for (j, noise) in noise.iter().enumerate().take(i + 1) {
            let f = factor[(i, j)];
            if f != 0.0 {
                add_scaled(column, f, noise);
            }
        }
    }
}

fn add_scaled(column: &mut Column, factor: f64, noise: &Column) {
    for l in 0..LANES {
        column.0[l] += factor * noise.0[l];
    }
}
