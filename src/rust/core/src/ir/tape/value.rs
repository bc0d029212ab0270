//! Compute values.

use super::lanes::{map1, map2, map3, Map1, Map2, CHUNK};
use super::{all_binary, all_ternary, all_unary, each_binary, each_unary};
use super::{Bases, Instruction, Pointers, Tape, TapeCode};
use crate::ir::column::LANES;
use crate::ir::op::{Binary, Ternary, Unary};
use crate::ir::vmath::{per_isa, Isa};

#[inline(always)]
pub(super) fn execute<const FMA: bool>(instruction: &Instruction, bases: &Pointers) {
    execute_some::<FMA>(instruction, bases, LANES);
}

/// The same in the first `lanes`, a multiple of the chunk.
#[inline(always)]
fn execute_some<const FMA: bool>(instruction: &Instruction, bases: &Pointers, lanes: usize) {
    let dst = bases.column(instruction.dst);
    let a = bases.column(instruction.a);
    let b = bases.column(instruction.b);
    match instruction.code {
        TapeCode::Unary(f) => {
            macro_rules! rule {
                ($op:path) => {{
                    struct Rule<const F: bool>;
                    impl<const F: bool> Map1 for Rule<F> {
                        #[inline(always)]
                        fn value(&self, x: f64) -> f64 {
                            $op.value::<F>(x)
                        }
                    }
                    map1(dst, a, lanes, Rule::<FMA>)
                }};
            }
            all_unary!(f, rule)
        }
        TapeCode::Binary(f) => {
            macro_rules! rule {
                ($op:path) => {{
                    struct Rule<const F: bool>;
                    impl<const F: bool> Map2 for Rule<F> {
                        #[inline(always)]
                        fn value(&self, x: f64, y: f64) -> f64 {
                            $op.value::<F>(x, y)
                        }
                    }
                    map2(dst, a, b, lanes, Rule::<FMA>)
                }};
            }
            all_binary!(f, rule)
        }
        TapeCode::Ternary(f) => {
            let c = bases.column(instruction.c);
            macro_rules! rule {
                ($op:path) => {
                    map3(dst, [a, b, c], lanes, |x, y, z| $op.value::<FMA>(x, y, z))
                };
            }
            all_ternary!(f, rule)
        }
        TapeCode::Select => {
            let c = bases.column(instruction.c);
            map3(
                dst,
                [a, b, c],
                lanes,
                |t, x, y| if t != 0.0 { x } else { y },
            );
        }
        TapeCode::Accumulate => {
            map3(dst, [a, b, dst], lanes, |x, mask, total| {
                if mask != 0.0 {
                    total + x
                } else {
                    total
                }
            });
        }
    }
}

#[inline(always)]
fn run_body<const FMA: bool>(instructions: &[Instruction], bases: &Pointers, rows: usize) {
    // One row needs no pointers that move.
    if rows == 1 {
        for instruction in instructions {
            execute::<FMA>(instruction, bases);
        }
        return;
    }
    let mut bases = *bases;
    for _ in 0..rows {
        for instruction in instructions {
            execute::<FMA>(instruction, &bases);
        }
        bases.next_row();
    }
}

#[inline(always)]
fn run_some_body<const FMA: bool>(instructions: &[Instruction], bases: &Pointers, lanes: usize) {
    let lanes = lanes.next_multiple_of(CHUNK).min(LANES);
    for instruction in instructions {
        execute_some::<FMA>(instruction, bases, lanes);
    }
}

per_isa! {
    fn run(instructions: &[Instruction], bases: &Pointers, rows: usize) = run_body, fused;
}

per_isa! {
    fn run_some(instructions: &[Instruction], bases: &Pointers, lanes: usize) = run_some_body, fused;
}

impl Tape<Instruction> {
    /// Run for `rows` rows, moving the row banks after each.
    pub fn run(&self, isa: Isa, bases: &mut Bases, rows: usize) {
        run(isa, self, bases.enter(self, rows), rows);
    }

    /// Run once in the first `lanes` only, rounded up to whole chunks of eight.
    pub fn run_some(&self, isa: Isa, bases: &mut Bases, lanes: usize) {
        run_some(isa, self, bases.enter(self, 1), lanes);
    }
}
