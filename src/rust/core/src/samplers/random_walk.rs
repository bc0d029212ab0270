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
    /// Most coordinates that move in a sweep; where there are more they take turns.
    pub most: usize,
}

impl RandomWalk<'_> {
    /// Sweep and report each coordinate that moved with its tally.
    pub fn sweep_by_coordinate(
        &self,
        context: &Context,
        state: &mut LaneDraws,
    ) -> Vec<(usize, Tally)> {
        let d = state.phi.len();
        let moves = d.min(self.most);
        let first = if moves < d {
            context.iteration as usize * moves
        } else {
            0
        };
        state.draw_normals(context, moves);
        state.draw_uniforms(context, moves);
        (0..moves)
            .map(|i| {
                let k = (first + i) % d;
                (k, step(context, state, &[k], self.scale[k], (i, i)))
            })
            .collect()
    }
}

impl Kernel for RandomWalk<'_> {
    fn name(&self) -> &'static str {
        "random_walk"
    }

    fn sweep(&self, context: &Context, state: &mut LaneDraws) -> Tally {
        let mut total = Tally::default();
        for (_, tally) in self.sweep_by_coordinate(context, state) {
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
