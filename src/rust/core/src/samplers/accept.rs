//! Accept or reject proposals lane by lane (Metropolis & Hastings).

use super::state::{State, Tally};
use crate::ir::column::{Column, LANES};
use crate::ir::vmath::{ln, per_isa, Isa};

/// A proposal and its densities.
pub struct Proposal {
    pub phi: Vec<Column>,
    pub log_lik: Column,
    pub log_prior: Column,
}

/// Accept each lane with probability `min(1, exp(log_ratio))`, by a column of `state.chance`.
pub fn accept(
    isa: Isa,
    state: &mut State,
    proposal: Proposal,
    log_ratio: &Column,
    chance: usize,
) -> Tally {
    let mut taken = Column::ZERO;
    decide(isa, log_ratio, &state.chance[chance], &mut taken);
    for (to, from) in state.phi.iter_mut().zip(&proposal.phi) {
        take(isa, to, from, &taken);
    }
    take(isa, &mut state.log_lik, &proposal.log_lik, &taken);
    take(isa, &mut state.log_prior, &proposal.log_prior, &taken);
    state.proposal = proposal.phi;
    let lanes = 0..state.n_lanes;
    Tally {
        proposed: state.n_lanes as u64,
        accepted: lanes.clone().filter(|l| taken.0[*l] != 0.0).count() as u64,
        not_finite: lanes.filter(|l| !log_ratio.0[*l].is_finite()).count() as u64,
    }
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
    fn take(to: &mut Column, from: &Column, taken: &Column) = take_body, fused;
}

/// Proposals for all coordinates at once are no proposals for lanes in which some are held.
pub fn refuse_held(state: &State, log_ratio: &mut Column) {
    if let Some(held) = &state.held {
        for l in 0..LANES {
            if held.any.0[l] != 0.0 {
                log_ratio.0[l] = f64::NEG_INFINITY;
            }
        }
    }
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
