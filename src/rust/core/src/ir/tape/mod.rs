//! Execute instructions over the 64 lanes of a block: values, adjoints, tangents.
//!
//! Every operand is a column, found by bank and index. The loops run in chunks of eight lanes, the width that every
//! instruction set vectorises well, and are compiled once for each instruction set.

mod bases;
mod lanes;
mod reverse;
mod tangent;
mod value;

pub use bases::{Bases, Tape};

use bases::Pointers;

use super::op::{Binary, Ternary, Unary};

/// Where a column lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Bank {
    /// Constants and population values, equal in all lanes.
    Broadcast,
    /// Coordinates of the individual vector `phi`.
    Phi,
    /// Data-only values of the subject.
    Subject,
    /// Data-only values of the current row.
    Row,
    /// Whether the current row counts for an outcome: 1 or 0.
    Mask,
    /// Random effects of other groupings and stored values that are constant for the subject.
    KnownSubject,
    /// Random effects of other groupings and stored values at the current row.
    KnownRow,
    /// States of the differential equations at the current row, and their derivatives.
    State,
    /// Values of the subject that depend on `theta` but not on `phi`.
    Prepared,
    /// Values of the current row that depend on `theta` but not on `phi`.
    Cache,
    /// Everything else.
    Work,
    /// Adjoints, in a sweep backward.
    Adjoint,
    /// Derivatives in one direction.
    Tangent,
}

const N_BANKS: usize = 13;

/// Address of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColumnAddress {
    pub bank: Bank,
    pub index: u32,
}

impl Bank {
    pub fn at(self, index: u32) -> ColumnAddress {
        ColumnAddress { bank: self, index }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TapeCode {
    Unary(Unary),
    Binary(Binary),
    Ternary(Ternary),
    /// `a != 0 ? b : c`
    Select,
    /// `dst += mask != 0 ? a : 0`, the mask being `b`.
    Accumulate,
}

impl TapeCode {
    /// Whether it costs no more than reading a column does.
    pub fn is_cheap(self) -> bool {
        match self {
            Self::Unary(f) => f.is_cheap(),
            Self::Binary(f) => f.is_cheap(),
            Self::Ternary(_) | Self::Select | Self::Accumulate => true,
        }
    }
}

/// One operation on columns; unused operands repeat `a`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Instruction {
    pub code: TapeCode,
    pub dst: ColumnAddress,
    pub a: ColumnAddress,
    pub b: ColumnAddress,
    pub c: ColumnAddress,
}

impl Instruction {
    /// `dst += a` where the mask is set.
    pub fn add(dst: ColumnAddress, a: ColumnAddress, mask: ColumnAddress) -> Self {
        Self {
            code: TapeCode::Accumulate,
            dst,
            a,
            b: mask,
            c: a,
        }
    }
}

/// Where the adjoint of an operand goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdjointTarget {
    None,
    /// First contribution: overwrite.
    Set(u32),
    Add(u32),
}

/// The adjoint rule of one instruction: `targets` receive `adjoint(source) * slope`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reverse {
    pub forward: Instruction,
    pub source: u32,
    pub targets: [AdjointTarget; 3],
}

/// The tangent rule of one instruction: `tangent(dst) = sum slope * tangent(operand)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tangent {
    pub forward: Instruction,
    pub dst: u32,
    /// Columns of the operands' tangents; `None` is zero.
    pub sources: [Option<u32>; 3],
}

/// Expand an arm for every operation, so that each becomes a loop of its own.
macro_rules! each_unary {
    ($f:expr, $rule:ident, [$($name:ident),*]) => {
        match $f { $(Unary::$name => { $rule!(Unary::$name) })* }
    };
}

macro_rules! each_binary {
    ($f:expr, $rule:ident, [$($name:ident),*]) => {
        match $f { $(Binary::$name => { $rule!(Binary::$name) })* }
    };
}

macro_rules! all_unary {
    ($f:expr, $rule:ident) => {
        each_unary!(
            $f,
            $rule,
            [
                Neg, Abs, Sqrt, Square, Recip, Exp, Expm1, Ln, Log1p, Sin, Cos, Tan, Tanh, Atan,
                LGamma, Gamma, Digamma, Trigamma, PNorm, LogPNorm, QNorm, Logistic, Log1pExp, Not
            ]
        )
    };
}

macro_rules! all_binary {
    ($f:expr, $rule:ident) => {
        each_binary!(
            $f,
            $rule,
            [
                Add, Sub, Mul, Div, Pow, Min, Max, Less, LessEqual, Equal, And, Or, ExpMul,
                SquareSub
            ]
        )
    };
}

macro_rules! all_ternary {
    ($f:expr, $rule:ident) => {
        match $f {
            Ternary::MulAdd => $rule!(Ternary::MulAdd),
            Ternary::MulSub => $rule!(Ternary::MulSub),
            Ternary::SubMul => $rule!(Ternary::SubMul),
            Ternary::DiffMul => $rule!(Ternary::DiffMul),
            Ternary::MulSquareAdd => $rule!(Ternary::MulSquareAdd),
        }
    };
}
/// Name the slope rules of an operation: `Own` for the only operand, `First`, `Second` and `Both` of two.
macro_rules! slope_of_unary {
    ($op:path) => {
        struct Own<const F: bool>;
        impl<const F: bool> OperandSlope for Own<F> {
            #[inline(always)]
            fn slope(&self, x: f64, _z: f64, y: f64) -> f64 {
                $op.slope::<F>(x, y)
            }
        }
    };
}

macro_rules! slopes_of_binary {
    ($op:path) => {
        struct First<const F: bool>;
        impl<const F: bool> OperandSlope for First<F> {
            #[inline(always)]
            fn slope(&self, x: f64, z: f64, y: f64) -> f64 {
                $op.slopes::<F>(x, z, y).0
            }
        }
        struct Second<const F: bool>;
        impl<const F: bool> OperandSlope for Second<F> {
            #[inline(always)]
            fn slope(&self, x: f64, z: f64, y: f64) -> f64 {
                $op.slopes::<F>(x, z, y).1
            }
        }
    };
}

/// The slopes of an operation on three operands, `y` being the third one.
macro_rules! slopes_of_ternary {
    ($op:path) => {
        struct First;
        impl OperandSlope for First {
            #[inline(always)]
            fn slope(&self, x: f64, z: f64, y: f64) -> f64 {
                $op.slopes(x, z, y).0
            }
        }
        struct Second;
        impl OperandSlope for Second {
            #[inline(always)]
            fn slope(&self, x: f64, z: f64, y: f64) -> f64 {
                $op.slopes(x, z, y).1
            }
        }
        struct Third;
        impl OperandSlope for Third {
            #[inline(always)]
            fn slope(&self, x: f64, z: f64, y: f64) -> f64 {
                $op.slopes(x, z, y).2
            }
        }
    };
}
pub(super) use {all_binary, all_ternary, all_unary, each_binary, each_unary};
pub(super) use {slope_of_unary, slopes_of_binary, slopes_of_ternary};
