//! Compute the expected information about `phi` over blocks, by tangents.

use super::differentiate::{DerivativeScratch, Derivatives};
use crate::ir::column::{Column, LANES};
use crate::ir::tape::{Bank, ColumnAddress};
use crate::ir::vmath::per_isa;

/// Lower triangle of a symmetric matrix for each lane, by rows.
#[derive(Debug, Clone)]
pub struct LaneInformation {
    pub elements: Vec<Column>,
}

impl Derivatives<'_> {
    /// Expected information about `phi` in the observations of each lane.
    pub fn information(
        &self,
        b: usize,
        phi: &[Column],
        scratch: &mut DerivativeScratch,
    ) -> LaneInformation {
        if let Some(cells) = &self.cells {
            return self.information_of_cells(cells, b, phi, scratch);
        }
        self.information_of_rows(b, phi, scratch, self.layout.blocks[b].n_rows)
    }

    /// That in the first rows of each lane, and in what is counted once a level.
    pub(super) fn information_of_rows(
        &self,
        b: usize,
        phi: &[Column],
        scratch: &mut DerivativeScratch,
        n_rows: usize,
    ) -> LaneInformation {
        let program = self.program;
        let d = program.n_phi;
        let block = &self.layout.blocks[b];
        debug_assert!(
            program.carried.count() == 0 || program.row_roots.is_empty(),
            "no expected information where values are carried"
        );
        scratch.tangent.resize(d, Vec::new());
        for (k, columns) in scratch.tangent.iter_mut().enumerate() {
            columns.clear();
            columns.resize(program.n_adjoints(), Column::ZERO);
            columns[program.phi_adjoint(k)] = Column::splat(1.0);
        }
        self.ready(b, phi, scratch);
        let reader = self.tangent.as_ref();
        let mut bases = self.values(b, phi, reader, &mut scratch.work);
        program.subject.run(self.isa, &mut bases, 1);
        if let Some(reader) = reader.filter(|_| n_rows > 0) {
            let inputs = reader.inputs(&bases);
            let work = &mut scratch.work;
            reader.solve(self.isa, (b, block), work, program.n_work, &inputs);
        }
        let mut bases = self.values(b, phi, reader, &mut scratch.work);
        for ((subject, _), tangent) in program.tangents.iter().zip(&mut scratch.tangent) {
            bases.write(Bank::Tangent, tangent);
            subject.run(self.isa, &mut bases);
        }
        let mut information = LaneInformation {
            elements: vec![Column::ZERO; d * (d + 1) / 2],
        };
        self.add_subject(b, phi, scratch, &mut information);
        for row in 0..n_rows {
            let mut bases = self.values(b, phi, reader, &mut scratch.work).at(row);
            program.row.run(self.isa, &mut bases, 1);
            for ((_, rules), tangent) in program.tangents.iter().zip(&mut scratch.tangent) {
                bases.write(Bank::Tangent, tangent);
                rules.run(self.isa, &mut bases);
            }
            self.add_row(b, row, phi, scratch, &mut information);
        }
        information
    }

    /// Information of the terms that count once a subject.
    fn add_subject(
        &self,
        b: usize,
        phi: &[Column],
        scratch: &mut DerivativeScratch,
        information: &mut LaneInformation,
    ) {
        let once = Column::splat(1.0);
        let bases = self.values(b, phi, self.tangent.as_ref(), &mut scratch.work);
        for pair in self.program.subject_roots.chunks(2) {
            let [argument, weight] = pair else { continue };
            if let Some(argument) = self.tangent_column(*argument) {
                let weight = bases.get(*weight);
                let elements = &mut information.elements;
                outer(
                    self.isa,
                    &scratch.tangent,
                    argument,
                    &weight,
                    &once,
                    elements,
                );
            }
        }
    }

    fn add_row(
        &self,
        b: usize,
        row: usize,
        phi: &[Column],
        scratch: &mut DerivativeScratch,
        information: &mut LaneInformation,
    ) {
        let n_outcomes = self.problem.data.present.len();
        let reader = self.tangent.as_ref();
        let bases = self.values(b, phi, reader, &mut scratch.work).at(row);
        let roots = self
            .program
            .row_roots
            .chunks(2)
            .zip(&self.problem.programs.information);
        for (pair, outcome) in roots {
            let [argument, weight] = pair else { continue };
            let Some(argument) = self.tangent_column(*argument) else {
                continue;
            };
            let weight = bases.get(*weight);
            let mask = &self.layout.blocks[b].mask[row * n_outcomes + outcome];
            outer(
                self.isa,
                &scratch.tangent,
                argument,
                &weight,
                mask,
                &mut information.elements,
            );
        }
    }

    fn tangent_column(&self, place: ColumnAddress) -> Option<usize> {
        match place.bank {
            Bank::Work => Some(place.index as usize),
            Bank::Phi => Some(self.program.phi_adjoint(place.index as usize)),
            Bank::State => Some(self.program.solution.adjoint[place.index as usize]),
            _ => None,
        }
    }
}

#[inline(always)]
fn outer_body<const FMA: bool>(
    tangent: &[Vec<Column>],
    argument: usize,
    weight: &Column,
    mask: &Column,
    elements: &mut [Column],
) {
    let mut element = elements.iter_mut();
    for i in 0..tangent.len() {
        for j in 0..=i {
            let (a, b) = (&tangent[i][argument], &tangent[j][argument]);
            if let Some(sum) = element.next() {
                for l in 0..LANES {
                    let term = weight.0[l] * a.0[l] * b.0[l];
                    // No tangent, no information, however large the weight.
                    let counts = mask.0[l] != 0.0 && a.0[l] != 0.0 && b.0[l] != 0.0;
                    sum.0[l] += if counts { term } else { 0.0 };
                }
            }
        }
    }
}

per_isa! {
    /// `elements[i, j] += weight * tangent[i] * tangent[j]` where the mask is set.
    fn outer(
        tangent: &[Vec<Column>],
        argument: usize,
        weight: &Column,
        mask: &Column,
        elements: &mut [Column],
    ) = outer_body, fused;
}
