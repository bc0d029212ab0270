//! Put things in random order.

use super::{LaneIds, Stream};
use crate::ir::column::{Column, LANES};
use crate::ir::vmath::Isa;

impl Stream {
    /// `0..n` in random order: by `n` uniform numbers of the iteration, the smallest first.
    pub fn order(&self, n: usize, iteration: u32) -> Vec<usize> {
        let mut keys: Vec<(f64, usize)> = Vec::with_capacity(n);
        for first in (0..n).step_by(LANES) {
            let ids = LaneIds {
                subject: std::array::from_fn(|l| u32::try_from(first + l).unwrap_or(u32::MAX)),
                chain: [0; LANES],
            };
            let mut column = [Column::ZERO];
            self.uniforms(Isa::detect(), &ids, iteration, 0, &mut column);
            keys.extend((first..n.min(first + LANES)).map(|k| (column[0].0[k - first], k)));
        }
        keys.sort_by(|a, b| a.0.total_cmp(&b.0));
        keys.into_iter().map(|(_, k)| k).collect()
    }
}
