//! Write an operation in its simplest form: constants folded, inverses undone, powers taken apart.

use super::graph::{Graph, Node, Op};
use super::op::{Binary, Unary};

impl Graph {
    pub fn unary(&mut self, f: Unary, a: Node) -> Node {
        if let Some(x) = self.as_constant(a) {
            return self.constant(f.value::<false>(x));
        }
        match (f, self.op(a)) {
            (Unary::Neg, Op::Unary(Unary::Neg, x))
            | (Unary::Recip, Op::Unary(Unary::Recip, x))
            | (Unary::Ln, Op::Unary(Unary::Exp, x))
            | (Unary::QNorm, Op::Unary(Unary::PNorm, x)) => x,
            // The logarithm of a probability keeps its digits where the probability has none.
            (Unary::Ln, Op::Unary(Unary::PNorm, x)) => self.unary(Unary::LogPNorm, x),
            (Unary::Ln, Op::Unary(Unary::Logistic, x)) => {
                let minus = self.neg(x);
                let norm = self.unary(Unary::Log1pExp, minus);
                self.neg(norm)
            }
            (Unary::Square, Op::Unary(Unary::Neg | Unary::Abs, x)) => self.unary(Unary::Square, x),
            (Unary::Abs, Op::Unary(Unary::Exp | Unary::Square | Unary::Abs | Unary::Sqrt, _)) => a,
            _ => self.insert(Op::Unary(f, a)),
        }
    }

    pub fn binary(&mut self, f: Binary, a: Node, b: Node) -> Node {
        if let (Some(x), Some(y)) = (self.as_constant(a), self.as_constant(b)) {
            return self.constant(f.value::<false>(x, y));
        }
        if let Some(simple) = self.simplify(f, a, b) {
            return simple;
        }
        let (a, b) = if f.commutes() && b < a {
            (b, a)
        } else {
            (a, b)
        };
        self.insert(Op::Binary(f, a, b))
    }

    fn simplify(&mut self, f: Binary, a: Node, b: Node) -> Option<Node> {
        let (x, y) = (self.as_constant(a), self.as_constant(b));
        match f {
            Binary::Add if x == Some(0.0) => Some(b),
            Binary::Add | Binary::Sub if y == Some(0.0) => Some(a),
            Binary::Sub if x == Some(0.0) => Some(self.neg(b)),
            Binary::Mul if x == Some(1.0) => Some(b),
            Binary::Mul | Binary::Div if y == Some(1.0) => Some(a),
            Binary::Mul if x == Some(0.0) || y == Some(0.0) => Some(self.constant(0.0)),
            Binary::Mul if x == Some(-1.0) => Some(self.neg(b)),
            Binary::Mul if y == Some(-1.0) => Some(self.neg(a)),
            Binary::Mul if a == b => Some(self.unary(Unary::Square, a)),
            Binary::Div if x == Some(1.0) => Some(self.unary(Unary::Recip, b)),
            Binary::Div => {
                let inverse = y.filter(|y| *y != 0.0).map(|y| 1.0 / y)?;
                // Only a power of two has an exact inverse.
                (inverse.to_bits() << 12 == 0 && inverse.is_normal()).then(|| {
                    let factor = self.constant(inverse);
                    self.mul(a, factor)
                })
            }
            Binary::Pow => self.simplify_power(a, y?),
            _ => None,
        }
    }

    fn simplify_power(&mut self, a: Node, exponent: f64) -> Option<Node> {
        if exponent == 1.0 {
            Some(a)
        } else if exponent == 2.0 {
            Some(self.unary(Unary::Square, a))
        } else if exponent == 3.0 {
            let square = self.unary(Unary::Square, a);
            Some(self.mul(square, a))
        } else if exponent == 0.5 {
            Some(self.unary(Unary::Sqrt, a))
        } else if exponent == -1.0 {
            Some(self.unary(Unary::Recip, a))
        } else if exponent == 0.0 {
            Some(self.constant(1.0))
        } else {
            None
        }
    }

    pub fn select(&mut self, condition: Node, a: Node, b: Node) -> Node {
        if a == b {
            return a;
        }
        match self.as_constant(condition) {
            Some(value) if value != 0.0 => a,
            Some(_) => b,
            None => self.insert(Op::Select(condition, a, b)),
        }
    }
}
