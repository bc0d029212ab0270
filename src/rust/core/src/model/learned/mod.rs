//! Compile learned functions: `f(x)` with weights of its own, `f(x, weights = w)` with those of a random effect.
//!
//! A learned function is a parameter, the vector of its weights, and a rule that writes a call into the graph. What it
//! writes are ordinary operations, so that levels, derivatives, equations and likelihoods need not know of it.

mod flow;
mod network;
mod spline;
mod tree;

use super::parameter::ModelParameter;
use super::random::arguments;
use super::scope::{NameKind, Scope};
use super::value::ShapedValue;
use super::{Effect, EffectBlock, Transform, WrittenCovariance};
use crate::error::{Error, Result};
use crate::ir::graph::Node;
use crate::language::expression::Expression;
use crate::language::learned::{Activation, LearnedForm};
use crate::language::specification::Random;
use crate::language::words;

/// The name of the argument that holds other weights.
const WEIGHTS: &str = "weights";

/// Check the form of a learned function.
///
/// # Errors
/// Sizes of zero, a number of weights that differs from what it needs, knots that do not ascend.
pub fn check(parameter: &ModelParameter, form: &LearnedForm) -> Result<()> {
    let name = &parameter.name;
    let fail = |problem: String| {
        Err(Error::model("learned_form", problem)
            .field("name", name)
            .hint(hint(form)))
    };
    let sizes: Vec<usize> = match form {
        LearnedForm::Network {
            inputs,
            hidden,
            outputs,
            activation,
            ..
        } => {
            if *activation == Activation::Softmax {
                return fail(format!("Hidden layers of `{name}` take no \"softmax\"."));
            }
            [*inputs, *outputs]
                .into_iter()
                .chain(hidden.clone())
                .collect()
        }
        LearnedForm::SoftTree {
            inputs,
            depth,
            outputs,
        } => vec![*inputs, *depth, *outputs],
        LearnedForm::Spline { knots, degree } => {
            if let Some(problem) = spline::fault(knots, *degree) {
                return fail(format!("The spline `{name}` {problem}."));
            }
            vec![1]
        }
        LearnedForm::PlanarFlow { dimension, layers } => vec![*dimension, *layers],
    };
    if sizes.contains(&0) {
        return fail(format!("A size of the {} `{name}` is 0.", title(form)));
    }
    let given = parameter.n_elements();
    match form.n_weights() {
        Some(needed) if needed == given => Ok(()),
        Some(needed) => fail(format!(
            "The {} `{name}` has {needed} weights, but {given} are given.",
            title(form)
        )),
        None => fail(format!(
            "The {} `{name}` has too many weights.",
            title(form)
        )),
    }
}

fn title(form: &LearnedForm) -> &'static str {
    match form {
        LearnedForm::Network { .. } => "network",
        LearnedForm::SoftTree { .. } => "soft tree",
        LearnedForm::Spline { .. } => "spline",
        LearnedForm::PlanarFlow { .. } => "planar flow",
    }
}

fn hint(form: &LearnedForm) -> &'static str {
    match form {
        LearnedForm::Network { .. } => {
            "A network is declared by `network(inputs = 1, hidden = 4)`: inputs, widths of the hidden layers, outputs."
        }
        LearnedForm::SoftTree { .. } => "A soft tree is declared by `soft_tree(inputs = 1, depth = 2)`.",
        LearnedForm::Spline { .. } => {
            "A spline is declared by `spline(knots = c(0, 0, 0, 0, 2, 6, 12, 12, 12, 12), degree = 3)`: knots that ascend, \
             more of them than degree + 1."
        }
        LearnedForm::PlanarFlow { .. } => {
            "A planar flow is declared by `planar_flow(dimension = 1, layers = 2)`."
        }
    }
}

impl Scope {
    /// Compile the call of a learned function; `None` where the name is none.
    ///
    /// # Errors
    /// A wrong number of inputs or weights.
    pub fn learned(
        &mut self,
        name: &str,
        args: &[Expression],
        names: &[String],
        statement: &str,
    ) -> Option<Result<ShapedValue>> {
        let form = self.functions.get(name)?.clone();
        Some(
            self.learned_call(name, &form, args, names, statement)
                .map_err(|e| e.field("name", name)),
        )
    }

    fn learned_call(
        &mut self,
        name: &str,
        form: &LearnedForm,
        args: &[Expression],
        names: &[String],
        statement: &str,
    ) -> Result<ShapedValue> {
        if let LearnedForm::PlanarFlow { .. } = form {
            return Err(Error::model(
                "learned_call",
                format!("The planar flow `{name}` is called as a function."),
            )
            .hint(format!(
                "It is the distribution of a random effect: `random(eta ~ planar_flow({name}) | id)`."
            )));
        }
        let mut inputs: Vec<Node> = Vec::new();
        let mut weights = None;
        for (i, arg) in args.iter().enumerate() {
            let value = self.value(arg, statement)?;
            match names.get(i).map_or("", String::as_str) {
                WEIGHTS => weights = Some((arg, value)),
                "" => inputs.extend(self.numbers(name, arg, &value)?),
                other => return Err(unknown_argument(name, other)),
            }
        }
        let (wanted, given) = (form.n_inputs(), inputs.len());
        if wanted != given {
            return Err(Error::model(
                "learned_inputs",
                format!(
                    "`{name}()` takes {}, {given} {} given.",
                    count(wanted, "input"),
                    is(given)
                ),
            )
            .hint(
                "Inputs stand one after another or in one vector, as in `f(a, b)` or `f(c(a, b))`.",
            ));
        }
        let weights = match weights {
            Some((arg, value)) => self.weights(name, form, arg, &value)?,
            None => self.own_weights(name),
        };
        let outputs = self.outputs(form, &weights, &inputs);
        Ok(ShapedValue::from_nodes(outputs))
    }

    /// The values of an input or of weights.
    fn numbers(&self, name: &str, arg: &Expression, value: &ShapedValue) -> Result<Vec<Node>> {
        match value {
            ShapedValue::Text(_) => Err(Error::model(
                "wrong_shape",
                format!("`{}` is a text, `{name}()` takes numbers.", arg.show()),
            )),
            value => Ok(value.nodes().to_vec()),
        }
    }

    fn weights(
        &self,
        name: &str,
        form: &LearnedForm,
        arg: &Expression,
        value: &ShapedValue,
    ) -> Result<Vec<Node>> {
        let nodes = self.numbers(name, arg, value)?;
        let needed = form.n_weights().unwrap_or(0);
        if nodes.len() == needed {
            return Ok(nodes);
        }
        Err(Error::model(
            "learned_weights",
            format!(
                "`{name}()` has {needed} weights, `{}` has {}.",
                arg.show(),
                nodes.len()
            ),
        )
        .hint(format!(
            "A random effect of the same length is `eta ~ mvnormal({name}, diag(1, length({name}))) | id`."
        )))
    }

    fn own_weights(&self, name: &str) -> Vec<Node> {
        match (self.kind(name), self.get(name)) {
            (Some(NameKind::Parameter), Some(value)) => value.nodes().to_vec(),
            _ => Vec::new(),
        }
    }

    fn outputs(&mut self, form: &LearnedForm, weights: &[Node], inputs: &[Node]) -> Vec<Node> {
        let g = &mut self.graph;
        match form {
            LearnedForm::Network {
                hidden,
                outputs,
                activation,
                output_activation,
                bias,
                ..
            } => {
                let mut layers: Vec<(usize, Activation)> =
                    hidden.iter().map(|width| (*width, *activation)).collect();
                layers.push((*outputs, *output_activation));
                network::outputs(g, &layers, *bias, weights, inputs)
            }
            LearnedForm::SoftTree { depth, outputs, .. } => {
                tree::outputs(g, *depth, *outputs, weights, inputs)
            }
            LearnedForm::Spline { knots, degree } => {
                vec![spline::value(g, knots, *degree, weights, inputs[0])]
            }
            LearnedForm::PlanarFlow { layers, .. } => flow::image(g, *layers, weights, inputs),
        }
    }
}

/// The word of a distribution that is the image of a normal one.
const FLOW: &str = "planar_flow";

/// A planar flow and its size.
pub struct PlanarMap {
    name: String,
    dimension: usize,
    layers: usize,
}

impl Scope {
    /// The flow that a distribution of `random()` names; `None` for other distributions.
    ///
    /// # Errors
    /// An argument that is no flow.
    pub(super) fn flow_of(&self, dist: &Expression) -> Result<Option<PlanarMap>> {
        if !matches!(dist, Expression::Call { call, .. } if call == FLOW) {
            return Ok(None);
        }
        let arguments = arguments(dist, &["f"])?;
        if let [Expression::Symbol { sym }] = arguments.as_slice() {
            if let Some(LearnedForm::PlanarFlow { dimension, layers }) = self.functions.get(sym) {
                return Ok(Some(PlanarMap {
                    name: sym.clone(),
                    dimension: *dimension,
                    layers: *layers,
                }));
            }
        }
        let shown = arguments.first().map_or(String::new(), |a| a.show());
        let flows = self.functions.iter();
        let flows = flows.filter(|(_, form)| matches!(form, LearnedForm::PlanarFlow { .. }));
        let known: Vec<&str> = flows.map(|(name, _)| name.as_str()).collect();
        let problem = format!("`{shown}` is no planar flow.");
        let error = Error::model("not_a_flow", problem).field("name", shown.clone());
        Err(error.hint(if known.is_empty() {
            "Declare one in fixed(), as in `fixed(f = planar_flow(dimension = 1, layers = 2))`, and write \
             `eta ~ planar_flow(f) | id`."
                .into()
        } else {
            words::suggestion(&shown, "The flows are", known)
        }))
    }

    /// Effects that are the image of standard normal ones: these are what is drawn.
    ///
    /// # Errors
    /// Names that do not fit the flow.
    pub(super) fn flow_block(
        &mut self,
        spec: &Random,
        (first, group): (usize, usize),
        flow: &PlanarMap,
    ) -> Result<(EffectBlock, Vec<Effect>)> {
        let d = flow.dimension;
        if spec.names.len() != 1 && spec.names.len() != d {
            return Err(Error::model(
                "wrong_effect_length",
                format!(
                    "{} names are given to the {d} effects of `{}`.",
                    spec.names.len(),
                    flow.name
                ),
            ));
        }
        let normal: Vec<Node> = (first..first + d)
            .map(|k| self.graph.phi(super::parameter::index(k)))
            .collect();
        let weights = self.own_weights(&flow.name);
        let image = flow::image(&mut self.graph, flow.layers, &weights, &normal);
        let names = self.name_effects(spec, image, d == 1)?;
        let effects = names.into_iter().map(|name| Effect {
            name,
            transform: Transform::Identity,
            gaussian: true,
            group,
        });
        let (zero, one) = (self.graph.constant(0.0), self.graph.constant(1.0));
        let block = EffectBlock {
            first,
            group,
            mean: vec![zero; d],
            covariance: WrittenCovariance::Sd(vec![one; d]),
            law: None,
            text: spec.text.clone(),
        };
        Ok((block, effects.collect()))
    }
}

fn unknown_argument(name: &str, argument: &str) -> Error {
    Error::model(
        "unknown_argument",
        format!("`{name}()` has no argument `{argument}`."),
    )
    .hint("A learned function takes its inputs, without names, and `weights =`.")
}

fn count(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

fn is(n: usize) -> &'static str {
    if n == 1 {
        "is"
    } else {
        "are"
    }
}
