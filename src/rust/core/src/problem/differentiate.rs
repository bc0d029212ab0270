//! Differentiate the log-likelihood over blocks: gradients by the reverse sweep. Tangents are in `information.rs`.

use std::sync::Arc;

use super::evaluate::{bind_work, broadcast, data_bases, ThetaProgram};
use super::in_cells::InCells;
use super::known::Known;
use super::solution::SolutionReader;
use super::Problem;
use crate::data::Layout;
use crate::ir::column::Column;
use crate::ir::program::DerivativeProgram;
use crate::ir::tape::{Bank, Bases};
use crate::ir::vmath::Isa;

/// Scratch memory of derivatives; one a thread.
#[derive(Debug, Clone, Default)]
pub struct DerivativeScratch {
    pub work: Vec<Column>,
    pub(super) adjoint: Vec<Column>,
    pub(super) tangent: Vec<Vec<Column>>,
    /// Carried values as each row reads them, `[row][value]`.
    pub(super) history: Vec<Column>,
    /// Adjoints of the states, `[row][state]`, then of the inputs of differential equations.
    seeds: Vec<Column>,
    /// For the cells of the levels.
    pub(super) cells: Option<Box<DerivativeScratch>>,
}

/// A derivative program bound to a layout and a `theta`.
pub struct Derivatives<'a> {
    pub(super) problem: &'a Problem,
    pub(super) layout: &'a Layout,
    pub(super) program: &'a DerivativeProgram,
    population: ThetaProgram,
    broadcast: Vec<Column>,
    /// Effects of other groupings or stored values, block by block.
    known: Arc<Vec<Known>>,
    /// Solves the differential equations for the gradient, where the program reads their states.
    pub(super) gradient: Option<SolutionReader<'a>>,
    /// The same for tangents, always with derivatives of the states.
    pub(super) tangent: Option<SolutionReader<'a>>,
    /// The same program in the cells of the levels, where rows stand by subject.
    pub(super) cells: Option<Box<InCells<'a, Derivatives<'a>>>>,
    pub(super) isa: Isa,
}

impl<'a> Derivatives<'a> {
    pub fn new(problem: &'a Problem, layout: &'a Layout, program: &'a DerivativeProgram) -> Self {
        Self::on(Isa::detect(), problem, layout, program)
    }

    /// On a chosen instruction set.
    pub fn on(
        isa: Isa,
        problem: &'a Problem,
        layout: &'a Layout,
        program: &'a DerivativeProgram,
    ) -> Self {
        let inner = |layout: &'a Layout| Self::on(isa, problem, layout, program);
        let n_blocks = layout.blocks.len();
        Self {
            problem,
            layout,
            program,
            population: ThetaProgram::new(&problem.form.graph, &program.population),
            broadcast: Vec::new(),
            known: Arc::default(),
            cells: InCells::new(layout, program.goes_by_row(), inner),
            gradient: SolutionReader::new(
                problem,
                n_blocks,
                &program.solution,
                !program.solution.backward,
                program.solution.backward,
            ),
            tangent: SolutionReader::new(problem, n_blocks, &program.solution, true, false),
            isa,
        }
    }

    /// Set the effects of other groupings, or the stored values.
    pub fn set_known(&mut self, known: Arc<Vec<Known>>) {
        if let Some(cells) = &mut self.cells {
            cells.program.set_known(Known::of_cells(&known));
        }
        self.forget();
        self.known = known;
    }

    pub fn prepare(&mut self, theta: &[f64]) {
        let population = self.population.values(&self.problem.form.graph, theta);
        broadcast(&self.program.broadcast, &population, &mut self.broadcast);
        self.forget();
        if let Some(cells) = &mut self.cells {
            cells.program.prepare(theta);
        }
    }

    /// Solutions of the equations are those of a known `theta` and known effects.
    fn forget(&mut self) {
        let readers = self.gradient.iter_mut().chain(&mut self.tangent);
        readers.for_each(SolutionReader::forget);
    }

    /// Value of each lane; the adjoints are left in `scratch`.
    pub(super) fn sweep(
        &self,
        b: usize,
        phi: &[Column],
        scratch: &mut DerivativeScratch,
    ) -> Column {
        if let Some(cells) = &self.cells {
            return self.sweep_cells(cells, b, phi, scratch);
        }
        let program = self.program;
        let block = &self.layout.blocks[b];
        self.clear(scratch);
        self.ready(b, phi, scratch);
        if program.carried.count() > 0 {
            return self.sweep_carried(b, phi, scratch, &mut |_, _, _| {});
        }
        if program.solution.backward {
            return self.sweep_backward(b, phi, scratch);
        }
        let reader = self.gradient.as_ref();
        let mut bases = self.bases(b, phi, reader, scratch);
        program.subject.run(self.isa, &mut bases, 1);
        self.solve(b, phi, scratch);
        let mut bases = self.bases(b, phi, reader, scratch);
        let rows = &program.reverse_row;
        rows.run(self.isa, &program.row, &mut bases, block.n_rows);
        program.reverse_subject.run_alone(self.isa, &mut bases);
        scratch.work[program.total as usize]
    }

    /// Solve the differential equations for a gradient; the tape of the subject has run.
    pub(super) fn solve(&self, b: usize, phi: &[Column], scratch: &mut DerivativeScratch) {
        if let Some(reader) = &self.gradient {
            let work = &mut scratch.work;
            let inputs = reader.inputs(&self.values(b, phi, Some(reader), work));
            let block = (b, &self.layout.blocks[b]);
            reader.solve(self.isa, block, work, self.program.n_work, &inputs);
        }
    }

    /// The sweep over what is counted once a level, without rows.
    pub(super) fn sweep_level(
        &self,
        b: usize,
        phi: &[Column],
        scratch: &mut DerivativeScratch,
    ) -> Column {
        self.clear(scratch);
        self.ready(b, phi, scratch);
        if !self.program.adds_subjects {
            return Column::ZERO;
        }
        let mut bases = self.bases(b, phi, None, scratch);
        self.program.subject.run(self.isa, &mut bases, 1);
        let subject = &self.program.reverse_subject;
        subject.run_alone(self.isa, &mut bases);
        scratch.work[self.program.total as usize]
    }

    /// The sweep when adjoints of the states go back through the differential equations.
    fn sweep_backward(&self, b: usize, phi: &[Column], scratch: &mut DerivativeScratch) -> Column {
        let (program, block) = (self.program, &self.layout.blocks[b]);
        let solution = &program.solution;
        let reader = self.gradient.as_ref();
        let mut bases = self.bases(b, phi, reader, scratch);
        program.subject.run(self.isa, &mut bases, 1);
        let inputs = reader
            .map(|reader| reader.inputs(&bases))
            .unwrap_or_default();
        let work = &mut scratch.work;
        let record = reader.and_then(|r| r.record(self.isa, block, work, program.n_work, &inputs));
        for column in &solution.adjoint {
            scratch.adjoint[*column] = Column::ZERO;
        }
        let n_seeds = block.n_rows * solution.states.len();
        scratch.seeds.clear();
        for row in 0..block.n_rows {
            let mut bases = self.bases(b, phi, reader, scratch).at(row);
            let rules = &program.reverse_row;
            rules.run(self.isa, &program.row, &mut bases, 1);
            let adjoints = solution
                .adjoint
                .iter()
                .map(|column| scratch.adjoint[*column]);
            scratch.seeds.extend(adjoints);
        }
        scratch
            .seeds
            .resize(n_seeds + solution.inputs.len(), Column::ZERO);
        if let (Some(reader), Some(record)) = (&self.gradient, record) {
            let (seeds, adjoints) = scratch.seeds.split_at_mut(n_seeds);
            reader.pull(self.isa, record, seeds, adjoints);
            for (j, target) in solution.active.iter().zip(&solution.targets) {
                let sums = scratch.adjoint[*target].0.iter_mut();
                sums.zip(adjoints[*j].0).for_each(|(sum, own)| *sum += own);
            }
        }
        let mut bases = self.bases(b, phi, None, scratch);
        program.reverse_subject.run_alone(self.isa, &mut bases);
        scratch.work[program.total as usize]
    }

    /// Adjoints that are added to start at zero.
    pub(super) fn clear(&self, scratch: &mut DerivativeScratch) {
        let program = self.program;
        scratch.adjoint.resize(program.n_adjoints(), Column::ZERO);
        scratch.adjoint[..program.first_row_column].fill(Column::ZERO);
        scratch.adjoint[program.n_work..].fill(Column::ZERO);
    }

    /// Log-likelihood of each lane and its gradient in `phi` (one column a coordinate).
    pub fn gradient_phi(
        &self,
        b: usize,
        phi: &[Column],
        gradient: &mut [Column],
        scratch: &mut DerivativeScratch,
    ) -> Column {
        let value = self.sweep(b, phi, scratch);
        for (k, column) in gradient.iter_mut().enumerate() {
            *column = scratch.adjoint[self.program.phi_adjoint(k)];
        }
        value
    }

    /// Adjoints of the population values, one column each, after the value of each lane.
    pub fn population_adjoints<'s>(
        &self,
        b: usize,
        phi: &[Column],
        scratch: &'s mut DerivativeScratch,
    ) -> (Column, &'s [Column]) {
        let value = self.sweep(b, phi, scratch);
        (value, self.population_of(scratch))
    }

    /// The same beside the gradient in `phi`, of a program for both.
    pub fn both_adjoints<'s>(
        &self,
        b: usize,
        phi: &[Column],
        gradient: &mut [Column],
        scratch: &'s mut DerivativeScratch,
    ) -> (Column, &'s [Column]) {
        let value = self.gradient_phi(b, phi, gradient, scratch);
        (value, self.population_of(scratch))
    }

    fn population_of<'s>(&self, scratch: &'s DerivativeScratch) -> &'s [Column] {
        let first = self.program.population_adjoint(0);
        &scratch.adjoint[first..first + self.program.population.len()]
    }

    /// Chain adjoints of the population values to `theta`.
    pub fn to_theta(&self, theta: &[f64], adjoints: &[f64]) -> Vec<f64> {
        self.population
            .gradient(&self.problem.form.graph, theta, adjoints)
    }

    pub fn n_population(&self) -> usize {
        self.program.population.len()
    }

    /// Room for all values, and nothing added up yet.
    pub(super) fn ready(&self, b: usize, phi: &[Column], scratch: &mut DerivativeScratch) {
        assert!(
            phi.len() >= self.program.n_phi,
            "one column for each coordinate of phi"
        );
        let block = &self.layout.blocks[b];
        let solution = self.tangent.as_ref().map_or(0, |r| r.room(block));
        let room = self.program.n_work + solution;
        scratch
            .work
            .resize(room.max(scratch.work.len()), Column::ZERO);
        scratch.work[self.program.total as usize] = Column::ZERO;
    }

    pub(super) fn bases<'m>(
        &'m self,
        b: usize,
        phi: &'m [Column],
        reader: Option<&SolutionReader>,
        scratch: &'m mut DerivativeScratch,
    ) -> Bases<'m> {
        let mut bases = self.values(b, phi, reader, &mut scratch.work);
        bases.write(Bank::Adjoint, &mut scratch.adjoint);
        bases
    }

    /// Everything but the adjoints.
    pub(super) fn values<'m>(
        &'m self,
        b: usize,
        phi: &'m [Column],
        reader: Option<&SolutionReader>,
        work: &'m mut [Column],
    ) -> Bases<'m> {
        let (block, known) = (&self.layout.blocks[b], self.known.get(b));
        let mut bases = data_bases(self.problem, block, known, &self.broadcast, phi);
        bind_work(&mut bases, work, self.program.n_work, reader);
        bases
    }
}
