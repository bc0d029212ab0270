//! Accept or reject proposals lane by lane (Metropolis & Hastings).

use super::moments::Tally;
use super::{Context, LaneDraws};
use crate::ir::column::{Column, LANES};
use crate::ir::vmath::{ln, per_isa, Isa};

/// A proposal and its densities.
pub struct Proposal {
    pub phi: Vec<Column>,
    pub log_lik: Column,
    pub log_prior: Column,
}

/// Accept each lane that moves with probability `min(1, exp(log_ratio))`, by a column of `state.chance`.
pub fn accept(
    isa: Isa,
    state: &mut LaneDraws,
    proposal: Proposal,
    log_ratio: &Column,
    chance: usize,
) -> Tally {
    let mut taken = Column::ZERO;
    decide(isa, log_ratio, &state.chance[chance], &mut taken);
    if let Some(active) = &state.active {
        for l in 0..LANES {
            taken.0[l] *= active.0[l];
        }
    }
    for (to, from) in state.phi.iter_mut().zip(&proposal.phi) {
        take(isa, to, from, &taken);
    }
    take(isa, &mut state.log_lik, &proposal.log_lik, &taken);
    take(isa, &mut state.log_prior, &proposal.log_prior, &taken);
    state.proposal = proposal.phi;
    state.slope.clear();
    let moves = |l: &usize| state.active.as_ref().is_none_or(|a| a.0[*l] != 0.0);
    let lanes = (0..state.n_lanes).filter(moves);
    let tally = Tally {
        proposed: lanes.clone().count() as u64,
        accepted: lanes.clone().filter(|l| taken.0[*l] != 0.0).count() as u64,
        not_finite: lanes.filter(|l| !log_ratio.0[*l].is_finite()).count() as u64,
    };
    state.taken = taken;
    tally
}

/// Accept a proposal that was as likely as the way back.
pub fn metropolis(
    context: &Context,
    state: &mut LaneDraws,
    phi: Vec<Column>,
    chance: usize,
) -> Tally {
    let (log_lik, log_prior) = context.target(state, &phi);
    let old = add(&state.log_lik, &state.log_prior);
    let ratio = gain(&add(&log_lik, &log_prior), &old);
    let proposal = Proposal {
        phi,
        log_lik,
        log_prior,
    };
    accept(context.isa, state, proposal, &ratio, chance)
}

#[inline(always)]
fn decide_body<const FMA: bool>(log_ratio: &Column, uniform: &Column, taken: &mut Column) {
    for l in 0..LANES {
        // NaN compares false: a draw without a density is never taken, unless the chain itself has none.
        let yes = ln::<FMA>(uniform.0[l]) < log_ratio.0[l];
        taken.0[l] = if yes { 1.0 } else { 0.0 };
    }
}

per_isa! {
    fn decide(log_ratio: &Column, uniform: &Column, taken: &mut Column) = decide_body, fused;
}

#[inline(always)]
fn take_body<const FMA: bool>(to: &mut Column, from: &Column, taken: &Column) {
    for l in 0..LANES {
        to.0[l] = if taken.0[l] != 0.0 {
            from.0[l]
        } else {
            to.0[l]
        };
    }
}

per_isa! {
    /// Copy the lanes that are `taken`.
    pub fn take(to: &mut Column, from: &Column, taken: &Column) = take_body, fused;
}

/// Proposals for all coordinates at once are no proposals for lanes in which some are held. Returns how many of these
/// would have moved.
pub fn refuse_held(state: &LaneDraws, log_ratio: &mut Column) -> u64 {
    let Some(held) = &state.held else { return 0 };
    let moving = state.moving();
    let mut refused = 0;
    for l in 0..LANES {
        if held.any.0[l] != 0.0 {
            log_ratio.0[l] = f64::NEG_INFINITY;
            refused += u64::from(moving.0[l] != 0.0);
        }
    }
    refused
}

/// `new - old`, where an old density that is not finite is below any finite one.
pub fn gain(new: &Column, old: &Column) -> Column {
    let mut out = Column::ZERO;
    for l in 0..LANES {
        let (new, old) = (new.0[l], old.0[l]);
        out.0[l] = if old.is_finite() {
            new - old
        } else if new.is_finite() {
            f64::MAX
        } else {
            f64::NAN
        };
    }
    out
}

pub fn add(a: &Column, b: &Column) -> Column {
    let mut out = *a;
    for l in 0..LANES {
        out.0[l] += b.0[l];
    }
    out
}
