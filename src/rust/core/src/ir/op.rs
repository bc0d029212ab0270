//! Name the operations of the program and their meaning on scalars.

use super::vmath;

/// Define an enumeration of operations, and the list of all of them for tests that must cover each.
macro_rules! operations {
    ($(#[$of:meta])* $name:ident, $all:ident { $($(#[$on:meta])* $one:ident,)* }) => {
        $(#[$of])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$on])* $one,)* }

        pub const $all: [$name; [$($name::$one),*].len()] = [$($name::$one),*];
    };
}

operations! {
    /// One operand.
    Unary, UNARY {
        Neg,
        Abs,
        Sqrt,
        Square,
        Recip,
        Exp,
        Expm1,
        Ln,
        Log1p,
        Sin,
        Cos,
        Tan,
        Tanh,
        Atan,
        LGamma,
        Gamma,
        Digamma,
        Trigamma,
        PNorm,
        /// `ln(Phi(x))`
        LogPNorm,
        QNorm,
        Logistic,
        Log1pExp,
        Not,
    }
}

operations! {
    /// Two operands.
    Binary, BINARY {
        Add,
        Sub,
        Mul,
        Div,
        Pow,
        Min,
        Max,
        Less,
        LessEqual,
        Equal,
        And,
        Or,
        /// `exp(a * b)`: made by fusion, never written.
        ExpMul,
        /// `(a - b)^2`: made by fusion, never written.
        SquareSub,
    }
}

operations! {
    /// Three operands, made by fusion.
    Ternary, TERNARY {
        /// `a * b + c`
        MulAdd,
        /// `a * b - c`
        MulSub,
        /// `c - a * b`
        SubMul,
        /// `(a - b) * c`
        DiffMul,
        /// `a * b^2 + c`
        MulSquareAdd,
    }
}

fn truth(condition: bool) -> f64 {
    f64::from(u8::from(condition))
}

impl Unary {
    /// Value at `x`; `FMA` chooses the variant of the vector mathematics.
    #[inline(always)]
    pub fn value<const FMA: bool>(self, x: f64) -> f64 {
        match self {
            Self::Neg => -x,
            Self::Abs => x.abs(),
            Self::Sqrt => x.sqrt(),
            Self::Square => x * x,
            Self::Recip => 1.0 / x,
            Self::Exp => vmath::exp::<FMA>(x),
            Self::Expm1 => vmath::expm1::<FMA>(x),
            Self::Ln => vmath::ln::<FMA>(x),
            Self::Log1p => vmath::log1p::<FMA>(x),
            Self::Sin => vmath::sin::<FMA>(x),
            Self::Cos => vmath::cos::<FMA>(x),
            Self::Tan => vmath::tan::<FMA>(x),
            Self::Tanh => vmath::tanh::<FMA>(x),
            Self::Atan => vmath::atan::<FMA>(x),
            Self::LGamma => vmath::lgamma::<FMA>(x),
            Self::Gamma => vmath::gamma::<FMA>(x),
            Self::Digamma => vmath::digamma::<FMA>(x),
            Self::Trigamma => vmath::trigamma::<FMA>(x),
            Self::PNorm => vmath::pnorm::<FMA>(x),
            Self::LogPNorm => vmath::log_pnorm::<FMA>(x),
            Self::QNorm => vmath::qnorm::<FMA>(x),
            Self::Logistic => vmath::plogis::<FMA>(x),
            Self::Log1pExp => vmath::log1pexp::<FMA>(x),
            Self::Not => truth(x == 0.0),
        }
    }

    /// Whether it costs no more than reading a column does.
    pub fn is_cheap(self) -> bool {
        matches!(self, Self::Neg | Self::Abs | Self::Square | Self::Not)
    }
}

impl Binary {
    #[inline(always)]
    pub fn value<const FMA: bool>(self, a: f64, b: f64) -> f64 {
        match self {
            Self::Add => a + b,
            Self::Sub => a - b,
            Self::Mul => a * b,
            Self::Div => a / b,
            Self::Pow => vmath::pow::<FMA>(a, b),
            Self::Min => {
                if a < b || a.is_nan() {
                    a
                } else {
                    b
                }
            }
            Self::Max => {
                if a > b || a.is_nan() {
                    a
                } else {
                    b
                }
            }
            Self::Less => truth(a < b),
            Self::LessEqual => truth(a <= b),
            Self::Equal => truth(a == b),
            Self::And => truth(a != 0.0 && b != 0.0),
            Self::Or => truth(a != 0.0 || b != 0.0),
            Self::ExpMul => vmath::exp::<FMA>(a * b),
            Self::SquareSub => (a - b) * (a - b),
        }
    }

    /// Whether it costs no more than reading a column does.
    pub fn is_cheap(self) -> bool {
        !matches!(self, Self::Div | Self::Pow | Self::ExpMul)
    }

    /// True when exchanging the operands changes nothing.
    pub fn commutes(self) -> bool {
        matches!(
            self,
            Self::Add | Self::Mul | Self::Min | Self::Max | Self::Equal | Self::And | Self::Or
        )
    }
}

impl Ternary {
    #[inline(always)]
    pub fn value<const FMA: bool>(self, a: f64, b: f64, c: f64) -> f64 {
        match (self, FMA) {
            (Self::MulAdd, true) => a.mul_add(b, c),
            (Self::MulAdd, false) => a * b + c,
            (Self::MulSub, true) => a.mul_add(b, -c),
            (Self::MulSub, false) => a * b - c,
            (Self::SubMul, true) => (-a).mul_add(b, c),
            (Self::SubMul, false) => c - a * b,
            (Self::DiffMul, _) => (a - b) * c,
            (Self::MulSquareAdd, true) => (a * b).mul_add(b, c),
            (Self::MulSquareAdd, false) => a * b * b + c,
        }
    }
}
