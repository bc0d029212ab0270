//! Propose from the population distribution: `phi* ~ N(m_i, Omega)`, whatever the chain holds.
//!
//! The proposal density cancels against the prior, so the ratio is that of the likelihoods.
//! Source: Kuhn & Lavielle (2005), first kernel.

use super::accept::{accept, gain, refuse_held, Proposal};
use super::{Context, Kernel, State, Tally};
use crate::ir::column::{Column, LANES};

pub struct PriorKernel;

impl Kernel for PriorKernel {
    fn name(&self) -> &'static str {
        "prior"
    }

    fn sweep(&self, context: &Context, state: &mut State) -> Tally {
        let d = state.phi.len();
        state.draw_normals(context, d);
        state.draw_uniforms(context, 1);
        let mut phi = state.take_proposal();
        for (i, column) in phi.iter_mut().enumerate() {
            *column = state.mean[i];
            for (j, noise) in state.noise.iter().enumerate().take(i + 1) {
                let l = context.prior.chol[(i, j)];
                if l != 0.0 {
                    add_scaled(column, l, noise);
                }
            }
        }
        let (log_lik, log_prior) = context.target(state, &phi);
        let mut ratio = gain(&log_lik, &state.log_lik);
        refuse_held(state, &mut ratio);
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
    }
}

fn add_scaled(column: &mut Column, factor: f64, noise: &Column) {
    for l in 0..LANES {
        column.0[l] += factor * noise.0[l];
    }
}
