//! Bring the model into the form the estimators share: Gaussian `phi`, linear means, recognised closed forms.

use std::sync::Arc;

use super::bare::{BareLaw, BareOutcome};
use super::closed_form::{CovarianceUpdate, Residual};
use super::laws::Correction;
use super::seen::{all_levels, finest, levels_of_cells, regrouped, EFFECT};
use super::theta::Theta;
use crate::data::Records;
use crate::distributions::OutcomeDensity;
use crate::error::Result;
use crate::ir::graph::{Graph, Node, Op};
use crate::ir::level::{Extent, NodeLevels};
use crate::ir::merge::merge_exponentials;
use crate::ir::reference::{reference, Change};
use crate::ir::scalar::{LeafValues, ScalarProgram};
use crate::model::{Model, WrittenCovariance};
use crate::ode::Dynamics;

/// `phi_i ~ N(means(theta, subject i), Omega(theta))`, and the program in terms of `phi`.
///
/// First of all groupings together; [`NormalForm::of_group`] keeps the effects of one.
#[derive(Debug, Clone)]
pub struct NormalForm {
    pub graph: Graph,
    /// As the grouping sees the values.
    pub levels: NodeLevels,
    /// As the cells of the grouping see them, in which programs run where differential equations need subjects.
    pub levels_of_cells: Option<NodeLevels>,
    /// Index of the first effect among those of the model: 0 for the first grouping.
    pub offset: usize,
    /// Mean of each coordinate of `phi`.
    pub means: Vec<Node>,
    /// Effect as the user wrote it is `phi - shift` (its exponential if lognormal).
    pub shifts: Vec<Node>,
    pub designs: Vec<Design>,
    pub covariance: Vec<CovarianceBlock>,
    pub densities: Vec<OutcomeDensity>,
    pub residuals: Vec<Residual>,
    /// Parameters of outcomes and of effects' distributions that stand there alone.
    pub bare_outcomes: Vec<BareOutcome>,
    pub bare_laws: Vec<BareLaw>,
    /// Distributions of effects that are not normal.
    pub corrections: Vec<Correction>,
    /// First coordinate and natural nodes of each parameter.
    pub parameters: Vec<(usize, Vec<Node>)>,
    /// The differential equations, bound to the data.
    pub dynamics: Option<Arc<Dynamics>>,
    /// Probabilities of the classes of the subjects.
    pub classes: Vec<Node>,
    /// Variables assigned by the user.
    pub assigned: Vec<(String, Vec<Node>)>,
}

/// The linear part of a mean that is updated in closed form: coordinates of `theta` and their coefficients.
pub type Design = Vec<(usize, Node)>;

/// One block of `Omega`: `phi[first..first + len]`.
#[derive(Debug, Clone)]
pub struct CovarianceBlock {
    pub first: usize,
    pub len: usize,
    /// Covariance, row-major.
    pub nodes: Vec<Node>,
    pub update: CovarianceUpdate,
}

/// How an effect stands to its mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// `phi` is their sum, wherever the model can be written so.
    Free,
    /// `phi` is the effect as it is written, some of its levels having given values.
    Held,
    /// `phi` is the deviation alone: the mean moves as a parameter of what reads the effect.
    Apart,
}

impl NormalForm {
    /// `graph`: that of the model, whose states know their inputs. `records`: one for each grouping. `standings`: one for
    /// each effect.
    ///
    /// # Errors
    /// A covariate that varies within a level where a constant one is needed.
    pub fn new(
        model: &Model,
        graph: &Graph,
        records: &[Records],
        theta: &Theta,
        standings: &[Standing],
    ) -> Result<Self> {
        let merged = merge_exponentials(
            graph,
            NodeLevels::new(&finest(records)),
            &records[0].positive,
        );
        let outcomes = model.outcomes.iter().map(|o| o.density.log_density);
        let laws = model.blocks.iter().filter_map(|b| b.law.as_ref());
        let effects = laws.flat_map(|law| law.densities.iter().map(|d| d.log_density));
        let wanted: Vec<Node> = outcomes.chain(effects).collect();
        let movable: Vec<Option<usize>> = (model.effects.iter().zip(standings))
            .map(|(effect, standing)| {
                (*standing == Standing::Free && effect.gaussian).then_some(effect.group)
            })
            .collect();
        let merged = regrouped(merged, model, records, &wanted, &movable);
        let roots: Vec<Node> = wanted.iter().map(|node| merged.1[node.index()]).collect();
        let mut levels = all_levels(model, records);
        let written = || model.blocks.iter().flat_map(|b| &b.mean);
        let changes: Vec<Change> = (movable.iter().zip(standings).zip(written()))
            .map(|((movable, standing), mean)| match (standing, movable) {
                (Standing::Apart, _) => Change::Leave(merged.1[mean.index()]),
                (_, Some(group)) => Change::Join(*group),
                _ => Change::Keep,
            })
            .collect();
        let referenced = reference(&merged.0, &mut levels, &roots, &changes);
        let moved = |node: Node| referenced.moved[merged.1[node.index()].index()];
        let mut graph = referenced.graph.clone();
        let mut levels = all_levels(model, records);
        let mut extents = Vec::new();
        let mut means = Vec::new();
        for ((mean, shift), standing) in written().zip(&referenced.shifts).zip(standings) {
            let mean = moved(*mean);
            let whole = match standing {
                Standing::Apart => graph.constant(0.0),
                _ => graph.add(mean, *shift),
            };
            means.push(whole);
            extents.push(if *standing == Standing::Apart {
                mean
            } else {
                whole
            });
        }
        let covariance = model
            .blocks
            .iter()
            .map(|block| CovarianceBlock {
                first: block.first,
                len: block.len(),
                nodes: covariance_nodes(&mut graph, &block.covariance, block.len(), &moved),
                update: CovarianceUpdate::Numeric,
            })
            .collect();
        let densities: Vec<OutcomeDensity> = model
            .outcomes
            .iter()
            .map(|o| move_density(&o.density, &moved))
            .collect();
        let mut form = Self {
            means,
            shifts: referenced.shifts.clone(),
            designs: Vec::new(),
            covariance,
            densities,
            residuals: Vec::new(),
            bare_outcomes: Vec::new(),
            bare_laws: Vec::new(),
            corrections: Vec::new(),
            dynamics: None,
            classes: (model.mixture.iter())
                .flat_map(|mixture| mixture.probabilities.iter().map(|node| moved(*node)))
                .collect(),
            parameters: model
                .parameters
                .iter()
                .map(|p| (p.first, p.nodes.iter().map(|n| moved(*n)).collect()))
                .collect(),
            assigned: model
                .assigned
                .iter()
                .map(|(name, nodes)| (name.clone(), nodes.iter().map(|n| moved(*n)).collect()))
                .collect(),
            graph,
            levels: levels[0].clone(),
            levels_of_cells: None,
            offset: 0,
        };
        form.check_classes(model, records, &mut levels)?;
        form.refer(model, records, &theta.start, &moved)?;
        form.check_extents(model, records, &extents, &mut levels)?;
        form.recognise(model, records, &theta.free, &mut levels[0]);
        Ok(form)
    }

    /// The form as one grouping sees it: its own effects move, those of the others are known.
    pub fn of_group(&self, model: &Model, records: &[Records], group: usize) -> Self {
        let own = model.effects_of(group);
        let mut form = self.clone();
        form.levels = all_levels(model, records).swap_remove(group);
        form.levels_of_cells = levels_of_cells(model, records, group);
        form.offset = own.start;
        form.means = self.means[own.clone()].to_vec();
        form.shifts = self.shifts[own.clone()].to_vec();
        form.designs = self.designs[own.clone()].to_vec();
        form.covariance.retain(|block| own.contains(&block.first));
        for block in &mut form.covariance {
            block.first -= own.start;
        }
        form.corrections.retain(|c| own.contains(&c.effect));
        if group > 0 {
            form.residuals.clear();
            form.bare_outcomes.clear();
            form.bare_laws.clear();
        }
        form
    }

    /// `means`: those of all effects, wherever they stand.
    fn check_extents(
        &self,
        model: &Model,
        records: &[Records],
        means: &[Node],
        levels: &mut [NodeLevels],
    ) -> Result<()> {
        for block in &model.blocks {
            let means = &means[block.first..block.first + block.len()];
            let covariance = self.covariance.iter().find(|c| c.first == block.first);
            let nodes = covariance.map(|c| c.nodes.as_slice()).unwrap_or_default();
            self.check_law(model, records, levels, block)?;
            for node in means.iter().chain(nodes) {
                let limit = if nodes.contains(node) {
                    Extent::Once
                } else {
                    Extent::Subject
                };
                if levels[block.group].of(&self.graph, *node).extent > limit {
                    let records = &records[block.group];
                    return Err(self.varying_error(model, records, *node, (EFFECT, &block.text)));
                }
            }
        }
        Ok(())
    }

    fn check_classes(
        &self,
        model: &Model,
        records: &[Records],
        levels: &mut [NodeLevels],
    ) -> Result<()> {
        for node in &self.classes {
            if levels[0].of(&self.graph, *node).extent > Extent::Subject {
                let text = model.mixture.as_ref().map_or("", |m| m.text.as_str());
                return Err(self.varying_error(
                    model,
                    &records[0],
                    *node,
                    ("the probabilities of classes", text),
                ));
            }
        }
        Ok(())
    }

    pub(super) fn program_roots(&self) -> Vec<Node> {
        let densities = self.densities.iter().map(|d| d.log_density);
        densities
            .chain(self.corrections.iter().map(|c| c.term))
            .chain(self.covariance.iter().flat_map(|c| c.nodes.iter().copied()))
            .collect()
    }

    /// Coordinates of `theta` that some nodes depend on.
    pub fn thetas_of(&self, nodes: Vec<Node>) -> Vec<usize> {
        let needed = self.graph.reachable(&nodes);
        self.graph
            .nodes()
            .filter(|node| needed[node.index()])
            .filter_map(|node| match self.graph.op(node) {
                Op::Theta(k) => Some(k as usize),
                _ => None,
            })
            .collect()
    }

    /// Effects of the model on which no outcome depends.
    pub fn idle_effects(&self, n_effects: usize) -> Vec<usize> {
        let densities: Vec<Node> = self.densities.iter().map(|d| d.log_density).collect();
        let needed = self.graph.reachable(&densities);
        let mut read = vec![false; n_effects];
        for node in self.graph.nodes().filter(|node| needed[node.index()]) {
            if let Op::Phi(k) = self.graph.op(node) {
                read[k as usize] = true;
            }
        }
        (0..n_effects).filter(|k| !read[*k]).collect()
    }

    /// Data-only nodes at every subject: `[node][subject]`.
    pub fn subject_values(&self, records: &Records, nodes: &[Node]) -> Vec<Vec<f64>> {
        let rows: Vec<Option<usize>> = records
            .rows
            .iter()
            .map(|list| list.first().copied())
            .collect();
        self.data_values(records, nodes, &rows)
    }

    /// Data-only nodes at every row of the data frame: `[node][row]`. Missing outcomes become a harmless value.
    pub fn row_values(&self, records: &Records, nodes: &[Node]) -> Vec<Vec<f64>> {
        let n_rows = records.columns.first().map_or(0, Vec::len);
        let rows: Vec<Option<usize>> = (0..n_rows).map(Some).collect();
        self.data_values(records, nodes, &rows)
    }

    fn data_values(
        &self,
        records: &Records,
        nodes: &[Node],
        rows: &[Option<usize>],
    ) -> Vec<Vec<f64>> {
        let program = ScalarProgram::new(&self.graph, nodes);
        let mut memory = Vec::new();
        let mut values = vec![Vec::with_capacity(rows.len()); nodes.len()];
        for row in rows {
            let leaves = RowLeaves { records, row: *row };
            let here = program.evaluate(&self.graph, &leaves, &mut memory);
            for (list, value) in values.iter_mut().zip(here) {
                list.push(value);
            }
        }
        values
    }
}

#[derive(Clone, Copy)]
pub(super) struct RowLeaves<'a> {
    pub records: &'a Records,
    pub row: Option<usize>,
}

impl LeafValues for RowLeaves<'_> {
    fn data(&self, column: usize) -> f64 {
        let value = self
            .row
            .map_or(1.0, |row| self.records.columns[column][row]);
        if value.is_nan() {
            1.0
        } else {
            value
        }
    }
}

fn covariance_nodes(
    graph: &mut Graph,
    covariance: &WrittenCovariance,
    len: usize,
    moved: &impl Fn(Node) -> Node,
) -> Vec<Node> {
    match covariance {
        WrittenCovariance::Matrix(nodes) => nodes.iter().map(|node| moved(*node)).collect(),
        WrittenCovariance::Sd(sds) => {
            let zero = graph.constant(0.0);
            let mut nodes = vec![zero; len * len];
            for (i, sd) in sds.iter().enumerate() {
                nodes[i * len + i] = graph.square(moved(*sd));
            }
            nodes
        }
    }
}

fn move_density(density: &OutcomeDensity, moved: &impl Fn(Node) -> Node) -> OutcomeDensity {
    OutcomeDensity {
        log_density: moved(density.log_density),
        prediction: density.prediction.map(moved),
        sd: density.sd.map(moved),
        information: density.information.as_ref().map(|pairs| {
            pairs
                .iter()
                .map(|(node, weight)| (moved(*node), moved(*weight)))
                .collect()
        }),
        arguments: density.arguments.iter().map(|node| moved(*node)).collect(),
    }
}
