//! Compile outcomes that follow a Markov chain over the rows of a subject: `hmm()`, `markov()` and their forms in
//! continuous time.

use super::random::{arguments, family};
use super::scope::Scope;
use super::value::ShapedValue;
use super::{ColumnSource, Model, ModelOutcome, OutcomeChain, SeriesDraws, Support};
use crate::distributions::chain::Chain;
use crate::distributions::hmm::{hidden, observed};
use crate::distributions::transition::transition_over;
use crate::distributions::{family as known, Family, OutcomeDensity};
use crate::error::{Error, Result};
use crate::ir::graph::{Graph, Node};
use crate::ir::op::Binary;
use crate::language::expression::Expression;
use crate::language::words;

/// What a chain is: seen through emissions or itself, moving by rows or in time.
#[derive(Debug, Clone, Copy)]
pub struct ChainKind {
    pub hidden: bool,
    pub continuous: bool,
}

impl Model {
    /// Whether a row depends on the subject's earlier rows, in the order of time.
    pub fn is_sequential(&self) -> bool {
        self.outcomes.iter().any(|o| o.chain.is_some())
    }

    /// Whether all rows of a subject are needed together.
    pub fn takes_whole_subjects(&self) -> bool {
        !self.graph.carries().is_empty()
    }

    /// The error of a random effect grouped by `group`, which is not the subject, beside a chain.
    pub fn grouping_error(&self, group: &str) -> Error {
        let chain = self.outcomes.iter().find(|o| o.chain.is_some());
        if let (None, Some(mixture)) = (chain, &self.mixture) {
            return mixture.grouping_error(group);
        }
        let family = chain.map_or("hmm", |o| o.family.name);
        Error::model(
            "chain_grouping",
            format!("A random effect is grouped by `{group}`, but `{family}()` follows each subject through all its rows."),
        )
        .at(chain.map_or(String::new(), |o| o.text.clone()))
        .field("group", group)
        .hint("Group all random effects by the subject: levels within or above a subject cannot be told apart along a chain.")
    }
}

/// Compile `column ~ hmm(...)` and its relatives.
///
/// # Errors
/// Wrong arguments, shapes or families, constant probabilities that do not add up to one.
pub fn outcome(
    scope: &mut Scope,
    column: &str,
    (family, kind): (&'static Family, ChainKind),
    dist: &Expression,
    text: &str,
) -> Result<ModelOutcome> {
    let wanted = family.arguments;
    let args = arguments(dist, wanted)?;
    let (k, matrix) = square(scope, wanted[0], args[0], text)?;
    let initial = probabilities(scope, args[args.len() - 1], k, text)?;
    check_matrix(&scope.graph, kind, &matrix, k)?;
    let (index, y) = scope.column(column, text);
    let present = scope.sourced("", ColumnSource::Present(index), text).1;
    let transition = if kind.continuous {
        let dt = scope.sourced("", ColumnSource::TimeStep, text).1;
        transition_over(&mut scope.graph, &matrix, k, dt)
    } else {
        matrix
    };
    let mut outcome = ModelOutcome {
        column: index,
        family,
        support: Support::Category(super::parameter::index(k)),
        density: OutcomeDensity {
            log_density: y,
            prediction: None,
            sd: None,
            information: None,
            arguments: [transition.clone(), initial.clone()].concat(),
        },
        censored: false,
        mixed: false,
        chain: None,
        together: None,
        text: text.to_string(),
    };
    let first = scope.graph.carries().len();
    let mut emitted = Vec::new();
    if kind.hidden {
        let states = emissions(scope, args[1], k, column, text)?;
        let g = &mut scope.graph;
        seen_through(g, &mut outcome, present, [&transition, &initial], &states)?;
        emitted = states
            .into_iter()
            .map(|state| (state.family, state.density.arguments.len()))
            .collect();
    } else {
        let filter = observed(&mut scope.graph, present, &transition, &initial, y);
        outcome.density.log_density = filter.log_density;
    }
    outcome.chain = Some(OutcomeChain {
        carries: super::parameter::index(first)..super::parameter::index(first + k),
        draws: SeriesDraws::Chain(Chain {
            n_states: k,
            emissions: emitted,
        }),
    });
    Ok(outcome)
}

/// Number of states and elements of a square matrix, row-major.
fn square(
    scope: &mut Scope,
    name: &str,
    arg: &Expression,
    text: &str,
) -> Result<(usize, Vec<Node>)> {
    match scope.value(arg, text)? {
        ShapedValue::Matrix { rows, cols, nodes } if rows == cols && rows > 1 => Ok((rows, nodes)),
        other => Err(Error::model(
            "wrong_shape",
            format!(
                "`{name}`, `{}`, is {}; a square matrix with a row and a column for each state is needed.",
                arg.show(),
                other.shape()
            ),
        )
        .hint("Give a matrix parameter, or write rbind(c(0.9, 0.1), c(p, 1 - p)).")),
    }
}

fn probabilities(scope: &mut Scope, arg: &Expression, k: usize, text: &str) -> Result<Vec<Node>> {
    let value = scope.value(arg, text)?;
    let ShapedValue::Vector(nodes) = &value else {
        return Err(length_error(arg, &value, k));
    };
    if nodes.len() != k {
        return Err(length_error(arg, &value, k));
    }
    check_sum(&scope.graph, nodes, "`initial`")?;
    Ok(nodes.clone())
}

fn length_error(arg: &Expression, value: &ShapedValue, k: usize) -> Error {
    Error::model(
        "wrong_shape",
        format!(
            "`{}` is {}; the chain has {k} states.",
            arg.show(),
            value.shape()
        ),
    )
}

fn constants(g: &Graph, nodes: &[Node]) -> Option<Vec<f64>> {
    nodes.iter().map(|node| g.as_constant(*node)).collect()
}

fn check_sum(g: &Graph, nodes: &[Node], what: &str) -> Result<()> {
    let Some(values) = constants(g, nodes) else {
        return Ok(());
    };
    let sum: f64 = values.iter().sum();
    if (sum - 1.0).abs() < 1e-8 && values.iter().all(|p| *p >= 0.0) {
        return Ok(());
    }
    Err(Error::model(
        "no_probabilities",
        format!("{what} must hold probabilities that add up to 1; they add up to {sum}."),
    ))
}

fn check_matrix(g: &Graph, kind: ChainKind, matrix: &[Node], k: usize) -> Result<()> {
    for (i, row) in matrix.chunks(k).enumerate() {
        if !kind.continuous {
            check_sum(g, row, &format!("Row {} of `transition`", i + 1))?;
            continue;
        }
        let off_diagonal = row.iter().enumerate().filter(|(j, _)| *j != i);
        for (j, node) in off_diagonal {
            if g.as_constant(*node).is_some_and(|rate| rate < 0.0) {
                return Err(Error::model(
                    "negative_rate",
                    format!(
                        "The rate from state {} to state {} is negative.",
                        i + 1,
                        j + 1
                    ),
                ));
            }
        }
    }
    Ok(())
}

/// `list(normal(a, s), normal(b, s))`, or `normal(c(a, b), s)` for one family whose arguments differ.
fn emissions(
    scope: &mut Scope,
    arg: &Expression,
    k: usize,
    column: &str,
    text: &str,
) -> Result<Vec<ModelOutcome>> {
    let calls: Vec<Expression> = match arg {
        Expression::Call { call, args, .. } if call == "c" || call == "list" => args.clone(),
        _ => (0..k)
            .map(|state| of_state(scope, arg, state, k, text))
            .collect::<Result<_>>()?,
    };
    if calls.len() != k {
        return Err(Error::model(
            "wrong_shape",
            format!(
                "`emissions` holds {} distributions; the chain has {k} states.",
                calls.len()
            ),
        )
        .hint("Give one distribution for each state, in the order of the rows of the matrix."));
    }
    let mut states = Vec::new();
    for dist in &calls {
        let family = family(dist, |_| true)?;
        if family.is_sequential() {
            return Err(Error::model(
                "nested_chain",
                format!("`{family}()` cannot be an emission."),
            )
            .hint("An emission is the distribution of one row given the state."));
        }
        states.push(super::outcome::outcome(scope, column, dist, text)?);
    }
    Ok(states)
}

/// The call of one state: of each argument that is a vector, its element.
fn of_state(
    scope: &mut Scope,
    dist: &Expression,
    state: usize,
    k: usize,
    text: &str,
) -> Result<Expression> {
    let Expression::Call { call, args, names } = dist else {
        return Ok(dist.clone());
    };
    let mut own = Vec::new();
    for arg in args {
        // What is censored is a distribution, and a spread may be written as an error model.
        let is_inner = matches!(arg, Expression::Call { call: inner, .. }
            if words::ERROR_MODELS.contains(&inner.as_str())
                || (call == "censored" && known(inner).is_some()));
        if is_inner {
            own.push(of_state(scope, arg, state, k, text)?);
            continue;
        }
        let value = scope.value(arg, text)?;
        own.push(match &value {
            ShapedValue::Vector(nodes) if nodes.len() == k => element(arg, state),
            ShapedValue::Vector(_) => return Err(length_error(arg, &value, k)),
            _ => arg.clone(),
        });
    }
    Ok(Expression::Call {
        call: call.clone(),
        args: own,
        names: names.clone(),
    })
}

fn element(arg: &Expression, state: usize) -> Expression {
    let index = Expression::Number {
        num: (state + 1) as f64,
    };
    Expression::Call {
        call: "[".into(),
        args: vec![arg.clone(), index],
        names: Vec::new(),
    }
}

/// Complete the outcome of a hidden chain. `chain`: transition and initial distribution.
fn seen_through(
    g: &mut Graph,
    outcome: &mut ModelOutcome,
    present: Node,
    chain: [&[Node]; 2],
    states: &[ModelOutcome],
) -> Result<()> {
    let y = g.data(outcome.column);
    outcome.support = common_support(states)?;
    outcome.censored = states.iter().any(|state| state.censored);
    let logs: Vec<Node> = states
        .iter()
        .map(|state| within(g, state, outcome.support, y))
        .collect();
    let filter = hidden(g, present, chain[0], chain[1], &logs);
    let means: Option<Vec<Node>> = states.iter().map(|state| mean(g, state)).collect();
    outcome.density.log_density = filter.log_density;
    outcome.density.prediction = means.map(|means| {
        let weighted = means.iter().zip(&filter.predicted);
        let terms: Vec<Node> = weighted.map(|(m, q)| g.mul(*q, *m)).collect();
        g.sum(&terms)
    });
    let arguments = states.iter().flat_map(|state| &state.density.arguments);
    outcome.density.arguments.extend(arguments);
    Ok(())
}

/// The mean of an emission: what its family predicts, but for the lognormal one, which predicts its median. Families
/// that are normal on another scale have none in closed form.
fn mean(g: &mut Graph, state: &ModelOutcome) -> Option<Node> {
    let prediction = state.density.prediction?;
    if state.family.is_transformed() {
        return None;
    }
    if !state.family.is_lognormal() {
        return Some(prediction);
    }
    let variance = g.square(state.density.sd?);
    let half = g.scale(0.5, variance);
    let factor = g.exp(half);
    Some(g.mul(prediction, factor))
}

/// The values an outcome may have in some state. Densities and probabilities do not mix.
fn common_support(states: &[ModelOutcome]) -> Result<Support> {
    use Support::{Between, Count, NonNegative, Positive, Real, Share, ZeroOne};
    let first = states[0].support;
    let is_real = |s: &Support| matches!(s, Real | Positive | NonNegative | Share | Between(..));
    let all = |known: &[Support]| states.iter().all(|s| known.contains(&s.support));
    if all(&[first]) {
        Ok(first)
    } else if states.iter().all(|s| is_real(&s.support)) {
        Ok(Real)
    } else if all(&[Count, ZeroOne]) {
        Ok(Count)
    } else {
        let families: Vec<&str> = states.iter().map(|s| s.family.name).collect();
        Err(Error::model(
            "mixed_support",
            format!(
                "The emissions {} do not have the same values.",
                families.join(", ")
            ),
        )
        .hint("Emissions may be of several families, but all for counts, or all for real numbers, and so on."))
    }
}

fn between(g: &mut Graph, y: Node, lower: Node, upper: Node) -> Node {
    let (above, below) = (
        g.binary(Binary::Less, lower, y),
        g.binary(Binary::Less, y, upper),
    );
    g.binary(Binary::And, above, below)
}

/// The log density in a state, minus infinity where only other states have one.
fn within(g: &mut Graph, state: &ModelOutcome, support: Support, y: Node) -> Node {
    if state.support == support {
        return state.density.log_density;
    }
    let (zero, one) = (g.constant(0.0), g.constant(1.0));
    let inside = match state.support {
        Support::Positive => g.binary(Binary::Less, zero, y),
        Support::NonNegative => g.binary(Binary::LessEqual, zero, y),
        Support::Share => between(g, y, zero, one),
        Support::Between(lower, upper) => {
            let (lower, upper) = (g.constant(lower), g.constant(upper));
            between(g, y, lower, upper)
        }
        Support::ZeroOne => g.binary(Binary::LessEqual, y, one),
        _ => return state.density.log_density,
    };
    let never = g.constant(f64::NEG_INFINITY);
    g.select(inside, state.density.log_density, never)
}
