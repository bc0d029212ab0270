//! Differentiate where values are carried from row to row: all rows forward, then all rows back.

use super::differentiate::{DerivativeScratch, Derivatives};
use crate::ir::column::{Column, LANES};

/// Reads a row, the values that it leaves and their adjoints.
pub(super) type VisitRow<'v> = dyn FnMut(usize, &[Column], &[Column]) + 'v;

impl Derivatives<'_> {
    /// The sweep where rows depend on the rows before: all rows forward, then all rows back.
    ///
    /// `visit(row, left, adjoint)`: the values that a row leaves and their adjoints, from the last row to the first.
    pub(super) fn sweep_carried(
        &self,
        b: usize,
        phi: &[Column],
        scratch: &mut DerivativeScratch,
        visit: &mut VisitRow,
    ) -> Column {
        let program = self.program;
        let n_rows = self.layout.blocks[b].n_rows;
        let (read, left) = (program.carried.read(), program.carried.left());
        scratch.history.clear();
        let reader = self.gradient.as_ref();
        let mut bases = self.bases(b, phi, reader, scratch);
        program.subject.run(self.isa, &mut bases, 1);
        self.solve(b, phi, scratch);
        for row in 0..n_rows {
            scratch
                .history
                .extend_from_slice(&scratch.work[read.clone()]);
            let mut bases = self.bases(b, phi, reader, scratch).at(row);
            program.row.run(self.isa, &mut bases, 1);
            scratch.work.copy_within(left.clone(), read.start);
        }
        for row in (0..n_rows).rev() {
            visit(
                row,
                &scratch.work[read.clone()],
                &scratch.adjoint[read.clone()],
            );
            let before = row * read.len();
            scratch.work[read.clone()]
                .copy_from_slice(&scratch.history[before..before + read.len()]);
            scratch.adjoint.copy_within(read.clone(), left.start);
            scratch.adjoint[read.clone()].fill(Column::ZERO);
            let mut bases = self.bases(b, phi, reader, scratch).at(row);
            let rules = &program.reverse_row;
            rules.run(self.isa, &program.carried.values, &mut bases, 1);
        }
        let mut bases = self.bases(b, phi, reader, scratch);
        program.reverse_subject.run_alone(self.isa, &mut bases);
        scratch.work[program.total as usize]
    }

    /// Probabilities of the states of the chain behind an outcome at every row, given all outcomes of the subject:
    /// `visit(row, state, column)`.
    ///
    /// What later rows contribute to the log-likelihood, as a function of the filtered probabilities `p`, is the logarithm
    /// of a linear form `sum_j b_j p_j` plus what does not depend on them. So its gradient times `p` is the
    /// distribution given everything (Darwiche 2003).
    pub fn state_probabilities(
        &self,
        b: usize,
        phi: &[Column],
        outcome: usize,
        scratch: &mut DerivativeScratch,
        mut visit: impl FnMut(usize, usize, &Column),
    ) {
        let Some(chain) = &self.problem.model.outcomes[outcome].chain else {
            return;
        };
        let Some(columns) = self.program.carried.positions(chain.carries.clone()) else {
            return;
        };
        self.clear(scratch);
        self.ready(b, phi, scratch);
        self.sweep_carried(b, phi, scratch, &mut |row, left, adjoint| {
            let terms: Vec<Column> = columns
                .iter()
                .map(|k| Column(std::array::from_fn(|l| left[*k].0[l] * adjoint[*k].0[l])))
                .collect();
            // No later outcome says anything: the adjoints are zero.
            let silent: [bool; LANES] =
                std::array::from_fn(|l| terms.iter().all(|term| term.0[l] == 0.0));
            for (state, k) in columns.iter().enumerate() {
                let column = std::array::from_fn(|l| {
                    let term = if silent[l] { left[*k] } else { terms[state] };
                    term.0[l]
                });
                visit(row, state, &Column(column));
            }
        });
    }
}
