//! Choose the first step (Hairer, Norsett & Wanner 1993, II.4).
//!
//! A guess `h_0` changes no state by more than a hundredth; with the derivatives `f_0` before and `f_1` after such a step of
//! Euler's method `h^5 max(|f_0|, |f_1 - f_0| / h_0) = 0.01`, in the norm of the error.

use super::step::{at, at_mut, Chunk, ErrorLimits, StepColumns, CHUNK};
use crate::ir::column::Column;
use crate::ir::vmath::double::{madd, select};
use crate::ir::vmath::{self, per_isa};

/// Root mean square of `x` in units of the tolerances at `size`, in eight lanes.
#[inline(always)]
fn norm_chunk<const FMA: bool>(
    x: impl Fn(usize, usize) -> f64,
    size: impl Fn(usize, usize) -> f64,
    values: usize,
    limits: &ErrorLimits,
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
    columns: &StepColumns,
    values: usize,
    limits: &ErrorLimits,
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
        columns: &StepColumns,
        values: usize,
        limits: &ErrorLimits,
        span: &Column,
        out: (&mut Column, &mut [Column]),
    ) = guess_body, fused;
}

#[inline(always)]
fn first_body<const FMA: bool>(
    columns: &StepColumns,
    values: usize,
    limits: &ErrorLimits,
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
        columns: &StepColumns,
        values: usize,
        limits: &ErrorLimits,
        at: (&[Column], &Column),
        guess: &mut Column,
    ) = first_body, fused;
}
