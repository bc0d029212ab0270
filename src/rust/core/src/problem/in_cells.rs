//! Evaluate a program whose levels have rows of several subjects: differential equations run through a subject.
//!
//! `log p(y | phi) = sum_cells log p(y_cell | phi)`, a cell being the rows that a level has of one subject. The cells are
//! lanes of their own, which read `phi` from the lane of their level and add their sums, gradients and information to it.
//! Terms counted once a level are in every cell, so all but one of them are taken off again.

use std::sync::Arc;

use super::differentiate::{DerivativeScratch, Derivatives};
use super::evaluate::BoundProgram;
use super::information::LaneInformation;
use super::known::Known;
use crate::data::{CellLayout, Layout};
use crate::ir::column::{Column, LANES};

/// A program bound to the cells of a layout.
pub(super) struct InCells<'a, P> {
    pub program: P,
    cells: &'a CellLayout,
}

impl<'a, P> InCells<'a, P> {
    /// `None` where the levels are subjects, or `by_row` says that the program reads no rows.
    pub fn new(
        layout: &'a Layout,
        by_row: bool,
        program: impl FnOnce(&'a Layout) -> P,
    ) -> Option<Box<Self>> {
        let cells = layout.cells.as_deref().filter(|_| by_row)?;
        Some(Box::new(Self {
            program: program(&cells.layout),
            cells,
        }))
    }

    /// The inner blocks of block `b`, each with the outer lanes of its lanes.
    fn blocks(&self, b: usize) -> impl Iterator<Item = (usize, &[usize])> {
        let inner = self.cells.blocks[b].clone();
        inner.map(|i| (i, self.cells.lanes[i].as_slice()))
    }

    /// What is counted once a level, times one less the number of its cells.
    fn surplus(&self, b: usize, column: &Column) -> Column {
        let counts = &self.cells.counts[b];
        Column(std::array::from_fn::<f64, LANES, _>(|l| {
            // One cell has it once, even where it is infinite.
            match counts.get(l).map_or(0.0, |n| 1.0 - n) {
                0.0 => 0.0,
                times => times * column.0[l],
            }
        }))
    }
}

impl Known {
    /// The columns of the cells, block after block.
    pub(super) fn of_cells(known: &[Self]) -> Arc<Vec<Self>> {
        let cells = known.iter().flat_map(|block| block.cells.iter().cloned());
        Arc::new(cells.collect())
    }
}

/// Columns of the levels in the lanes of their cells; unused lanes repeat the first.
fn spread(lanes: &[usize], columns: &[Column]) -> Vec<Column> {
    let lane = |l: usize| *lanes.get(l).unwrap_or(&lanes[0]);
    let spread =
        |column: &Column| Column(std::array::from_fn::<f64, LANES, _>(|l| column.0[lane(l)]));
    columns.iter().map(spread).collect()
}

/// Add the lanes of cells to those of their levels.
fn collect(lanes: &[usize], cells: &Column, levels: &mut Column) {
    for (lane, value) in lanes.iter().zip(cells.0) {
        levels.0[*lane] += value;
    }
}

impl BoundProgram<'_> {
    /// Log-likelihood of the observations of each lane of block `b`, the sum over its cells.
    pub(super) fn log_lik_of_cells(
        &self,
        inner: &InCells<BoundProgram>,
        b: usize,
        phi: &[Column],
        work: &mut Vec<Column>,
    ) -> Column {
        let mut sum = Column::ZERO;
        if self.program.adds_subjects {
            sum = inner.surplus(b, &self.begin(b, phi, work));
        }
        for (i, lanes) in inner.blocks(b) {
            let value = inner.program.log_lik(i, &spread(lanes, phi), work);
            collect(lanes, &value, &mut sum);
        }
        sum
    }

    /// Values wanted at every row, gathered from the cells before they are shown in the order of the levels' rows.
    pub(super) fn rows_of_cells(
        &self,
        inner: &InCells<BoundProgram>,
        b: usize,
        phi: &[Column],
        work: &mut Vec<Column>,
        visit: &mut dyn FnMut(usize, usize, &Column),
    ) {
        let (n_roots, n_rows) = (self.program.row_roots.len(), self.layout.blocks[b].n_rows);
        let mut found = vec![Column::ZERO; n_roots * n_rows];
        for (i, lanes) in inner.blocks(b) {
            let block = &inner.cells.layout.blocks[i];
            let phi = spread(lanes, phi);
            inner
                .program
                .visit_rows(i, &phi, work, &mut |row, root, column| {
                    for ((own, lane), value) in block.lanes.iter().zip(lanes).zip(column.0) {
                        let rows = &inner.cells.rows[own.subject as usize];
                        if let Some(at) = rows.get(row) {
                            found[at * n_roots + root].0[*lane] = value;
                        }
                    }
                });
        }
        for (k, column) in found.iter().enumerate() {
            visit(k / n_roots, k % n_roots, column);
        }
    }
}

impl Derivatives<'_> {
    /// Value of each lane; the adjoints of `phi` and of the population values are left in `scratch`.
    pub(super) fn sweep_cells(
        &self,
        inner: &InCells<Derivatives>,
        b: usize,
        phi: &[Column],
        scratch: &mut DerivativeScratch,
    ) -> Column {
        let mut sum = inner.surplus(b, &self.sweep_level(b, phi, scratch));
        let wanted = self.program.phi_adjoint(0)..self.program.n_adjoints();
        for column in &mut scratch.adjoint[wanted.clone()] {
            *column = inner.surplus(b, column);
        }
        let mut own = scratch.cells.take().unwrap_or_default();
        for (i, lanes) in inner.blocks(b) {
            let value = inner.program.sweep(i, &spread(lanes, phi), &mut own);
            collect(lanes, &value, &mut sum);
            let levels = &mut scratch.adjoint[wanted.clone()];
            for (level, cell) in levels.iter_mut().zip(&own.adjoint[wanted.clone()]) {
                collect(lanes, cell, level);
            }
        }
        scratch.cells = Some(own);
        sum
    }

    /// Expected information about `phi` in the observations of each lane, the sum over its cells.
    pub(super) fn information_of_cells(
        &self,
        inner: &InCells<Derivatives>,
        b: usize,
        phi: &[Column],
        scratch: &mut DerivativeScratch,
    ) -> LaneInformation {
        let mut sum = self.information_of_rows(b, phi, scratch, 0);
        for element in &mut sum.elements {
            *element = inner.surplus(b, element);
        }
        let mut own = scratch.cells.take().unwrap_or_default();
        for (i, lanes) in inner.blocks(b) {
            let cell = inner.program.information(i, &spread(lanes, phi), &mut own);
            for (level, cell) in sum.elements.iter_mut().zip(&cell.elements) {
                collect(lanes, cell, level);
            }
        }
        scratch.cells = Some(own);
        sum
    }
}
