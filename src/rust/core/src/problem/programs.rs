//! Compile the programs an estimator needs from the normal form.

use super::laws::Correction;
use super::normal_form::{CovarianceBlock, NormalForm};
use super::theta::Theta;
use crate::distributions::{transformed, LN_SQRT_2PI};
use crate::ir::graph::{Graph, Node, Op};
use crate::ir::level::{Extent, NodeLevels};
use crate::ir::op::Unary;
use crate::ir::program::{Active, DataColumns, DerivativeProgram, Roots, ValueProgram};
use crate::model::Model;

/// All programs of a problem; they share the data-only columns.
#[derive(Debug, Clone)]
pub struct Programs {
    /// Sum of the log densities of the outcomes.
    pub likelihood: ValueProgram,
    /// The terms of the log-likelihood that count once a subject: densities of effects that are not normal, relative
    /// to the normal reference.
    pub corrections: ValueProgram,
    /// The likelihood with adjoints for `phi`; tangents of the arguments that carry information.
    pub phi: DerivativeProgram,
    /// The same with adjoints for `theta`, plus the density of `phi` where a parameter in it has no closed form.
    pub theta: DerivativeProgram,
    /// The likelihood with adjoints for both; only where some parameter is read that has no closed form, and no density of
    /// `phi` is part of the program for `theta`.
    pub both: Option<DerivativeProgram>,
    /// Means of `phi` for each subject.
    pub means: ValueProgram,
    /// Shifts of the effects for each subject.
    pub shifts: ValueProgram,
    /// Arguments of the distributions of `corrections` and the standard deviation, one after another, for each level.
    pub laws: ValueProgram,
    /// At each row: arguments of the outcomes' families, one outcome after another.
    pub arguments: ValueProgram,
    /// At each row: log densities of the outcomes.
    pub terms: ValueProgram,
    /// At each row: predictions and residual SDs of the outcomes; once a subject: individual parameters.
    pub prediction: ValueProgram,
    pub individual: Vec<String>,
    /// Once a subject: probabilities of its classes.
    pub classes: ValueProgram,
    /// Argument roots of `phi` come in pairs (argument, weight); for each pair its outcome.
    pub information: Vec<usize>,
    /// False when some outcome has no known expected information.
    pub has_information: bool,
    /// Coordinates of `phi` whose density is part of the program for `theta`.
    pub numeric: Vec<usize>,
    /// For each outcome which of the rows' roots of `prediction` it has.
    pub predicted: Vec<Predicted>,
}

/// What is predicted of an outcome, in the order of its roots.
#[derive(Debug, Clone, Copy, Default)]
pub struct Predicted {
    pub value: bool,
    /// Residual SD.
    pub sd: bool,
    /// Weighted residual, where it is one on another scale than that of the value.
    pub weighted: bool,
}

impl Predicted {
    pub fn count(self) -> usize {
        usize::from(self.value) + usize::from(self.sd) + usize::from(self.weighted)
    }
}

impl Programs {
    /// `main`: whether the outcomes are part of the program for `theta`, as they are for one grouping only.
    pub fn new(
        model: &Model,
        form: &mut NormalForm,
        theta: &Theta,
        main: bool,
    ) -> (Self, DataColumns) {
        let densities = DensityRoots::new(form, theta, main);
        let (individual, individual_nodes) =
            individual_parameters(form, model.mixture.as_ref().map(|m| m.column));
        let likelihood = densities.likelihood;
        // The mask behind those of the outcomes.
        let all = Roots {
            exists: likelihood.exists,
            ..Roots::default()
        };
        let corrections = Roots {
            sums: Vec::new(),
            ..likelihood.clone()
        };
        let (arguments, information, has_information) = information_roots(form);
        let phi_roots = Roots {
            rows: arguments,
            subjects: of_corrections(form, |c| {
                c.information.iter().flat_map(|(a, w)| [*a, *w]).collect()
            }),
            ..likelihood.clone()
        };
        let (rows, predicted) = prediction_roots(model, form);
        let prediction = Roots {
            rows,
            subjects: individual_nodes,
            ..all.clone()
        };
        let by_subject = |subjects: Vec<Node>| Roots {
            subjects,
            ..all.clone()
        };
        let by_row = |rows: Vec<Node>| Roots {
            rows,
            ..all.clone()
        };
        let arguments = form.densities.iter().flat_map(|d| d.arguments.clone());
        let terms = form.densities.iter().map(|d| d.log_density);
        let d = form.means.len();
        let mut stage = StagingSource {
            graph: form.graph.clone(),
            levels: (form.levels_of_cells.as_ref())
                .unwrap_or(&form.levels)
                .clone(),
            data: DataColumns::default(),
        };
        let both = (main
            && theta.routes.iter().any(|route| route.is_read())
            && densities.numeric.is_empty())
        .then(|| stage.derivatives(&densities.theta, d, Active::Both));
        let programs = Self {
            both,
            likelihood: stage.values(&likelihood),
            corrections: stage.values(&corrections),
            phi: stage.derivatives(&phi_roots, d, Active::Phi),
            theta: stage.derivatives(&densities.theta, d, Active::Theta),
            means: stage.values(&by_subject(form.means.clone())),
            laws: stage.values(&by_subject(of_corrections(form, |c| {
                [c.arguments.as_slice(), &[c.sd]].concat()
            }))),
            arguments: stage.values(&by_row(arguments.collect())),
            terms: stage.values(&by_row(terms.collect())),
            shifts: stage.values(&by_subject(form.shifts.clone())),
            prediction: stage.values(&prediction),
            individual,
            classes: stage.values(&by_subject(form.classes.clone())),
            information,
            has_information,
            numeric: densities.numeric,
            predicted,
        };
        (programs, stage.data)
    }
}

/// What the likelihood and the program for `theta` add up.
pub(super) struct DensityRoots {
    pub likelihood: Roots,
    pub theta: Roots,
    /// Coordinates of `phi` whose density is part of the program for `theta`.
    numeric: Vec<usize>,
}

impl DensityRoots {
    /// `main`: whether the outcomes are part of the program for `theta`.
    pub fn new(form: &mut NormalForm, theta: &Theta, main: bool) -> Self {
        let (prior, numeric) = numeric_prior(form, theta);
        let densities = (0u32..).zip(&form.densities);
        let sums: Vec<(Node, u32)> = densities.map(|(o, d)| (d.log_density, o)).collect();
        let own: Vec<Node> = form.corrections.iter().map(|c| c.term).collect();
        let likelihood = Roots {
            sums: sums.clone(),
            subject_sums: own.clone(),
            exists: crate::model::parameter::index(form.densities.len()),
            max_forward: (form.dynamics.as_ref()).map_or(0, |d| d.max_forward()),
            ..Roots::default()
        };
        let theta = Roots {
            sums: if main { sums } else { Vec::new() },
            subject_sums: [prior, own].concat(),
            ..likelihood.clone()
        };
        Self {
            likelihood,
            theta,
            numeric,
        }
    }
}

/// What programs are staged from; they share the data-only columns.
pub(super) struct StagingSource {
    pub graph: Graph,
    pub levels: NodeLevels,
    pub data: DataColumns,
}

impl StagingSource {
    pub fn values(&mut self, roots: &Roots) -> ValueProgram {
        ValueProgram::new(&self.graph, &mut self.levels, &mut self.data, roots)
    }

    pub fn derivatives(&mut self, roots: &Roots, d: usize, active: Active) -> DerivativeProgram {
        let Self {
            graph,
            levels,
            data,
        } = self;
        DerivativeProgram::new(graph, levels, data, roots, d, active)
    }
}

/// Nodes of the distributions that are not Gaussian, one after another.
fn of_corrections(form: &NormalForm, nodes: impl Fn(&Correction) -> Vec<Node>) -> Vec<Node> {
    form.corrections.iter().flat_map(nodes).collect()
}

fn information_roots(form: &NormalForm) -> (Vec<Node>, Vec<usize>, bool) {
    let (mut roots, mut outcomes, mut complete) = (Vec::new(), Vec::new(), true);
    if !form.graph.carries().is_empty() {
        // Outcomes of a chain inform each other; tangents go by single rows.
        return (roots, outcomes, false);
    }
    for (o, density) in form.densities.iter().enumerate() {
        match &density.information {
            None => complete = false,
            Some(pairs) => {
                for (argument, weight) in pairs {
                    roots.extend([*argument, *weight]);
                    outcomes.push(o);
                }
            }
        }
    }
    (roots, outcomes, complete)
}

fn prediction_roots(model: &Model, form: &mut NormalForm) -> (Vec<Node>, Vec<Predicted>) {
    let mut roots = Vec::new();
    let mut predicted = Vec::new();
    for (outcome, density) in model.outcomes.iter().zip(&form.densities) {
        let y = form.graph.data(outcome.column);
        let arguments = &density.arguments;
        let weighted = transformed::weighted(&mut form.graph, outcome.family, y, arguments);
        roots.extend(density.prediction);
        roots.extend(density.sd);
        roots.extend(weighted);
        predicted.push(Predicted {
            value: density.prediction.is_some(),
            sd: density.sd.is_some(),
            weighted: weighted.is_some(),
        });
    }
    (roots, predicted)
}

/// Variables that have one value a subject and depend on its random effects or its class.
fn individual_parameters(form: &mut NormalForm, class: Option<u32>) -> (Vec<String>, Vec<Node>) {
    let (mut names, mut list) = (Vec::new(), Vec::new());
    let of_class = (form.graph).depends(|op| matches!(op, Op::Data(i) if Some(i) == class));
    for (name, nodes) in &form.assigned {
        let individual = nodes.iter().all(|node| {
            let level = form.levels.of(&form.graph, *node);
            level.extent <= Extent::Subject && (level.phi || of_class[node.index()])
        });
        if !individual {
            continue;
        }
        let shown = name.trim_start_matches('.');
        match nodes.as_slice() {
            [only] => {
                names.push(shown.to_string());
                list.push(*only);
            }
            several => {
                for (i, node) in several.iter().enumerate() {
                    names.push(format!("{shown}[{}]", i + 1));
                    list.push(*node);
                }
            }
        }
    }
    (names, list)
}

/// Log density of the blocks of `phi` in which some free parameter has no closed form.
fn numeric_prior(form: &mut NormalForm, theta: &Theta) -> (Vec<Node>, Vec<usize>) {
    let blocks = form.covariance.clone();
    let (mut densities, mut coordinates) = (Vec::new(), Vec::new());
    for block in &blocks {
        let means = form.means[block.first..block.first + block.len].to_vec();
        let nodes = [means.clone(), block.nodes.clone()].concat();
        if form
            .thetas_of(nodes)
            .iter()
            .any(|k| theta.routes[*k].is_open())
        {
            let first = form.offset + block.first;
            densities.push(gaussian_log_density(&mut form.graph, block, &means, first));
            coordinates.extend(block.first..block.first + block.len);
        }
    }
    (densities, coordinates)
}

/// `log N(phi; mean, covariance)` through the Cholesky factor, element by element; `first` is the block's first effect
/// in the model.
fn gaussian_log_density(
    g: &mut Graph,
    block: &CovarianceBlock,
    means: &[Node],
    first: usize,
) -> Node {
    let n = block.len;
    let zero = g.constant(0.0);
    let mut l = vec![zero; n * n];
    for i in 0..n {
        for j in 0..=i {
            let terms: Vec<Node> = (0..j).map(|k| g.mul(l[i * n + k], l[j * n + k])).collect();
            let sum = g.sum(&terms);
            let rest = g.sub(block.nodes[i * n + j], sum);
            l[i * n + j] = if i == j {
                g.unary(Unary::Sqrt, rest)
            } else {
                g.div(rest, l[j * n + j])
            };
        }
    }
    let mut z: Vec<Node> = Vec::with_capacity(n);
    let mut total = g.constant(-LN_SQRT_2PI * n as f64);
    for i in 0..n {
        let phi = g.phi(crate::model::parameter::index(first + i));
        let mut residual = g.sub(phi, means[i]);
        for (j, done) in z.iter().enumerate() {
            let term = g.mul(l[i * n + j], *done);
            residual = g.sub(residual, term);
        }
        let scaled = g.div(residual, l[i * n + i]);
        z.push(scaled);
        let square = g.square(scaled);
        let half = g.scale(-0.5, square);
        let log = g.ln(l[i * n + i]);
        total = g.add(total, half);
        total = g.sub(total, log);
    }
    total
}
