//! Compile subpopulations: `mix(a, p, b)` is `a` for subjects of the first class and `b` for all others.
//!
//! While statements are compiled the class is a column of the data, and a model reads one class of the subject. Once all
//! are compiled [`spread`] writes what depends on the class once for each, and the outcomes as mixtures of them. Where
//! the column tells the class of a subject it is known; 0 says that it is not.

use super::call::zip;
use super::parameter::index;
use super::scope::Scope;
use super::value::ShapedValue;
use super::{ColumnSource, EffectBlock, Equation, Feed, ModelOutcome};
use crate::distributions::mixture::{chosen, expected, initial, is_class, step};
use crate::error::{Error, Result};
use crate::ir::graph::{Graph, Node, Op};
use crate::language::expression::Expression;

pub const WORD: &str = "mix";

const EXAMPLE: &str =
    "Write `mix(a, p1, b)`, or `mix(a, p1, b, p2, c)` for three classes: values with the \
                       probabilities of all classes but the last between them.";

/// Classes of subjects that `mix()` tells apart.
#[derive(Debug, Clone)]
pub struct SubjectClasses {
    /// The data column of the class: 0 where it is not known.
    pub column: u32,
    /// Probability of each class.
    pub probabilities: Vec<Node>,
    /// The first `mix()`, and the statement it stands in.
    pub shown: String,
    pub text: String,
}

/// The parts of a model that may depend on the class.
pub struct ClassParts<'a> {
    pub blocks: &'a mut [EffectBlock],
    pub outcomes: &'a mut [ModelOutcome],
    pub assigned: &'a mut [(String, Vec<Node>)],
    pub equations: &'a mut Vec<Equation>,
}

impl Scope {
    /// `mix(a, p1, b)`
    ///
    /// # Errors
    /// A wrong number of arguments, values that are no probabilities, other ones than those of the first `mix()`.
    pub fn mix(
        &mut self,
        args: &[Expression],
        names: &[String],
        statement: &str,
    ) -> Result<ShapedValue> {
        let named = names.iter().any(|name| !name.is_empty());
        if args.len() < 3 || args.len().is_multiple_of(2) || named {
            let problem = if named {
                "The arguments of `mix()` have no names.".to_string()
            } else {
                format!("`mix()` is given {} arguments.", args.len())
            };
            return Err(Error::model("argument_count", problem).hint(EXAMPLE));
        }
        let mut probabilities = Vec::new();
        for share in args.iter().skip(1).step_by(2) {
            probabilities.push(self.scalar(share, statement)?);
        }
        let rest = self.last_share(&probabilities)?;
        probabilities.push(rest);
        let shown = Expression::Call {
            call: WORD.into(),
            args: args.to_vec(),
            names: Vec::new(),
        };
        let class = self.class(probabilities, &shown.show(), statement)?;
        let mut values = Vec::new();
        for arg in args.iter().step_by(2) {
            values.push(self.value(arg, statement)?);
        }
        let Some(mut rest) = values.pop() else {
            return Err(Error::model("argument_count", "`mix()` is empty.").hint(EXAMPLE));
        };
        let each: Vec<(u32, ShapedValue)> = (1..).zip(values).collect();
        for (k, value) in each.iter().rev() {
            if let (ShapedValue::Text(text), _) | (_, ShapedValue::Text(text)) = (value, &rest) {
                let problem = format!("The text \"{text}\" stands in `mix()`.");
                return Err(Error::model("wrong_shape", problem).hint(EXAMPLE));
            }
            let here = is_class(&mut self.graph, class, *k);
            let pair = [
                args[2 * (*k as usize) - 2].clone(),
                args[args.len() - 1].clone(),
            ];
            rest = zip(&mut self.graph, WORD, &pair, value, &rest, |g, a, b| {
                g.select(here, a, b)
            })?;
        }
        Ok(rest)
    }

    /// The probability of the last class.
    fn last_share(&mut self, shares: &[Node]) -> Result<Node> {
        let sum = self.graph.sum(shares);
        let one = self.graph.constant(1.0);
        let outside =
            |node: &Node| (self.graph.as_constant(*node)).filter(|p| *p <= 0.0 || *p >= 1.0);
        if let Some(p) = shares.iter().find_map(outside) {
            let problem = format!("`mix()` has the probability {p}, which is not between 0 and 1.");
            return Err(Error::model("no_probabilities", problem).hint(EXAMPLE));
        }
        if let Some(sum) = self.graph.as_constant(sum).filter(|sum| *sum >= 1.0) {
            let problem = format!(
                "The probabilities in `mix()` add up to {sum}, which leaves nothing for the last class."
            );
            return Err(Error::model("no_probabilities", problem).hint(EXAMPLE));
        }
        Ok(self.graph.sub(one, sum))
    }

    /// The class of the subject, which all `mix()` share.
    fn class(&mut self, probabilities: Vec<Node>, shown: &str, statement: &str) -> Result<Node> {
        if let Some(known) = &self.mixture {
            if known.probabilities == probabilities {
                return Ok(self.graph.data(known.column));
            }
            return Err(Error::model(
                "other_probabilities",
                format!(
                    "`{shown}` has other probabilities than `{}`, but a subject has one class.",
                    known.shown
                ),
            )
            .hint("Write the same probabilities in every `mix()`, in the same order."));
        }
        let (column, class) = self.sourced(".class", ColumnSource::Class, statement);
        self.mixture = Some(SubjectClasses {
            column,
            probabilities,
            shown: shown.to_string(),
            text: statement.to_string(),
        });
        Ok(class)
    }
}

/// What depends on the class.
struct Dependent {
    nodes: Vec<bool>,
    states: Vec<bool>,
    /// Effects whose mean does, by their coordinate of `phi`, with that mean.
    means: Vec<Option<Node>>,
}

impl Dependent {
    fn on(&self, node: Node) -> bool {
        self.nodes.get(node.index()).copied().unwrap_or(false)
    }
}

fn dependent(g: &Graph, column: u32, parts: &ClassParts) -> Dependent {
    let n_effects = parts.blocks.iter().map(EffectBlock::len).sum();
    let mut found = Dependent {
        nodes: Vec::new(),
        states: vec![false; parts.equations.len()],
        means: vec![None; n_effects],
    };
    loop {
        found.nodes = g.depends(|op| match op {
            Op::Data(i) => i == column,
            Op::State(s) => found.states[s as usize],
            Op::Phi(j) => found.means[j as usize].is_some(),
            _ => false,
        });
        let before = (found.states.clone(), found.means.clone());
        for (s, equation) in parts.equations.iter().enumerate() {
            let feed = equation.feed.iter().flat_map(|f| [f.lag, f.per]).flatten();
            let on = equation.nodes().chain(feed).any(|node| found.on(node));
            found.states[s] |= on;
        }
        for block in parts.blocks.iter() {
            for (j, mean) in block.mean.iter().enumerate() {
                if found.on(*mean) {
                    found.means[block.first + j] = Some(*mean);
                }
            }
        }
        if before == (found.states.clone(), found.means.clone()) {
            return found;
        }
    }
}

/// Write what depends on the class once for each class, and the outcomes as mixtures.
///
/// # Errors
/// A class where none can be: in probabilities, in the spread of effects, in a chain.
pub fn spread(scope: &mut Scope, mut parts: ClassParts) -> Result<Option<SubjectClasses>> {
    let Some(mixture) = scope.mixture.take() else {
        return Ok(None);
    };
    let on = dependent(&scope.graph, mixture.column, &parts);
    check(scope, &mixture, &parts, &on)?;
    let original = scope.graph.clone();
    let n = parts.equations.len();
    let (mut classes, mut copies) = (Vec::new(), Vec::new());
    for k in 0..mixture.probabilities.len() {
        let states: Vec<u32> = (0..n)
            .map(|s| match (on.states[s], k) {
                (true, 1..) => {
                    copies.push((s, k));
                    index(n + copies.len() - 1)
                }
                _ => index(s),
            })
            .collect();
        classes.push(written(
            &mut scope.graph,
            &original,
            &mixture,
            &on,
            k,
            &states,
        ));
    }
    let hidden: Vec<Equation> = copies
        .iter()
        .map(|(s, k)| copied(&parts.equations[*s], *s, &classes[*k], *k))
        .collect();
    for (s, equation) in parts.equations.iter_mut().enumerate() {
        if on.states[s] {
            move_nodes(equation, &classes[0]);
        }
    }
    parts.equations.extend(hidden);
    mix_outcomes(scope, &mixture, &mut parts, &on, &classes);
    report(scope, &mixture, &mut parts, &on, &classes);
    Ok(Some(mixture))
}

/// The nodes of a graph as they are in one class: `[node]`.
fn written(
    g: &mut Graph,
    original: &Graph,
    mixture: &SubjectClasses,
    on: &Dependent,
    class: usize,
    states: &[u32],
) -> Vec<Node> {
    let mut moved: Vec<Node> = original.nodes().collect();
    for node in original.nodes() {
        if !on.on(node) {
            continue;
        }
        moved[node.index()] = match original.op(node) {
            Op::Data(i) if i == mixture.column => g.constant((class + 1) as f64),
            Op::State(s) => g.state(states[s as usize]),
            Op::Phi(j) => match on.means[j as usize] {
                Some(mean) => g.add(node, moved[mean.index()]),
                None => node,
            },
            op => g.copied(op, &moved),
        };
    }
    moved
}

fn move_nodes(equation: &mut Equation, moved: &[Node]) {
    equation.rhs = moved[equation.rhs.index()];
    let there = |node: Node| moved[node.index()];
    for part in [
        &mut equation.initial,
        &mut equation.fraction,
        &mut equation.lag,
        &mut equation.rate,
        &mut equation.duration,
    ] {
        *part = part.map(there);
    }
    if let Some(feed) = &mut equation.feed {
        feed.lag = feed.lag.map(there);
        feed.per = feed.per.map(there);
    }
}

/// The state as it is in a further class: a hidden one that takes the same doses.
fn copied(equation: &Equation, state: usize, moved: &[Node], class: usize) -> Equation {
    let mut copy = equation.clone();
    move_nodes(&mut copy, moved);
    copy.name = format!("{} of class {}", equation.name, class + 1);
    let feed = copy.feed.unwrap_or(Feed::new(state, WORD));
    copy.feed = Some(Feed { copy: true, ..feed });
    copy
}

fn mix_outcomes(
    scope: &mut Scope,
    mixture: &SubjectClasses,
    parts: &mut ClassParts,
    on: &Dependent,
    classes: &[Vec<Node>],
) {
    let class = scope.graph.data(mixture.column);
    let mixed = |o: &&mut ModelOutcome| on.on(o.density.log_density);
    let before = initial(&mut scope.graph, class, &mixture.probabilities);
    let mut carried = Vec::new();
    let mut weights = Vec::new();
    for outcome in parts.outcomes.iter_mut().filter(mixed) {
        if carried.is_empty() {
            carried = before.iter().map(|w| scope.graph.carry(*w)).collect();
            weights.clone_from(&carried);
        }
        let (column, text) = (outcome.column, outcome.text.clone());
        let present = scope.sourced("", ColumnSource::Present(column), &text).1;
        let g = &mut scope.graph;
        let own = |node: Node| classes.iter().map(move |moved| moved[node.index()]);
        let logs: Vec<Node> = own(outcome.density.log_density).collect();
        let (log_density, updated) = step(g, present, &weights, &logs);
        weights = updated;
        let density = &mut outcome.density;
        density.log_density = log_density;
        density.information = None;
        for node in density.prediction.iter_mut().chain(&mut density.sd) {
            let values: Vec<Node> = own(*node).collect();
            *node = expected(g, class, &mixture.probabilities, &values);
        }
        for node in &mut density.arguments {
            let values: Vec<Node> = own(*node).collect();
            *node = chosen(g, class, &values, values[0]);
        }
        outcome.mixed = true;
    }
    for (carry, next) in carried.into_iter().zip(weights) {
        scope.graph.carry_on(carry, next);
    }
}

/// Variables are those of the class; an effect whose mean depends on it is its deviation from that mean.
fn report(
    scope: &mut Scope,
    mixture: &SubjectClasses,
    parts: &mut ClassParts,
    on: &Dependent,
    classes: &[Vec<Node>],
) {
    let g = &mut scope.graph;
    let class = g.data(mixture.column);
    for (_, nodes) in parts.assigned.iter_mut() {
        for node in nodes.iter_mut().filter(|node| on.on(**node)) {
            let values: Vec<Node> = classes.iter().map(|moved| moved[node.index()]).collect();
            *node = expected(g, class, &mixture.probabilities, &values);
        }
    }
    let zero = g.constant(0.0);
    for block in parts.blocks.iter_mut() {
        for (j, mean) in block.mean.iter_mut().enumerate() {
            if on.means[block.first + j].is_some() {
                *mean = zero;
            }
        }
    }
}

fn check(
    scope: &Scope,
    mixture: &SubjectClasses,
    parts: &ClassParts,
    on: &Dependent,
) -> Result<()> {
    if mixture.probabilities.iter().any(|p| on.on(*p)) {
        let problem = format!(
            "The probabilities of `{}` depend on the class itself.",
            mixture.shown
        );
        return Err(Error::model("class_of_class", problem)
            .at(mixture.text.clone())
            .hint(EXAMPLE));
    }
    if let Some(name) = mixture
        .probabilities
        .iter()
        .find_map(|p| scope.changing(*p))
    {
        return Err(Error::model(
            "not_of_subject",
            format!(
                "The probabilities of `{}` read `{name}`, which changes with time.",
                mixture.shown
            ),
        )
        .at(mixture.text.clone())
        .field("name", name)
        .hint("Parameters and covariates that are constant in the subject may stand here."));
    }
    for block in parts.blocks.iter() {
        let mut others = block.arguments().filter(|node| !block.mean.contains(node));
        if others.any(|node| on.on(*node))
            || (block.law.is_some() && block.arguments().any(|n| on.on(*n)))
        {
            return Err(Error::model(
                "spread_of_class",
                "The spread of a random effect depends on the class of the subject.",
            )
            .at(block.text.clone())
            .hint("Give the effect the SD 1, `eta ~ normal(0, 1)`, and multiply it: `mix(omega1, p1, omega2) * eta`."));
        }
    }
    let hangs = |o: &ModelOutcome| o.chain.is_some() || o.together.is_some();
    let chain = |o: &&ModelOutcome| hangs(o) && on.on(o.density.log_density);
    if let Some(outcome) = parts.outcomes.iter().find(chain) {
        return Err(Error::model(
            "chain_of_class",
            format!(
                "`{}()` depends on the class of `{}`.",
                outcome.family, mixture.shown
            ),
        )
        .at(outcome.text.clone())
        .hint("What hangs together along the rows or between outcomes may stand beside a `mix()` in one model, but not read it."));
    }
    Ok(())
}
