//! Take one step in all lanes: stages, error, the next step size, dense output.
//!
//! The error of a lane is `sqrt(mean_k (h e_k / (atol + rtol max(|y_k|, |y_k'|)))^2)` over its integrated states. The size
//! of the next step is that of a PI controller, `h 0.9 err^-0.17 err_before^0.04` (Hairer, Norsett & Wanner 1993, II.4, and
//! their code DOPRI5).

use super::tableau::{weight, A, E, STAGES};
use crate::ir::column::Column;
use crate::ir::vmath::double::{madd, select};
use crate::ir::vmath::{self, per_isa};

pub const CHUNK: usize = 8;
type Chunk = [f64; CHUNK];

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
    /// Logarithm of the last accepted error.
    pub log_error: Column,
    /// The first step that was accepted after the last change.
    pub first: Column,
    /// 1 until a step is accepted after a change.
    pub fresh: Column,
    /// Steps, rejected ones included.
    pub steps: Column,
    /// Time that the equations see where it stands still.
    pub wall: Column,
}

impl Clock {
    pub fn columns(&mut self) -> [&mut Column; 11] {
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
pub struct Limits {
    pub rtol: f64,
    pub atol: f64,
    pub max_steps: f64,
}

/// Columns of one step: integrated columns, where they are among the states, derivatives stage after stage.
pub struct Columns<'a> {
    pub moving: &'a [usize],
    pub x: &'a [Column],
    pub k: &'a [Column],
}

#[inline(always)]
fn at(column: &Column, c: usize) -> &Chunk {
    &column.0.as_chunks::<CHUNK>().0[c]
}

#[inline(always)]
fn at_mut(column: &mut Column, c: usize) -> &mut Chunk {
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

#[inline(always)]
fn stage_row<const FMA: bool, const S: usize>(
    columns: &Columns,
    h: &Column,
    states: &mut [Column],
    chunks: usize,
) {
    let q = columns.moving.len();
    let k: [&[Column]; S] = std::array::from_fn(|j| &columns.k[j * q..(j + 1) * q]);
    for (i, column) in columns.moving.iter().enumerate() {
        let (x, y) = (&columns.x[*column], &mut states[*column]);
        for c in 0..chunks {
            let (x, h) = (at(x, c), at(h, c));
            let own: [&Chunk; S] = std::array::from_fn(|j| at(&k[j][i], c));
            let mut out = [0.0; CHUNK];
            for l in 0..CHUNK {
                let mut sum = A[S][0] * own[0][l];
                for j in 1..S {
                    sum = madd::<FMA>(A[S][j], own[j][l], sum);
                }
                out[l] = madd::<FMA>(h[l], sum, x[l]);
            }
            *at_mut(y, c) = out;
        }
    }
}

#[inline(always)]
fn stage_body<const FMA: bool>(
    s: usize,
    columns: &Columns,
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
        columns: &Columns,
        h: &Column,
        states: &mut [Column],
        chunks: usize,
    ) = stage_body, fused;
}

/// Squared error norm of eight lanes.
#[inline(always)]
fn error_chunk<const FMA: bool>(
    columns: &Columns,
    values: usize,
    new: &[Column],
    h: &Chunk,
    (limits, c): (&Limits, usize),
) -> Chunk {
    let q = columns.moving.len();
    let k: [&[Column]; STAGES] = std::array::from_fn(|j| &columns.k[j * q..(j + 1) * q]);
    let mut total = [0.0; CHUNK];
    for (i, column) in columns.moving[..values].iter().enumerate() {
        let (x, y) = (at(&columns.x[*column], c), at(&new[*column], c));
        let own: [&Chunk; STAGES] = std::array::from_fn(|j| at(&k[j][i], c));
        for l in 0..CHUNK {
            let mut error = E[0] * own[0][l];
            for j in 1..STAGES {
                error = madd::<FMA>(E[j], own[j][l], error);
            }
            let (a, b) = (x[l].abs(), y[l].abs());
            // Not a number stays: it must not pass for small.
            let size = select(a > b, a, b);
            let scaled = h[l] * error / madd::<FMA>(limits.rtol, size, limits.atol);
            total[l] = madd::<FMA>(scaled, scaled, total[l]);
        }
    }
    let share = 1.0 / values.max(1) as f64;
    total.map(|sum| sum * share)
}

/// The factor by which the step changes, from the logarithms of this error and the last accepted one.
#[inline(always)]
fn factor<const FMA: bool>(accepted: bool, log: f64, before: f64) -> f64 {
    let exponent = select(accepted, -0.17 * log + 0.04 * before, -0.2 * log);
    let factor = 0.9 * vmath::exp::<FMA>(exponent);
    let low = select(factor < 0.2, 0.2, factor);
    select(low > 10.0, 10.0, low)
}

#[inline(always)]
fn judge_body<const FMA: bool>(
    columns: &Columns,
    values: usize,
    new: &[Column],
    (limits, chunks): (&Limits, usize),
    clock: &mut Clock,
) -> Verdict {
    let mut verdict = Verdict::default();
    for c in 0..chunks {
        let h = *at(&clock.h, c);
        let squared = error_chunk::<FMA>(columns, values, new, &h, (limits, c));
        let (t, target, next) = (*at(&clock.t, c), at(&clock.target, c), at(&clock.next, c));
        let (free, before) = (*at(&clock.free, c), *at(&clock.log_error, c));
        let mut bits = [[false; CHUNK]; 3];
        let (mut size, mut log_error, mut steps) = (free, before, *at(&clock.steps, c));
        for l in 0..CHUNK {
            let accepted = squared[l] <= 1.0;
            // Errors below 1e-6 are as good as none; what is no number counts as large.
            let bounded = select(squared[l] < 1e8, squared[l], 1e8);
            let bounded = select(bounded > 1e-12, bounded, 1e-12);
            let log = 0.5 * vmath::ln_normal::<FMA>(bounded);
            let next_size = h[l] * factor::<FMA>(accepted, log, before[l]);
            // A step cut short says nothing against the size it was cut from.
            let kept = accepted & (h[l] < free[l]) & (next_size < free[l]);
            size[l] = select(kept, free[l], next_size);
            log_error[l] = select(accepted, log, before[l]);
            steps[l] += 1.0;
            let reached = accepted & ((t[l] + h[l] >= next[l]) | (h[l] >= target[l] - t[l]));
            let stuck = !accepted & (t[l] + size[l] == t[l]);
            bits[0][l] = accepted;
            bits[1][l] = reached;
            bits[2][l] = stuck | (steps[l] >= limits.max_steps);
        }
        *at_mut(&mut clock.free, c) = size;
        *at_mut(&mut clock.log_error, c) = log_error;
        *at_mut(&mut clock.steps, c) = steps;
        let [accepted, arrived, trouble] = bits.map(|row| {
            let flags = (0..CHUNK).map(|l| u64::from(row[l]) << l);
            flags.fold(0, |sum, bit| sum | bit) << (CHUNK * c)
        });
        verdict.accepted |= accepted;
        verdict.arrived |= arrived;
        verdict.trouble |= trouble;
    }
    verdict
}

per_isa! {
    /// Compare the error of the step with the tolerances and choose the next one. `new`: the states at its end.
    pub fn judge(
        columns: &Columns,
        values: usize,
        new: &[Column],
        limits: (&Limits, usize),
        clock: &mut Clock,
    ) -> Verdict = judge_body, fused;
}

#[inline(always)]
fn blend_body<const FMA: bool>(accepted: u64, from: &Column, to: &mut Column, chunks: usize) {
    for c in 0..chunks {
        let (x, y) = (at(from, c), at_mut(to, c));
        match (accepted >> (CHUNK * c)) & 0xff {
            0xff => *y = *x,
            0 => {}
            bits => {
                for l in 0..CHUNK {
                    y[l] = select((bits >> l) & 1 != 0, x[l], y[l]);
                }
            }
        }
    }
}

#[inline(always)]
fn commit_body<const FMA: bool>(
    accepted: u64,
    moving: &[usize],
    states: &[Column],
    (x, k): (&mut [Column], &mut [Column]),
    clock: &mut Clock,
    chunks: usize,
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
        accepted: u64,
        moving: &[usize],
        states: &[Column],
        columns: (&mut [Column], &mut [Column]),
        clock: &mut Clock,
        chunks: usize,
    ) = commit_body, fused;
}

#[inline(always)]
fn dense_body<const FMA: bool>(
    columns: &Columns,
    wanted: &[usize],
    (theta, h): (&Column, &Column),
    lanes: u64,
    out: &mut [Column],
) {
    let q = columns.moving.len();
    for c in (0..CHUNK).filter(|c| (lanes >> (CHUNK * c)) & 0xff != 0) {
        let (theta, h) = (at(theta, c), at(h, c));
        let mut weights = [[0.0; CHUNK]; STAGES];
        for s in 0..STAGES {
            for l in 0..CHUNK {
                weights[s][l] = h[l] * weight(s, theta[l]);
            }
        }
        for (i, y) in wanted.iter().zip(out.iter_mut()) {
            let mut sum = *at(&columns.x[columns.moving[*i]], c);
            for s in 0..STAGES {
                let k = at(&columns.k[s * q + i], c);
                for l in 0..CHUNK {
                    sum[l] = madd::<FMA>(weights[s][l], k[l], sum[l]);
                }
            }
            *at_mut(y, c) = sum;
        }
    }
}

per_isa! {
    /// `out = x + h sum_s b_s(theta) k_s` of the integrated columns `wanted`, in the eights that hold any of `lanes`.
    pub fn dense(
        columns: &Columns,
        wanted: &[usize],
        at: (&Column, &Column),
        lanes: u64,
        out: &mut [Column],
    ) = dense_body, fused;
}

#[inline(always)]
fn times_body<const FMA: bool>(t: &Column, h: &Column, share: f64, out: &mut Column) {
    for l in 0..out.0.len() {
        out.0[l] = madd::<FMA>(share, h.0[l], t.0[l]);
    }
}

per_isa! {
    /// `out = t + share h`
    pub fn times(t: &Column, h: &Column, share: f64, out: &mut Column) = times_body, fused;
}

#[inline(always)]
fn add_body<const FMA: bool>(x: &Column, sum: &mut Column, chunks: usize) {
    for c in 0..chunks {
        let (x, sum) = (at(x, c), at_mut(sum, c));
        for l in 0..CHUNK {
            sum[l] += x[l];
        }
    }
}

per_isa! {
    /// `sum += x`
    pub fn add(x: &Column, sum: &mut Column, chunks: usize) = add_body, fused;
}

/// Root mean square of `x` in units of the tolerances at `size`, in eight lanes.
#[inline(always)]
fn norm_chunk<const FMA: bool>(
    x: impl Fn(usize, usize) -> f64,
    size: impl Fn(usize, usize) -> f64,
    values: usize,
    limits: &Limits,
) -> Chunk {
    let mut total = [0.0; CHUNK];
    for i in 0..values {
        for l in 0..CHUNK {
            let scaled = x(i, l) / madd::<FMA>(limits.rtol, size(i, l), limits.atol);
            total[l] = madd::<FMA>(scaled, scaled, total[l]);
        }
    }
    let share = 1.0 / values.max(1) as f64;
    total.map(|sum| (sum * share).sqrt())
}

#[inline(always)]
fn guess_body<const FMA: bool>(
    columns: &Columns,
    values: usize,
    limits: &Limits,
    span: &Column,
    (guess, states): (&mut Column, &mut [Column]),
) {
    for c in 0..CHUNK {
        let x = |i: usize, l: usize| at(&columns.x[columns.moving[i]], c)[l];
        let f = |i: usize, l: usize| at(&columns.k[i], c)[l];
        let span = at(span, c);
        let mut h = span.map(|span| 0.01 * span);
        for i in 0..values {
            for l in 0..CHUNK {
                let (size, slope) = (x(i, l).abs(), f(i, l).abs());
                let own = 0.01 * size / slope;
                let counts = (size > limits.atol) & (own < h[l]);
                h[l] = select(counts, own, h[l]);
            }
        }
        *at_mut(guess, c) = h;
        for (i, column) in columns.moving.iter().enumerate() {
            let mut y = [0.0; CHUNK];
            for l in 0..CHUNK {
                y[l] = x(i, l) + h[l] * f(i, l);
            }
            *at_mut(&mut states[*column], c) = y;
        }
    }
}

per_isa! {
    /// A first guess of the first step, and the states after it by Euler's method.
    pub fn guess(
        columns: &Columns,
        values: usize,
        limits: &Limits,
        span: &Column,
        out: (&mut Column, &mut [Column]),
    ) = guess_body, fused;
}

#[inline(always)]
fn first_body<const FMA: bool>(
    columns: &Columns,
    values: usize,
    limits: &Limits,
    (states, span): (&[Column], &Column),
    guess: &mut Column,
) {
    let q = columns.moving.len();
    for c in 0..CHUNK {
        let h = *at(guess, c);
        let size = |i: usize, l: usize| {
            let column = columns.moving[i];
            let (a, b) = (at(&columns.x[column], c)[l], at(&states[column], c)[l]);
            select(a.abs() > b.abs(), a.abs(), b.abs())
        };
        let f = |i: usize, l: usize| at(&columns.k[i], c)[l];
        let bend = |i: usize, l: usize| (at(&columns.k[q + i], c)[l] - f(i, l)) / h[l];
        let slope = norm_chunk::<FMA>(f, size, values, limits);
        let second = norm_chunk::<FMA>(bend, size, values, limits);
        let span = at(span, c);
        let mut out = [0.0; CHUNK];
        for l in 0..CHUNK {
            let steep = select(slope[l] > second[l], slope[l], second[l]);
            let bounded = select(steep > 1e-15, steep, 1e-15);
            let size = vmath::exp::<FMA>(0.2 * vmath::ln::<FMA>(0.01 / bounded));
            let size = select(size < 100.0 * h[l], size, 100.0 * h[l]);
            out[l] = select(size < span[l], size, span[l]);
        }
        *at_mut(guess, c) = out;
    }
}

per_isa! {
    /// The first step (Hairer, Norsett & Wanner 1993, II.4): `guess` in, first step out. `states`: where the guess led,
    /// with its derivatives in the second stage.
    pub fn first(
        columns: &Columns,
        values: usize,
        limits: &Limits,
        at: (&[Column], &Column),
        guess: &mut Column,
    ) = first_body, fused;
}

#[inline(always)]
fn add_times_body<const FMA: bool>(factor: f64, h: &Column, x: &Column, sum: &mut Column) {
    for c in 0..CHUNK {
        let (h, x, sum) = (at(h, c), at(x, c), at_mut(sum, c));
        for l in 0..CHUNK {
            sum[l] = madd::<FMA>(factor * h[l], x[l], sum[l]);
        }
    }
}

per_isa! {
    /// `sum += factor h x`
    pub fn add_times(factor: f64, h: &Column, x: &Column, sum: &mut Column) = add_times_body, fused;
}
