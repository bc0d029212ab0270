//! Stage a program for derivatives: every value keeps a column, adjoint and tangent rules are laid out beside it.

use std::collections::{HashMap, HashSet};

use super::carried::Carried;
use super::place::{BroadcastSource, Builder, DataColumns};
use super::registers::ProgramLayout;
use super::solution::Solution;
use super::Roots;
use crate::ir::graph::{Graph, Node, Op};
use crate::ir::level::{Extent, Level, NodeLevels, Seen};
use crate::ir::narrow;
use crate::ir::tape::{AdjointTarget, Bank, ColumnAddress, Instruction, Reverse, Tangent, Tape};

/// With respect to what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Active {
    Phi,
    Theta,
    Both,
}

impl Active {
    /// Whether derivatives reach what depends on so much.
    pub(super) fn reaches(self, level: Level) -> bool {
        match self {
            Self::Phi => level.phi,
            Self::Theta => level.theta,
            Self::Both => level.phi || level.theta,
        }
    }
}

/// Tapes of values, adjoints and tangents.
///
/// Adjoint columns: first one a column of `Work`, then one a coordinate of `phi`, then one a population value.
#[derive(Debug, Clone, Default)]
pub struct DerivativeProgram {
    pub broadcast: Vec<BroadcastSource>,
    pub population: Vec<Node>,
    pub subject: Tape<Instruction>,
    pub row: Tape<Instruction>,
    pub reverse_subject: Tape<Reverse>,
    pub reverse_row: Tape<Reverse>,
    pub n_work: usize,
    pub n_phi: usize,
    /// First column of `Work` that belongs to rows: adjoints before it must start at zero.
    pub first_row_column: usize,
    pub total: u32,
    /// Tangent tapes, one a coordinate of `phi`: subject part and row part. For `phi` alone, and not where values are
    /// carried from row to row.
    pub tangents: Vec<(Tape<Tangent>, Tape<Tangent>)>,
    pub row_roots: Vec<ColumnAddress>,
    pub carried: Carried,
    pub subject_roots: Vec<ColumnAddress>,
    /// Whether terms are added once a subject.
    pub adds_subjects: bool,
    pub solution: Solution,
}

/// The values as they are laid out, for the derivative rules to follow.
#[derive(Default)]
struct Forward {
    rows: Vec<Node>,
    subjects: Vec<Node>,
    instructions: HashMap<Node, Instruction>,
    sums: Vec<(Node, Instruction)>,
    subject_sums: Vec<(Node, Instruction)>,
    starts: Vec<(Node, Instruction)>,
    /// Carried values: leaf, what moves it, how.
    steps: Vec<(Node, Node, Instruction)>,
}

/// A reverse sweep being laid out.
pub(super) struct Sweep {
    active: Active,
    by_row: bool,
    /// Nodes that have received a contribution.
    touched: HashSet<Node>,
    /// States that have, by their place among the states read.
    pub(super) touched_states: HashSet<usize>,
    pub(super) tape: Tape<Reverse>,
}

impl DerivativeProgram {
    pub fn n_adjoints(&self) -> usize {
        self.n_work + self.n_phi + self.population.len()
    }

    /// Whether anything is computed or read row by row.
    pub fn goes_by_row(&self) -> bool {
        !self.row.is_empty() || !self.row_roots.is_empty() || self.solution.is_read()
    }

    pub fn phi_adjoint(&self, k: usize) -> usize {
        self.n_work + k
    }

    pub fn population_adjoint(&self, j: usize) -> usize {
        self.n_work + self.n_phi + j
    }

    /// Lay out values and the reverse sweep of the sum of `roots.sums`; for `phi`, also the forward directions.
    pub fn new(
        graph: &Graph,
        levels: &mut NodeLevels,
        data: &mut DataColumns,
        roots: &Roots,
        n_phi: usize,
        active: Active,
    ) -> Self {
        let mut builder = Builder::new(graph, levels, data);
        let mut program = Self {
            n_phi,
            ..Self::default()
        };
        let computed = builder.computed(&roots.nodes());
        let (rows, subjects): (Vec<Node>, Vec<Node>) = computed
            .into_iter()
            .partition(|node| builder.level(*node).extent == Extent::Row);
        let mut forward = Forward::default();
        for node in &subjects {
            let instruction = program.compute(&mut builder, *node);
            forward.instructions.insert(*node, instruction);
            program.subject.push(instruction);
        }
        program.total = program.column();
        forward.subject_sums = builder.sums(roots, false, Bank::Work.at(program.total));
        let adds = forward.subject_sums.iter().map(|(_, add)| *add);
        program.subject.extend(adds);
        forward.starts = program.start_carried(&mut builder, roots);
        program.first_row_column = program.n_work;
        for node in &rows {
            let instruction = program.compute(&mut builder, *node);
            forward.instructions.insert(*node, instruction);
            program.row.push(instruction);
        }
        forward.steps = program.move_carried(&mut builder, roots);
        forward.sums = builder.sums(roots, true, Bank::Work.at(program.total));
        let adds = forward.sums.iter().map(|(_, add)| *add);
        program.row.extend(adds);
        (forward.rows, forward.subjects) = (rows, subjects);
        program.row_roots = roots.rows.iter().map(|node| builder.place(*node)).collect();
        program.subject_roots = roots
            .subjects
            .iter()
            .map(|node| builder.place(*node))
            .collect();
        program.read_solution(&mut builder, active, roots.max_forward);
        program.adds_subjects = !roots.subject_sums.is_empty();
        program.broadcast = builder.broadcast.clone();
        program.population = builder.population.clone();
        program.lay_reverse(&mut builder, &forward, active);
        if active == Active::Phi && program.carried.count() == 0 {
            program.lay_tangents(&mut builder, &forward);
        }
        program
    }

    pub(super) fn column(&mut self) -> u32 {
        self.n_work += 1;
        narrow(self.n_work - 1)
    }

    fn compute(&mut self, builder: &mut Builder, node: Node) -> Instruction {
        let dst = Bank::Work.at(self.column());
        builder.compute(node, dst)
    }

    fn lay_reverse(&mut self, builder: &mut Builder, forward: &Forward, active: Active) {
        let mut sweep = Sweep {
            active,
            by_row: true,
            touched: HashSet::new(),
            touched_states: HashSet::new(),
            tape: Tape::default(),
        };
        for (leaf, next, step) in &forward.steps {
            let (next, leaf) = (
                self.target(builder, *next, &mut sweep),
                self.target(builder, *leaf, &mut sweep),
            );
            sweep.tape.push(Reverse {
                forward: *step,
                source: step.dst.index,
                targets: [AdjointTarget::None, next, leaf],
            });
        }
        self.lay_seeds(builder, &forward.sums, &mut sweep);
        self.lay_adjoints(builder, &forward.rows, forward, &mut sweep);
        self.lay_states(builder, &mut sweep);
        self.reverse_row = std::mem::take(&mut sweep.tape);
        sweep.by_row = false;
        for (initial, start) in &forward.starts {
            let target = self.target(builder, *initial, &mut sweep);
            sweep.tape.push(Reverse {
                forward: *start,
                source: start.dst.index,
                targets: [AdjointTarget::None, target, AdjointTarget::None],
            });
        }
        self.lay_seeds(builder, &forward.subject_sums, &mut sweep);
        self.lay_adjoints(builder, &forward.subjects, forward, &mut sweep);
        self.reverse_subject = sweep.tape;
    }

    fn lay_seeds(&self, builder: &mut Builder, sums: &[(Node, Instruction)], sweep: &mut Sweep) {
        for (node, instruction) in sums {
            let target = self.target(builder, *node, sweep);
            let targets = [target, AdjointTarget::None, AdjointTarget::None];
            sweep.tape.push(Reverse {
                forward: *instruction,
                source: 0,
                targets,
            });
        }
    }

    fn lay_adjoints(
        &self,
        builder: &mut Builder,
        nodes: &[Node],
        forward: &Forward,
        sweep: &mut Sweep,
    ) {
        for node in nodes.iter().rev() {
            let Some(instruction) = forward.instructions.get(node) else {
                continue;
            };
            if !sweep.touched.contains(node) {
                continue;
            }
            let mut targets = [AdjointTarget::None; 3];
            for (k, operand) in operand_slots(builder, *node).into_iter().enumerate() {
                if let Some(operand) = operand {
                    targets[k] = self.target(builder, operand, sweep);
                }
            }
            if targets != [AdjointTarget::None; 3] {
                let source = instruction.dst.index;
                sweep.tape.push(Reverse {
                    forward: *instruction,
                    source,
                    targets,
                });
            }
        }
    }

    /// Where the adjoint of `node` goes; nodes that do not depend on what is active get none.
    pub(super) fn target(
        &self,
        builder: &mut Builder,
        node: Node,
        sweep: &mut Sweep,
    ) -> AdjointTarget {
        let level = builder.level(node);
        if !sweep.active.reaches(level) {
            return AdjointTarget::None;
        }
        let first = sweep.touched.insert(node);
        if let Op::Phi(k) = builder.graph.op(node) {
            return match builder.levels.effect(k) {
                Seen::Own(position) => {
                    AdjointTarget::Add(narrow(self.phi_adjoint(position as usize)))
                }
                Seen::Known(_) | Seen::Stored(_) => AdjointTarget::None,
            };
        }
        if level.extent == Extent::Once {
            let j = builder
                .population
                .iter()
                .position(|known| *known == node)
                .unwrap_or(0);
            return AdjointTarget::Add(narrow(self.population_adjoint(j)));
        }
        let place = builder.place(node);
        if place.bank == Bank::State {
            let s = place.index as usize;
            sweep.touched_states.insert(s);
            let column = narrow(self.solution.adjoint[s]);
            return if first {
                AdjointTarget::Set(column)
            } else {
                AdjointTarget::Add(column)
            };
        }
        if sweep.by_row && first && place.index as usize >= self.first_row_column {
            AdjointTarget::Set(place.index)
        } else {
            AdjointTarget::Add(place.index)
        }
    }

    fn lay_tangents(&mut self, builder: &mut Builder, forward: &Forward) {
        let states: Vec<(Node, usize)> = (builder.graph.nodes())
            .filter_map(|node| match builder.graph.op(node) {
                Op::State(k) => {
                    let mut read = self.solution.states.iter();
                    Some((node, read.position(|state| *state == k as usize)?))
                }
                _ => None,
            })
            .collect();
        for k in 0..self.n_phi {
            let leaf = builder.graph.nodes().find(|n| match builder.graph.op(*n) {
                Op::Phi(i) => builder.levels.effect(i) == Seen::Own(narrow(k)),
                _ => false,
            });
            let mut columns: HashMap<Node, u32> = leaf
                .map(|n| (n, narrow(self.phi_adjoint(k))))
                .into_iter()
                .collect();
            let subject = lay_direction(builder, &forward.subjects, forward, &mut columns);
            let mut row = self.state_tangents(builder, &states, &mut columns);
            row.extend(
                lay_direction(builder, &forward.rows, forward, &mut columns)
                    .iter()
                    .copied(),
            );
            self.tangents.push((subject, row));
        }
    }
}

fn lay_direction(
    builder: &Builder,
    nodes: &[Node],
    forward: &Forward,
    columns: &mut HashMap<Node, u32>,
) -> Tape<Tangent> {
    let mut tape = Tape::default();
    for node in nodes {
        let slots = operand_slots(builder, *node);
        let sources = slots.map(|slot| slot.and_then(|operand| columns.get(&operand).copied()));
        let moves = sources.iter().any(Option::is_some);
        if let (true, Some(instruction)) = (moves, forward.instructions.get(node)) {
            let dst = instruction.dst.index;
            tape.push(Tangent {
                forward: *instruction,
                dst,
                sources,
            });
            columns.insert(*node, dst);
        }
    }
    tape
}

/// Operands in the order of the instruction's `a`, `b`, `c`; a condition has no derivative.
fn operand_slots(builder: &Builder, node: Node) -> [Option<Node>; 3] {
    let [a, b, c] = builder.operands(node);
    match builder.graph.op(node) {
        Op::Select(..) => [None, b, c],
        _ => [a, b, c],
    }
}
