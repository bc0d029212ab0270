//! Stage a program for values only: what depends on `theta` alone is kept, registers are reused.

use super::place::{BroadcastSource, Builder, DataColumns};
use super::registers::{ProgramLayout, Registers};
use super::solution::Solution;
use super::{carried, Roots};
use crate::ir::graph::{Graph, Node, Op};
use crate::ir::level::{Extent, NodeLevels};
use crate::ir::narrow;
use crate::ir::tape::{Bank, ColumnAddress, Instruction, Tape};

/// Four tapes: subject and row values of `theta` (run when `theta` moves), subject and row values of `phi`.
#[derive(Debug, Clone, Default)]
pub struct ValueProgram {
    pub broadcast: Vec<BroadcastSource>,
    pub population: Vec<Node>,
    pub prepare_subject: Tape<Instruction>,
    pub prepare_row: Tape<Instruction>,
    pub subject: Tape<Instruction>,
    pub row: Tape<Instruction>,
    pub n_prepared: usize,
    pub n_cache: usize,
    pub n_work: usize,
    /// Column of `Work` that holds the sum over rows.
    pub total: Option<u32>,
    pub row_roots: Vec<ColumnAddress>,
    pub subject_roots: Vec<ColumnAddress>,
    /// Whether terms are added once a subject.
    pub adds_subjects: bool,
    pub solution: Solution,
}

impl ValueProgram {
    pub fn new(
        graph: &Graph,
        levels: &mut NodeLevels,
        data: &mut DataColumns,
        roots: &Roots,
    ) -> Self {
        let mut builder = Builder::new(graph, levels, data);
        let mut program = Self::default();
        let computed = builder.computed(&roots.nodes());
        program.stage_theta(&mut builder, &computed);
        program.stage_phi(&mut builder, &computed, roots);
        program.row_roots = roots.rows.iter().map(|node| builder.place(*node)).collect();
        program.subject_roots = roots
            .subjects
            .iter()
            .map(|node| builder.place(*node))
            .collect();
        program.solution = Solution::new(&mut builder);
        program.adds_subjects = !roots.subject_sums.is_empty();
        program.broadcast = std::mem::take(&mut builder.broadcast);
        program.population = std::mem::take(&mut builder.population);
        program
    }

    /// Whether anything is computed or read row by row.
    pub fn goes_by_row(&self) -> bool {
        !self.row.is_empty() || !self.row_roots.is_empty() || self.solution.is_read()
    }

    fn stage_theta(&mut self, builder: &mut Builder, computed: &[Node]) {
        for node in computed {
            let level = builder.level(*node);
            if level.phi {
                continue;
            }
            let by_row = level.extent == Extent::Row;
            let count = if by_row {
                &mut self.n_cache
            } else {
                &mut self.n_prepared
            };
            let bank = if by_row { Bank::Cache } else { Bank::Prepared };
            let dst = bank.at(narrow(*count));
            *count += 1;
            let instruction = builder.compute(*node, dst);
            let tape = if by_row {
                &mut self.prepare_row
            } else {
                &mut self.prepare_subject
            };
            tape.push(instruction);
        }
    }

    fn stage_phi(&mut self, builder: &mut Builder, computed: &[Node], roots: &Roots) {
        let mut by_row = Vec::new();
        let mut registers = Registers::default();
        for node in computed {
            let level = builder.level(*node);
            if !level.phi {
                continue;
            }
            if level.extent == Extent::Row {
                by_row.push(*node);
                continue;
            }
            let dst = registers.fresh();
            self.subject.push(builder.compute(*node, dst));
        }
        let sums = !roots.sums.is_empty() || !roots.subject_sums.is_empty();
        let total = sums.then(|| registers.fresh());
        self.total = total.map(|place| place.index);
        if let Some(total) = total {
            let sums = builder.sums(roots, false, total);
            self.subject.extend(sums.into_iter().map(|(_, add)| add));
        }
        let carried = builder.carried(&roots.nodes());
        for (leaf, carry) in &carried {
            let dst = registers.fresh();
            self.subject.push(carried::start(builder, carry, dst));
            builder.set_place(*leaf, dst);
        }
        self.stage_rows(builder, &by_row, roots, total, &mut registers);
        self.n_work = registers.count;
    }

    /// Row values live in registers that are given back after their last use.
    fn stage_rows(
        &mut self,
        builder: &mut Builder,
        nodes: &[Node],
        roots: &Roots,
        total: Option<ColumnAddress>,
        registers: &mut Registers,
    ) {
        let ends = builder.carried(&roots.nodes()).into_iter();
        let ends = ends.map(|(_, carry)| carry.next);
        let kept: Vec<Node> = roots.rows.iter().copied().chain(ends).collect();
        let add = |builder: &mut Builder, node: Node, tape: &mut Tape<Instruction>| {
            let Some(total) = total else { return };
            for (_, outcome) in roots.sums.iter().filter(|(root, _)| *root == node) {
                let mask = Bank::Mask.at(*outcome);
                tape.push(Instruction::add(total, builder.place(node), mask));
            }
        };
        self.row = registers.stage(builder, nodes, &kept, &|_| None, &mut &add);
        let mut rest: Vec<Node> = roots.sums.iter().map(|(node, _)| *node).collect();
        rest.retain(|node| !nodes.contains(node));
        rest.dedup();
        for node in rest {
            add(builder, node, &mut self.row);
        }
        self.carry_on(builder, roots, registers);
    }

    /// After everything else of a row, the carried values move, all at the same time.
    fn carry_on(&mut self, builder: &mut Builder, roots: &Roots, registers: &mut Registers) {
        let carried = builder.carried(&roots.nodes());
        let mut moves = Vec::new();
        for (leaf, carry) in &carried {
            let mut step = carried::step(builder, roots.exists, *leaf, carry);
            if matches!(builder.graph.op(carry.next), Op::Carry(_)) {
                let aside = registers.fresh();
                let value = carried::copy(builder, step.b, aside);
                self.row.push(value);
                step.b = aside;
            }
            moves.push(step);
        }
        self.row.extend(moves);
    }
}
