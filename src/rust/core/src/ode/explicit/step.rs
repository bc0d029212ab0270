//! Take one step in all lanes: stages, error, the next step size.
//!
//! The error of a lane is `sqrt(mean_k (h e_k / (atol + rtol max(|y_k|, |y_k'|)))^2)` over its integrated states. The size
//! of the next step is that of a PI controller, `h 0.95 err^-0.22 err_before^0.02` (Hairer, Norsett & Wanner 1993, II.4).
//! Their code DOPRI5 has 0.9, -0.17, 0.04: on decaying exponentials steps settle where `err^(1/5)` is 0.85 and 0.95.

use super::rough;
use super::tableau::{A, E, STAGES};
use crate::ir::column::{Column, LANES};
use crate::ir::vmath::double::{madd, select};
use crate::ir::vmath::per_isa;

pub const CHUNK: usize = 8;
pub type Chunk = [f64; CHUNK];

/// Time and step of each lane.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    pub t: Column,
    /// The step being taken.
    pub h: Column,
    /// The step that the error allows.
    pub free: Column,
    /// Time of the next stop that changes something.
    pub target: Column,
    /// Time of the next stop.
    pub next: Column,
    /// When the segment began.
    pub origin: Column,
    /// Binary logarithm of the last accepted error.
    pub log_error: Column,
    /// The first step that was accepted after the last change.
    pub first: Column,
    /// 1 until a step is accepted after a change.
    pub fresh: Column,
    /// Steps, rejected ones included.
    pub steps: Column,
    /// Time that the equations see where it stands still.
    pub wall: Column,
    /// Time at the last look at how far the steps have come.
    pub mark: Column,
}

impl Clock {
    pub fn columns(&mut self) -> [&mut Column; 12] {
        [
            &mut self.t,
            &mut self.h,
            &mut self.free,
            &mut self.target,
            &mut self.next,
            &mut self.origin,
            &mut self.log_error,
            &mut self.first,
            &mut self.fresh,
            &mut self.steps,
            &mut self.wall,
            &mut self.mark,
        ]
    }
}

/// What became of a step, one bit a lane.
#[derive(Debug, Clone, Copy, Default)]
pub struct Verdict {
    pub accepted: u64,
    /// Accepted, and a stop was reached.
    pub arrived: u64,
    /// A limit was met.
    pub trouble: u64,
}

/// What the error of a step is compared with.
#[derive(Debug, Clone, Copy)]
pub struct ErrorLimits {
    pub rtol: f64,
    pub atol: f64,
    pub max_steps: f64,
}

/// Columns of one step: integrated columns, where they are among the states, derivatives stage after stage.
pub struct StepColumns<'a> {
    pub moving: &'a [usize],
    pub x: &'a [Column],
    pub k: &'a [Column],
}

#[inline(always)]
pub fn at(column: &Column, c: usize) -> &Chunk {
    &column.0.as_chunks::<CHUNK>().0[c]
}

#[inline(always)]
pub fn at_mut(column: &mut Column, c: usize) -> &mut Chunk {
    &mut column.0.as_chunks_mut::<CHUNK>().0[c]
}

#[inline(always)]
fn plan_body<const FMA: bool>(clock: &mut Clock, chunks: usize) {
    for c in 0..chunks {
        let (t, target, free) = (at(&clock.t, c), at(&clock.target, c), at(&clock.free, c));
        let mut h = [0.0; CHUNK];
        for i in 0..CHUNK {
            let left = target[i] - t[i];
            // A step that ends just before a stop would leave a tiny one.
            h[i] = select(free[i] * 1.05 < left, free[i], left);
        }
        *at_mut(&mut clock.h, c) = h;
    }
}

per_isa! {
    /// Choose the steps: as long as the error allows, at most to the next stop.
    pub fn plan(clock: &mut Clock, chunks: usize) = plan_body, fused;
}

/// Derivatives of integrated column `i` in the first `S` stages.
// Loops, not closures: a closure that is not inlined would not be compiled for the wide registers around it.
#[inline(always)]
fn stages<'a, const S: usize>(columns: &StepColumns<'a>, i: usize) -> [&'a Column; S] {
    let q = columns.moving.len();
    let mut k = [&columns.k[i]; S];
    for (j, k) in k.iter_mut().enumerate() {
        *k = &columns.k[j * q + i];
    }
    k
}

/// `sum_j weights_j k_j` in eight lanes.
#[inline(always)]
fn combine<const FMA: bool, const S: usize>(weights: &[f64], k: &[&Column; S], c: usize) -> Chunk {
    let mut sum = *at(k[0], c);
    for l in 0..CHUNK {
        sum[l] *= weights[0];
    }
    for j in 1..S {
        let own = at(k[j], c);
        for l in 0..CHUNK {
            sum[l] = madd::<FMA>(weights[j], own[l], sum[l]);
        }
    }
    sum
}

#[inline(always)]
fn stage_row<const FMA: bool, const S: usize>(
    columns: &StepColumns,
    h: &Column,
    states: &mut [Column],
    chunks: usize,
) {
    for (i, column) in columns.moving.iter().enumerate() {
        let k = stages::<S>(columns, i);
        let (x, y) = (&columns.x[*column], &mut states[*column]);
        for c in 0..chunks {
            let (x, h) = (at(x, c), at(h, c));
            let mut out = combine::<FMA, S>(&A[S], &k, c);
            for l in 0..CHUNK {
                out[l] = madd::<FMA>(h[l], out[l], x[l]);
            }
            *at_mut(y, c) = out;
        }
    }
}

#[inline(always)]
fn stage_body<const FMA: bool>(
    s: usize,
    columns: &StepColumns,
    h: &Column,
    states: &mut [Column],
    chunks: usize,
) {
    match s {
        1 => stage_row::<FMA, 1>(columns, h, states, chunks),
        2 => stage_row::<FMA, 2>(columns, h, states, chunks),
        3 => stage_row::<FMA, 3>(columns, h, states, chunks),
        4 => stage_row::<FMA, 4>(columns, h, states, chunks),
        5 => stage_row::<FMA, 5>(columns, h, states, chunks),
        _ => stage_row::<FMA, 6>(columns, h, states, chunks),
    }
}

per_isa! {
    /// `states = x + h sum_j a_sj k_j` for stage `s`.
    pub fn stage(
        s: usize,
        columns: &StepColumns,
        h: &Column,
        states: &mut [Column],
        chunks: usize,
    ) = stage_body, fused;
}

/// `bits`, or none, without a branch.
#[inline(always)]
fn select_bits(set: bool, bits: u64) -> u64 {
    std::hint::select_unpredictable(set, bits, 0)
}

/// Add to `total` what integrated column `i` has in the squared error norm.
#[inline(always)]
fn add_error<const FMA: bool>(
    columns: &StepColumns,
    i: usize,
    (new, h): (&[Column], &Column),
    (limits, share, lanes): (&ErrorLimits, f64, usize),
    total: &mut Column,
) {
    let k = stages::<STAGES>(columns, i);
    let (x, y) = (&columns.x[columns.moving[i]], &new[columns.moving[i]]);
    for l in 0..lanes {
        let mut error = E[0] * k[0].0[l];
        for j in 1..STAGES {
            error = madd::<FMA>(E[j], k[j].0[l], error);
        }
        let (a, b) = (x.0[l].abs(), y.0[l].abs());
        // Not a number stays: it must not pass for small.
        let size = select(a > b, a, b);
        let one = rough::reciprocal::<FMA>(madd::<FMA>(limits.rtol, size, limits.atol));
        let scaled = h.0[l] * error * one;
        total.0[l] = madd::<FMA>(share * scaled, scaled, total.0[l]);
    }
}

/// The factor by which the step changes, from the binary logarithms of this error and the last accepted one.
#[inline(always)]
fn factor<const FMA: bool>(accepted: bool, log: f64, before: f64) -> f64 {
    let exponent = select(accepted, -0.22 * log + 0.02 * before, -0.2 * log);
    let factor = 0.95 * rough::exp2::<FMA>(exponent);
    let low = select(factor < 0.2, 0.2, factor);
    select(low > 10.0, 10.0, low)
}

#[inline(always)]
fn judge_body<const FMA: bool>(
    columns: &StepColumns,
    values: usize,
    new: &[Column],
    (limits, chunks): (&ErrorLimits, usize),
    clock: &mut Clock,
) -> Verdict {
    let lanes = (chunks * CHUNK).min(LANES);
    let share = 1.0 / values.max(1) as f64;
    let mut squared = Column::ZERO;
    for i in 0..values {
        let scale = (limits, share, lanes);
        add_error::<FMA>(columns, i, (new, &clock.h), scale, &mut squared);
    }
    // Bit 8 c of number l is lane l of the eight c.
    let mut flags = [[0u64; CHUNK]; 3];
    for c in 0..chunks {
        let bit = 1 << (CHUNK * c);
        let (squared, h) = (*at(&squared, c), *at(&clock.h, c));
        let (t, target, next) = (at(&clock.t, c), at(&clock.target, c), at(&clock.next, c));
        let (mut free, mut before) = (*at(&clock.free, c), *at(&clock.log_error, c));
        let mut steps = *at(&clock.steps, c);
        for l in 0..CHUNK {
            // Errors below 1e-6 are as good as none; what is no number counts as large.
            let bounded = select(squared[l] < 1e8, squared[l], 1e8);
            let bounded = select(bounded > 1e-12, bounded, 1e-12);
            let log = 0.5 * rough::log2::<FMA>(bounded);
            let accepted = squared[l] <= 1.0;
            let size = h[l] * factor::<FMA>(accepted, log, before[l]);
            // A step cut short says nothing against the size it was cut from.
            let kept = accepted & (h[l] < free[l]) & (size < free[l]);
            free[l] = select(kept, free[l], size);
            before[l] = select(accepted, log, before[l]);
            steps[l] += 1.0;
            let reached = (t[l] + h[l] >= next[l]) | (h[l] >= target[l] - t[l]);
            let stuck = !accepted & (t[l] + free[l] == t[l]);
            let exhausted = steps[l] >= limits.max_steps;
            flags[0][l] |= select_bits(accepted, bit);
            flags[1][l] |= select_bits(accepted & reached, bit);
            flags[2][l] |= select_bits(stuck | exhausted, bit);
        }
        *at_mut(&mut clock.free, c) = free;
        *at_mut(&mut clock.log_error, c) = before;
        *at_mut(&mut clock.steps, c) = steps;
    }
    let [accepted, arrived, trouble] = flags.map(|lanes| {
        let each = lanes.iter().enumerate();
        each.fold(0, |set, (l, bits)| set | (bits << l))
    });
    Verdict {
        accepted,
        arrived,
        trouble,
    }
}

per_isa! {
    /// Compare the error of the step with the tolerances and choose the next one. `new`: the states at its end.
    pub fn judge(
        columns: &StepColumns,
        values: usize,
        new: &[Column],
        limits: (&ErrorLimits, usize),
        clock: &mut Clock,
    ) -> Verdict = judge_body, fused;
}

#[inline(always)]
fn blend_body<const FMA: bool>(accepted: u64, from: &Column, to: &mut Column, chunks: usize) {
    for c in 0..chunks {
        let (x, y) = (at(from, c), at_mut(to, c));
        let bits = accepted >> (CHUNK * c);
        for l in 0..CHUNK {
            y[l] = select((bits >> l) & 1 != 0, x[l], y[l]);
        }
    }
}

#[inline(always)]
fn commit_body<const FMA: bool>(
    (accepted, chunks): (u64, usize),
    moving: &[usize],
    states: &[Column],
    (x, k): (&mut [Column], &mut [Column]),
    clock: &mut Clock,
) {
    let q = moving.len();
    let (first, last) = k.split_at_mut(6 * q);
    for (i, column) in moving.iter().enumerate() {
        blend_body::<FMA>(accepted, &states[*column], &mut x[*column], chunks);
        blend_body::<FMA>(accepted, &last[i], &mut first[i], chunks);
    }
    for c in 0..chunks {
        let bits = accepted >> (CHUNK * c);
        let (h, target) = (at(&clock.h, c), at(&clock.target, c));
        let (fresh, free) = (*at(&clock.fresh, c), at(&clock.free, c));
        let (mut t, mut first) = (*at(&clock.t, c), *at(&clock.first, c));
        let mut still_fresh = fresh;
        for l in 0..CHUNK {
            let taken = (bits >> l) & 1 != 0;
            // The end of a step that was cut is the stop itself.
            let cut = h[l] >= target[l] - t[l];
            let end = select(cut, target[l], t[l] + h[l]);
            let size = select(cut, free[l], h[l]);
            first[l] = select(taken & (fresh[l] != 0.0), size, first[l]);
            still_fresh[l] = select(taken, 0.0, fresh[l]);
            t[l] = select(taken, end, t[l]);
        }
        *at_mut(&mut clock.t, c) = t;
        *at_mut(&mut clock.first, c) = first;
        *at_mut(&mut clock.fresh, c) = still_fresh;
    }
}

per_isa! {
    /// Make the end of the step the present in the lanes that accepted it.
    pub fn commit(
        lanes: (u64, usize),
        moving: &[usize],
        states: &[Column],
        columns: (&mut [Column], &mut [Column]),
        clock: &mut Clock,
    ) = commit_body, fused;
}
