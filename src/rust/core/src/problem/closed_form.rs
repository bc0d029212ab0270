//! Recognise the parameters whose M-step has a closed form, from the program itself.

use super::normal_form::{CovarianceBlock, NormalForm};
use crate::distributions::FamilyForm;
use crate::ir::graph::{Graph, Node, Op};
use crate::ir::op::{Binary, Unary};
use crate::model::covariance::triangle;
use crate::model::parameter::ParameterShape;
use crate::model::Model;

/// How a block of `Omega` is updated.
#[derive(Debug, Clone, PartialEq)]
pub enum CovarianceUpdate {
    /// Independent effects, each with its variance.
    Diagonal(Vec<Variance>),
    /// The block is one covariance matrix: the first coordinate of that parameter and their number.
    Full { first: usize, count: usize },
    /// No closed form.
    Numeric,
}

/// What stands on the diagonal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Variance {
    /// `exp(theta)`
    LogVariance(usize),
    /// `exp(theta)^2`
    LogSd(usize),
    /// `theta^2`
    Sd(usize),
    /// Known.
    Known,
}

impl Variance {
    pub fn coordinate(self) -> Option<usize> {
        match self {
            Self::LogVariance(k) | Self::LogSd(k) | Self::Sd(k) => Some(k),
            Self::Known => None,
        }
    }

    /// The coordinate that gives this variance.
    pub fn theta(self, variance: f64) -> f64 {
        match self {
            Self::LogVariance(_) => variance.ln(),
            Self::LogSd(_) => 0.5 * variance.ln(),
            Self::Sd(_) => variance.sqrt(),
            Self::Known => f64::NAN,
        }
    }
}

impl CovarianceUpdate {
    /// Coordinates of `theta` that this update sets.
    pub fn coordinates(&self) -> Vec<usize> {
        match self {
            Self::Diagonal(variances) => variances.iter().filter_map(|v| v.coordinate()).collect(),
            Self::Full { first, count } => (*first..first + count).collect(),
            Self::Numeric => Vec::new(),
        }
    }
}

/// A residual standard deviation `exp(theta) * factor` that enters one Gaussian outcome and nothing else.
#[derive(Debug, Clone, PartialEq)]
pub struct Residual {
    pub theta: usize,
    /// The outcomes that share it.
    pub outcomes: Vec<usize>,
    /// True when the factor is one: the same standard deviation at every row.
    pub constant: bool,
}

/// Set the update of every block whose parameters occur nowhere else (`taken`: coordinates that do).
///
/// `parameters`: first coordinate and natural nodes of each parameter of the model.
pub fn covariance_updates(
    graph: &Graph,
    blocks: &mut [CovarianceBlock],
    parameters: &[(usize, Vec<Node>)],
    model: &Model,
    free: &[bool],
    taken: &[usize],
) {
    for block in blocks.iter_mut() {
        block.update = full(block, parameters, model, free)
            .or_else(|| diagonal(graph, block, free))
            .filter(|update| !update.coordinates().iter().any(|k| taken.contains(k)))
            .unwrap_or(CovarianceUpdate::Numeric);
    }
    drop_shared(graph, blocks);
}

/// A block sets its parameters from its own effects alone: one that shares a parameter with another block, or whose
/// variances use a parameter in two ways, has no such update.
fn drop_shared(graph: &Graph, blocks: &mut [CovarianceBlock]) {
    let used: Vec<Vec<usize>> = blocks
        .iter()
        .map(|block| coordinates(graph, &block.nodes))
        .collect();
    for (i, block) in blocks.iter_mut().enumerate() {
        let others = used.iter().enumerate().filter(|(j, _)| *j != i);
        let elsewhere: Vec<usize> = others.flat_map(|(_, list)| list.clone()).collect();
        let own = block.update.coordinates();
        if own.iter().any(|k| elsewhere.contains(k)) || is_mixed(&block.update) {
            block.update = CovarianceUpdate::Numeric;
        }
    }
}

/// Whether one coordinate is a variance here and a standard deviation there.
fn is_mixed(update: &CovarianceUpdate) -> bool {
    let CovarianceUpdate::Diagonal(variances) = update else {
        return false;
    };
    variances.iter().any(|v| {
        let same = |w: &&Variance| v.coordinate().is_some() && w.coordinate() == v.coordinate();
        variances.iter().filter(same).any(|w| w != v)
    })
}

fn full(
    block: &CovarianceBlock,
    parameters: &[(usize, Vec<Node>)],
    model: &Model,
    free: &[bool],
) -> Option<CovarianceUpdate> {
    let lower: Vec<Node> = triangle(block.len)
        .map(|(i, j)| block.nodes[i * block.len + j])
        .collect();
    let (first, nodes) = model
        .parameters
        .iter()
        .zip(parameters)
        .filter(|(p, _)| {
            let dim = block.len;
            let whole = [
                ParameterShape::Covariance { dim },
                ParameterShape::MatrixLog { dim },
            ];
            whole.contains(&p.shape) && free[p.first]
        })
        .map(|(_, entry)| entry)
        .find(|(_, nodes)| *nodes == lower)?;
    Some(CovarianceUpdate::Full {
        first: *first,
        count: nodes.len(),
    })
}

fn coordinates(graph: &Graph, nodes: &[Node]) -> Vec<usize> {
    let needed = graph.reachable(nodes);
    let mut list: Vec<usize> = graph
        .nodes()
        .filter(|n| needed[n.index()])
        .filter_map(|n| match graph.op(n) {
            Op::Theta(k) => Some(k as usize),
            _ => None,
        })
        .collect();
    list.sort_unstable();
    list
}

fn diagonal(graph: &Graph, block: &CovarianceBlock, free: &[bool]) -> Option<CovarianceUpdate> {
    let n = block.len;
    let off_diagonal = (0..n * n).filter(|k| k / n != k % n);
    if off_diagonal
        .into_iter()
        .any(|k| graph.as_constant(block.nodes[k]) != Some(0.0))
    {
        return None;
    }
    let variances: Option<Vec<Variance>> = (0..n)
        .map(|i| variance(graph, block.nodes[i * n + i], free))
        .collect();
    variances.map(CovarianceUpdate::Diagonal)
}

fn variance(graph: &Graph, node: Node, free: &[bool]) -> Option<Variance> {
    if !coordinates(graph, &[node]).iter().any(|k| free[*k]) {
        return Some(Variance::Known);
    }
    match graph.op(node) {
        Op::Unary(Unary::Exp, x) => match graph.op(x) {
            Op::Theta(k) => Some(Variance::LogVariance(k as usize)),
            _ => None,
        },
        Op::Unary(Unary::Square, x) => match (graph.op(x), log_coordinate(graph, x)) {
            (_, Some(k)) => Some(Variance::LogSd(k)),
            (Op::Theta(k), _) => Some(Variance::Sd(k as usize)),
            _ => None,
        },
        _ => None,
    }
}

/// `k` if the node is `exp(theta[k])`.
fn log_coordinate(graph: &Graph, node: Node) -> Option<usize> {
    match graph.op(node) {
        Op::Unary(Unary::Exp, x) => match graph.op(x) {
            Op::Theta(k) => Some(k as usize),
            _ => None,
        },
        _ => None,
    }
}

/// Residual parameters with a closed form; `taken` are coordinates used by means or covariances.
pub fn residuals(
    form: &NormalForm,
    model: &Model,
    free: &[bool],
    taken: &[usize],
) -> Vec<Residual> {
    let mut found: Vec<Residual> = Vec::new();
    let mut refused = taken.to_vec();
    for (o, outcome) in model.outcomes.iter().enumerate() {
        let density = &form.densities[o];
        let gaussian = matches!(outcome.family.form, FamilyForm::Normal(_)) && outcome.is_plain();
        let candidate = density
            .sd
            .filter(|_| gaussian)
            .and_then(|sd| residual_coordinate(form, sd))
            .filter(|k| free[*k]);
        let location = form.thetas_of(density.prediction.into_iter().collect());
        for k in form.thetas_of(vec![density.log_density]) {
            if candidate != Some(k) || location.contains(&k) {
                refused.push(k);
            }
        }
        if let Some(theta) = candidate {
            let constant = density.sd.and_then(|sd| log_coordinate(&form.graph, sd)) == Some(theta);
            match found.iter_mut().find(|r| r.theta == theta) {
                Some(residual) => {
                    residual.outcomes.push(o);
                    residual.constant &= constant;
                }
                None => found.push(Residual {
                    theta,
                    outcomes: vec![o],
                    constant,
                }),
            }
        }
    }
    found.retain(|residual| !refused.contains(&residual.theta));
    found
}

/// `k` if the standard deviation is `exp(theta[k])`, or that times something free of `theta[k]`.
fn residual_coordinate(form: &NormalForm, sd: Node) -> Option<usize> {
    if let Some(k) = log_coordinate(&form.graph, sd) {
        return Some(k);
    }
    let Op::Binary(Binary::Mul, a, b) = form.graph.op(sd) else {
        return None;
    };
    [(a, b), (b, a)].into_iter().find_map(|(scale, factor)| {
        let k = log_coordinate(&form.graph, scale)?;
        (!form.thetas_of(vec![factor]).contains(&k)).then_some(k)
    })
}
