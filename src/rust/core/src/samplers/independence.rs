//! Propose from the Laplace posterior of the subject: a Student distribution around the conditional mode.
//!
//! `phi* = center + L'^-1 z sqrt(nu / chi2_nu)`, `L L'` the posterior precision. With `nu = 6` the tails are heavier
//! than those of the target in every case that a Gaussian prior allows, and close to it near the mode.
//! Source: Karimi, Lavielle & Moulines (2020), f-SAEM.

use super::accept::{accept, add, gain, refuse_held, Proposal};
use super::{Context, Kernel, LaneDraws, Tally};
use crate::ir::column::{Column, LANES};
use crate::ir::symmetric::{at, solve_upper};
use crate::ir::vmath::{ln, per_isa};

/// Degrees of freedom; even, so that `chi2` is minus twice the logarithm of a product of uniform numbers.
const NU: usize = 6;

pub struct Independence;

impl Kernel for Independence {
    fn name(&self) -> &'static str {
        "independence"
    }

    fn sweep(&self, context: &Context, state: &mut LaneDraws) -> Tally {
        let Some(posterior) = state.posterior.take() else {
            return Tally::default();
        };
        let d = state.phi.len();
        state.draw_normals(context, d);
        state.draw_uniforms(context, NU / 2 + 1);
        let mut phi = state.take_proposal();
        for (column, noise) in phi.iter_mut().zip(&state.noise) {
            *column = *noise;
        }
        solve_upper(context.isa, &posterior.factor, &mut phi);
        stretch(context.isa, &state.chance[1..], &posterior.center, &mut phi);
        let (log_lik, log_prior) = context.target(state, &phi);
        let mut forth = Column::ZERO;
        let mut back = Column::ZERO;
        log_student(
            context.isa,
            &posterior.center,
            &posterior.factor,
            &phi,
            &mut forth,
        );
        log_student(
            context.isa,
            &posterior.center,
            &posterior.factor,
            &state.phi,
            &mut back,
        );
        let new = add(&log_lik, &log_prior);
        let old = add(&state.log_lik, &state.log_prior);
        let mut ratio = gain(&new, &old);
        for l in 0..LANES {
            ratio.0[l] += back.0[l] - forth.0[l];
        }
        state.posterior = Some(posterior);
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

#[inline(always)]
fn stretch_body<const FMA: bool>(uniforms: &[Column], center: &[Column], phi: &mut [Column]) {
    let mut factor = [1.0; LANES];
    for column in uniforms {
        for l in 0..LANES {
            factor[l] *= column.0[l];
        }
    }
    for value in &mut factor {
        let chi2 = -2.0 * ln::<FMA>(*value);
        *value = (NU as f64 / chi2).sqrt();
    }
    for (column, center) in phi.iter_mut().zip(center) {
        for l in 0..LANES {
            column.0[l] = center.0[l] + factor[l] * column.0[l];
        }
    }
}

per_isa! {
    /// Turn Gaussian deviations into Student draws around `center`.
    fn stretch(uniforms: &[Column], center: &[Column], phi: &mut [Column]) = stretch_body, fused;
}

#[inline(always)]
fn log_student_body<const FMA: bool>(
    center: &[Column],
    factor: &[Column],
    phi: &[Column],
    out: &mut Column,
) {
    let d = phi.len();
    let mut q = [0.0; LANES];
    for j in 0..d {
        let mut z = [0.0; LANES];
        for i in j..d {
            let f = &factor[at(i, j)].0;
            for l in 0..LANES {
                z[l] += f[l] * (phi[i].0[l] - center[i].0[l]);
            }
        }
        for l in 0..LANES {
            q[l] += z[l] * z[l];
        }
    }
    let power = -0.5 * (NU + d) as f64;
    for l in 0..LANES {
        out.0[l] = power * ln::<FMA>(1.0 + q[l] / NU as f64);
    }
}

per_isa! {
    /// Log density of the proposal, without its constants.
    fn log_student(center: &[Column], factor: &[Column], phi: &[Column], out: &mut Column)
        = log_student_body, fused;
}
