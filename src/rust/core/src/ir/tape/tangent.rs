//! Carry derivatives in one direction forward, beside values already computed.

use super::lanes::{choose, deposit, read, OperandSlope, Plain, Product, CHUNK};
use super::{all_binary, all_ternary, all_unary, each_binary, each_unary};
use super::{slope_of_unary, slopes_of_binary, slopes_of_ternary};
use super::{AdjointTarget, Bank, Bases, Pointers, Tangent, Tape, TapeCode};
use crate::ir::column::LANES;
use crate::ir::op::{Binary, Ternary, Unary};
use crate::ir::vmath::{per_isa, Isa};

#[inline(always)]
fn tangent_one<const FMA: bool>(step: &Tangent, bases: &Pointers) {
    let forward = &step.forward;
    let y = bases.column(forward.dst);
    let a = bases.column(forward.a);
    let b = bases.column(forward.b);
    let dst = AdjointTarget::Set(step.dst);
    let tangent = bases.first(Bank::Tangent);
    let of = |i: u32| tangent.wrapping_add(i as usize * LANES).cast_const();
    let [from_a, from_b, from_c] = step.sources;
    let zero = AdjointTarget::None;
    let second = if from_a.is_some() {
        AdjointTarget::Add(step.dst)
    } else {
        dst
    };
    match forward.code {
        TapeCode::Unary(f) => {
            macro_rules! rule {
                ($op:path) => {{
                    slope_of_unary!($op);
                    if let Some(t) = from_a {
                        let terms = Product::new(of(t), [a, a, y], Own::<FMA>);
                        deposit(dst, tangent, terms)
                    }
                }};
            }
            all_unary!(f, rule)
        }
        TapeCode::Binary(f) => {
            macro_rules! rule {
                ($op:path) => {{
                    slopes_of_binary!($op);
                    if let Some(t) = from_a {
                        let terms = Product::new(of(t), [a, b, y], First::<FMA>);
                        deposit(dst, tangent, terms);
                    }
                    if let Some(t) = from_b {
                        let terms = Product::new(of(t), [a, b, y], Second::<FMA>);
                        deposit(second, tangent, terms);
                    }
                }};
            }
            all_binary!(f, rule)
        }
        TapeCode::Ternary(f) => {
            let c = bases.column(forward.c);
            let mut next = dst;
            macro_rules! rule {
                ($op:path) => {{
                    slopes_of_ternary!($op);
                    if let Some(t) = from_a {
                        let terms = Product::new(of(t), [a, b, c], First);
                        deposit(next, tangent, terms);
                        next = AdjointTarget::Add(step.dst);
                    }
                    if let Some(t) = from_b {
                        let terms = Product::new(of(t), [a, b, c], Second);
                        deposit(next, tangent, terms);
                        next = AdjointTarget::Add(step.dst);
                    }
                    if let Some(t) = from_c {
                        let terms = Product::new(of(t), [a, b, c], Third);
                        deposit(next, tangent, terms);
                    }
                }};
            }
            all_ternary!(f, rule)
        }
        TapeCode::Select => {
            let along =
                |from: Option<u32>, at: usize| from.map_or([0.0; CHUNK], |t| read(of(t), at));
            let terms = Plain(|at| choose(read(a, at), along(from_b, at), along(from_c, at)));
            deposit(dst, tangent, terms);
        }
        TapeCode::Accumulate => deposit(zero, tangent, Plain(|at| read(a, at))),
    }
}

#[inline(always)]
fn tangents_body<const FMA: bool>(steps: &[Tangent], bases: &Pointers) {
    for step in steps {
        tangent_one::<FMA>(step, bases);
    }
}

per_isa! {
    fn tangents(steps: &[Tangent], bases: &Pointers) = tangents_body, fused;
}

impl Tape<Tangent> {
    /// Run the tangent rules once, on values already computed.
    pub fn run(&self, isa: Isa, bases: &mut Bases) {
        tangents(isa, self, bases.enter(self, 1));
    }
}
