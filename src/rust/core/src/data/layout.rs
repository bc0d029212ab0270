//! Arrange subjects and their copies in blocks of 64 lanes, rows outside, columns transposed.

use std::sync::Arc;

use super::cells::CellLayout;
use crate::ir::column::{Column, LANES};
use crate::ode::Lanes;

/// What a lane holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lane {
    pub subject: u32,
    /// Chain, draw or node: which copy of the subject.
    pub copy: u32,
}

/// Up to 64 lanes with as many rows as the longest of them.
#[derive(Debug, Clone)]
pub struct Block {
    /// The lanes in use; the others repeat the first one and never count.
    pub lanes: Vec<Lane>,
    pub n_rows: usize,
    /// Data-only values of the subject, one column each.
    pub subject: Vec<Column>,
    /// Data-only values of the rows, `[row][value]`.
    pub row: Vec<Column>,
    /// 1 where a row counts for an outcome, else 0, `[row][outcome]`.
    pub mask: Vec<Column>,
    /// What each lane meets while differential equations are solved.
    pub lanes_met: Option<Arc<Lanes>>,
}

/// Values that the program reads of the data.
pub struct ReadValues<'a> {
    /// `[value][subject]`
    pub subject: &'a [Vec<f64>],
    /// `[value][row of the data frame]`
    pub row: &'a [Vec<f64>],
    /// `[outcome][row of the data frame]`
    pub present: &'a [Vec<bool>],
}

/// All subjects, each `copies` times.
#[derive(Debug, Clone)]
pub struct Layout {
    pub blocks: Vec<Block>,
    pub copies: usize,
    pub n_subjects: usize,
    /// Rows of each subject in the order of the blocks' rows (rows of the data frame).
    pub rows: Vec<Vec<usize>>,
    /// The lanes taken apart by subject, where equations run through subjects and levels have rows of several.
    pub cells: Option<Arc<CellLayout>>,
}

impl Layout {
    /// Sort the subjects by their number of rows, the longest first, and fill the blocks.
    pub fn new(rows: Vec<Vec<usize>>, values: &ReadValues, copies: usize) -> Self {
        let all = (0..rows.len()).collect();
        Self::of(all, rows, values, copies)
    }

    /// The same for some of the subjects.
    pub fn of(
        mut order: Vec<usize>,
        rows: Vec<Vec<usize>>,
        values: &ReadValues,
        copies: usize,
    ) -> Self {
        order.sort_by_key(|i| std::cmp::Reverse(rows[*i].len()));
        let lanes: Vec<Lane> = order
            .into_iter()
            .flat_map(|subject| {
                (0..copies).map(move |copy| Lane {
                    subject: narrow(subject),
                    copy: narrow(copy),
                })
            })
            .collect();
        let blocks = lanes
            .chunks(LANES)
            .map(|lanes| block(lanes, &rows, values))
            .collect();
        Self {
            blocks,
            copies,
            n_subjects: rows.len(),
            rows,
            cells: None,
        }
    }

    /// Values of the subjects (`n_subjects x d`, row-major) in the lanes of a block, one column a coordinate; unused
    /// lanes repeat the first.
    pub fn columns(&self, b: usize, values: &[f64], d: usize) -> Vec<Column> {
        let lanes = &self.blocks[b].lanes;
        let subject = |l: usize| lanes.get(l).unwrap_or(&lanes[0]).subject as usize;
        (0..d)
            .map(|k| {
                Column(std::array::from_fn::<f64, LANES, _>(|l| {
                    values[subject(l) * d + k]
                }))
            })
            .collect()
    }

    /// Block and lane of `subject * copies + copy`.
    pub fn places(&self) -> Vec<(usize, usize)> {
        let mut places = vec![(0, 0); self.n_subjects * self.copies];
        for (b, block) in self.blocks.iter().enumerate() {
            for (l, lane) in block.lanes.iter().enumerate() {
                places[lane.subject as usize * self.copies + lane.copy as usize] = (b, l);
            }
        }
        places
    }
}

pub(super) use crate::ir::narrow;

pub(super) fn block(lanes: &[Lane], rows: &[Vec<usize>], values: &ReadValues) -> Block {
    let n_rows = lanes
        .iter()
        .map(|lane| rows[lane.subject as usize].len())
        .max()
        .unwrap_or(0);
    let lane = |l: usize| lanes.get(l).unwrap_or(&lanes[0]).subject as usize;
    let subject = values
        .subject
        .iter()
        .map(|value| Column(std::array::from_fn(|l| value[lane(l)])))
        .collect();
    let mut row = Vec::with_capacity(n_rows * values.row.len());
    let mut mask = Vec::with_capacity(n_rows * values.present.len());
    for j in 0..n_rows {
        // A lane with fewer rows repeats its last one: finite numbers that never count.
        let record = |l: usize| {
            let list = &rows[lane(l)];
            list.get(j).or(list.last()).copied()
        };
        for value in values.row {
            row.push(Column(std::array::from_fn(|l| {
                record(l).map_or(0.0, |r| value[r])
            })));
        }
        for present in values.present {
            mask.push(Column(std::array::from_fn(|l| {
                let counts = l < lanes.len() && j < rows[lane(l)].len();
                f64::from(u8::from(counts && record(l).is_some_and(|r| present[r])))
            })));
        }
    }
    Block {
        lanes: lanes.to_vec(),
        n_rows,
        subject,
        row,
        mask,
        lanes_met: None,
    }
}
