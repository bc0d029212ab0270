//! Lay out what a program reads of the solution of differential equations.
//!
//! The tape of the subject computes the inputs; then the equations are solved, and each row finds the states in columns
//! of its own: first the states, then, for derivatives, `d state / d input`, state after state. In a sweep backward an
//! input receives `sum_states adjoint(state) * d state / d input` at every row; a tangent goes the other way. With many
//! inputs the adjoints of the states are collected instead and carried back through the equations.

use std::collections::HashMap;

use super::derivative::{Active, DerivativeProgram, Sweep};
use super::place::Builder;
use super::registers::ProgramLayout;
use crate::ir::graph::Node;
use crate::ir::narrow;
use crate::ir::op::{Binary, Ternary};
use crate::ir::tape::{
    AdjointTarget, Bank, ColumnAddress, Instruction, Reverse, Tangent, Tape, TapeCode,
};

/// How a program reads the solution; empty where it reads none.
#[derive(Debug, Clone, Default)]
pub struct Solution {
    /// The states read, in the order of their columns.
    pub states: Vec<usize>,
    /// Where the inputs are found.
    pub inputs: Vec<ColumnAddress>,
    /// Whether they move with `phi`: otherwise one solution serves while `theta` stays.
    pub moves: bool,
    /// Inputs with respect to which derivatives are taken.
    pub active: Vec<usize>,
    /// Adjoint columns of the active inputs.
    pub targets: Vec<usize>,
    /// Adjoint (and tangent) columns of the states.
    pub adjoint: Vec<usize>,
    /// A column that nobody reads.
    spare: u32,
    /// True when adjoints of the states are carried back through the equations, false when derivatives of the states
    /// are carried forward with them.
    pub backward: bool,
}

impl Solution {
    pub fn is_read(&self) -> bool {
        !self.states.is_empty()
    }

    /// What a program reads, once its instructions are laid out.
    pub(super) fn new(builder: &mut Builder) -> Self {
        let states = builder.states.clone();
        if states.is_empty() {
            return Self::default();
        }
        let inputs = builder.graph.inputs().to_vec();
        Self {
            moves: inputs.iter().any(|node| builder.level(*node).phi),
            inputs: inputs.into_iter().map(|node| builder.place(node)).collect(),
            states,
            ..Self::default()
        }
    }

    fn slope(&self, s: usize, i: usize) -> ColumnAddress {
        let index = self.states.len() + s * self.active.len() + i;
        Bank::State.at(narrow(index))
    }
}

impl DerivativeProgram {
    /// Give states adjoint columns, and find the inputs that derivatives go to. After all instructions.
    pub(super) fn read_solution(&mut self, builder: &mut Builder, active: Active, limit: usize) {
        self.solution = Solution::new(builder);
        self.solution.adjoint = (0..self.solution.states.len())
            .map(|_| self.column() as usize)
            .collect();
        if self.solution.is_read() {
            self.solution.spare = self.column();
        }
        let inputs = builder.graph.inputs().to_vec();
        let mut wanted = |node: &Node| active.reaches(builder.level(*node));
        if self.solution.is_read() {
            self.solution.active = (0..inputs.len()).filter(|j| wanted(&inputs[*j])).collect();
        }
        let many = self.solution.active.len() > limit;
        self.solution.backward = many && self.carried.count() == 0;
    }

    /// The adjoint rules of the states, at the end of those of a row.
    pub(super) fn lay_states(&mut self, builder: &mut Builder, sweep: &mut Sweep) {
        let inputs = builder.graph.inputs().to_vec();
        let active = self.solution.active.clone();
        let targets: Vec<AdjointTarget> = (active.iter())
            .map(|j| self.target(builder, inputs[*j], sweep))
            .collect();
        self.solution.targets = (targets.iter())
            .map(|target| match target {
                AdjointTarget::Add(i) | AdjointTarget::Set(i) => *i as usize,
                AdjointTarget::None => 0,
            })
            .collect();
        if self.solution.backward {
            return;
        }
        for s in 0..self.solution.states.len() {
            if !sweep.touched_states.contains(&s) {
                continue;
            }
            for (i, target) in targets.iter().enumerate() {
                let forward = Instruction {
                    code: TapeCode::Binary(Binary::Mul),
                    dst: self.solution.slope(s, i),
                    a: self.solution.slope(s, i),
                    b: self.solution.inputs[active[i]],
                    c: self.solution.slope(s, i),
                };
                sweep.tape.push(Reverse {
                    forward,
                    source: narrow(self.solution.adjoint[s]),
                    targets: [AdjointTarget::None, *target, AdjointTarget::None],
                });
            }
        }
    }

    /// Tangents of the states along one direction; `columns` holds those of the inputs and receives the others.
    pub(super) fn state_tangents(
        &self,
        builder: &Builder,
        leaves: &[(Node, usize)],
        columns: &mut HashMap<Node, u32>,
    ) -> Tape<Tangent> {
        let inputs = builder.graph.inputs();
        let moving: Vec<(usize, u32)> = (self.solution.active.iter().enumerate())
            .filter_map(|(i, j)| Some((i, *columns.get(&inputs[*j])?)))
            .collect();
        let mut tape = Tape::default();
        if moving.is_empty() {
            return tape;
        }
        for (leaf, s) in leaves {
            let own = narrow(self.solution.adjoint[*s]);
            let mut before = None;
            for (turn, (i, tangent)) in moving.iter().enumerate() {
                // A sum is read and written in turns, so that the last one lands in the state's own column.
                let last = (moving.len() - 1 - turn).is_multiple_of(2);
                let dst = if last { own } else { self.solution.spare };
                let a = self.solution.slope(*s, *i);
                let forward = Instruction {
                    code: match before {
                        None => TapeCode::Binary(Binary::Mul),
                        Some(_) => TapeCode::Ternary(Ternary::MulAdd),
                    },
                    dst: a,
                    a,
                    b: self.solution.inputs[self.solution.active[*i]],
                    c: a,
                };
                tape.push(Tangent {
                    forward,
                    dst,
                    sources: [None, Some(*tangent), before],
                });
                before = Some(dst);
            }
            columns.insert(*leaf, own);
        }
        tape
    }
}
