//! Bring effects that are Gaussian on no scale into the form of those that are.
//!
//! `phi` of such an effect keeps a fixed Gaussian reference, with the moments of `phi` at the starting values, in place
//! of its distribution; the program adds `log f(phi; theta) - log N(phi; reference)` once a level. Samplers, modes and
//! quadrature then need not know: the reference is where they propose from and what they measure steps by.

use super::normal_form::{NormalForm, RowLeaves};
use super::prior::subject_values;
use super::seen::EFFECT;
use super::{Joint, Problem};
use crate::data::Records;
use crate::distributions::{normal, Family, GaussianSpread};
use crate::error::{Error, ErrorClass, Result};
use crate::ir::graph::{Graph, Node, Op};
use crate::ir::level::{Extent, NodeLevels};
use crate::ir::op::Unary;
use crate::ir::scalar::{LeafValues, ScalarProgram};
use crate::model::{EffectBlock, Law, Model};

/// The distribution of an effect that is not normal, relative to its normal reference.
#[derive(Debug, Clone)]
pub struct Correction {
    /// Effect of the model.
    pub effect: usize,
    pub family: &'static Family,
    /// Arguments of the family.
    pub arguments: Vec<Node>,
    /// `log f(phi; theta) - log N(phi; reference)`
    pub term: Node,
    /// Information of the term about `phi`: argument and weight.
    pub information: Vec<(Node, Node)>,
    /// Standard deviation of the effect.
    pub sd: Node,
}

impl Problem {
    /// Visit the distributions of the effects that are Gaussian on no scale: level, effect of the grouping, the family and
    /// its arguments at this level.
    pub fn each_law(
        &self,
        theta: &[f64],
        mut visit: impl FnMut(usize, usize, &'static Family, &[f64]),
    ) {
        let corrections = &self.form.corrections;
        if corrections.is_empty() {
            return;
        }
        let values = subject_values(self, &self.full_layout(), &self.programs.laws, theta);
        let width = self.programs.laws.subject_roots.len();
        for (level, mut arguments) in values.chunks(width).enumerate() {
            for correction in corrections {
                // The standard deviation follows the arguments.
                let (own, rest) = arguments.split_at(correction.arguments.len());
                arguments = &rest[1..];
                let effect = correction.effect - self.form.offset;
                visit(level, effect, correction.family, own);
            }
        }
    }

    /// Variances of the effects that are Gaussian on no scale, mean over the levels: effect of the model, variance.
    pub fn law_variances(&self, theta: &[f64]) -> Vec<(usize, f64)> {
        let each = self.law_sds(theta).into_iter();
        let mean = |sds: Vec<f64>| sds.iter().map(|sd| sd * sd).sum::<f64>() / sds.len() as f64;
        each.map(|(effect, sds)| (effect, mean(sds))).collect()
    }

    /// Their standard deviations at each level: effect of the model, SDs.
    pub fn law_sds(&self, theta: &[f64]) -> Vec<(usize, Vec<f64>)> {
        let corrections = &self.form.corrections;
        if corrections.is_empty() {
            return Vec::new();
        }
        let values = subject_values(self, &self.full_layout(), &self.programs.laws, theta);
        let width = self.programs.laws.subject_roots.len();
        let mut place = 0;
        let each = corrections.iter().map(|correction| {
            place += correction.arguments.len() + 1;
            let sds = values.iter().skip(place - 1).step_by(width);
            (correction.effect, sds.copied().collect())
        });
        each.collect()
    }

    /// The data columns on which the standard deviation of an effect of the model depends.
    pub fn sd_columns(&self, effect: usize) -> Vec<&str> {
        let mut own = self.form.corrections.iter();
        let Some(correction) = own.find(|correction| correction.effect == effect) else {
            return Vec::new();
        };
        let needed = self.form.graph.reachable(&[correction.sd]);
        let nodes = self.form.graph.nodes().filter(|node| needed[node.index()]);
        let columns = nodes.filter_map(|node| match self.form.graph.op(node) {
            Op::Data(i) => Some(self.model.columns[i as usize].name.as_str()),
            _ => None,
        });
        columns.collect()
    }
}

impl Problem {
    /// Gradients of [`Problem::law_variances`] in `theta`: effect of the model, gradient.
    fn law_gradients(&self, theta: &[f64]) -> Vec<(usize, Vec<f64>)> {
        let (form, levels) = (&self.form, &self.records.rows);
        let sds: Vec<Node> = form.corrections.iter().map(|c| c.sd).collect();
        let program = ScalarProgram::new(&form.graph, &sds);
        let mut sums = vec![vec![0.0; theta.len()]; sds.len()];
        let mut memory = Vec::new();
        for rows in levels.iter().filter(|_| !sds.is_empty()) {
            let leaves = LevelLeaves::new(&self.records, rows, theta);
            let values = program.evaluate(&form.graph, &leaves, &mut memory);
            for (k, sum) in sums.iter_mut().enumerate() {
                let mut seeds = vec![0.0; sds.len()];
                seeds[k] = 2.0 * values[k] / levels.len() as f64;
                program.add_gradient(&form.graph, &memory, &seeds, sum);
            }
        }
        let effects = form.corrections.iter().map(|c| c.effect);
        effects.zip(sums).collect()
    }
}

impl Joint {
    /// Gradients of the variances of effects that are Gaussian on no scale, as elements of `Omega`.
    pub fn law_gradients(&self, theta: &[f64]) -> Vec<(usize, usize, Vec<f64>)> {
        let each = self.parts.iter().flat_map(|part| part.law_gradients(theta));
        each.map(|(k, gradient)| (k, k, gradient)).collect()
    }
}

impl NormalForm {
    /// Arguments of a distribution that is not Gaussian may vary between levels, not within.
    pub(super) fn check_law(
        &self,
        model: &Model,
        records: &[Records],
        levels: &mut [NodeLevels],
        block: &EffectBlock,
    ) -> Result<()> {
        for correction in &self.corrections {
            let own = block.first..block.first + block.len();
            let extent = levels[block.group].of(&self.graph, correction.term).extent;
            if own.contains(&correction.effect) && extent > Extent::Subject {
                let records = &records[block.group];
                return Err(self.varying_error(
                    model,
                    records,
                    correction.term,
                    (EFFECT, &block.text),
                ));
            }
        }
        Ok(())
    }

    /// Give effects that are not Gaussian their reference, and the program the difference.
    pub(super) fn refer(
        &mut self,
        model: &Model,
        records: &[Records],
        theta: &[f64],
        moved: &impl Fn(Node) -> Node,
    ) -> Result<()> {
        for block in &model.blocks {
            let Some(law) = &block.law else { continue };
            let n = block.len();
            for (k, (args, density)) in law.arguments.iter().zip(&law.densities).enumerate() {
                let args: Vec<Node> = args.iter().map(|node| moved(*node)).collect();
                let (mean, sd) =
                    reference_of(&self.graph, law.family, &args, &records[block.group], theta);
                if !(mean.is_finite() && sd.is_finite() && sd > 0.0) {
                    return Err(start_error(law, &model.effects[block.first + k].name)
                        .at(block.text.clone()));
                }
                let g = &mut self.graph;
                let mean = g.constant(mean);
                self.means[block.first + k] = mean;
                let variance = g.constant(sd * sd);
                if let Some(c) = self.covariance.iter_mut().find(|c| c.first == block.first) {
                    c.nodes[k * n + k] = variance;
                }
                let phi = g.phi(crate::model::parameter::index(block.first + k));
                let sd = g.constant(sd);
                let known = normal::density(g, phi, mean, GaussianSpread::Sd(sd));
                let precision = g.unary(Unary::Recip, variance);
                let less = g.neg(precision);
                let mut information: Vec<(Node, Node)> = (density.information.iter())
                    .map(|(argument, weight)| (moved(*argument), moved(*weight)))
                    .collect();
                information.push((phi, less));
                self.corrections.push(Correction {
                    effect: block.first + k,
                    family: law.family,
                    arguments: args,
                    term: g.sub(moved(density.log_density), known.log_density),
                    information,
                    sd: moved(density.sd),
                });
            }
        }
        Ok(())
    }
}

/// Leaves at the first row of a level and a `theta`.
struct LevelLeaves<'a> {
    rows: RowLeaves<'a>,
    theta: &'a [f64],
}

impl<'a> LevelLeaves<'a> {
    fn new(records: &'a Records, rows: &[usize], theta: &'a [f64]) -> Self {
        let row = rows.first().copied();
        Self {
            rows: RowLeaves { records, row },
            theta,
        }
    }
}

impl LeafValues for LevelLeaves<'_> {
    fn data(&self, column: usize) -> f64 {
        self.rows.data(column)
    }

    fn theta(&self, coordinate: usize) -> f64 {
        self.theta[coordinate]
    }
}

/// Mean and standard deviation of `phi` at the arguments that the levels have on average.
fn reference_of(
    graph: &Graph,
    family: &Family,
    args: &[Node],
    records: &Records,
    theta: &[f64],
) -> (f64, f64) {
    let program = ScalarProgram::new(graph, args);
    let mut memory = Vec::new();
    let mut sums = vec![0.0; args.len()];
    for rows in &records.rows {
        let leaves = LevelLeaves::new(records, rows, theta);
        let values = program.evaluate(graph, &leaves, &mut memory);
        for (sum, value) in sums.iter_mut().zip(values) {
            *sum += value / records.n_subjects as f64;
        }
    }
    family.reference(&sums)
}

fn start_error(law: &Law, effect: &str) -> Error {
    Error::new(
        ErrorClass::Start,
        "start_outside_bounds",
        format!(
            "The starting values give `{}()` arguments that are not allowed.",
            law.family
        ),
    )
    .field("name", effect)
    .hint("Scales, shapes and standard deviations are positive: declare them with positive().")
}
