//! Compute once what the random effects and the data say, while only `theta` moves.
//!
//! At draws of `phi` that stay where they are, a value without a free coordinate of `theta` in it stays too: with
//! linear means the whole prediction `f(phi, t)` does, and only the residual error is left. The *frontier* are such
//! values that something with a free coordinate reads, or that are terms of the log density themselves:
//!
//! `log p(y | phi; theta) = h(s(phi), phi, theta)`
//!
//! `s` is evaluated once at the draws. A problem derived from the original reads it from columns given from outside,
//! and evaluates `h` alone; gradients in `theta` are those of the original, since `s` does not move with it.

use super::evaluate::BoundProgram;
use super::known::Known;
use super::programs::{DensityRoots, StagingSource};
use super::Problem;
use crate::data::Layout;
use crate::ir::column::Column;
use crate::ir::graph::{Graph, Node, Op};
use crate::ir::level::{Extent, NodeLevels};
use crate::ir::program::{Active, Roots, ValueProgram};
use crate::parallel::Workers;

/// A problem that reads values of `phi` instead of computing them, and the program that computes them.
#[derive(Debug, Clone)]
pub struct Stored {
    /// The original with other programs `likelihood` and `theta`. Layouts of the original serve it, as do all other
    /// programs. Gradients in fixed coordinates of `theta` lack what goes through stored values.
    pub problem: Problem,
    program: ValueProgram,
}

impl Stored {
    /// `None` where it does not pay or is not possible: the remaining programs have as many expensive operations
    /// (functions, divisions, powers) as the original; there are several groupings, whose effects known of each
    /// other move, or one whose levels have rows of several subjects; values are carried from row to row.
    pub fn new(original: &Problem) -> Option<Self> {
        let several = original.model.groups.len() > 1 || original.records.cells.is_some();
        if several || !original.form.graph.carries().is_empty() {
            return None;
        }
        let mut problem = original.clone();
        let form = &mut problem.form;
        let roots = DensityRoots::new(form, &problem.theta, true);
        let nodes = roots.theta.nodes();
        let frontier = frontier(&form.graph, &mut form.levels, &problem.theta.free, &nodes);
        let mut stage = StagingSource {
            graph: form.graph.clone(),
            levels: form.levels.clone(),
            data: problem.data.columns.clone(),
        };
        let (row, subject): (Vec<Node>, Vec<Node>) = (frontier.into_iter())
            .partition(|node| stage.levels.of(&stage.graph, *node).extent == Extent::Row);
        let program = stage.values(&Roots {
            rows: row.clone(),
            subjects: subject.clone(),
            ..Roots::default()
        });
        let cut = Cut::new(&mut stage, &row, &subject, &nodes);
        let programs = &mut problem.programs;
        let full = cost(&programs.likelihood);
        programs.likelihood = stage.values(&cut.roots(&roots.likelihood));
        let d = programs.theta.n_phi;
        programs.both = None;
        programs.theta = stage.derivatives(&cut.roots(&roots.theta), d, Active::Theta);
        let rest = cost(&programs.likelihood);
        debug_assert!(
            stage.data.subject.len() == problem.data.subject.len()
                && stage.data.row.len() == problem.data.row.len(),
            "what remains reads data that the original reads"
        );
        (problem.known_subject, problem.known_row) = (cut.subject, cut.row);
        (form.graph, form.levels) = (stage.graph, stage.levels);
        problem.data.columns = stage.data;
        (rest < full).then_some(Self { problem, program })
    }

    /// The stored values of every block of a layout at draws `phi` (`[block][coordinate]`), for any `theta` with the
    /// same fixed coordinates.
    pub fn columns(
        &self,
        layout: &Layout,
        theta: &[f64],
        phi: &[Vec<Column>],
        workers: &Workers,
    ) -> Vec<Known> {
        let mut values = BoundProgram::new(&self.problem, layout, &self.program);
        values.prepare(theta);
        workers.map_range(layout.blocks.len(), Vec::new, |work, b| {
            let subject = values.subjects(b, &phi[b], work);
            let n = layout.blocks[b].n_rows * self.problem.known_row.len();
            let mut row = Vec::with_capacity(n);
            // Root after root, row after row: the order in which they are read.
            values.rows(b, &phi[b], work, |_, _, column| row.push(*column));
            Known {
                subject,
                row,
                ..Known::default()
            }
        })
    }
}

/// Solving the equations, and operations that cost more than reading a column.
fn cost(program: &ValueProgram) -> (bool, usize) {
    let all = program.subject.iter().chain(program.row.iter());
    let expensive = all.filter(|instruction| !instruction.code.is_cheap());
    (program.solution.is_read(), expensive.count())
}

/// Nodes that depend on `phi` but on no free coordinate, and are read by one that does or are roots. Left out is what a
/// cheap operation makes of others of them, of leaves and of values without `phi`.
fn frontier(graph: &Graph, levels: &mut NodeLevels, free: &[bool], roots: &[Node]) -> Vec<Node> {
    let moves = graph.depends(|op| matches!(op, Op::Theta(k) if free[k as usize]));
    let needed = graph.reachable(roots);
    let mut read = vec![false; graph.len()];
    for root in roots {
        read[root.index()] = true;
    }
    for node in graph.nodes() {
        let state = matches!(graph.op(node), Op::State(_));
        if needed[node.index()] && moves[node.index()] && !state {
            for operand in graph.operands(node) {
                read[operand.index()] = true;
            }
        }
    }
    let mut at_hand = vec![false; graph.len()];
    let mut frontier = Vec::new();
    for node in graph.nodes() {
        let i = node.index();
        let leaf = matches!(graph.op(node), Op::Phi(_));
        at_hand[i] = leaf || !levels.of(graph, node).phi;
        if at_hand[i] || moves[i] || !read[i] {
            continue;
        }
        at_hand[i] = true;
        if !(is_cheap(graph.op(node)) && graph.operands(node).all(|a| at_hand[a.index()])) {
            frontier.push(node);
        }
    }
    frontier
}

fn is_cheap(op: Op) -> bool {
    match op {
        Op::Unary(f, _) => f.is_cheap(),
        Op::Binary(f, ..) => f.is_cheap(),
        _ => true,
    }
}

/// The graph with leaves in the place of stored values.
struct Cut {
    /// For each node of the original graph what stands for it.
    moved: Vec<Node>,
    /// Coordinates that stand for stored values.
    subject: Vec<usize>,
    row: Vec<usize>,
}

impl Cut {
    /// Add to the graph of a stage what the roots become; nodes that were there stay where they are.
    fn new(stage: &mut StagingSource, row: &[Node], subject: &[Node], roots: &[Node]) -> Self {
        let n = stage.graph.len();
        let mut cut = Self {
            moved: stage.graph.nodes().collect(),
            subject: Vec::new(),
            row: Vec::new(),
        };
        for node in row {
            let (k, leaf) = cut.store(stage, *node, Extent::Row);
            cut.row.push(k);
            stage.data.known_row.push(leaf);
        }
        for node in subject {
            let (k, leaf) = cut.store(stage, *node, Extent::Subject);
            cut.subject.push(k);
            stage.data.known_subject.push(leaf);
        }
        let old: Vec<Node> = stage.graph.nodes().take(n).collect();
        let needed = cut.needed(&stage.graph, &old, roots);
        for node in old.into_iter().filter(|node| needed[node.index()]) {
            let op = stage.graph.op(node);
            let changed = stage
                .graph
                .operands(node)
                .any(|a| cut.moved[a.index()] != a);
            // A state stays what it is: its inputs are computed beside what is stored.
            if changed && !matches!(op, Op::State(_)) {
                cut.moved[node.index()] = stage.graph.copied(op, &cut.moved);
            }
        }
        cut
    }

    fn store(&mut self, stage: &mut StagingSource, node: Node, extent: Extent) -> (usize, Node) {
        let k = stage.levels.store(extent);
        let leaf = stage.graph.phi(k);
        self.moved[node.index()] = leaf;
        (k as usize, leaf)
    }

    /// Which of the old nodes the roots need beside what is stored.
    fn needed(&self, graph: &Graph, old: &[Node], roots: &[Node]) -> Vec<bool> {
        let mut needed = vec![false; old.len()];
        for root in roots {
            needed[root.index()] = true;
        }
        for (i, node) in old.iter().enumerate().rev() {
            needed[i] &= self.moved[i] == *node;
            if needed[i] {
                for operand in graph.operands(*node) {
                    needed[operand.index()] = true;
                }
            }
        }
        needed
    }

    /// Sums of what stands for the terms of others.
    fn roots(&self, roots: &Roots) -> Roots {
        let there = |node: &Node| self.moved[node.index()];
        let sums = roots.sums.iter();
        Roots {
            sums: sums
                .map(|(node, outcome)| (there(node), *outcome))
                .collect(),
            subject_sums: roots.subject_sums.iter().map(there).collect(),
            max_forward: roots.max_forward,
            ..Roots::default()
        }
    }
}
