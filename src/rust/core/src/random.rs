//! Draw random numbers addressed by (seed, purpose, iteration, subject, chain, draw), never by thread or lane.
//!
//! The generator is Philox4x32-10 (Salmon et al. 2011): a bijection of 128-bit counters keyed by the seed. A counter is
//! `(subject, chain, iteration, purpose | kind | draw / 2)`; its four words give two uniform numbers of 52 bits, from
//! which the method of Box & Muller (1958) makes two normal numbers. The transform avoids fused multiply-add: the same
//! address gives the same bits on every processor.

use crate::ir::column::{Column, LANES};
use crate::ir::vmath::{ln_normal, per_isa, sin_cos_turn, Isa};

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
    /// Trades between effects of two groupings.
    Exchange,
    /// Effects and outcomes simulated from a model.
    Simulation,
    /// The batches that an iteration draws for.
    Minibatch,
    /// Starts of the search for conditional modes.
    ModeStart,
    /// Points of importance sampling.
    Importance,
    /// Points at which expectations under a variational distribution are computed.
    Bound,
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

/// The low half of a word of 64 bits.
const LOW: u64 = 0xffff_ffff;

const UNIFORM: u32 = 0;
const NORMAL: u32 = 1;

impl Stream {
    /// Fill columns with uniform numbers in (0, 1): column `c` holds draw `draw + c`.
    ///
    /// `draw + out.len() <= MAX_DRAWS`. Uniform and normal numbers of equal draw are independent.
    pub fn uniforms(
        &self,
        isa: Isa,
        lanes: &LaneIds,
        iteration: u32,
        draw: u32,
        out: &mut [Column],
    ) {
        fill_uniforms(
            isa,
            self.shared(UNIFORM, iteration, draw, out.len()),
            lanes,
            out,
        );
    }

    /// Fill columns with standard normal numbers: column `c` holds draw `draw + c`.
    ///
    /// `draw + out.len() <= MAX_DRAWS`. Draws `2k` and `2k + 1` come together: an even `draw` and an even number of
    /// columns waste none.
    pub fn normals(
        &self,
        isa: Isa,
        lanes: &LaneIds,
        iteration: u32,
        draw: u32,
        out: &mut [Column],
    ) {
        fill_normals(
            isa,
            self.shared(NORMAL, iteration, draw, out.len()),
            lanes,
            out,
        );
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

/// Philox4x32-10, the block function, on words in the low halves of 64 bits; the high halves are arbitrary.
///
/// A product of low halves then is one instruction, and no half is ever moved but the upper one of a product.
#[inline(always)]
fn philox(counter: [u64; 4], key: [u32; 2]) -> [u64; 4] {
    let [mut c0, mut c1, mut c2, mut c3] = counter;
    let [mut k0, mut k1] = key;
    for _ in 0..10 {
        let p0 = (c0 & LOW) * 0xd251_1f53;
        let p1 = (c2 & LOW) * 0xcd9e_8d57;
        c0 = (p1 >> 32) ^ c1 ^ u64::from(k0);
        c2 = (p0 >> 32) ^ c3 ^ u64::from(k1);
        c1 = p1;
        c3 = p0;
        k0 = k0.wrapping_add(0x9e37_79b9);
        k1 = k1.wrapping_add(0xbb67_ae85);
    }
    [c0, c1, c2, c3]
}

/// `(k + 1/2) / 2^52` with the upper 52 bits `k` of the low halves of the two words.
#[inline(always)]
fn uniform(upper: u64, lower: u64) -> f64 {
    let bits = (upper << 32 | (lower & LOW)) >> 12;
    f64::from_bits(bits | 1.0f64.to_bits()) - (1.0 - 0.5 * f64::EPSILON)
}

/// Two independent standard normal numbers from two uniform ones.
#[inline(always)]
fn box_muller(u: f64, turn: f64) -> [f64; 2] {
    let radius = (-2.0 * ln_normal::<false>(u)).sqrt();
    let (sin, cos) = sin_cos_turn::<false>(turn);
    [radius * cos, radius * sin]
}

/// Draws `draw` and `draw + 1` of all lanes, for an even `draw`.
///
/// Two loops: one would have a chain of operations too long for the processor to overlap its turns.
#[inline(always)]
fn fill_pair<const NORMALS: bool>(
    shared: Shared,
    lanes: &LaneIds,
    draw: u32,
    even: &mut Column,
    odd: &mut Column,
) {
    let iteration = u64::from(shared.iteration);
    let last = u64::from(shared.label | draw >> 1);
    for j in 0..LANES {
        let lane = [u64::from(lanes.subject[j]), u64::from(lanes.chain[j])];
        let words = philox([lane[0], lane[1], iteration, last], shared.key);
        even.0[j] = uniform(words[0], words[1]);
        odd.0[j] = uniform(words[2], words[3]);
    }
    if NORMALS {
        for j in 0..LANES {
            [even.0[j], odd.0[j]] = box_muller(even.0[j], odd.0[j]);
        }
    }
}

#[inline(always)]
fn fill<const NORMALS: bool>(shared: Shared, lanes: &LaneIds, out: &mut [Column]) {
    let mut spare = Column::ZERO;
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

mod order;
#[cfg(test)]
mod tests;
