//! Move one coordinate at a time by a Gaussian random walk.
//!
//! The step of coordinate `k` in a lane is `scale[k]` times its conditional standard deviation there.
//! Source: Kuhn & Lavielle (2005), second kernel.

use super::accept::metropolis;
use super::{Context, Kernel, LaneDraws, Tally};
use crate::ir::column::{Column, LANES};

/// One scale a coordinate, adapted between iterations.
pub struct RandomWalk<'a> {
    pub scale: &'a [f64],
}

impl RandomWalk<'_> {
    /// Sweep and report each coordinate's tally.
    pub fn sweep_by_coordinate(&self, context: &Context, state: &mut LaneDraws) -> Vec<Tally> {
        let d = state.phi.len();
        state.draw_normals(context, d);
        state.draw_uniforms(context, d);
        (0..d)
            .map(|k| step(context, state, &[k], self.scale[k], (k, k)))
            .collect()
    }
}

impl Kernel for RandomWalk<'_> {
    fn name(&self) -> &'static str {
        "random_walk"
    }

    fn sweep(&self, context: &Context, state: &mut LaneDraws) -> Tally {
        let mut total = Tally::default();
        for tally in self.sweep_by_coordinate(context, state) {
            total.add(tally);
        }
        total
    }
}

/// Move the given coordinates together by independent steps, with random numbers that were drawn before.
///
/// `drawn`: the first column of the noise and the column of the chance that belong to this step.
pub fn step(
    context: &Context,
    state: &mut LaneDraws,
    coordinates: &[usize],
    scale: f64,
    drawn: (usize, usize),
) -> Tally {
    let (noise, chance) = drawn;
    let mut phi = state.take_proposal();
    phi.copy_from_slice(&state.phi);
    for (k, noise) in coordinates.iter().zip(&state.noise[noise..]) {
        let mut sd = conditional_sd(context, state, *k);
        if let Some(held) = &state.held {
            for l in 0..LANES {
                sd.0[l] *= 1.0 - held.coordinates[*k].0[l];
            }
        }
        for l in 0..LANES {
            phi[*k].0[l] += scale * sd.0[l] * noise.0[l];
        }
    }
    metropolis(context, state, phi, chance)
}

/// Standard deviation of a coordinate given the others: from the Laplace posterior, else from the population.
fn conditional_sd(context: &Context, state: &LaneDraws, k: usize) -> Column {
    match &state.posterior {
        None => Column::splat(context.prior.omega[(k, k)].sqrt()),
        Some(posterior) => posterior.sd[k],
    }
}
