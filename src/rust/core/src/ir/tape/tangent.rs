//! Carry derivatives in one direction forward, beside values already computed.

use super::lanes::{choose, deposit, product, read, CHUNK};
use super::{all_binary, all_ternary, all_unary, each_binary, each_unary};
use super::{Bases, Code, Tangent, Target};
use crate::ir::column::LANES;
use crate::ir::op::{Binary, Ternary, Unary};
use crate::ir::vmath::per_isa;

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
            let along =
                |from: Option<u32>, at: usize| from.map_or([0.0; CHUNK], |t| read(of(t), at));
            deposit(dst, bases.tangent, |at| {
                choose(read(a, at), along(from_b, at), along(from_c, at))
            });
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
