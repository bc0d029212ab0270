//! Integrate a hazard over time: in closed form where it is a sum of powers and exponentials, else by quadrature.
//!
//! A term `c t^p` has the integral `c (b^(p + 1) - a^(p + 1))/(p + 1)`, a term `c e^(r t)` has
//! `c e^(r a) (b - a) (e^x - 1)/x` with `x = r (b - a)`; `c`, `p`, `r` do not depend on time. Everything else is integrated by
//! the rule of Gauss and Legendre with 20 nodes.

use std::collections::HashMap;
use std::num::NonZeroUsize;

use gauss_quad::legendre::GaussLegendre;

use crate::ir::graph::{Graph, Node, Op};
use crate::ir::op::{Binary, Unary};

const NODES: usize = 20;
/// A sum of more terms than this is not read as one.
const MOST_TERMS: usize = 16;

/// `factor t^power e^(rate t)`; `None` stands for zero.
#[derive(Debug, Clone, Copy)]
struct Term {
    factor: Node,
    power: Option<Node>,
    rate: Option<Node>,
}

/// `int_from^to hazard dt`, where `hazard` is written in the node `time`.
pub fn integral(g: &mut Graph, hazard: Node, time: Node, from: Node, to: Node) -> Node {
    let mut reader = Reader {
        varies: dependents(g, time),
        time,
        known: HashMap::new(),
        g,
    };
    let closed = reader.terms(hazard).filter(|terms| {
        terms
            .iter()
            .all(|term| term.power.is_none() || term.rate.is_none())
    });
    match closed {
        Some(terms) => {
            let parts: Vec<Node> = terms
                .iter()
                .map(|term| closed_form(g, *term, from, to))
                .collect();
            g.sum(&parts)
        }
        None => quadrature(g, hazard, time, from, to),
    }
}

fn dependents(g: &Graph, time: Node) -> Vec<bool> {
    let leaf = g.op(time);
    g.depends(|op| op == leaf)
}

fn closed_form(g: &mut Graph, term: Term, from: Node, to: Node) -> Node {
    let shape = match (term.power, term.rate) {
        (Some(power), _) => power_integral(g, power, from, to),
        (None, Some(rate)) => exponential_integral(g, rate, from, to),
        (None, None) => g.sub(to, from),
    };
    g.mul(term.factor, shape)
}

fn power_integral(g: &mut Graph, power: Node, from: Node, to: Node) -> Node {
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

fn exponential_integral(g: &mut Graph, rate: Node, from: Node, to: Node) -> Node {
    let width = g.sub(to, from);
    let x = g.mul(rate, width);
    let start = g.mul(rate, from);
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

fn quadrature(g: &mut Graph, hazard: Node, time: Node, from: Node, to: Node) -> Node {
    let width = g.sub(to, from);
    let rule = GaussLegendre::new(NonZeroUsize::new(NODES).unwrap_or(NonZeroUsize::MIN));
    let mut terms = Vec::with_capacity(NODES);
    for (point, weight) in rule.iter() {
        let step = g.scale(0.5 * (1.0 + point), width);
        let at = g.add(from, step);
        let value = replaced(g, hazard, time, at);
        terms.push(g.scale(0.5 * weight, value));
    }
    let mean = g.sum(&terms);
    g.mul(mean, width)
}

/// `node` with `new` in the place of `old`.
pub fn replaced(g: &mut Graph, node: Node, old: Node, new: Node) -> Node {
    let varies = dependents(g, old);
    let needed = g.reachable(&[node]);
    let all: Vec<Node> = g.nodes().collect();
    let mut moved = all.clone();
    for at in all {
        let i = at.index();
        if at == old {
            moved[i] = new;
        } else if needed[i] && varies[i] {
            moved[i] = g.copied(g.op(at), &moved);
        }
    }
    moved[node.index()]
}

/// Reads nodes as sums of terms. Nodes made while reading do not depend on time.
struct Reader<'a> {
    varies: Vec<bool>,
    time: Node,
    /// What was read before: values that are read twice are walked once.
    known: HashMap<Node, Option<Vec<Term>>>,
    g: &'a mut Graph,
}

impl Reader<'_> {
    fn is_free(&self, node: Node) -> bool {
        !self.varies.get(node.index()).copied().unwrap_or(false)
    }

    fn one(&mut self) -> Node {
        self.g.constant(1.0)
    }

    fn terms(&mut self, node: Node) -> Option<Vec<Term>> {
        if self.is_free(node) {
            return Some(vec![Term {
                factor: node,
                power: None,
                rate: None,
            }]);
        }
        if node == self.time {
            let one = self.one();
            return Some(vec![Term {
                factor: one,
                power: Some(one),
                rate: None,
            }]);
        }
        if let Some(found) = self.known.get(&node) {
            return found.clone();
        }
        let found = match self.g.op(node) {
            Op::Unary(f, x) => self.unary_terms(f, x),
            Op::Binary(f, a, b) => self.binary_terms(f, a, b),
            _ => None,
        };
        let found = found.filter(|terms| terms.len() <= MOST_TERMS);
        self.known.insert(node, found.clone());
        found
    }

    fn unary_terms(&mut self, f: Unary, x: Node) -> Option<Vec<Term>> {
        match f {
            Unary::Neg => {
                let mut terms = self.terms(x)?;
                for term in &mut terms {
                    term.factor = self.g.neg(term.factor);
                }
                Some(terms)
            }
            Unary::Square => {
                let terms = self.terms(x)?;
                self.product(&terms, &terms)
            }
            Unary::Sqrt => {
                let half = self.g.constant(0.5);
                self.power(x, half)
            }
            Unary::Recip => {
                let minus = self.g.constant(-1.0);
                self.power(x, minus)
            }
            Unary::Exp => self.exponent(x).map(|term| {
                let factor = self.g.exp(term.factor);
                vec![Term { factor, ..term }]
            }),
            _ => None,
        }
    }

    fn binary_terms(&mut self, f: Binary, a: Node, b: Node) -> Option<Vec<Term>> {
        match f {
            Binary::Add => Some([self.terms(a)?, self.terms(b)?].concat()),
            Binary::Sub => {
                let minus = self.unary_terms(Unary::Neg, b)?;
                Some([self.terms(a)?, minus].concat())
            }
            Binary::Mul => {
                let (left, right) = (self.terms(a)?, self.terms(b)?);
                self.product(&left, &right)
            }
            Binary::Div => {
                let left = self.terms(a)?;
                let minus = self.g.constant(-1.0);
                let right = self.power(b, minus)?;
                self.product(&left, &right)
            }
            Binary::Pow if self.is_free(b) => self.power(a, b),
            Binary::Pow if self.is_free(a) => {
                let exponent = self.exponent(b)?;
                let log = self.g.ln(a);
                let mut times = |x: Option<Node>| x.map(|x| self.g.mul(x, log));
                let (power, rate) = (times(exponent.power), times(exponent.rate));
                let factor = self.g.binary(Binary::Pow, a, exponent.factor);
                Some(vec![Term {
                    factor,
                    power,
                    rate,
                }])
            }
            _ => None,
        }
    }

    fn product(&mut self, left: &[Term], right: &[Term]) -> Option<Vec<Term>> {
        if left.len() * right.len() > MOST_TERMS {
            return None;
        }
        let pairs = left
            .iter()
            .flat_map(|a| right.iter().map(move |b| (*a, *b)));
        let pairs: Vec<(Term, Term)> = pairs.collect();
        let terms = pairs.into_iter().map(|(a, b)| Term {
            factor: self.g.mul(a.factor, b.factor),
            power: self.plus(a.power, b.power),
            rate: self.plus(a.rate, b.rate),
        });
        Some(terms.collect())
    }

    /// Sum of two exponents; zero is `None`.
    fn plus(&mut self, a: Option<Node>, b: Option<Node>) -> Option<Node> {
        match (a, b) {
            (Some(a), Some(b)) => Some(self.g.add(a, b)),
            _ => a.or(b),
        }
        .filter(|sum| self.g.as_constant(*sum) != Some(0.0))
    }

    /// A single term to a power; what has several terms is no product of powers.
    fn power(&mut self, base: Node, exponent: Node) -> Option<Vec<Term>> {
        let terms = self.terms(base)?;
        let [term] = terms.as_slice() else {
            return None;
        };
        let mut times = |x: Option<Node>| x.map(|x| self.g.mul(x, exponent));
        let (power, rate) = (times(term.power), times(term.rate));
        let factor = self.g.binary(Binary::Pow, term.factor, exponent);
        Some(vec![Term {
            factor,
            power,
            rate,
        }])
    }

    /// Read `c + r t + p ln(t)` as the term whose logarithm it is, but with `c` in the place of the factor.
    fn exponent(&mut self, node: Node) -> Option<Term> {
        if self.is_free(node) {
            return Some(Term {
                factor: node,
                power: None,
                rate: None,
            });
        }
        let (zero, one) = (self.g.constant(0.0), self.one());
        if node == self.time {
            return Some(Term {
                factor: zero,
                power: None,
                rate: Some(one),
            });
        }
        self.composed_exponent(node)
    }

    fn composed_exponent(&mut self, node: Node) -> Option<Term> {
        match self.g.op(node) {
            Op::Unary(Unary::Neg, x) => {
                let minus = self.g.constant(-1.0);
                self.scaled_exponent(x, minus)
            }
            Op::Unary(Unary::Ln, x) => {
                let terms = self.terms(x)?;
                let [term] = terms.as_slice() else {
                    return None;
                };
                let factor = self.g.ln(term.factor);
                Some(Term { factor, ..*term })
            }
            Op::Binary(Binary::Add, a, b) => {
                let (left, right) = (self.exponent(a)?, self.exponent(b)?);
                Some(self.sum(left, right))
            }
            Op::Binary(Binary::Sub, a, b) => {
                let minus = self.g.constant(-1.0);
                let (left, right) = (self.exponent(a)?, self.scaled_exponent(b, minus)?);
                Some(self.sum(left, right))
            }
            Op::Binary(Binary::Mul, a, b) if self.is_free(a) => self.scaled_exponent(b, a),
            Op::Binary(Binary::Mul, a, b) if self.is_free(b) => self.scaled_exponent(a, b),
            Op::Binary(Binary::Div, a, b) if self.is_free(b) => {
                let inverse = self.g.unary(Unary::Recip, b);
                self.scaled_exponent(a, inverse)
            }
            _ => None,
        }
    }

    fn sum(&mut self, a: Term, b: Term) -> Term {
        Term {
            factor: self.g.add(a.factor, b.factor),
            power: self.plus(a.power, b.power),
            rate: self.plus(a.rate, b.rate),
        }
    }

    fn scaled_exponent(&mut self, node: Node, by: Node) -> Option<Term> {
        let term = self.exponent(node)?;
        let mut times = |x: Node| self.g.mul(x, by);
        Some(Term {
            factor: times(term.factor),
            power: term.power.map(&mut times),
            rate: term.rate.map(&mut times),
        })
    }
}
