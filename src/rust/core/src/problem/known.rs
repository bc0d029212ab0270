//! Give the effects of the other groupings as columns: values that are known while one grouping's own effects move.
//!
//! [`super::Stored`] gives other values in the same columns.

use super::{Joint, Problem};
use crate::data::{Block, Layout};
use crate::ir::column::{Column, LANES};

/// Columns of one block.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Values that are constant for the level of a lane.
    pub subject: Vec<Column>,
    /// `[row][value]`
    pub row: Vec<Column>,
    /// Where the levels are taken apart by subject, the columns of these cells; then none at the rows here.
    pub cells: Vec<Known>,
}

/// Where the effects of the groupings stand: draws of chains, modes, or given values.
pub trait EffectDraws {
    /// `phi` of effect `k` (counted within its grouping) of a level in a copy.
    fn phi(&self, group: usize, k: usize, level: usize, copy: usize) -> f64;
}

/// The same `phi` in all copies.
#[derive(Debug, Clone)]
pub struct EffectValues {
    /// For each grouping `levels x d`, row-major.
    pub values: Vec<Vec<f64>>,
    pub dims: Vec<usize>,
}

impl EffectValues {
    /// The effects of a level.
    pub fn of(&self, group: usize, level: usize) -> &[f64] {
        let d = self.dims[group];
        &self.values[group][level * d..(level + 1) * d]
    }
}

impl EffectDraws for EffectValues {
    fn phi(&self, group: usize, k: usize, level: usize, _copy: usize) -> f64 {
        self.values[group][level * self.dims[group] + k]
    }
}

impl Joint {
    /// Columns for every block of a layout of `part`; nothing when its programs read no effect of another grouping.
    pub fn known(&self, part: &Problem, layout: &Layout, draws: &dyn EffectDraws) -> Vec<Known> {
        if part.known_subject.is_empty() && part.known_row.is_empty() {
            return Vec::new();
        }
        let of = |block: &Block, layout: &Layout| self.known_block(part, layout, block, draws);
        let known = |(b, block): (usize, &Block)| {
            let mut known = of(block, layout);
            if let Some(cells) = &layout.cells {
                let inner = &cells.layout.blocks[cells.blocks[b].clone()];
                known.cells = inner.iter().map(|own| of(own, &cells.layout)).collect();
            }
            known
        };
        layout.blocks.iter().enumerate().map(known).collect()
    }

    fn known_block(
        &self,
        part: &Problem,
        layout: &Layout,
        block: &Block,
        draws: &dyn EffectDraws,
    ) -> Known {
        let lane = |l: usize| block.lanes.get(l).unwrap_or(&block.lanes[0]);
        let record = |l: usize, j: usize| {
            let rows = &layout.rows[lane(l).subject as usize];
            rows.get(j).or(rows.last()).copied()
        };
        let column = |effect: usize, j: usize| {
            let group = part.model.effects[effect].group;
            let k = effect - part.model.effects_of(group).start;
            let codes = &self.parts[group].records.codes;
            Column(std::array::from_fn::<f64, LANES, _>(|l| {
                // A level without observed rows reads nothing.
                record(l, j).map_or(0.0, |row| {
                    draws.phi(group, k, codes[row], lane(l).copy as usize)
                })
            }))
        };
        let rows = match layout.cells {
            Some(_) => 0..0,
            None => 0..block.n_rows,
        };
        Known {
            subject: part.known_subject.iter().map(|k| column(*k, 0)).collect(),
            row: rows
                .flat_map(|j| part.known_row.iter().map(move |k| (j, *k)))
                .map(|(j, k)| column(k, j))
                .collect(),
            cells: Vec::new(),
        }
    }
}
