//! State the rules of differentiation, once for numbers and for nodes of a graph.
//!
//! A rule is written in an [`Algebra`]: among numbers it gives the slope at a point, which the tapes multiply with
//! adjoints and tangents; among nodes it gives the slope as a value of the program, which can be differentiated again.

use super::op::{Binary, Ternary, Unary};
use super::vmath;

/// What rules are written in: numbers, or nodes of a graph.
pub trait Algebra {
    type Value: Copy;

    fn constant(&mut self, x: f64) -> Self::Value;
    fn unary(&mut self, f: Unary, x: Self::Value) -> Self::Value;
    fn binary(&mut self, f: Binary, a: Self::Value, b: Self::Value) -> Self::Value;
    /// `if condition != 0 then a else b`
    fn select(&mut self, condition: Self::Value, a: Self::Value, b: Self::Value) -> Self::Value;
    /// The standard normal density at `x`.
    fn density(&mut self, x: Self::Value) -> Self::Value;
    /// The standard normal density at `x` over its distribution function, whose logarithm is `y`.
    fn mills(&mut self, x: Self::Value, y: Self::Value) -> Self::Value;
    fn tetragamma(&mut self, x: Self::Value) -> Self::Value;
}

impl Unary {
    /// Derivative at `x`, where the value is `y`. Where there is a kink, it is that of one side.
    #[inline(always)]
    pub fn slope_in<A: Algebra>(self, m: &mut A, x: A::Value, y: A::Value) -> A::Value {
        let one = m.constant(1.0);
        match self {
            Self::Neg => m.constant(-1.0),
            Self::Abs => {
                let (zero, minus) = (m.constant(0.0), m.constant(-1.0));
                let below = m.binary(Binary::Less, x, zero);
                m.select(below, minus, one)
            }
            Self::Sqrt => {
                let half = m.constant(0.5);
                m.binary(Binary::Div, half, y)
            }
            Self::Square => {
                let two = m.constant(2.0);
                m.binary(Binary::Mul, two, x)
            }
            Self::Recip => {
                let square = m.unary(Self::Square, y);
                m.unary(Self::Neg, square)
            }
            Self::Exp => y,
            Self::Expm1 => m.binary(Binary::Add, y, one),
            Self::Ln => m.unary(Self::Recip, x),
            Self::Log1p => {
                let below = m.binary(Binary::Add, one, x);
                m.unary(Self::Recip, below)
            }
            Self::Atan => {
                let square = m.unary(Self::Square, x);
                let below = m.binary(Binary::Add, one, square);
                m.unary(Self::Recip, below)
            }
            Self::Not => m.constant(0.0),
            _ => self.special(m, x, y),
        }
    }

    /// Slopes of the trigonometric, gamma, normal and logistic functions.
    #[inline(always)]
    fn special<A: Algebra>(self, m: &mut A, x: A::Value, y: A::Value) -> A::Value {
        let one = m.constant(1.0);
        match self {
            Self::Sin => m.unary(Self::Cos, x),
            Self::Cos => {
                let sine = m.unary(Self::Sin, x);
                m.unary(Self::Neg, sine)
            }
            Self::Tan => {
                let square = m.unary(Self::Square, y);
                m.binary(Binary::Add, one, square)
            }
            Self::Tanh => {
                let square = m.unary(Self::Square, y);
                m.binary(Binary::Sub, one, square)
            }
            Self::LGamma => m.unary(Self::Digamma, x),
            Self::Gamma => {
                let log = m.unary(Self::Digamma, x);
                m.binary(Binary::Mul, y, log)
            }
            Self::Digamma => m.unary(Self::Trigamma, x),
            Self::Trigamma => m.tetragamma(x),
            Self::PNorm => m.density(x),
            Self::LogPNorm => m.mills(x, y),
            Self::QNorm => {
                let density = m.density(y);
                m.unary(Self::Recip, density)
            }
            Self::Logistic => {
                let rest = m.binary(Binary::Sub, one, y);
                m.binary(Binary::Mul, y, rest)
            }
            Self::Log1pExp => m.unary(Self::Logistic, x),
            // All others were met before.
            _ => m.constant(f64::NAN),
        }
    }

    /// The same among numbers; `FMA` chooses the variant of the vector mathematics.
    #[inline(always)]
    pub fn slope<const FMA: bool>(self, x: f64, y: f64) -> f64 {
        self.slope_in(&mut Numbers::<FMA>, x, y)
    }
}

impl Binary {
    /// Both partial derivatives at `(a, b)`, where the value is `y`; comparisons are flat.
    #[inline(always)]
    pub fn slopes_in<A: Algebra>(
        self,
        m: &mut A,
        (a, b): (A::Value, A::Value),
        y: A::Value,
    ) -> (A::Value, A::Value) {
        let (zero, one) = (m.constant(0.0), m.constant(1.0));
        match self {
            Self::Add => (one, one),
            Self::Sub => (one, m.constant(-1.0)),
            Self::Mul => (b, a),
            Self::Div => {
                let inverse = m.unary(Unary::Recip, b);
                let product = m.binary(Self::Mul, y, inverse);
                (inverse, m.unary(Unary::Neg, product))
            }
            Self::Pow => {
                let less = m.binary(Self::Sub, b, one);
                let power = m.binary(Self::Pow, a, less);
                // A base that is not positive has no slope in the exponent.
                let positive = m.binary(Self::Less, zero, a);
                let log = m.unary(Unary::Ln, a);
                let log = m.select(positive, log, zero);
                (m.binary(Self::Mul, b, power), m.binary(Self::Mul, y, log))
            }
            Self::Min => {
                let first = m.binary(Self::Less, a, b);
                (m.select(first, one, zero), m.select(first, zero, one))
            }
            Self::Max => {
                let first = m.binary(Self::Less, b, a);
                (m.select(first, one, zero), m.select(first, zero, one))
            }
            Self::Less | Self::LessEqual | Self::Equal | Self::And | Self::Or => (zero, zero),
            Self::ExpMul => (m.binary(Self::Mul, y, b), m.binary(Self::Mul, y, a)),
            Self::SquareSub => {
                let (two, difference) = (m.constant(2.0), m.binary(Self::Sub, a, b));
                let first = m.binary(Self::Mul, two, difference);
                (first, m.unary(Unary::Neg, first))
            }
        }
    }

    /// The same among numbers.
    #[inline(always)]
    pub fn slopes<const FMA: bool>(self, a: f64, b: f64, y: f64) -> (f64, f64) {
        self.slopes_in(&mut Numbers::<FMA>, (a, b), y)
    }
}

impl Ternary {
    /// The three partial derivatives at `(a, b, c)`; no graph holds these operations.
    #[inline(always)]
    pub fn slopes(self, a: f64, b: f64, c: f64) -> (f64, f64, f64) {
        match self {
            Self::MulAdd => (b, a, 1.0),
            Self::MulSub => (b, a, -1.0),
            Self::SubMul => (-b, -a, 1.0),
            Self::DiffMul => (c, -c, a - b),
            Self::MulSquareAdd => (b * b, 2.0 * a * b, 1.0),
        }
    }
}

/// Numbers, with the vector mathematics compiled for an instruction set.
struct Numbers<const FMA: bool>;

impl<const FMA: bool> Algebra for Numbers<FMA> {
    type Value = f64;

    #[inline(always)]
    fn constant(&mut self, x: f64) -> f64 {
        x
    }

    #[inline(always)]
    fn unary(&mut self, f: Unary, x: f64) -> f64 {
        f.value::<FMA>(x)
    }

    #[inline(always)]
    fn binary(&mut self, f: Binary, a: f64, b: f64) -> f64 {
        f.value::<FMA>(a, b)
    }

    #[inline(always)]
    fn select(&mut self, condition: f64, a: f64, b: f64) -> f64 {
        if condition != 0.0 {
            a
        } else {
            b
        }
    }

    #[inline(always)]
    fn density(&mut self, x: f64) -> f64 {
        vmath::dnorm::<FMA>(x)
    }

    #[inline(always)]
    fn mills(&mut self, x: f64, _y: f64) -> f64 {
        vmath::mills::<FMA>(x)
    }

    #[inline(always)]
    fn tetragamma(&mut self, x: f64) -> f64 {
        vmath::tetragamma::<FMA>(x)
    }
}
