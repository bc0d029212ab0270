//! Carry adjoints from the sums back to what they depend on.

use super::lanes::{
    choose, deposit, deposit_both, read, OperandSlope, OperandSlopes, Plain, Product, CHUNK,
};
use super::value::execute;
use super::{all_binary, all_ternary, all_unary, each_binary, each_unary};
use super::{slope_of_unary, slopes_of_binary, slopes_of_ternary};
use super::{AdjointTarget, Bank, Bases, Instruction, Pointers, Reverse, Tape, TapeCode};
use crate::ir::column::LANES;
use crate::ir::op::{Binary, Ternary, Unary};
use crate::ir::vmath::{per_isa, Isa};

#[inline(always)]
fn reverse_one<const FMA: bool>(step: &Reverse, bases: &Pointers) {
    let forward = &step.forward;
    let y = bases.column(forward.dst);
    let a = bases.column(forward.a);
    let b = bases.column(forward.b);
    let adjoint = bases.first(Bank::Adjoint);
    let here = adjoint.wrapping_add(step.source as usize * LANES);
    let [to_a, to_b, to_c] = step.targets;
    match forward.code {
        TapeCode::Unary(f) => {
            macro_rules! rule {
                ($op:path) => {{
                    slope_of_unary!($op);
                    deposit(to_a, adjoint, Product::new(here, [a, a, y], Own::<FMA>))
                }};
            }
            all_unary!(f, rule)
        }
        TapeCode::Binary(f) => {
            macro_rules! rule {
                ($op:path) => {{
                    slopes_of_binary!($op);
                    struct Both<const F: bool>;
                    impl<const F: bool> OperandSlopes for Both<F> {
                        #[inline(always)]
                        fn slopes(&self, x: f64, z: f64, y: f64) -> (f64, f64) {
                            $op.slopes::<F>(x, z, y)
                        }
                    }
                    match (to_a, to_b) {
                        (_, AdjointTarget::None) => {
                            deposit(to_a, adjoint, Product::new(here, [a, b, y], First::<FMA>))
                        }
                        (AdjointTarget::None, _) => {
                            deposit(to_b, adjoint, Product::new(here, [a, b, y], Second::<FMA>))
                        }
                        _ => {
                            let terms = Product::new(here, [a, b, y], Both::<FMA>);
                            deposit_both(to_a, to_b, adjoint, terms)
                        }
                    }
                }};
            }
            all_binary!(f, rule)
        }
        TapeCode::Ternary(f) => {
            let c = bases.column(forward.c);
            macro_rules! rule {
                ($op:path) => {{
                    slopes_of_ternary!($op);
                    deposit(to_a, adjoint, Product::new(here, [a, b, c], First));
                    deposit(to_b, adjoint, Product::new(here, [a, b, c], Second));
                    deposit(to_c, adjoint, Product::new(here, [a, b, c], Third));
                }};
            }
            all_ternary!(f, rule)
        }
        TapeCode::Select => {
            let zero = [0.0; CHUNK];
            let yes = Plain(|at| choose(read(a, at), read(here, at), zero));
            deposit(to_b, adjoint, yes);
            let no = Plain(|at| choose(read(a, at), zero, read(here, at)));
            deposit(to_c, adjoint, no);
        }
        TapeCode::Accumulate => deposit(to_a, adjoint, Plain(|at| read(b, at))),
    }
}

#[inline(always)]
fn reverse_rows_body<const FMA: bool>(
    forward: &[Instruction],
    reverse: &[Reverse],
    bases: &Pointers,
    rows: usize,
) {
    let mut bases = *bases;
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
    fn reverse_rows(
        forward: &[Instruction],
        reverse: &[Reverse],
        bases: &Pointers,
        rows: usize,
    ) = reverse_rows_body, fused;
}

impl Tape<Reverse> {
    /// For each row, run `forward`, then the adjoint rules. Rows are independent given the subject, so nothing of a row is
    /// kept.
    pub fn run(&self, isa: Isa, forward: &Tape<Instruction>, bases: &mut Bases, rows: usize) {
        bases.enter(forward, rows);
        reverse_rows(isa, forward, self, bases.enter(self, rows), rows);
    }

    /// Run the adjoint rules once, on values already computed.
    pub fn run_alone(&self, isa: Isa, bases: &mut Bases) {
        reverse_rows(isa, &[], self, bases.enter(self, 1), 1);
    }
}
