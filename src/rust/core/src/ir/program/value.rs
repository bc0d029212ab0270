//! Stage a program for values only: what depends on `theta` alone is kept, registers are reused.

use super::place::{Builder, DataColumns, Source};
use super::solution::Solution;
use super::{carried, Roots};
use crate::ir::graph::{Graph, Node, Op};
use crate::ir::level::{Extent, Levels};
use crate::ir::narrow;
use crate::ir::tape::{Bank, Code, Instruction, Place, Tape};

/// Four tapes: subject and row values of `theta` (run when `theta` moves), subject and row values of `phi`.
#[derive(Debug, Clone, Default)]
pub struct ValueProgram {
    pub broadcast: Vec<Source>,
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
    pub row_roots: Vec<Place>,
    pub subject_roots: Vec<Place>,
    /// Whether effects of other groupings or stored values are read.
    pub reads_known: bool,
    /// Whether terms are added once a subject.
    pub adds_subjects: bool,
    pub solution: Solution,
}

impl ValueProgram {
    pub fn new(graph: &Graph, levels: &mut Levels, data: &mut DataColumns, roots: &Roots) -> Self {
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
        program.reads_known = builder.reads_known;
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
            let instruction = builder.instruction(*node, dst);
            builder.set_place(*node, dst);
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
            let instruction = builder.instruction(*node, dst);
            builder.set_place(*node, dst);
            self.subject.push(instruction);
        }
        let sums = !roots.sums.is_empty() || !roots.subject_sums.is_empty();
        let total = sums.then(|| registers.fresh());
        self.total = total.map(|place| place.index);
        self.accumulate_subjects(builder, roots, total);
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
        total: Option<Place>,
        registers: &mut Registers,
    ) {
        let last_use = last_uses(builder, nodes, roots);
        for (position, node) in nodes.iter().enumerate() {
            let operands = builder.operands(*node);
            let mut instruction = builder.instruction(*node, Bank::Work.at(0));
            for operand in operands.into_iter().flatten() {
                if last_use.get(&operand) == Some(&position) {
                    registers.give_back(builder.place(operand));
                }
            }
            instruction.dst = registers.take();
            builder.set_place(*node, instruction.dst);
            self.row.push(instruction);
            self.accumulate(builder, *node, roots, total);
            if last_use.get(node) == Some(&position) {
                registers.give_back(instruction.dst);
            }
        }
        let computed: std::collections::HashSet<Node> = nodes.iter().copied().collect();
        for (node, _) in roots
            .sums
            .iter()
            .filter(|(node, _)| !computed.contains(node))
        {
            self.accumulate(builder, *node, roots, total);
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

    /// Terms counted once: their mask is the constant one.
    fn accumulate_subjects(&mut self, builder: &mut Builder, roots: &Roots, total: Option<Place>) {
        let Some(dst) = total else { return };
        for node in &roots.subject_sums {
            let a = builder.place(*node);
            let b = builder.one();
            self.subject.push(Instruction {
                code: Code::Accumulate,
                dst,
                a,
                b,
                c: a,
            });
        }
    }

    fn accumulate(
        &mut self,
        builder: &mut Builder,
        node: Node,
        roots: &Roots,
        total: Option<Place>,
    ) {
        let Some(total) = total else { return };
        for (_, outcome) in roots.sums.iter().filter(|(root, _)| *root == node) {
            let a = builder.place(node);
            self.row.push(Instruction {
                code: Code::Accumulate,
                dst: total,
                a,
                b: Bank::Mask.at(*outcome),
                c: a,
            });
        }
    }
}

/// Position of the last instruction that reads each row value; values wanted at the end are never given back.
fn last_uses(
    builder: &Builder,
    nodes: &[Node],
    roots: &Roots,
) -> std::collections::HashMap<Node, usize> {
    let mut last = std::collections::HashMap::new();
    for (position, node) in nodes.iter().enumerate() {
        last.insert(*node, position);
        for operand in builder.operands(*node).into_iter().flatten() {
            if last.contains_key(&operand) {
                last.insert(operand, position);
            }
        }
    }
    let carried = builder.carried(&roots.nodes());
    let ends = carried.iter().map(|(_, carry)| &carry.next);
    for node in roots.rows.iter().chain(ends) {
        last.remove(node);
    }
    last
}

#[derive(Default)]
struct Registers {
    count: usize,
    free: Vec<u32>,
}

impl Registers {
    fn fresh(&mut self) -> Place {
        self.count += 1;
        Bank::Work.at(narrow(self.count - 1))
    }

    fn take(&mut self) -> Place {
        match self.free.pop() {
            Some(index) => Place {
                bank: Bank::Work,
                index,
            },
            None => self.fresh(),
        }
    }

    fn give_back(&mut self, place: Place) {
        if place.bank == Bank::Work && !self.free.contains(&place.index) {
            self.free.push(place.index);
        }
    }
}
