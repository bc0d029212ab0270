//! Solve the differential equations of a block between the tape of the subject and those of the rows.
//!
//! Memory behind the registers of a program: the inputs, then the states (and their derivatives) of every row.

use std::sync::{Arc, OnceLock};

use super::Problem;
use crate::data::Block;
use crate::ir::column::Column;
use crate::ir::program::Solution;
use crate::ir::tape::Bases;
use crate::ir::vmath::Isa;
use crate::ode::{BlockSolver, Deliveries, Dynamics, Recorded};

/// The solution as one program reads it.
pub struct SolutionReader<'a> {
    dynamics: &'a Dynamics,
    solution: &'a Solution,
    solver: Arc<BlockSolver>,
    /// Solutions of the blocks that stay until [`SolutionReader::forget`], where no input moves with `phi`.
    kept: Vec<OnceLock<Vec<Column>>>,
}

impl<'a> SolutionReader<'a> {
    /// `None` for a program that reads no state. `derivatives`: whether those with respect to the active inputs are
    /// wanted beside the states. `backward`: whether solutions are recorded.
    pub fn new(
        problem: &'a Problem,
        n_blocks: usize,
        solution: &'a Solution,
        derivatives: bool,
        backward: bool,
    ) -> Option<Self> {
        let dynamics = problem
            .form
            .dynamics
            .as_ref()
            .filter(|_| solution.is_read())?;
        let inputs = if derivatives {
            solution.active.clone()
        } else {
            Vec::new()
        };
        let wanted = Deliveries {
            states: solution.states.clone(),
            inputs,
        };
        Some(Self {
            dynamics,
            solution,
            solver: dynamics.block_solver(&wanted, backward),
            kept: vec![OnceLock::new(); n_blocks],
        })
    }

    /// Columns of one row.
    pub fn width(&self) -> usize {
        self.solver.wanted.width()
    }

    /// Columns needed behind the registers.
    pub fn room(&self, block: &Block) -> usize {
        self.solution.inputs.len() + block.n_rows * self.width()
    }

    /// Column at which a row begins, behind `n_work` registers.
    pub fn at(&self, n_work: usize, row: usize) -> usize {
        n_work + self.solution.inputs.len() + row * self.width()
    }

    /// The inputs have moved otherwise than with `phi`.
    pub fn forget(&mut self) {
        self.kept.iter_mut().for_each(|kept| drop(kept.take()));
    }

    /// What the tape of the subject left in the inputs.
    pub fn inputs(&self, bases: &Bases) -> Vec<Column> {
        let places = self.solution.inputs.iter();
        places.map(|place| bases.get(*place)).collect()
    }

    /// Solve for block `b` at some inputs.
    pub fn solve(
        &self,
        isa: Isa,
        (b, block): (usize, &Block),
        work: &mut [Column],
        n_work: usize,
        inputs: &[Column],
    ) {
        work[n_work..n_work + inputs.len()].copy_from_slice(inputs);
        let Some(lanes) = &block.lanes_met else {
            return;
        };
        let (inputs, rows) = self.split(block, work, n_work);
        if self.solution.moves {
            self.solver.solve(self.dynamics, isa, lanes, inputs, rows);
            return;
        }
        let mut fresh = false;
        let kept = self.kept[b].get_or_init(|| {
            self.solver.solve(self.dynamics, isa, lanes, inputs, rows);
            fresh = true;
            rows.to_vec()
        });
        if !fresh {
            rows.copy_from_slice(kept);
        }
    }

    /// The same, keeping what the way back needs.
    pub fn record(
        &self,
        isa: Isa,
        block: &Block,
        work: &mut [Column],
        n_work: usize,
        inputs: &[Column],
    ) -> Option<Recorded> {
        work[n_work..n_work + inputs.len()].copy_from_slice(inputs);
        let lanes = block.lanes_met.as_ref()?;
        let (inputs, rows) = self.split(block, work, n_work);
        let solver = &self.solver;
        Some(solver.record(self.dynamics, isa, lanes, inputs, rows))
    }

    /// Adjoints of all inputs from those of the states, `seeds[row * states + state]`.
    pub fn pull(&self, isa: Isa, recorded: Recorded, seeds: &[Column], adjoints: &mut [Column]) {
        self.solver.pull(isa, recorded, seeds, adjoints);
    }

    fn split<'w>(
        &self,
        block: &Block,
        work: &'w mut [Column],
        n_work: usize,
    ) -> (&'w [Column], &'w mut [Column]) {
        let n = self.solution.inputs.len();
        let own = &mut work[n_work..];
        let (inputs, rows) = own.split_at_mut(n);
        (inputs, &mut rows[..block.n_rows * self.width()])
    }
}
