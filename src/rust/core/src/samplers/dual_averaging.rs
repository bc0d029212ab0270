//! Adapt the step of each lane so that its mean acceptance reaches a target: dual averaging.
//!
//! With acceptance `a_t` in transition `t`: `h <- (1 - 1/(t + t0)) h + (target - a_t)/(t + t0)`,
//! `ln e <- mu - sqrt(t) h / gamma`, and the mean that is used in the end, `ln e' <- t^-kappa ln e + (1 - t^-kappa) ln e'`.
//! Source: Hoffman & Gelman (2014), algorithm 5, with their `gamma`, `t0` and `kappa`.

use crate::ir::column::{Column, LANES};
use crate::ir::vmath::{exp, ln};

const GAMMA: f64 = 0.05;
const T0: f64 = 10.0;
const KAPPA: f64 = 0.75;
/// Steps are first tried this much longer than the start, so that too short ones are left soon.
const BOLDNESS: f64 = 2.0;

/// Columns of the memory of a lane: `ln e`, `ln e'`, `h`, `t`, `mu`.
pub const COLUMNS: usize = 5;

/// Columns for a first step.
pub fn begin(step: f64) -> Vec<Column> {
    let (step, center) = (ln::<false>(step), ln::<false>(BOLDNESS * step));
    [step, step, 0.0, 0.0, center].map(Column::splat).to_vec()
}

/// Start again from the steps reached.
pub fn again(memory: &mut [Column]) {
    for l in 0..LANES {
        let reached = memory[1].0[l];
        memory[0].0[l] = reached;
        memory[2].0[l] = 0.0;
        memory[3].0[l] = 0.0;
        memory[4].0[l] = reached + ln::<false>(BOLDNESS);
    }
}

/// The step of each lane: the last one while it `adapts`, afterward the mean of all.
pub fn steps(memory: &[Column], adapts: bool) -> Column {
    let logs = &memory[usize::from(!adapts)];
    Column(logs.0.map(exp::<false>))
}

/// Learn from the acceptance of a transition in the lanes where `moving` is 1.
pub fn update(memory: &mut [Column], target: f64, accepted: &Column, moving: &Column) {
    for l in (0..LANES).filter(|l| moving.0[*l] != 0.0) {
        let t = memory[3].0[l] + 1.0;
        let share = 1.0 / (t + T0);
        let h = (1.0 - share) * memory[2].0[l] + share * (target - accepted.0[l]);
        let log_step = memory[4].0[l] - t.sqrt() / GAMMA * h;
        let weight = exp::<false>(-KAPPA * ln::<false>(t));
        memory[0].0[l] = log_step;
        memory[1].0[l] = weight * log_step + (1.0 - weight) * memory[1].0[l];
        memory[2].0[l] = h;
        memory[3].0[l] = t;
    }
}
