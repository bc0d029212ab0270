//! Lay out the values that are carried from row to row.
//!
//! A carried value lives in one column. The tape of the subject fills it with its initial value; after each row it
//! becomes what the row leaves, in the lanes that have this row. The reverse sweep starts each row from the value that
//! row read, and hands the adjoint of that value to the row before.

use std::ops::Range;

use super::derivative::DerivativeProgram;
use super::place::Builder;
use super::registers::ProgramLayout;
use super::Roots;
use crate::ir::graph::{Carry, Node, Op};
use crate::ir::tape::{Bank, ColumnAddress, Instruction, Tape, TapeCode};

/// Columns of `Work` that hold the carried values of a derivative program.
#[derive(Debug, Clone, Default)]
pub struct Carried {
    /// Column of the first one: what the current row reads.
    pub first: usize,
    /// Column where the first one is left by the current row.
    pub moved: usize,
    /// Which carried values of the graph they are.
    pub which: Vec<u32>,
    /// The instructions of a row that compute values; the others add to the total.
    pub values: Tape<Instruction>,
}

impl Carried {
    pub fn count(&self) -> usize {
        self.which.len()
    }

    /// Where some carried values of the graph stand among the columns; `None` if one of them is not there.
    pub fn positions(&self, carries: Range<u32>) -> Option<Vec<usize>> {
        carries
            .map(|k| self.which.iter().position(|known| *known == k))
            .collect()
    }

    pub fn read(&self) -> Range<usize> {
        self.first..self.first + self.count()
    }

    pub fn left(&self) -> Range<usize> {
        self.moved..self.moved + self.count()
    }
}

/// `dst = a`
pub fn copy(builder: &mut Builder, a: ColumnAddress, dst: ColumnAddress) -> Instruction {
    let one = builder.one();
    Instruction {
        code: TapeCode::Select,
        dst,
        a: one,
        b: a,
        c: a,
    }
}

/// Fill the column of a carried value before the first row.
pub fn start(builder: &mut Builder, carry: &Carry, dst: ColumnAddress) -> Instruction {
    let initial = builder.place(carry.initial);
    copy(builder, initial, dst)
}

/// Move a carried value in its own column, in the lanes that have the row.
pub fn step(builder: &mut Builder, exists: u32, leaf: Node, carry: &Carry) -> Instruction {
    let here = builder.place(leaf);
    Instruction {
        code: TapeCode::Select,
        dst: here,
        a: Bank::Mask.at(exists),
        b: builder.place(carry.next),
        c: here,
    }
}

impl DerivativeProgram {
    /// The columns that rows read carried values from, filled before the first row.
    pub(super) fn start_carried(
        &mut self,
        builder: &mut Builder,
        roots: &Roots,
    ) -> Vec<(Node, Instruction)> {
        let carried = builder.carried(&roots.nodes());
        self.carried.first = self.n_work;
        let mut starts = Vec::new();
        for (leaf, carry) in carried {
            let dst = Bank::Work.at(self.column());
            let instruction = start(builder, &carry, dst);
            self.subject.push(instruction);
            builder.set_place(leaf, dst);
            if let Op::Carry(k) = builder.graph.op(leaf) {
                self.carried.which.push(k);
            }
            starts.push((carry.initial, instruction));
        }
        starts
    }

    /// The columns that a row leaves carried values in.
    pub(super) fn move_carried(
        &mut self,
        builder: &mut Builder,
        roots: &Roots,
    ) -> Vec<(Node, Node, Instruction)> {
        self.carried.moved = self.n_work;
        let mut steps = Vec::new();
        for (leaf, carry) in builder.carried(&roots.nodes()) {
            let mut instruction = step(builder, roots.exists, leaf, &carry);
            instruction.dst.index = self.column();
            self.row.push(instruction);
            steps.push((leaf, carry.next, instruction));
        }
        if !steps.is_empty() {
            self.carried.values = self.row.clone();
        }
        steps
    }
}
