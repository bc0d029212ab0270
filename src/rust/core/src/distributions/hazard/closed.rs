//! Integrate terms in closed form.
//!
//! A term is `factor e^(shift + rate t) (t - origin)^power` without `rate` or without `power`; all but `t` do not depend on
//! time. `int_a^b (t - o)^p dt = ((b - o)^(p + 1) - (a - o)^(p + 1))/(p + 1)`, and `e^(s + r t)` has the integral
//! `e^(s + r a) (b - a) (e^x - 1)/x` with `x = r (b - a)`. An origin is a value that is taken from the time itself, as in
//! `t - last`: the difference is exact where an interval begins at it.

use crate::ir::graph::{Graph, Node};
use crate::ir::op::{Binary, Unary};

/// `None` stands for zero.
#[derive(Debug, Clone, Copy)]
pub struct IntegralTerm {
    pub factor: Node,
    pub shift: Option<Node>,
    pub rate: Option<Node>,
    pub power: Option<Node>,
    pub origin: Option<Node>,
}

impl IntegralTerm {
    pub fn constant(factor: Node) -> Self {
        Self {
            factor,
            shift: None,
            rate: None,
            power: None,
            origin: None,
        }
    }

    fn is_closed(&self) -> bool {
        self.power.is_none() || self.rate.is_none()
    }
}

/// Over which times terms are integrated.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    pub from: Node,
    pub to: Node,
    /// Whether it may be empty because another branch of a choice holds: powers then begin at their origins.
    pub chosen: bool,
}

impl Span {
    /// Times counted from an origin.
    pub fn since(self, g: &mut Graph, origin: Option<Node>) -> [Node; 2] {
        let ends = [self.from, self.to];
        origin.map_or(ends, |origin| ends.map(|end| g.sub(end, origin)))
    }
}

/// The integral of a sum of terms; `None` if some term has none in closed form.
pub fn integral(g: &mut Graph, terms: &[IntegralTerm], span: Span) -> Option<Node> {
    if !terms.iter().all(IntegralTerm::is_closed) {
        return None;
    }
    let parts: Vec<Node> = terms
        .iter()
        .map(|term| closed_form(g, *term, span))
        .collect();
    Some(g.sum(&parts))
}

fn closed_form(g: &mut Graph, term: IntegralTerm, span: Span) -> Node {
    let shape = match (term.power, term.rate) {
        (Some(power), _) => {
            let since = span.since(g, term.origin);
            power_integral(g, power, since, span.chosen)
        }
        (None, Some(rate)) => {
            let shape = exponential_integral(g, term.shift, rate, span);
            return g.mul(term.factor, shape);
        }
        (None, None) => g.sub(span.to, span.from),
    };
    let shape = match term.shift {
        Some(shift) => {
            let scale = g.exp(shift);
            g.mul(scale, shape)
        }
        None => shape,
    };
    g.mul(term.factor, shape)
}

fn power_integral(g: &mut Graph, power: Node, ends: [Node; 2], chosen: bool) -> Node {
    let whole = g
        .as_constant(power)
        .is_some_and(|p| p >= 0.0 && p.fract() == 0.0);
    let [from, to] = if chosen && !whole {
        let zero = g.constant(0.0);
        ends.map(|end| g.binary(Binary::Max, end, zero))
    } else {
        ends
    };
    let one = g.constant(1.0);
    let next = g.add(power, one);
    if g.as_constant(next) == Some(0.0) {
        let (upper, lower) = (g.ln(to), g.ln(from));
        return g.sub(upper, lower);
    }
    let upper = g.binary(Binary::Pow, to, next);
    let lower = g.binary(Binary::Pow, from, next);
    let difference = g.sub(upper, lower);
    g.div(difference, next)
}

fn exponential_integral(g: &mut Graph, shift: Option<Node>, rate: Node, span: Span) -> Node {
    let width = g.sub(span.to, span.from);
    let x = g.mul(rate, width);
    let start = g.mul(rate, span.from);
    // Together: each for itself may be too large a number.
    let start = shift.map_or(start, |shift| g.add(shift, start));
    let start = g.exp(start);
    let relative = relative_exponential(g, x);
    let factor = g.mul(start, width);
    g.mul(factor, relative)
}

/// `(e^x - 1)/x`, by its series near zero.
fn relative_exponential(g: &mut Graph, x: Node) -> Node {
    let expm1 = g.unary(Unary::Expm1, x);
    let far = g.div(expm1, x);
    let mut near = g.constant(1.0 / 720.0);
    for factorial in [120.0, 24.0, 6.0, 2.0, 1.0] {
        let term = g.mul(near, x);
        let coefficient = g.constant(1.0 / factorial);
        near = g.add(term, coefficient);
    }
    // There the first term left out, x^6/5040, is below the last digit.
    let bound = g.constant(1e-2);
    let size = g.unary(Unary::Abs, x);
    let small = g.binary(Binary::Less, size, bound);
    g.select(small, near, far)
}
