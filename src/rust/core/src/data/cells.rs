//! Divide the rows of each level by subject, where differential equations run through the rows of a subject.
//!
//! A level of a grouping above or across the subjects (a site, an assay) has rows of several of them. Its *cells* are the
//! rows it has of one subject: in a cell the equations have one course in time, as in a subject.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::frame::{Frame, GroupingColumn};
use super::layout::{self, Block, Lane, Layout};
use super::records::Records;
use crate::ir::column::LANES;
use crate::model::Model;

/// The cells of a grouping, ordered by level, then by subject.
#[derive(Debug, Clone)]
pub struct Cells {
    /// The rows with the cells for levels.
    pub records: Records,
    /// The level of each cell.
    pub level: Vec<usize>,
    /// The subject of each cell.
    pub subject: Vec<usize>,
}

impl Cells {
    /// `None` for the grouping by subject itself.
    pub(super) fn new(
        model: &Model,
        frame: &Frame,
        grouping: &GroupingColumn,
        columns: &Arc<Vec<Vec<f64>>>,
    ) -> Option<Arc<Self>> {
        if grouping.codes == frame.codes {
            return None;
        }
        let pairs = || {
            grouping
                .codes
                .iter()
                .copied()
                .zip(frame.codes.iter().copied())
        };
        let mut numbers: BTreeMap<(usize, usize), usize> = pairs().map(|pair| (pair, 0)).collect();
        for (i, number) in numbers.values_mut().enumerate() {
            *number = i;
        }
        let label = |(level, subject): &(usize, usize)| {
            format!("{}:{}", grouping.labels[*level], frame.labels[*subject])
        };
        let own = GroupingColumn {
            name: format!("{}:{}", grouping.name, frame.group),
            labels: numbers.keys().map(label).collect(),
            codes: pairs().map(|pair| numbers[&pair]).collect(),
        };
        let (level, subject) = numbers.keys().copied().unzip();
        Some(Arc::new(Self {
            records: Records::of(model, frame, own, columns),
            level,
            subject,
        }))
    }
}

/// The lanes of a layout taken apart into cells.
#[derive(Debug, Clone)]
pub struct CellLayout {
    /// Lanes are cells in a copy; those of one block of the outer layout stand together.
    pub layout: Layout,
    /// The inner blocks of each outer block.
    pub blocks: Vec<Range<usize>>,
    /// For each inner block the outer lane of each lane.
    pub lanes: Vec<Vec<usize>>,
    /// For each cell where its rows stand among those of its level.
    pub rows: Vec<Vec<usize>>,
    /// For each outer block the number of cells in each lane.
    pub counts: Vec<Vec<f64>>,
}

impl CellLayout {
    pub fn new(cells: &Cells, outer: &Layout, values: &layout::ReadValues) -> Self {
        let n = cells.level.len();
        let mut own: Vec<Vec<usize>> = vec![Vec::new(); n];
        let mut rows: Vec<Vec<usize>> = vec![Vec::new(); n];
        for list in &outer.rows {
            for (position, row) in list.iter().enumerate() {
                let cell = cells.records.codes[*row];
                own[cell].push(*row);
                rows[cell].push(position);
            }
        }
        let mut of_level: Vec<Vec<usize>> = vec![Vec::new(); outer.rows.len()];
        for (cell, level) in cells.level.iter().enumerate() {
            if !own[cell].is_empty() {
                of_level[*level].push(cell);
            }
        }
        let (mut inner, mut lanes): (Vec<Block>, Vec<Vec<usize>>) = (Vec::new(), Vec::new());
        let (mut blocks, mut counts) = (Vec::new(), Vec::new());
        for block in &outer.blocks {
            let of = |lane: &Lane| &of_level[lane.subject as usize];
            let mut each: Vec<(usize, Lane)> = (block.lanes.iter().enumerate())
                .flat_map(|(l, lane)| {
                    let copy = lane.copy;
                    of(lane).iter().map(move |cell| {
                        let subject = layout::narrow(*cell);
                        (l, Lane { subject, copy })
                    })
                })
                .collect();
            // Cells of one length together, so that few lanes wait for others.
            each.sort_by_key(|(_, lane)| std::cmp::Reverse(own[lane.subject as usize].len()));
            let first = inner.len();
            for chunk in each.chunks(LANES) {
                let own_lanes: Vec<Lane> = chunk.iter().map(|(_, lane)| *lane).collect();
                inner.push(layout::block(&own_lanes, &own, values));
                lanes.push(chunk.iter().map(|(l, _)| *l).collect());
            }
            blocks.push(first..inner.len());
            counts.push(
                block
                    .lanes
                    .iter()
                    .map(|lane| of(lane).len() as f64)
                    .collect(),
            );
        }
        Self {
            layout: Layout {
                blocks: inner,
                copies: outer.copies,
                n_subjects: n,
                rows: own,
                cells: None,
            },
            blocks,
            lanes,
            rows,
            counts,
        }
    }
}
