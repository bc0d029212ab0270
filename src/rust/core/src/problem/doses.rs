//! Find the inputs that hold what the model says of doses.
//!
//! Bioavailability, lag, rate and duration have one value a subject, or one a record where they depend on data that vary
//! within it: fed or fasted, tablet or capsule. Then each set of values that occurs at a dose gets inputs of its own, in
//! which the data stand as numbers.

use super::equations::{position, Taken};
use crate::data::Records;
use crate::error::{Error, Result};
use crate::ir::graph::{Graph, Node, Op};
use crate::ir::level::Extent;
use crate::model::Equation;
use crate::ode::{Dosing, EventKind, Variant};

/// Sets of values for which a state's doses may have inputs of their own.
const MOST: usize = 100;

/// What is said of doses, by state and by record.
pub(super) struct Doses {
    /// For each state.
    pub usual: Vec<Dosing>,
    /// For each subject the records for which something else holds.
    pub variants: Vec<Vec<Variant>>,
}

/// Sets of values that occurred at doses into one state, and their inputs.
struct DoseValues {
    columns: Vec<usize>,
    sets: Vec<(Vec<f64>, Dosing)>,
}

impl Taken<'_> {
    /// # Errors
    /// Properties of doses that depend on data with too many values.
    pub(super) fn doses(&mut self, records: &Records) -> Result<Doses> {
        let model = self.model;
        let usual = model.equations.iter().map(|e| self.usual(e)).collect();
        // An input function reads one lag for all doses.
        for equation in model
            .equations
            .iter()
            .filter(|e| e.feed.is_some_and(|f| f.slot.is_some()))
        {
            self.constant(equation, equation.lag, "lag", records)?;
        }
        let mut variants = vec![Vec::new(); records.n_subjects];
        let mut known: Vec<DoseValues> = (model.equations.iter())
            .map(|equation| DoseValues {
                columns: self.varying_columns(equation, records),
                sets: Vec::new(),
            })
            .collect();
        let schedules = records.events.iter().flat_map(|events| &events.schedules);
        for (subject, schedule) in schedules.enumerate() {
            for event in &schedule.events {
                let EventKind::Dose { state, .. } = &event.kind else {
                    continue;
                };
                let known = &mut known[*state];
                if known.columns.is_empty() || event.additional {
                    continue;
                }
                let row = records.rows[subject][event.record];
                variants[subject].push(Variant {
                    record: event.record,
                    state: *state,
                    dosing: self.variant(&model.equations[*state], known, records, row)?,
                });
            }
        }
        Ok(Doses { usual, variants })
    }

    fn usual(&mut self, equation: &Equation) -> Dosing {
        dosing(equation, |node| {
            self.is_input(node)
                .then(|| position(&mut self.inputs, node))
        })
    }

    /// Data columns that vary within a subject and on which doses into a state depend.
    fn varying_columns(&self, equation: &Equation, records: &Records) -> Vec<usize> {
        let nodes: Vec<Node> = [
            equation.fraction,
            equation.lag,
            equation.rate,
            equation.duration,
        ]
        .into_iter()
        .flatten()
        .collect();
        let needed = self.graph.reachable(&nodes);
        let columns = self.graph.nodes().filter_map(|n| match self.graph.op(n) {
            Op::Data(i) if needed[n.index()] => Some(i as usize),
            _ => None,
        });
        columns
            .filter(|i| records.extents[*i] == Extent::Row)
            .collect()
    }

    fn variant(
        &mut self,
        equation: &Equation,
        known: &mut DoseValues,
        records: &Records,
        row: usize,
    ) -> Result<Dosing> {
        let columns = known.columns.iter();
        let values: Vec<f64> = columns.map(|i| records.columns[*i][row]).collect();
        let mut sets = known.sets.iter();
        if let Some((_, dosing)) = sets.find(|(set, _)| *set == values) {
            return Ok(*dosing);
        }
        if known.sets.len() == MOST {
            return Err(self.too_many(equation, known));
        }
        let number = |i: u32| {
            let at = known.columns.iter().position(|c| *c == i as usize)?;
            Some(values[at])
        };
        let dosing = dosing(equation, |node| {
            let node = with_numbers(&mut self.graph, node, &number);
            Some(position(&mut self.inputs, node))
        });
        known.sets.push((values, dosing));
        Ok(dosing)
    }

    fn too_many(&self, equation: &Equation, known: &DoseValues) -> Error {
        let name = &self.model.columns[known.columns[0]].name;
        Error::data(
            "varying_covariate",
            format!(
                "What the model says of doses into `{}` depends on `{name}`, which has more than {MOST} values at doses.",
                equation.name
            ),
        )
        .at(equation.text.clone())
        .field("column", name)
        .hint("It may depend on what is constant within a subject, or has few values.")
    }
}

fn dosing(equation: &Equation, mut of: impl FnMut(Node) -> Option<usize>) -> Dosing {
    Dosing {
        fraction: equation.fraction.and_then(&mut of),
        lag: equation.lag.and_then(&mut of),
        rate: equation.rate.and_then(&mut of),
        duration: equation.duration.and_then(&mut of),
    }
}

/// A node with numbers in the place of some data.
fn with_numbers(g: &mut Graph, node: Node, number: &dyn Fn(u32) -> Option<f64>) -> Node {
    let needed = g.reachable(&[node]);
    let all: Vec<Node> = g.nodes().collect();
    let mut moved = all.clone();
    for at in all.into_iter().filter(|at| needed[at.index()]) {
        let value = match g.op(at) {
            Op::Data(i) => number(i),
            _ => None,
        };
        moved[at.index()] = match value {
            Some(value) => g.constant(value),
            None => g.copied(g.op(at), &moved),
        };
    }
    moved[node.index()]
}
