//! Interpolate within a step, and add columns.

use super::step::{at, at_mut, Chunk, StepColumns, CHUNK};
use super::tableau::weight;
use crate::ir::column::Column;
use crate::ir::vmath::double::madd;
use crate::ir::vmath::per_isa;

/// `h b_S(theta)` in eight lanes. The stage is constant: its coefficients are, and the loop is one over lanes.
#[inline(always)]
fn weights<const FMA: bool, const S: usize>(theta: &Chunk, h: &Chunk) -> Chunk {
    let mut weights = [0.0; CHUNK];
    for l in 0..CHUNK {
        weights[l] = h[l] * weight::<FMA>(S, theta[l]);
    }
    weights
}

#[inline(always)]
fn dense_body<const FMA: bool>(
    columns: &StepColumns,
    wanted: &[usize],
    (theta, h): (&Column, &Column),
    lanes: u64,
    out: &mut [Column],
) {
    let q = columns.moving.len();
    for c in (0..CHUNK).filter(|c| (lanes >> (CHUNK * c)) & 0xff != 0) {
        let (theta, h) = (at(theta, c), at(h, c));
        let weights = [
            weights::<FMA, 0>(theta, h),
            weights::<FMA, 1>(theta, h),
            weights::<FMA, 2>(theta, h),
            weights::<FMA, 3>(theta, h),
            weights::<FMA, 4>(theta, h),
            weights::<FMA, 5>(theta, h),
            weights::<FMA, 6>(theta, h),
        ];
        for (i, y) in wanted.iter().zip(out.iter_mut()) {
            let mut sum = *at(&columns.x[columns.moving[*i]], c);
            for (s, weights) in weights.iter().enumerate() {
                let k = at(&columns.k[s * q + i], c);
                for l in 0..CHUNK {
                    sum[l] = madd::<FMA>(weights[l], k[l], sum[l]);
                }
            }
            *at_mut(y, c) = sum;
        }
    }
}

per_isa! {
    /// `out = x + h sum_s b_s(theta) k_s` of the integrated columns `wanted`, in the eights that hold any of `lanes`.
    pub fn dense(
        columns: &StepColumns,
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
