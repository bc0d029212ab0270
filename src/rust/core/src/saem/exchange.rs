//! Draw from the ridge on which two effects trade; see `problem::Exchange`.
//!
//! With `r = phi - m` and `w = Omega^-1 r`, the conditional density of `delta` in `phi_a + delta`, `phi_b - delta` is
//! Gaussian: its precision sums the diagonal elements of both precisions over the levels of the set, its linear term
//! is `sum w_b - sum w_a`.

use super::part::GroupingRun;
use crate::ir::column::{Column, LANES};
use crate::ir::vmath::Isa;
use crate::problem::Exchange;
use crate::random::{LaneIds, Purpose, Stream};

/// Move every set of levels of every pair in every chain once. `turn` addresses the random numbers.
pub fn exchange(parts: &mut [GroupingRun], exchanges: &[Exchange], seed: u64, turn: u32) {
    let stream = Stream {
        seed,
        purpose: Purpose::Exchange,
    };
    for (draw, exchange) in (0u32..).zip(exchanges) {
        let copies = parts[0].layout().copies;
        let all: Vec<(usize, usize)> = (0..exchange.sets.len())
            .flat_map(|set| (0..copies).map(move |copy| (set, copy)))
            .collect();
        for chunk in all.chunks(LANES) {
            let id = |f: fn(&(usize, usize)) -> usize| {
                std::array::from_fn(|l| chunk.get(l).map_or(0, |x| f(x) as u32))
            };
            let lanes = LaneIds {
                subject: id(|x| x.0),
                chain: id(|x| x.1),
            };
            let mut noise = [Column::ZERO; 2];
            stream.normals(Isa::detect(), &lanes, turn, 2 * draw, &mut noise);
            for (l, (set, copy)) in chunk.iter().enumerate() {
                let (a, b) = &exchange.sets[*set];
                let side = |at: (usize, usize), levels: &[usize]| Side {
                    group: at.0,
                    effect: at.1,
                    levels: levels.to_vec(),
                    copy: *copy,
                };
                let sides = [side(exchange.plus, a), side(exchange.minus, b)];
                trade(parts, &sides, noise[0].0[l]);
            }
        }
    }
}

/// One effect of a set of levels in a chain.
struct Side {
    group: usize,
    effect: usize,
    levels: Vec<usize>,
    copy: usize,
}

impl Side {
    /// Sum of `w` and of the precision over the levels; `None` when some level is held.
    fn pull(&self, part: &GroupingRun) -> Option<(f64, f64)> {
        let chains = part.chains.as_ref()?;
        let (prior, means) = (part.population.at.prior(), part.population.means());
        let (mut pull, mut precision) = (0.0, 0.0);
        for level in &self.levels {
            if part.problem().is_held(*level, self.effect) {
                return None;
            }
            let (block, lane) = part.place(*level, self.copy);
            let mean = means.of(*level);
            pull += prior.pull(self.effect, |j| chains.phi(block, lane, j) - mean[j]);
            precision += prior.precision[(self.effect, self.effect)];
        }
        Some((pull, precision))
    }

    fn shift(&self, part: &mut GroupingRun, delta: f64) {
        for level in &self.levels {
            let (block, lane) = part.place(*level, self.copy);
            if let Some(chains) = &mut part.chains {
                *chains.phi_mut(block, lane, self.effect) += delta;
            }
        }
    }
}

fn trade(parts: &mut [GroupingRun], sides: &[Side; 2], noise: f64) {
    let pull = |side: &Side| side.pull(&parts[side.group]);
    let (Some((a, p)), Some((b, q))) = (pull(&sides[0]), pull(&sides[1])) else {
        return;
    };
    let delta = (b - a) / (p + q) + noise / (p + q).sqrt();
    if delta.is_finite() {
        sides[0].shift(&mut parts[sides[0].group], delta);
        sides[1].shift(&mut parts[sides[1].group], -delta);
    }
}
