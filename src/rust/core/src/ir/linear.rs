//! Read a mean as a linear form in parameters with data coefficients.

use std::collections::BTreeMap;

use super::graph::{Graph, Node, Op};
use super::level::Levels;
use super::op::{Binary, Unary};

/// `sum terms[k] * theta[k] + sum rest`
#[derive(Debug, Clone, Default)]
pub struct LinearForm {
    /// Coordinate of `theta` to its coefficient, which depends on data only.
    pub terms: BTreeMap<u32, Node>,
    pub rest: Vec<Node>,
}

/// Decompose `node`; parameters for which `free` is false count as known.
pub fn linear_form(
    g: &mut Graph,
    levels: &mut Levels,
    node: Node,
    free: &dyn Fn(u32) -> bool,
) -> LinearForm {
    let one = g.constant(1.0);
    let mut form = LinearForm::default();
    collect(g, levels, node, one, free, &mut form);
    form
}

fn collect(
    g: &mut Graph,
    levels: &mut Levels,
    node: Node,
    factor: Node,
    free: &dyn Fn(u32) -> bool,
    form: &mut LinearForm,
) {
    match g.op(node) {
        Op::Theta(k) if free(k) => {
            let coefficient = match form.terms.get(&k) {
                Some(earlier) => g.add(*earlier, factor),
                None => factor,
            };
            form.terms.insert(k, coefficient);
        }
        Op::Unary(Unary::Neg, a) => {
            let factor = g.neg(factor);
            collect(g, levels, a, factor, free, form);
        }
        Op::Binary(Binary::Add, a, b) => {
            collect(g, levels, a, factor, free, form);
            collect(g, levels, b, factor, free, form);
        }
        Op::Binary(Binary::Sub, a, b) => {
            collect(g, levels, a, factor, free, form);
            let factor = g.neg(factor);
            collect(g, levels, b, factor, free, form);
        }
        Op::Binary(Binary::Mul, a, b) if levels.of(g, a).is_data() => {
            let factor = g.mul(factor, a);
            collect(g, levels, b, factor, free, form);
        }
        Op::Binary(Binary::Mul, a, b) if levels.of(g, b).is_data() => {
            let factor = g.mul(factor, b);
            collect(g, levels, a, factor, free, form);
        }
        Op::Binary(Binary::Div, a, b) if levels.of(g, b).is_data() => {
            let factor = g.div(factor, b);
            collect(g, levels, a, factor, free, form);
        }
        _ => {
            let term = g.mul(factor, node);
            form.rest.push(term);
        }
    }
}
