//! Check the values at infinities, zeros, poles, subnormals and not-a-number, on every instruction set.

use super::super::{map, map_plain, map_power, map_power_plain, Function, Isa};
use super::super::{Function::*, *};

const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;
const TINY: f64 = 5e-324;

/// Equal, with the sign of zero, or both not a number.
fn same(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan()
}

fn check(function: Function, cases: &[(f64, f64)]) {
    // Twice eight copies, so that vector code is reached.
    for &(x, expected) in cases {
        let column = [x; 16];
        let mut out = [0.5; 16];
        for isa in Isa::available() {
            for apply in [map, map_plain] {
                apply(isa, function, &column, &mut out);
                assert!(
                    out.iter().all(|&y| same(y, expected)),
                    "{function:?}({x:e}) = {:e} on {isa:?}",
                    out[0]
                );
            }
        }
    }
}

#[test]
fn not_a_number_stays() {
    for &function in Function::ALL {
        check(function, &[(NAN, NAN), (-NAN, NAN)]);
    }
}

#[test]
fn exponentials_at_the_ends() {
    let top = 709.782712893384;
    check(
        Exp,
        &[
            (INF, INF),
            (-INF, 0.0),
            (0.0, 1.0),
            (-0.0, 1.0),
            (709.8, INF),
            (-745.2, 0.0),
            (TINY, 1.0),
        ],
    );
    check(Exp, &[(-745.1, TINY), (1e308, INF), (-1e308, 0.0)]);
    assert!(exp::<false>(top).is_finite());
    check(
        Expm1,
        &[
            (INF, INF),
            (-INF, -1.0),
            (0.0, 0.0),
            (-0.0, -0.0),
            (709.8, INF),
            (-50.0, -1.0),
            (1e308, INF),
        ],
    );
    check(
        Expm1,
        &[
            (TINY, TINY),
            (-TINY, -TINY),
            (1e-310, 1e-310),
            (-1e308, -1.0),
        ],
    );
    check(
        Tanh,
        &[
            (INF, 1.0),
            (-INF, -1.0),
            (0.0, 0.0),
            (-0.0, -0.0),
            (TINY, TINY),
            (-1e308, -1.0),
            (25.0, 1.0),
        ],
    );
    check(
        Plogis,
        &[
            (INF, 1.0),
            (-INF, 0.0),
            (0.0, 0.5),
            (-745.1, TINY),
            (-800.0, 0.0),
            (800.0, 1.0),
        ],
    );
    check(
        Log1pexp,
        &[
            (INF, INF),
            (-INF, 0.0),
            (-800.0, 0.0),
            (1e308, 1e308),
            (-745.1, TINY),
        ],
    );
    check(
        Qlogis,
        &[
            (0.0, -INF),
            (1.0, INF),
            (0.5, 0.0),
            (-0.1, NAN),
            (1.1, NAN),
            (INF, NAN),
            (-INF, NAN),
        ],
    );
}

#[test]
fn logarithms_at_the_ends() {
    for function in [Ln, Log10, Log2] {
        check(
            function,
            &[
                (0.0, -INF),
                (-0.0, -INF),
                (INF, INF),
                (-INF, NAN),
                (-1.0, NAN),
                (1.0, 0.0),
                (-TINY, NAN),
            ],
        );
    }
    check(
        Log2,
        &[
            (TINY, -1074.0),
            (8.0, 3.0),
            (0.125, -3.0),
            (2f64.powi(1000), 1000.0),
        ],
    );
    check(Log10, &[(1000.0, 3.0), (1e-5, -5.0), (1e22, 22.0)]);
    check(Ln, &[(TINY, -744.4400719213812)]);
    check(
        Log1p,
        &[
            (0.0, 0.0),
            (-0.0, -0.0),
            (-1.0, -INF),
            (-1.5, NAN),
            (INF, INF),
            (-INF, NAN),
        ],
    );
    check(Log1p, &[(TINY, TINY), (-TINY, -TINY), (1e-310, 1e-310)]);
    check(
        Sqrt,
        &[
            (0.0, 0.0),
            (-0.0, -0.0),
            (-1.0, NAN),
            (INF, INF),
            (4.0, 2.0),
        ],
    );
}

#[test]
fn circular_functions_at_the_ends() {
    for function in [Sin, Cos, Tan] {
        check(function, &[(INF, NAN), (-INF, NAN), (1e16, NAN)]);
    }
    check(
        Sin,
        &[(0.0, 0.0), (-0.0, -0.0), (TINY, TINY), (-1e-310, -1e-310)],
    );
    check(Cos, &[(0.0, 1.0), (-0.0, 1.0), (TINY, 1.0)]);
    check(
        Tan,
        &[(0.0, 0.0), (-0.0, -0.0), (TINY, TINY), (-1e-310, -1e-310)],
    );
    let quarter = std::f64::consts::FRAC_PI_2;
    check(
        Atan,
        &[
            (INF, quarter),
            (-INF, -quarter),
            (0.0, 0.0),
            (-0.0, -0.0),
            (TINY, TINY),
            (1e308, quarter),
        ],
    );
}

#[test]
fn gamma_functions_at_poles_and_ends() {
    check(
        Lgamma,
        &[
            (0.0, INF),
            (-0.0, INF),
            (-3.0, INF),
            (INF, INF),
            (-INF, INF),
            (1.0, 0.0),
            (2.0, 0.0),
        ],
    );
    check(
        Lgamma,
        &[
            (3.0, 2f64.ln()),
            (1e306, INF),
            (-1e20, INF),
            (TINY, 744.4400719213812),
        ],
    );
    check(
        Gamma,
        &[
            (0.0, NAN),
            (-0.0, NAN),
            (-3.0, NAN),
            (INF, INF),
            (-INF, NAN),
            (172.0, INF),
            (-190.5, -0.0),
        ],
    );
    let mut factorial = 1.0;
    for n in 1..20 {
        check(Gamma, &[(f64::from(n), factorial)]);
        factorial *= f64::from(n);
    }
    check(Gamma, &[(TINY, INF), (-TINY, -INF)]);
    check(
        Digamma,
        &[
            (0.0, NAN),
            (-0.0, NAN),
            (-3.0, NAN),
            (INF, INF),
            (-INF, NAN),
            (TINY, -INF),
            (-TINY, INF),
        ],
    );
    check(
        Trigamma,
        &[
            (0.0, INF),
            (-0.0, INF),
            (-3.0, INF),
            (INF, 0.0),
            (-INF, INF),
            (TINY, INF),
            (-TINY, INF),
        ],
    );
}

#[test]
fn normal_functions_at_the_ends() {
    check(
        Pnorm,
        &[
            (INF, 1.0),
            (-INF, 0.0),
            (0.0, 0.5),
            (-0.0, 0.5),
            (-40.0, 0.0),
            (40.0, 1.0),
            (-1e308, 0.0),
        ],
    );
    check(
        LogPnorm,
        &[
            (INF, 0.0),
            (-INF, -INF),
            (0.0, -std::f64::consts::LN_2),
            (-1e200, -INF),
            (40.0, 0.0),
        ],
    );
    check(LogPnorm, &[(-1e152, -0.5 * 1e152 * 1e152), (1e308, 0.0)]);
    check(
        Qnorm,
        &[
            (0.0, -INF),
            (1.0, INF),
            (0.5, 0.0),
            (-0.1, NAN),
            (1.1, NAN),
            (INF, NAN),
            (-INF, NAN),
        ],
    );
    check(
        Dnorm,
        &[
            (INF, 0.0),
            (-INF, 0.0),
            (0.0, 0.398_942_280_401_432_7),
            (40.0, 0.0),
            (-1e308, 0.0),
        ],
    );
}

/// `x^y` as R defines it, from the standard library's power.
fn r_power(x: f64, y: f64) -> f64 {
    if x == 1.0 || y == 0.0 {
        return 1.0;
    }
    if x.is_nan() || y.is_nan() || x < 0.0 && (y.is_infinite() || y.fract() != 0.0) {
        return NAN;
    }
    let x = if x == 0.0 { 0.0 } else { x };
    x.powf(y)
}

#[test]
fn powers_follow_r() {
    let numbers = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        2.0,
        -2.0,
        3.0,
        -3.0,
        0.5,
        -0.5,
        10.0,
        TINY,
        -TINY,
        1e300,
        -1e300,
        1e-300,
        INF,
        -INF,
        NAN,
        4503599627370497.0,
        9007199254740993.0,
        1e18,
        -7.0,
        1.5,
        -1.5,
    ];
    for x in numbers {
        for y in numbers {
            for isa in Isa::available() {
                for apply in [map_power, map_power_plain] {
                    let mut out = [0.5; 16];
                    apply(isa, &[x; 16], &[y; 16], &mut out);
                    let expected = r_power(x, y);
                    let fine = |z: f64| {
                        (z - expected).abs() <= f64::EPSILON * expected.abs()
                            || z == expected
                            || z.is_nan() && expected.is_nan()
                    };
                    assert!(
                        out.iter().all(|&z| fine(z)),
                        "{x}^{y} = {} not {expected} on {isa:?}",
                        out[0]
                    );
                }
            }
        }
    }
}

#[test]
fn known_values_agree() {
    let close = |a: f64, b: f64| assert!((a - b).abs() <= 2.0 * f64::EPSILON * b.abs(), "{a} {b}");
    close(lgamma::<false>(0.1), 2.252_712_651_734_206);
    close(gamma::<false>(0.5), std::f64::consts::PI.sqrt());
    close(digamma::<false>(1.0), -0.577_215_664_901_532_9);
    close(trigamma::<false>(1.0), 1.644_934_066_848_226_4);
    close(pnorm::<false>(-10.0), 7.619_853_024_160_527e-24);
    close(log_pnorm::<false>(-40.0), -804.608_442_013_753_9);
    close(qnorm::<false>(0.975), 1.959_963_984_540_054);
    close(pow::<false>(1.1, 100.0), 13_780.612_339_822_38);
    close(sin::<false>(1e6), -0.349_993_502_171_292_94);
}
