//! Execute instructions over the 64 lanes of a block: values, adjoints, tangents.
//!
//! Every operand is a column, found by bank and index. The loops run in chunks of eight lanes, the width that every
//! instruction set vectorises well, and are compiled once for each instruction set.

use super::column::LANES;
use super::op::{Binary, Ternary, Unary};
use super::vmath::per_isa;

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
    /// Values of the subject that depend on `theta` but not on `phi`.
    Prepared,
    /// Values of the current row that depend on `theta` but not on `phi`.
    Cache,
    /// Everything else.
    Work,
}

pub const N_BANKS: usize = 8;

/// Address of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub bank: Bank,
    pub index: u32,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Code {
    Unary(Unary),
    Binary(Binary),
    Ternary(Ternary),
    /// `a != 0 ? b : c`
    Select,
    /// `dst += mask != 0 ? a : 0`, the mask being `b`.
    Accumulate,
}

/// One operation on columns; unused operands repeat `a`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Instruction {
    pub code: Code,
    pub dst: Place,
    pub a: Place,
    pub b: Place,
    pub c: Place,
}

/// Where the adjoint of an operand goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
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
    pub targets: [Target; 3],
}

/// The tangent rule of one instruction: `tangent(dst) = sum slope * tangent(operand)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tangent {
    pub forward: Instruction,
    pub dst: u32,
    /// Columns of the operands' tangents; `None` is zero.
    pub sources: [Option<u32>; 3],
}

/// Start of each bank, and how far the row banks move from one row to the next (in columns).
///
/// Created only by the evaluator, which owns the memory behind every bank and has checked that each place of the
/// program lies inside it.
#[derive(Clone, Copy)]
pub struct Bases {
    pub start: [*mut f64; N_BANKS],
    pub stride: [usize; N_BANKS],
    pub adjoint: *mut f64,
    pub tangent: *mut f64,
}

impl Bases {
    #[inline(always)]
    fn column(&self, place: Place) -> *mut f64 {
        self.start[place.bank as usize].wrapping_add(place.index as usize * LANES)
    }

    /// Move the row banks to the next row.
    #[inline(always)]
    pub fn next_row(&mut self) {
        for (start, stride) in self.start.iter_mut().zip(self.stride) {
            *start = start.wrapping_add(stride * LANES);
        }
    }
}

const CHUNK: usize = 8;

// SAFETY (all loops below): every pointer is a column of 64 values owned by the evaluator that built `Bases`.
// A chunk is read whole before it is written, so a destination may be one of the operands.

#[inline(always)]
fn read(p: *const f64, at: usize) -> [f64; CHUNK] {
    // SAFETY: see above.
    unsafe { p.add(at).cast::<[f64; CHUNK]>().read() }
}

#[inline(always)]
fn write(p: *mut f64, at: usize, values: [f64; CHUNK]) {
    // SAFETY: see above.
    unsafe { p.add(at).cast::<[f64; CHUNK]>().write(values) }
}

#[inline(always)]
fn map1(dst: *mut f64, a: *const f64, f: impl Fn(f64) -> f64) {
    for at in (0..LANES).step_by(CHUNK) {
        let x = read(a, at);
        let mut y = [0.0; CHUNK];
        for i in 0..CHUNK {
            y[i] = f(x[i]);
        }
        write(dst, at, y);
    }
}

#[inline(always)]
fn map2(dst: *mut f64, a: *const f64, b: *const f64, f: impl Fn(f64, f64) -> f64) {
    for at in (0..LANES).step_by(CHUNK) {
        let (x, y) = (read(a, at), read(b, at));
        let mut z = [0.0; CHUNK];
        for i in 0..CHUNK {
            z[i] = f(x[i], y[i]);
        }
        write(dst, at, z);
    }
}

#[inline(always)]
fn map3(
    dst: *mut f64,
    a: *const f64,
    b: *const f64,
    c: *const f64,
    f: impl Fn(f64, f64, f64) -> f64,
) {
    for at in (0..LANES).step_by(CHUNK) {
        let (x, y, z) = (read(a, at), read(b, at), read(c, at));
        let mut w = [0.0; CHUNK];
        for i in 0..CHUNK {
            w[i] = f(x[i], y[i], z[i]);
        }
        write(dst, at, w);
    }
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
                LGamma, Gamma, Digamma, PNorm, QNorm, Logistic, Log1pExp, Not
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

#[inline(always)]
fn execute<const FMA: bool>(instruction: &Instruction, bases: &Bases) {
    let dst = bases.column(instruction.dst);
    let a = bases.column(instruction.a);
    let b = bases.column(instruction.b);
    match instruction.code {
        Code::Unary(f) => {
            macro_rules! rule {
                ($op:path) => {
                    map1(dst, a, |x| $op.value::<FMA>(x))
                };
            }
            all_unary!(f, rule)
        }
        Code::Binary(f) => {
            macro_rules! rule {
                ($op:path) => {
                    map2(dst, a, b, |x, y| $op.value::<FMA>(x, y))
                };
            }
            all_binary!(f, rule)
        }
        Code::Ternary(f) => {
            let c = bases.column(instruction.c);
            macro_rules! rule {
                ($op:path) => {
                    map3(dst, a, b, c, |x, y, z| $op.value::<FMA>(x, y, z))
                };
            }
            all_ternary!(f, rule)
        }
        Code::Select => {
            let c = bases.column(instruction.c);
            map3(dst, a, b, c, |t, x, y| if t != 0.0 { x } else { y });
        }
        Code::Accumulate => {
            map3(
                dst,
                a,
                b,
                dst,
                |x, mask, total| if mask != 0.0 { total + x } else { total },
            );
        }
    }
}

#[inline(always)]
fn run_body<const FMA: bool>(instructions: &[Instruction], bases: Bases, rows: usize) {
    let mut bases = bases;
    for _ in 0..rows {
        for instruction in instructions {
            execute::<FMA>(instruction, &bases);
        }
        bases.next_row();
    }
}

per_isa! {
    /// Run `instructions` for `rows` rows, moving the row banks after each.
    pub fn run(instructions: &[Instruction], bases: Bases, rows: usize) = run_body, fused;
}

#[inline(always)]
fn deposit(target: Target, adjoint: *mut f64, term: impl Fn(usize) -> [f64; CHUNK]) {
    match target {
        Target::None => {}
        Target::Set(i) => {
            let dst = adjoint.wrapping_add(i as usize * LANES);
            for at in (0..LANES).step_by(CHUNK) {
                write(dst, at, term(at));
            }
        }
        Target::Add(i) => {
            let dst = adjoint.wrapping_add(i as usize * LANES);
            for at in (0..LANES).step_by(CHUNK) {
                let (mut sum, x) = (read(dst, at), term(at));
                for i in 0..CHUNK {
                    sum[i] += x[i];
                }
                write(dst, at, sum);
            }
        }
    }
}

#[inline(always)]
fn product(
    here: *const f64,
    a: *const f64,
    b: *const f64,
    y: *const f64,
    at: usize,
    slope: impl Fn(f64, f64, f64) -> f64,
) -> [f64; CHUNK] {
    let (g, x, z, y) = (read(here, at), read(a, at), read(b, at), read(y, at));
    let mut out = [0.0; CHUNK];
    for i in 0..CHUNK {
        out[i] = g[i] * slope(x[i], z[i], y[i]);
    }
    out
}

/// The products of an adjoint with both slopes.
#[inline(always)]
fn products(
    here: *const f64,
    a: *const f64,
    b: *const f64,
    y: *const f64,
    at: usize,
    slopes: impl Fn(f64, f64, f64) -> (f64, f64),
) -> ([f64; CHUNK], [f64; CHUNK]) {
    let (g, x, z, y) = (read(here, at), read(a, at), read(b, at), read(y, at));
    let (mut first, mut second) = ([0.0; CHUNK], [0.0; CHUNK]);
    for i in 0..CHUNK {
        let (da, db) = slopes(x[i], z[i], y[i]);
        first[i] = g[i] * da;
        second[i] = g[i] * db;
    }
    (first, second)
}

/// Deposit two terms that are computed together.
#[inline(always)]
fn deposit_both(
    to_a: Target,
    to_b: Target,
    adjoint: *mut f64,
    terms: impl Fn(usize) -> ([f64; CHUNK], [f64; CHUNK]),
) {
    let place = |target: Target| match target {
        Target::None => (0, false),
        Target::Set(i) => (i, false),
        Target::Add(i) => (i, true),
    };
    let ((i, keep_a), (j, keep_b)) = (place(to_a), place(to_b));
    let first = adjoint.wrapping_add(i as usize * LANES);
    let second = adjoint.wrapping_add(j as usize * LANES);
    for at in (0..LANES).step_by(CHUNK) {
        let (x, z) = terms(at);
        add_to(first, at, x, keep_a);
        add_to(second, at, z, keep_b);
    }
}

/// `dst = x`, or `dst += x` to keep what is there.
#[inline(always)]
fn add_to(dst: *mut f64, at: usize, x: [f64; CHUNK], keep: bool) {
    if !keep {
        write(dst, at, x);
    } else {
        let mut sum = read(dst, at);
        for i in 0..CHUNK {
            sum[i] += x[i];
        }
        write(dst, at, sum);
    }
}

#[inline(always)]
fn reverse_one<const FMA: bool>(step: &Reverse, bases: &Bases) {
    let forward = &step.forward;
    let y = bases.column(forward.dst);
    let a = bases.column(forward.a);
    let b = bases.column(forward.b);
    let here = bases.adjoint.wrapping_add(step.source as usize * LANES);
    let [to_a, to_b, to_c] = step.targets;
    match forward.code {
        Code::Unary(f) => {
            macro_rules! rule {
                ($op:path) => {
                    deposit(to_a, bases.adjoint, |at| {
                        product(here, a, a, y, at, |x, _, y| $op.slope::<FMA>(x, y))
                    })
                };
            }
            all_unary!(f, rule)
        }
        Code::Binary(f) => {
            macro_rules! rule {
                ($op:path) => {
                    match (to_a, to_b) {
                        (_, Target::None) => deposit(to_a, bases.adjoint, |at| {
                            product(here, a, b, y, at, |x, z, y| $op.slopes::<FMA>(x, z, y).0)
                        }),
                        (Target::None, _) => deposit(to_b, bases.adjoint, |at| {
                            product(here, a, b, y, at, |x, z, y| $op.slopes::<FMA>(x, z, y).1)
                        }),
                        _ => deposit_both(to_a, to_b, bases.adjoint, |at| {
                            products(here, a, b, y, at, |x, z, y| $op.slopes::<FMA>(x, z, y))
                        }),
                    }
                };
            }
            all_binary!(f, rule)
        }
        Code::Ternary(f) => {
            let c = bases.column(forward.c);
            macro_rules! rule {
                ($op:path) => {{
                    deposit(to_a, bases.adjoint, |at| {
                        product(here, a, b, c, at, |x, y, z| $op.slopes(x, y, z).0)
                    });
                    deposit(to_b, bases.adjoint, |at| {
                        product(here, a, b, c, at, |x, y, z| $op.slopes(x, y, z).1)
                    });
                    deposit(to_c, bases.adjoint, |at| {
                        product(here, a, b, c, at, |x, y, z| $op.slopes(x, y, z).2)
                    });
                }};
            }
            all_ternary!(f, rule)
        }
        Code::Select => {
            let pick = |yes: f64, no: f64| move |t: f64| if t != 0.0 { yes } else { no };
            deposit(to_b, bases.adjoint, |at| {
                product(here, a, a, a, at, |t, _, _| pick(1.0, 0.0)(t))
            });
            deposit(to_c, bases.adjoint, |at| {
                product(here, a, a, a, at, |t, _, _| pick(0.0, 1.0)(t))
            });
        }
        Code::Accumulate => deposit(to_a, bases.adjoint, |at| read(b, at)),
    }
}

#[inline(always)]
fn reverse_rows_body<const FMA: bool>(
    forward: &[Instruction],
    reverse: &[Reverse],
    bases: Bases,
    rows: usize,
) {
    let mut bases = bases;
    for _ in 0..rows {
        for instruction in forward {
            execute::<FMA>(instruction, &bases);
        }
        for step in reverse {
            reverse_one::<FMA>(step, &bases);
        }
        bases.next_row();
    }
}

per_isa! {
    /// For each row, run `forward`, then the adjoint rules in reverse. Rows are independent given the subject, so
    /// nothing of a row is kept.
    pub fn reverse_rows(
        forward: &[Instruction],
        reverse: &[Reverse],
        bases: Bases,
        rows: usize,
    ) = reverse_rows_body, fused;
}

#[inline(always)]
fn tangent_one<const FMA: bool>(step: &Tangent, bases: &Bases) {
    let forward = &step.forward;
    let y = bases.column(forward.dst);
    let a = bases.column(forward.a);
    let b = bases.column(forward.b);
    let dst = Target::Set(step.dst);
    let of = |i: u32| bases.tangent.wrapping_add(i as usize * LANES).cast_const();
    let [from_a, from_b, from_c] = step.sources;
    let zero = Target::None;
    let second = if from_a.is_some() {
        Target::Add(step.dst)
    } else {
        dst
    };
    match forward.code {
        Code::Unary(f) => {
            macro_rules! rule {
                ($op:path) => {
                    if let Some(t) = from_a {
                        deposit(dst, bases.tangent, |at| {
                            product(of(t), a, a, y, at, |x, _, y| $op.slope::<FMA>(x, y))
                        })
                    }
                };
            }
            all_unary!(f, rule)
        }
        Code::Binary(f) => {
            macro_rules! rule {
                ($op:path) => {{
                    if let Some(t) = from_a {
                        deposit(dst, bases.tangent, |at| {
                            product(of(t), a, b, y, at, |x, z, y| $op.slopes::<FMA>(x, z, y).0)
                        });
                    }
                    if let Some(t) = from_b {
                        deposit(second, bases.tangent, |at| {
                            product(of(t), a, b, y, at, |x, z, y| $op.slopes::<FMA>(x, z, y).1)
                        });
                    }
                }};
            }
            all_binary!(f, rule)
        }
        Code::Ternary(f) => {
            let c = bases.column(forward.c);
            let mut next = dst;
            macro_rules! rule {
                ($op:path) => {{
                    if let Some(t) = from_a {
                        deposit(next, bases.tangent, |at| {
                            product(of(t), a, b, c, at, |x, y, z| $op.slopes(x, y, z).0)
                        });
                        next = Target::Add(step.dst);
                    }
                    if let Some(t) = from_b {
                        deposit(next, bases.tangent, |at| {
                            product(of(t), a, b, c, at, |x, y, z| $op.slopes(x, y, z).1)
                        });
                        next = Target::Add(step.dst);
                    }
                    if let Some(t) = from_c {
                        deposit(next, bases.tangent, |at| {
                            product(of(t), a, b, c, at, |x, y, z| $op.slopes(x, y, z).2)
                        });
                    }
                }};
            }
            all_ternary!(f, rule)
        }
        Code::Select => {
            let mut next = dst;
            for (source, when) in [(from_b, 1.0), (from_c, 0.0)] {
                if let Some(t) = source {
                    deposit(next, bases.tangent, |at| {
                        product(of(t), a, a, a, at, |c, _, _| {
                            if (c != 0.0) == (when == 1.0) {
                                1.0
                            } else {
                                0.0
                            }
                        })
                    });
                    next = Target::Add(step.dst);
                }
            }
        }
        Code::Accumulate => deposit(zero, bases.tangent, |at| read(a, at)),
    }
}

#[inline(always)]
fn tangents_body<const FMA: bool>(steps: &[Tangent], bases: Bases) {
    for step in steps {
        tangent_one::<FMA>(step, &bases);
    }
}

per_isa! {
    /// Run tangent rules once, on values already computed.
    pub fn tangents(steps: &[Tangent], bases: Bases) = tangents_body, fused;
}
