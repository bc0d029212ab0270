//! Read a hazard as a sum of terms with integrals in closed form.

use std::collections::HashMap;

use super::closed::IntegralTerm;
use crate::ir::graph::{Graph, Node, Op};
use crate::ir::op::{Binary, Unary};

/// A sum of more terms than this is not read as one.
const MOST_TERMS: usize = 16;

/// The time less an origin, times a factor. `None`: no such value.
pub fn affine(g: &Graph, varies: &[bool], time: Node, node: Node) -> Option<(Option<Node>, bool)> {
    let is_free = |node: Node| !varies.get(node.index()).copied().unwrap_or(false);
    if node == time {
        return Some((None, true));
    }
    match g.op(node) {
        Op::Binary(Binary::Sub, a, b) if a == time && is_free(b) => Some((Some(b), true)),
        Op::Binary(Binary::Mul, a, b) if is_free(a) => Some((affine(g, varies, time, b)?.0, false)),
        Op::Binary(Binary::Mul | Binary::Div, a, b) if is_free(b) => {
            Some((affine(g, varies, time, a)?.0, false))
        }
        Op::Unary(Unary::Neg, a) => Some((affine(g, varies, time, a)?.0, false)),
        _ => None,
    }
}

/// Reads nodes as sums of terms. Nodes made while reading do not depend on time.
pub struct TermReader<'a> {
    pub varies: Vec<bool>,
    pub time: Node,
    /// What was read before: values that are read twice are walked once.
    known: HashMap<Node, Option<Vec<IntegralTerm>>>,
    pub g: &'a mut Graph,
}

impl<'a> TermReader<'a> {
    pub fn new(g: &'a mut Graph, time: Node) -> Self {
        Self {
            varies: super::dependents(g, time),
            time,
            known: HashMap::new(),
            g,
        }
    }

    pub fn is_free(&self, node: Node) -> bool {
        !self.varies.get(node.index()).copied().unwrap_or(false)
    }

    fn one(&mut self) -> Node {
        self.g.constant(1.0)
    }

    pub fn terms(&mut self, node: Node) -> Option<Vec<IntegralTerm>> {
        if self.is_free(node) {
            return Some(vec![IntegralTerm::constant(node)]);
        }
        if let Some((origin, true)) = affine(self.g, &self.varies, self.time, node) {
            let one = self.one();
            return Some(vec![IntegralTerm {
                power: Some(one),
                origin,
                ..IntegralTerm::constant(one)
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

    fn unary_terms(&mut self, f: Unary, x: Node) -> Option<Vec<IntegralTerm>> {
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
            Unary::Exp => {
                let term = self.exponent(x)?;
                let (factor, shift) = (self.one(), Some(term.factor));
                Some(vec![IntegralTerm {
                    factor,
                    shift,
                    ..term
                }])
            }
            _ => None,
        }
    }

    fn binary_terms(&mut self, f: Binary, a: Node, b: Node) -> Option<Vec<IntegralTerm>> {
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
                Some(vec![IntegralTerm {
                    factor,
                    power,
                    rate,
                    ..exponent
                }])
            }
            _ => None,
        }
    }

    fn product(
        &mut self,
        left: &[IntegralTerm],
        right: &[IntegralTerm],
    ) -> Option<Vec<IntegralTerm>> {
        if left.len() * right.len() > MOST_TERMS {
            return None;
        }
        let pairs = left
            .iter()
            .flat_map(|a| right.iter().map(move |b| (*a, *b)));
        let pairs: Vec<(IntegralTerm, IntegralTerm)> = pairs.collect();
        let mut terms = Vec::with_capacity(pairs.len());
        for (a, b) in pairs {
            terms.extend(self.times(a, b)?);
        }
        Some(terms)
    }

    /// The product of two terms. Of powers with other origins one must be the first: `t - o = (t - c) + (c - o)`.
    fn times(&mut self, a: IntegralTerm, b: IntegralTerm) -> Option<Vec<IntegralTerm>> {
        let apart = a.power.is_some() && b.power.is_some() && a.origin != b.origin;
        if !apart {
            return Some(vec![self.joined(a, b)]);
        }
        let first =
            |g: &Graph, term: &IntegralTerm| term.power.and_then(|p| g.as_constant(p)) == Some(1.0);
        let (linear, other) = if first(self.g, &a) {
            (a, b)
        } else if first(self.g, &b) {
            (b, a)
        } else {
            return None;
        };
        let zero = self.g.constant(0.0);
        let [to, from] = [other.origin, linear.origin].map(|o| o.unwrap_or(zero));
        let gap = self.g.sub(to, from);
        let moved = IntegralTerm {
            origin: other.origin,
            ..linear
        };
        let level = IntegralTerm {
            factor: self.g.mul(linear.factor, gap),
            power: None,
            origin: None,
            ..linear
        };
        Some(vec![self.joined(moved, other), self.joined(level, other)])
    }

    fn joined(&mut self, a: IntegralTerm, b: IntegralTerm) -> IntegralTerm {
        let power = self.plus(a.power, b.power);
        IntegralTerm {
            factor: self.g.mul(a.factor, b.factor),
            shift: self.plus(a.shift, b.shift),
            rate: self.plus(a.rate, b.rate),
            power,
            origin: power.and(if a.power.is_some() {
                a.origin
            } else {
                b.origin
            }),
        }
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
    fn power(&mut self, base: Node, exponent: Node) -> Option<Vec<IntegralTerm>> {
        let terms = self.terms(base)?;
        let [term] = terms.as_slice() else {
            return None;
        };
        let mut times = |x: Option<Node>| x.map(|x| self.g.mul(x, exponent));
        let (power, rate, shift) = (times(term.power), times(term.rate), times(term.shift));
        let factor = self.g.binary(Binary::Pow, term.factor, exponent);
        Some(vec![IntegralTerm {
            factor,
            shift,
            rate,
            power,
            origin: term.origin,
        }])
    }

    /// Read `c + r t + p ln(t - o)` as the term whose logarithm it is, but with `c` in the place of the factor.
    fn exponent(&mut self, node: Node) -> Option<IntegralTerm> {
        if self.is_free(node) {
            return Some(IntegralTerm::constant(node));
        }
        let (zero, one) = (self.g.constant(0.0), self.one());
        if node == self.time {
            return Some(IntegralTerm {
                rate: Some(one),
                ..IntegralTerm::constant(zero)
            });
        }
        self.composed_exponent(node)
    }

    fn composed_exponent(&mut self, node: Node) -> Option<IntegralTerm> {
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
                let log = self.g.ln(term.factor);
                Some(IntegralTerm {
                    factor: term.shift.map_or(log, |shift| self.g.add(log, shift)),
                    shift: None,
                    ..*term
                })
            }
            Op::Binary(Binary::Add, a, b) => {
                let (left, right) = (self.exponent(a)?, self.exponent(b)?);
                self.sum(left, right)
            }
            Op::Binary(Binary::Sub, a, b) => {
                let minus = self.g.constant(-1.0);
                let (left, right) = (self.exponent(a)?, self.scaled_exponent(b, minus)?);
                self.sum(left, right)
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

    fn sum(&mut self, a: IntegralTerm, b: IntegralTerm) -> Option<IntegralTerm> {
        if a.power.is_some() && b.power.is_some() && a.origin != b.origin {
            return None;
        }
        let factor = self.g.add(a.factor, b.factor);
        Some(IntegralTerm {
            factor,
            ..self.joined(a, b)
        })
    }

    fn scaled_exponent(&mut self, node: Node, by: Node) -> Option<IntegralTerm> {
        let term = self.exponent(node)?;
        let mut times = |x: Node| self.g.mul(x, by);
        Some(IntegralTerm {
            factor: times(term.factor),
            power: term.power.map(&mut times),
            rate: term.rate.map(&mut times),
            shift: None,
            origin: term.origin,
        })
    }
}
