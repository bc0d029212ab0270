//! Evaluate a program over the blocks of a layout, keeping what depends on `theta` alone.

use std::sync::Arc;

use super::in_cells::InCells;
use super::known::Known;
use super::solution::SolutionReader;
use super::Problem;
use crate::data::{Block, Layout};
use crate::ir::column::Column;
use crate::ir::graph::{Graph, Node};
use crate::ir::program::{BroadcastSource, ValueProgram};
use crate::ir::scalar::{LeafValues, ScalarProgram};
use crate::ir::tape::{Bank, Bases};
use crate::ir::vmath::Isa;

/// Leaves of population values: `theta` alone.
struct ThetaLeaves<'a>(&'a [f64]);

impl LeafValues for ThetaLeaves<'_> {
    fn theta(&self, coordinate: usize) -> f64 {
        self.0[coordinate]
    }
}

/// Values of nodes that depend on `theta` alone, and adjoints back to `theta`.
#[derive(Debug, Clone)]
pub struct ThetaProgram(ScalarProgram);

impl ThetaProgram {
    pub fn new(graph: &Graph, nodes: &[Node]) -> Self {
        Self(ScalarProgram::new(graph, nodes))
    }

    pub fn values(&self, graph: &Graph, theta: &[f64]) -> Vec<f64> {
        self.0.evaluate(graph, &ThetaLeaves(theta), &mut Vec::new())
    }

    /// `sum seeds[j] * d value[j] / d theta`
    pub fn gradient(&self, graph: &Graph, theta: &[f64], seeds: &[f64]) -> Vec<f64> {
        let mut memory = Vec::new();
        self.0.evaluate(graph, &ThetaLeaves(theta), &mut memory);
        let mut gradient = vec![0.0; theta.len()];
        self.0.add_gradient(graph, &memory, seeds, &mut gradient);
        gradient
    }
}

/// Fill broadcast columns.
pub fn broadcast(sources: &[BroadcastSource], population: &[f64], columns: &mut Vec<Column>) {
    columns.clear();
    columns.extend(sources.iter().map(|source| match source {
        BroadcastSource::Constant(value) => Column::splat(*value),
        BroadcastSource::Population(j) => Column::splat(population[*j]),
    }));
}

/// Values of one block that depend on `theta` but not on `phi`.
#[derive(Debug, Clone, Default)]
struct ThetaValues {
    prepared: Vec<Column>,
    cache: Vec<Column>,
}

/// A program bound to a layout and a `theta`.
pub struct BoundProgram<'a> {
    problem: &'a Problem,
    pub(super) layout: &'a Layout,
    pub(super) program: &'a ValueProgram,
    population: ThetaProgram,
    broadcast: Vec<Column>,
    kept: Vec<ThetaValues>,
    /// Effects of other groupings or stored values, block by block.
    known: Arc<Vec<Known>>,
    /// Solves the differential equations, where the program reads their states.
    reader: Option<SolutionReader<'a>>,
    /// The same program in the cells of the levels, where rows stand by subject.
    cells: Option<Box<InCells<'a, BoundProgram<'a>>>>,
    isa: Isa,
}

impl<'a> BoundProgram<'a> {
    pub fn new(problem: &'a Problem, layout: &'a Layout, program: &'a ValueProgram) -> Self {
        Self::on(Isa::detect(), problem, layout, program)
    }

    /// On a chosen instruction set.
    pub fn on(
        isa: Isa,
        problem: &'a Problem,
        layout: &'a Layout,
        program: &'a ValueProgram,
    ) -> Self {
        let inner = |layout: &'a Layout| Self::on(isa, problem, layout, program);
        Self {
            problem,
            layout,
            program,
            population: ThetaProgram::new(&problem.form.graph, &program.population),
            broadcast: Vec::new(),
            cells: InCells::new(layout, program.goes_by_row(), inner),
            kept: vec![ThetaValues::default(); layout.blocks.len()],
            known: Arc::default(),
            reader: SolutionReader::new(
                problem,
                layout.blocks.len(),
                &program.solution,
                false,
                false,
            ),
            isa,
        }
    }

    /// Set the effects of other groupings, or the stored values; [`BoundProgram::prepare`] must follow.
    pub fn set_known(&mut self, known: Arc<Vec<Known>>) {
        if let Some(cells) = &mut self.cells {
            cells.program.set_known(Known::of_cells(&known));
        }
        self.known = known;
    }

    /// The values of `theta` that the program reads: equal ones make all of its values equal.
    pub(super) fn population(&self, theta: &[f64]) -> Vec<f64> {
        self.population.values(&self.problem.form.graph, theta)
    }

    pub fn known(&self) -> &Arc<Vec<Known>> {
        &self.known
    }

    /// Recompute everything that depends on `theta` alone.
    pub fn prepare(&mut self, theta: &[f64]) {
        let population = self.population.values(&self.problem.form.graph, theta);
        broadcast(&self.program.broadcast, &population, &mut self.broadcast);
        self.reader.iter_mut().for_each(SolutionReader::forget);
        let by_row = self.cells.is_none();
        if let Some(cells) = &mut self.cells {
            cells.program.prepare(theta);
        }
        let program = self.program;
        let mut kept = std::mem::take(&mut self.kept);
        for (b, kept) in kept.iter_mut().enumerate() {
            let block = &self.layout.blocks[b];
            kept.prepared.resize(program.n_prepared, Column::ZERO);
            if by_row {
                kept.cache
                    .resize(program.n_cache * block.n_rows, Column::ZERO);
            }
            let known = self.known.get(b);
            let mut bases = data_bases(self.problem, block, known, &self.broadcast, &[]);
            bases.write(Bank::Prepared, &mut kept.prepared);
            bases.write_rows(Bank::Cache, &mut kept.cache, program.n_cache);
            program.prepare_subject.run(self.isa, &mut bases, 1);
            if by_row && !program.prepare_row.is_empty() {
                program.prepare_row.run(self.isa, &mut bases, block.n_rows);
            }
        }
        self.kept = kept;
    }

    /// Log-likelihood of the observations of each lane of block `b`.
    ///
    /// `phi`: one column a coordinate. `work` is scratch.
    pub fn log_lik(&self, b: usize, phi: &[Column], work: &mut Vec<Column>) -> Column {
        let Some(total) = self.program.total else {
            return Column::ZERO;
        };
        if let Some(cells) = &self.cells {
            return self.log_lik_of_cells(cells, b, phi, work);
        }
        let block = &self.layout.blocks[b];
        self.begin(b, phi, work);
        self.solve(b, phi, work);
        let mut bases = self.bases(b, phi, work);
        self.program.row.run(self.isa, &mut bases, block.n_rows);
        work[total as usize]
    }

    /// What the terms of the subject add up to, without those of its rows.
    pub(super) fn begin(&self, b: usize, phi: &[Column], work: &mut Vec<Column>) -> Column {
        self.ready(b, phi, work);
        let total = self.program.total.map(|total| total as usize);
        if let Some(total) = total {
            work[total] = Column::ZERO;
        }
        let mut bases = self.bases(b, phi, work);
        self.program.subject.run(self.isa, &mut bases, 1);
        total.map_or(Column::ZERO, |total| work[total])
    }

    /// Values wanted once a subject, one column a root.
    pub fn subjects(&self, b: usize, phi: &[Column], work: &mut Vec<Column>) -> Vec<Column> {
        self.ready(b, phi, work);
        let mut bases = self.bases(b, phi, work);
        self.program.subject.run(self.isa, &mut bases, 1);
        self.program
            .subject_roots
            .iter()
            .map(|place| bases.get(*place))
            .collect()
    }

    /// Values wanted at every row: `visit(row, root, column)`.
    pub fn rows(
        &self,
        b: usize,
        phi: &[Column],
        work: &mut Vec<Column>,
        mut visit: impl FnMut(usize, usize, &Column),
    ) {
        match &self.cells {
            Some(cells) => self.rows_of_cells(cells, b, phi, work, &mut visit),
            None => self.visit_rows(b, phi, work, &mut visit),
        }
    }

    pub(super) fn visit_rows(
        &self,
        b: usize,
        phi: &[Column],
        work: &mut Vec<Column>,
        visit: &mut dyn FnMut(usize, usize, &Column),
    ) {
        self.ready(b, phi, work);
        let block = &self.layout.blocks[b];
        let mut bases = self.bases(b, phi, work);
        self.program.subject.run(self.isa, &mut bases, 1);
        self.solve(b, phi, work);
        for row in 0..block.n_rows {
            let mut bases = self.bases(b, phi, work).at(row);
            self.program.row.run(self.isa, &mut bases, 1);
            for (root, place) in self.program.row_roots.iter().enumerate() {
                visit(row, root, &bases.get(*place));
            }
        }
    }

    /// Solve the differential equations behind the registers; the tape of the subject has run.
    fn solve(&self, b: usize, phi: &[Column], work: &mut [Column]) {
        if let Some(reader) = &self.reader {
            let inputs = reader.inputs(&self.bases(b, phi, work));
            let block = (b, &self.layout.blocks[b]);
            reader.solve(self.isa, block, work, self.program.n_work, &inputs);
        }
    }

    fn ready(&self, b: usize, phi: &[Column], work: &mut Vec<Column>) {
        assert!(
            phi.len() >= self.problem.n_phi(),
            "one column for each coordinate of phi"
        );
        let solution = |reader: &SolutionReader| reader.room(&self.layout.blocks[b]);
        let room = self.program.n_work + self.reader.as_ref().map_or(0, solution);
        if work.len() < room {
            work.resize(room, Column::ZERO);
        }
    }

    fn bases<'m>(&'m self, b: usize, phi: &'m [Column], work: &'m mut [Column]) -> Bases<'m> {
        let (block, known) = (&self.layout.blocks[b], self.known.get(b));
        let mut bases = data_bases(self.problem, block, known, &self.broadcast, phi);
        let kept = &self.kept[b];
        bases.read(Bank::Prepared, &kept.prepared);
        bases.read_rows(Bank::Cache, &kept.cache, self.program.n_cache);
        bind_work(&mut bases, work, self.program.n_work, self.reader.as_ref());
        bases
    }
}

/// The registers, and behind them what the rows read of the solution of differential equations.
pub(super) fn bind_work<'m>(
    bases: &mut Bases<'m>,
    work: &'m mut [Column],
    n_work: usize,
    reader: Option<&SolutionReader>,
) {
    let first = reader.map_or(work.len(), |reader| reader.at(n_work, 0).min(work.len()));
    let (registers, states) = work.split_at_mut(first);
    bases.write(Bank::Work, registers);
    if let Some(reader) = reader {
        bases.read_rows(Bank::State, states, reader.width());
    }
}

/// Banks that programs only read; the others hold nothing.
pub fn data_bases<'m>(
    problem: &Problem,
    block: &'m Block,
    known: Option<&'m Known>,
    broadcast: &'m [Column],
    phi: &'m [Column],
) -> Bases<'m> {
    let mut bases = Bases::default();
    bases.read(Bank::Broadcast, broadcast);
    bases.read(Bank::Phi, phi);
    bases.read(Bank::Subject, &block.subject);
    bases.read_rows(Bank::Row, &block.row, problem.data.row.len());
    bases.read_rows(Bank::Mask, &block.mask, problem.data.present.len());
    if let Some(known) = known {
        bases.read(Bank::KnownSubject, &known.subject);
        bases.read_rows(Bank::KnownRow, &known.row, problem.known_row.len());
    }
    bases
}
