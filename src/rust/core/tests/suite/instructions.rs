//! Every instruction of the tape: value, adjoint and tangent rules against each other and central differences.

use crate::common::data::Generator;
use crate::common::numeric::{derivative, relative};
use nlmers_core::ir::column::{Column, LANES};
use nlmers_core::ir::op::{Binary, Ternary, Unary, BINARY, TERNARY, UNARY};
use nlmers_core::ir::tape::{
    AdjointTarget, Bank, Bases, ColumnAddress, Instruction, Reverse, Tangent, Tape, TapeCode,
};
use nlmers_core::ir::vmath::Isa;

/// Work columns: the result, then three operands.
const RESULT: u32 = 0;
const OPERANDS: [u32; 3] = [1, 2, 3];

fn codes() -> Vec<TapeCode> {
    let unary = UNARY.into_iter().map(TapeCode::Unary);
    let binary = BINARY.into_iter().map(TapeCode::Binary);
    let ternary = TERNARY.into_iter().map(TapeCode::Ternary);
    unary
        .chain(binary)
        .chain(ternary)
        .chain([TapeCode::Select])
        .collect()
}

fn n_operands(code: TapeCode) -> usize {
    match code {
        TapeCode::Unary(_) => 1,
        TapeCode::Binary(_) => 2,
        _ => 3,
    }
}

/// Smooth points of an operation, one triple a lane.
fn operands(code: TapeCode, lane: usize, draw: &mut Generator) -> [f64; 3] {
    let sign = if lane.is_multiple_of(2) { 1.0 } else { -1.0 };
    let near = [
        draw.between(-1.3, 1.3),
        draw.between(-1.3, 1.3),
        draw.between(-1.3, 1.3),
    ];
    let (x, y) = (draw.between(0.4, 4.0), draw.between(-2.0, 2.0));
    match code {
        TapeCode::Unary(
            Unary::Sqrt
            | Unary::Ln
            | Unary::LGamma
            | Unary::Gamma
            | Unary::Digamma
            | Unary::Trigamma,
        ) => [x, y, y],
        TapeCode::Unary(Unary::Abs | Unary::Recip | Unary::Not) => [sign * x, y, y],
        TapeCode::Unary(Unary::QNorm) => [draw.between(0.02, 0.98), y, y],
        TapeCode::Unary(Unary::Log1p) => [draw.between(-0.8, 3.0), y, y],
        TapeCode::Binary(Binary::Pow) => [x, y, y],
        TapeCode::Binary(Binary::Div) => [y, sign * x, y],
        TapeCode::Binary(Binary::And | Binary::Or) => [sign * x, x, y],
        // A tie or a condition at zero has no derivative.
        TapeCode::Binary(
            Binary::Min | Binary::Max | Binary::Less | Binary::LessEqual | Binary::Equal,
        ) => [y, y + sign * 0.1 * x, y],
        TapeCode::Select if lane.is_multiple_of(3) => [0.0, near[1], near[2]],
        _ => near,
    }
}

fn scalar(code: TapeCode, [a, b, c]: [f64; 3]) -> f64 {
    match code {
        TapeCode::Unary(f) => f.value::<false>(a),
        TapeCode::Binary(f) => f.value::<false>(a, b),
        TapeCode::Ternary(f) => f.value::<false>(a, b, c),
        TapeCode::Select => {
            if a != 0.0 {
                b
            } else {
                c
            }
        }
        TapeCode::Accumulate => panic!("not a value"),
    }
}

/// Memory of a tape of one instruction.
struct Bench {
    isa: Isa,
    work: Vec<Column>,
    adjoint: Vec<Column>,
    tangent: Vec<Column>,
    instruction: Instruction,
}

fn work(index: u32) -> ColumnAddress {
    ColumnAddress {
        bank: Bank::Work,
        index,
    }
}

impl Bench {
    fn new(isa: Isa, code: TapeCode, points: &[[f64; 3]], slots: [u32; 3]) -> Self {
        let column = |k: usize| Column(std::array::from_fn(|l| points[l][k]));
        Self {
            isa,
            work: vec![Column::ZERO, column(0), column(1), column(2)],
            adjoint: vec![Column::ZERO; 4],
            tangent: vec![Column::ZERO; 4],
            instruction: Instruction {
                code,
                dst: work(RESULT),
                a: work(slots[0]),
                b: work(slots[1]),
                c: work(slots[2]),
            },
        }
    }

    fn bases(&mut self) -> Bases<'_> {
        let mut bases = Bases::default();
        bases.write(Bank::Work, &mut self.work);
        bases.write(Bank::Adjoint, &mut self.adjoint);
        bases.write(Bank::Tangent, &mut self.tangent);
        bases
    }

    fn value(&mut self) -> Column {
        let tape = Tape::from_iter([self.instruction]);
        tape.run(self.isa, &mut self.bases(), 1);
        self.work[RESULT as usize]
    }

    /// Adjoints of the operands for the adjoint `seed` of the result.
    fn reverse(&mut self, seed: f64, targets: [AdjointTarget; 3]) -> [Column; 3] {
        self.adjoint = vec![Column::splat(seed); 4];
        let rules = Tape::from_iter([Reverse {
            forward: self.instruction,
            source: RESULT,
            targets,
        }]);
        let forward = Tape::from_iter([self.instruction]);
        rules.run(self.isa, &forward, &mut self.bases(), 1);
        OPERANDS.map(|k| self.adjoint[k as usize])
    }

    /// Tangent of the result along operand `k`.
    fn tangent(&mut self, k: usize, sources: [Option<u32>; 3]) -> Column {
        self.value();
        self.tangent = vec![Column::ZERO; 4];
        self.tangent[OPERANDS[k] as usize] = Column::splat(1.0);
        let rules = Tape::from_iter([Tangent {
            forward: self.instruction,
            dst: RESULT,
            sources,
        }]);
        rules.run(self.isa, &mut self.bases());
        self.tangent[RESULT as usize]
    }
}

/// Operands that have a derivative: all but the condition of a selection.
fn active(code: TapeCode) -> Vec<usize> {
    let first = usize::from(code == TapeCode::Select);
    (first..n_operands(code)).collect()
}

fn points(code: TapeCode) -> Vec<[f64; 3]> {
    let mut draw = Generator(7);
    (0..LANES).map(|l| operands(code, l, &mut draw)).collect()
}

#[test]
fn values_are_those_of_the_scalar_meaning() {
    for isa in Isa::available() {
        for code in codes() {
            let points = points(code);
            let value = Bench::new(isa, code, &points, OPERANDS).value();
            for (l, point) in points.iter().enumerate() {
                let error = relative(value.0[l], scalar(code, *point), 1e-3);
                assert!(error <= 1e-12, "{isa:?} {code:?} at {point:?}: {error:.1e}");
            }
        }
    }
}

#[test]
fn adjoints_and_tangents_are_the_derivatives() {
    for isa in Isa::available() {
        for code in codes() {
            let points = points(code);
            let mut bench = Bench::new(isa, code, &points, OPERANDS);
            let used = active(code);
            let targets = std::array::from_fn(|k| match used.contains(&k) {
                true => AdjointTarget::Set(OPERANDS[k]),
                false => AdjointTarget::None,
            });
            let reverse = bench.reverse(1.0, targets);
            for k in used.clone() {
                let sources = std::array::from_fn(|i| used.contains(&i).then_some(OPERANDS[i]));
                let tangent = bench.tangent(k, sources);
                for l in 0..LANES {
                    let mut point = points[l];
                    let slope = derivative(points[l][k], 3e-4, |x| {
                        point[k] = x;
                        scalar(code, point)
                    });
                    let here = format!("{isa:?} {code:?} operand {k} at {:?}", points[l]);
                    let error = relative(reverse[k].0[l], slope, 1e-3);
                    assert!(
                        error <= 1e-6,
                        "adjoint, {here}: {} {slope}",
                        reverse[k].0[l]
                    );
                    let error = relative(tangent.0[l], reverse[k].0[l], 1e-3);
                    assert!(error <= 1e-12, "tangent, {here}: {error:.1e}");
                }
            }
        }
    }
}

/// The adjoint of a result is multiplied in, and contributions add to what is there.
#[test]
fn adjoints_are_scaled_and_added() {
    for isa in Isa::available() {
        for code in codes() {
            let points = points(code);
            let mut bench = Bench::new(isa, code, &points, OPERANDS);
            for k in active(code) {
                let only = |make: fn(u32) -> AdjointTarget| {
                    std::array::from_fn(|i| match i == k {
                        true => make(OPERANDS[i]),
                        false => AdjointTarget::None,
                    })
                };
                let once = bench.reverse(1.0, only(AdjointTarget::Set));
                let scaled = bench.reverse(-2.5, only(AdjointTarget::Set));
                // Every adjoint column starts at the seed, so there is 3 to add to.
                let added = bench.reverse(3.0, only(AdjointTarget::Add));
                for l in 0..LANES {
                    let slope = once[k].0[l];
                    let errors = [
                        relative(scaled[k].0[l], -2.5 * slope, 1e-3),
                        relative(added[k].0[l], 3.0 + 3.0 * slope, 1e-3),
                    ];
                    assert!(
                        errors.iter().all(|e| *e <= 1e-12),
                        "{code:?} {k}: {errors:?}"
                    );
                }
            }
        }
    }
}

/// An operand that stands twice in an instruction receives both slopes.
#[test]
fn an_operand_read_twice_gets_the_sum_of_its_slopes() {
    for isa in Isa::available() {
        for code in codes().into_iter().filter(|code| n_operands(*code) > 1) {
            let points: Vec<[f64; 3]> = points(code)
                .into_iter()
                .map(|[a, ..]| [a.abs() + 0.3; 3])
                .collect();
            let apart = {
                let mut bench = Bench::new(isa, code, &points, OPERANDS);
                bench.reverse(1.0, OPERANDS.map(AdjointTarget::Set))
            };
            let mut bench = Bench::new(isa, code, &points, [1, 1, 1]);
            let targets = match n_operands(code) {
                2 => [
                    AdjointTarget::Set(1),
                    AdjointTarget::Add(1),
                    AdjointTarget::None,
                ],
                _ => [
                    AdjointTarget::Set(1),
                    AdjointTarget::Add(1),
                    AdjointTarget::Add(1),
                ],
            };
            let targets = match code {
                TapeCode::Select => [
                    AdjointTarget::None,
                    AdjointTarget::Set(1),
                    AdjointTarget::Add(1),
                ],
                _ => targets,
            };
            let together = bench.reverse(1.0, targets);
            for l in 0..LANES {
                let slopes = active(code).into_iter().map(|k| apart[k].0[l]);
                let error = relative(together[0].0[l], slopes.sum(), 1e-3);
                assert!(error <= 1e-12, "{isa:?} {code:?}: {error:.1e}");
            }
        }
    }
}

/// A result that does not count must not poison the gradient, however wild its slope.
#[test]
fn an_adjoint_of_zero_stays_zero_where_the_slope_is_infinite() {
    let wild = [
        (TapeCode::Unary(Unary::Ln), [0.0; 3]),
        (TapeCode::Unary(Unary::Sqrt), [0.0; 3]),
        (TapeCode::Unary(Unary::Recip), [0.0; 3]),
        (TapeCode::Binary(Binary::Div), [1.0, 0.0, 0.0]),
        (
            TapeCode::Binary(Binary::Mul),
            [f64::INFINITY, f64::NAN, 0.0],
        ),
        (
            TapeCode::Ternary(Ternary::MulAdd),
            [f64::INFINITY, f64::NAN, 0.0],
        ),
    ];
    for isa in Isa::available() {
        for (code, point) in wild {
            let mut bench = Bench::new(isa, code, &[point; LANES], OPERANDS);
            let targets = std::array::from_fn(|k| match k < n_operands(code) {
                true => AdjointTarget::Set(OPERANDS[k]),
                false => AdjointTarget::None,
            });
            for adjoint in bench.reverse(0.0, targets) {
                assert_eq!(adjoint, Column::ZERO, "{isa:?} {code:?}");
            }
        }
    }
}

/// The branch not taken may be anything.
#[test]
fn the_tangent_of_a_selection_ignores_the_other_branch() {
    for isa in Isa::available() {
        let mut bench = Bench::new(isa, TapeCode::Select, &[[1.0, 2.0, 3.0]; LANES], OPERANDS);
        bench.value();
        bench.tangent = vec![Column::ZERO; 4];
        bench.tangent[2] = Column::splat(5.0);
        bench.tangent[3] = Column::splat(f64::NAN);
        let step = [Tangent {
            forward: bench.instruction,
            dst: RESULT,
            sources: [None, Some(2), Some(3)],
        }];
        Tape::from_iter(step).run(isa, &mut bench.bases());
        assert_eq!(
            bench.tangent[RESULT as usize],
            Column::splat(5.0),
            "{isa:?}"
        );
    }
}
