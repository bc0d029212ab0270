//! Draw random numbers addressed by (seed, purpose, iteration, subject, chain, draw), never by thread or lane.
//!
//! The generator is Philox4x32-10 (Salmon et al. 2011): a bijection of 128-bit counters keyed by the seed. A counter is
//! `(subject, chain, iteration, purpose | kind | draw / 2)`; its four words give two uniform numbers of 52 bits, from
//! which the method of Box & Muller (1958) makes two normal numbers. The transform avoids fused multiply-add: the same
//! address gives the same bits on every processor.

use crate::ir::vmath::{ln, per_isa, sin_cos_turn, Isa};

/// The number of lanes of a block.
pub const LANES: usize = 64;

/// One number for every lane of a block.
pub type Column = [f64; LANES];

/// Draws of one address, of either kind, are numbered below this.
pub const MAX_DRAWS: u32 = 1 << 24;

/// What random numbers are for; no two purposes share an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Purpose {
    /// First values of the chains.
    Start,
    /// Proposals and acceptance of the samplers within an estimator.
    Sampler,
    /// Sampling from the conditional distributions at given population parameters.
    Conditional,
    /// Importance sampling of the likelihood.
    Importance,
    /// Noise of the variational approximation.
    Variational,
    /// Order and composition of mini-batches.
    Batch,
    /// First values of network weights.
    Weights,
    /// Random effects of simulated subjects.
    Effects,
    /// Residual errors of simulated observations.
    Residual,
    /// Resampling of subjects.
    Resample,
}

/// Who occupies the lanes of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneIds {
    /// The subject of each lane.
    pub subject: [u32; LANES],
    /// The chain, or replicate, of each lane.
    pub chain: [u32; LANES],
}

/// The random numbers of one seed and purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    /// The seed of the fit.
    pub seed: u64,
    /// What the numbers are for.
    pub purpose: Purpose,
}

/// The part of an address that the lanes of a block share.
#[derive(Clone, Copy)]
struct Shared {
    key: [u32; 2],
    iteration: u32,
    /// Purpose and kind, in the upper nine bits.
    label: u32,
    draw: u32,
}

const UNIFORM: u32 = 0;
const NORMAL: u32 = 1;

impl Stream {
    /// Fill columns with uniform numbers in (0, 1): column `c` holds draw `draw + c`.
    ///
    /// `draw + out.len() <= MAX_DRAWS`. Uniform and normal numbers of equal draw are independent.
    pub fn uniforms(&self, isa: Isa, lanes: &LaneIds, iteration: u32, draw: u32, out: &mut [Column]) {
        fill_uniforms(isa, self.shared(UNIFORM, iteration, draw, out.len()), lanes, out);
    }

    /// Fill columns with standard normal numbers: column `c` holds draw `draw + c`.
    ///
    /// `draw + out.len() <= MAX_DRAWS`. Draws `2k` and `2k + 1` come together: an even `draw` and an even number of
    /// columns waste none.
    pub fn normals(&self, isa: Isa, lanes: &LaneIds, iteration: u32, draw: u32, out: &mut [Column]) {
        fill_normals(isa, self.shared(NORMAL, iteration, draw, out.len()), lanes, out);
    }

    fn shared(&self, kind: u32, iteration: u32, draw: u32, columns: usize) -> Shared {
        debug_assert!(u64::from(draw) + columns as u64 <= u64::from(MAX_DRAWS));
        Shared {
            key: [(self.seed & 0xffff_ffff) as u32, (self.seed >> 32) as u32],
            iteration,
            label: (self.purpose as u32) << 24 | kind << 23,
            draw,
        }
    }
}

/// Philox4x32-10: the block function.
#[inline(always)]
pub fn philox(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let [mut c0, mut c1, mut c2, mut c3] = counter;
    let [mut k0, mut k1] = key;
    for _ in 0..10 {
        let p0 = u64::from(c0) * 0xd251_1f53;
        let p1 = u64::from(c2) * 0xcd9e_8d57;
        (c0, c1, c2, c3) = (high(p1) ^ c1 ^ k0, low(p1), high(p0) ^ c3 ^ k1, low(p0));
        k0 = k0.wrapping_add(0x9e37_79b9);
        k1 = k1.wrapping_add(0xbb67_ae85);
    }
    [c0, c1, c2, c3]
}

#[inline(always)]
fn high(product: u64) -> u32 {
    (product >> 32) as u32
}

#[inline(always)]
fn low(product: u64) -> u32 {
    (product & 0xffff_ffff) as u32
}

/// `(k + 1/2) / 2^52` with the upper 52 bits `k` of the two words.
#[inline(always)]
fn uniform(upper: u32, lower: u32) -> f64 {
    let bits = (u64::from(upper) << 32 | u64::from(lower)) >> 12;
    f64::from_bits(bits | 1.0f64.to_bits()) - (1.0 - 0.5 * f64::EPSILON)
}

/// Two independent standard normal numbers from two uniform ones.
#[inline(always)]
fn box_muller(u: f64, turn: f64) -> [f64; 2] {
    let radius = (-2.0 * ln::<false>(u)).sqrt();
    let (sin, cos) = sin_cos_turn::<false>(turn);
    [radius * cos, radius * sin]
}

/// The two numbers of one lane: draws `2k` and `2k + 1`.
#[inline(always)]
fn numbers<const NORMALS: bool>(words: [u32; 4]) -> [f64; 2] {
    let pair = [uniform(words[0], words[1]), uniform(words[2], words[3])];
    if NORMALS {
        box_muller(pair[0], pair[1])
    } else {
        pair
    }
}

/// Draws `draw` and `draw + 1` of all lanes, for an even `draw`.
#[inline(always)]
fn fill_pair<const NORMALS: bool>(shared: Shared, lanes: &LaneIds, draw: u32, even: &mut Column, odd: &mut Column) {
    let last = shared.label | draw >> 1;
    for j in 0..LANES {
        let words = philox([lanes.subject[j], lanes.chain[j], shared.iteration, last], shared.key);
        [even[j], odd[j]] = numbers::<NORMALS>(words);
    }
}

#[inline(always)]
fn fill<const NORMALS: bool>(shared: Shared, lanes: &LaneIds, out: &mut [Column]) {
    let mut spare = [0.0; LANES];
    let mut draw = shared.draw & !1;
    let mut columns = out;
    if shared.draw & 1 == 1 {
        let Some((odd, rest)) = columns.split_first_mut() else {
            return;
        };
        fill_pair::<NORMALS>(shared, lanes, draw, &mut spare, odd);
        draw += 2;
        columns = rest;
    }
    for pair in columns.chunks_mut(2) {
        match pair {
            [even, odd] => fill_pair::<NORMALS>(shared, lanes, draw, even, odd),
            [even] => fill_pair::<NORMALS>(shared, lanes, draw, even, &mut spare),
            _ => {}
        }
        draw += 2;
    }
}

#[inline(always)]
fn uniforms_body<const FMA: bool>(shared: Shared, lanes: &LaneIds, out: &mut [Column]) {
    fill::<false>(shared, lanes, out);
}

#[inline(always)]
fn normals_body<const FMA: bool>(shared: Shared, lanes: &LaneIds, out: &mut [Column]) {
    fill::<true>(shared, lanes, out);
}

per_isa! {
    fn fill_uniforms(shared: Shared, lanes: &LaneIds, out: &mut [Column]) = uniforms_body, plain;
}
per_isa! {
    fn fill_normals(shared: Shared, lanes: &LaneIds, out: &mut [Column]) = normals_body, plain;
}

#[cfg(test)]
mod tests;
