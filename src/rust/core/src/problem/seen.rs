//! Say how each grouping sees the data and the effects, and refuse what varies where it must not.

use super::normal_form::NormalForm;
use crate::data::Records;
use crate::error::Error;
use crate::ir::graph::{Graph, Node, Op};
use crate::ir::level::{Extent, NodeLevels, Seen};
use crate::ir::reference::users;
use crate::ir::regroup::{regroup, Takers};
use crate::language::words;
use crate::model::Model;

/// Where a value has to be the same in all rows of a level.
pub(super) const EFFECT: &str = "the distribution of a random effect";

/// How each grouping sees the data columns and the effects.
pub fn all_levels(model: &Model, records: &[Records]) -> Vec<NodeLevels> {
    let each = records.iter().enumerate();
    each.map(|(group, own)| levels(model, records, group, own))
        .collect()
}

/// How the cells of a grouping see them: the rows that a level has of one subject. `None` where levels are subjects.
pub fn levels_of_cells(model: &Model, records: &[Records], group: usize) -> Option<NodeLevels> {
    let cells = records[group].cells.as_ref()?;
    Some(levels(model, records, group, &cells.records))
}

/// How rows that lie within the levels of a grouping see the data columns and the effects.
fn levels(model: &Model, records: &[Records], group: usize, rows: &Records) -> NodeLevels {
    let first = model.effects_of(group).start;
    let within: Vec<bool> = records
        .iter()
        .map(|other| rows.lies_within(other))
        .collect();
    let seen: Vec<Seen> = (model.effects.iter().enumerate())
        .map(|(k, effect)| {
            if effect.group == group {
                Seen::Own(crate::model::parameter::index(k - first))
            } else if within[effect.group] {
                Seen::Known(Extent::Subject)
            } else {
                Seen::Known(Extent::Row)
            }
        })
        .collect();
    NodeLevels::seen(&rows.extents, &seen)
}

/// Extent of each data column within the grouping that leaves it the least to vary.
pub fn finest(records: &[Records]) -> Vec<Extent> {
    let columns = 0..records[0].extents.len();
    let least = |i: usize| records.iter().map(|r| r.extents[i]).min();
    columns.map(|i| least(i).unwrap_or_default()).collect()
}

/// The graph with sums regrouped; `movable`: the grouping of each effect that may be shifted.
pub fn regrouped(
    (graph, moved): (Graph, Vec<Node>),
    model: &Model,
    records: &[Records],
    wanted: &[Node],
    movable: &[Option<usize>],
) -> (Graph, Vec<Node>) {
    let carried = graph.carries().iter().flat_map(|c| [c.initial, c.next]);
    let wanted = wanted.iter().map(|node| moved[node.index()]);
    let roots: Vec<Node> = wanted.chain(carried).collect();
    let users = users(&graph, &graph.reachable(&roots));
    let mut takers = Takers {
        effects: movable,
        levels: all_levels(model, records),
        sizes: records.iter().map(|r| r.n_subjects).collect(),
    };
    let (new, again) = regroup(&graph, &users, &roots, &mut takers);
    let moved = moved.iter().map(|node| again[node.index()]).collect();
    (new, moved)
}

impl NormalForm {
    /// The error of a value that varies within a level.
    pub(super) fn varying_error(
        &self,
        model: &Model,
        records: &Records,
        node: Node,
        (what, text): (&str, &str),
    ) -> Error {
        let needed = self.graph.reachable(&[node]);
        let columns: Vec<usize> = (self.graph.nodes())
            .filter(|n| needed[n.index()])
            .filter_map(|n| match self.graph.op(n) {
                Op::Data(i) => Some(i as usize),
                _ => None,
            })
            .collect();
        let mut each = columns.iter().copied();
        let varying = each.find(|i| records.extents[*i] == Extent::Row);
        match varying.and_then(|i| Some((i, records.change(i)?))) {
            Some((i, (first, second))) => {
                let name = &model.columns[i].name;
                let (group, label) = (&records.group, &records.labels[records.codes[first]]);
                Error::data(
                    "varying_covariate",
                    format!(
                        "`{name}` varies within `{group}` {label}, but stands in {what}."
                    ),
                )
                .at(text)
                .field("column", name)
                .field("row", second + 1)
                .hint(format!(
                    "It changes between rows {} and {}. Use a covariate that is constant within each level of \
                     `{group}`.",
                    first + 1,
                    second + 1
                ))
            }
            None => covariance_error(model, columns.first()).at(text),
        }
    }
}

/// The error of a covariance that reads a data column, which a misspelled parameter is taken for.
fn covariance_error(model: &Model, column: Option<&usize>) -> Error {
    let name = column.map_or("", |i| &model.columns[*i].name);
    let parameters = model.parameters.iter().map(|p| p.name.as_str());
    let hint = match words::nearest(name, parameters) {
        Some(near) => format!("Did you mean the parameter `{near}`?"),
        None => format!(
            "SDs of independent effects may: `mvnormal(mean, diag(variances))`. For correlated ones scale the effects in the code: `random(z ~ mvnormal(c(0, 0), omega) | id)` and `eta1 <- exp(slope * {name}) * z[1]`."
        ),
    };
    Error::data(
        "varying_covariance",
        format!("The covariance of random effects depends on the covariate `{name}`."),
    )
    .field("name", name)
    .hint(hint)
}
