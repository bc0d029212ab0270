//! Carry adjoints from the sums back to what they depend on.

use super::lanes::{choose, deposit, deposit_both, product, products, read, CHUNK};
use super::value::execute;
use super::{all_binary, all_ternary, all_unary, each_binary, each_unary};
use super::{Bases, Code, Instruction, Reverse, Target};
use crate::ir::column::LANES;
use crate::ir::op::{Binary, Ternary, Unary};
use crate::ir::vmath::per_isa;

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
            let zero = [0.0; CHUNK];
            deposit(to_b, bases.adjoint, |at| {
                choose(read(a, at), read(here, at), zero)
            });
            deposit(to_c, bases.adjoint, |at| {
                choose(read(a, at), zero, read(here, at))
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
