//! Compare every function with its reference on four million points, on every instruction set.

use super::super::{map, map_plain, map_power, map_power_plain, per_isa, Function, Isa};
use super::distance::distance;
use super::points::Band::{
    self, Below, Both, Halves, Near, Negative, Positive, QuarterTurns, Uniform,
};
use super::points::Words;
use super::reference::{self as r, w, wide, Exact};
use super::{reference_gamma as rg, reference_normal as rn};
use rayon::prelude::*;

const POINTS: usize = 4_000_000;
const CHUNK: usize = 8_000;
const LARGEST: f64 = f64::MAX;
const SMALLEST: f64 = 5e-324;

/// The exact value at `x`; `start` is the kernel's own value, from which only the quantile departs.
#[inline(always)]
fn exact<const FMA: bool>(function: Function, x: f64, start: f64) -> Exact {
    let v = w::<FMA>(x);
    let one = w::<FMA>(1.0);
    match function {
        Function::Exp => r::exp(v),
        Function::Expm1 if x > 690.0 => r::exp(v),
        Function::Expm1 => r::expm1(v).exact(),
        Function::Ln => r::ln(v).exact(),
        Function::Log1p if !(-0.5..=1.0).contains(&x) => r::ln(one + v).exact(),
        Function::Log1p => r::log1p(v).exact(),
        Function::Log10 => (r::ln(v) / r::ln(w(10.0))).exact(),
        Function::Log2 => (r::ln(v) / wide(r::LN2)).exact(),
        Function::Sqrt => {
            (w(x.sqrt()) + (v - w(x.sqrt()) * w(x.sqrt())) / w(2.0 * x.sqrt())).exact()
        }
        Function::Tanh => {
            let m = r::expm1(v + v);
            (m / (m + w(2.0))).exact()
        }
        Function::Sin => r::sin_cos::<FMA>(x).0.exact(),
        Function::Cos => r::sin_cos::<FMA>(x).1.exact(),
        Function::Tan => {
            let (sine, cosine) = r::sin_cos::<FMA>(x);
            (sine / cosine).exact()
        }
        Function::Atan => r::atan::<FMA>(x).exact(),
        Function::Lgamma => rg::lgamma::<FMA>(x).exact(),
        Function::Gamma => rg::gamma::<FMA>(x),
        Function::Digamma => rg::digamma::<FMA>(x).exact(),
        Function::Trigamma => rg::trigamma::<FMA>(x).exact(),
        Function::Pnorm => rn::pnorm::<FMA>(x),
        Function::LogPnorm => rn::log_pnorm::<FMA>(x),
        Function::Qnorm => rn::qnorm::<FMA>(x, start).exact(),
        Function::Dnorm => rn::dnorm::<FMA>(x),
        Function::Plogis | Function::Log1pexp => logistic::<FMA>(function, x),
        Function::Qlogis if x < 0.25 => (r::ln(v) - r::log1p(-v)).exact(),
        Function::Qlogis => (r::log1p((v + v - one) / (one - v))).exact(),
    }
}

#[inline(always)]
fn logistic<const FMA: bool>(function: Function, x: f64) -> Exact {
    let e = r::exp(w::<FMA>(-x.abs()));
    if x < -200.0 {
        return e;
    }
    let v = r::Wide::<FMA>(e.number) * w(r::two_to(e.exponent.max(-600)));
    let one = w::<FMA>(1.0);
    match function {
        Function::Plogis if x < 0.0 => (v / (one + v)).exact(),
        Function::Plogis => (one / (one + v)).exact(),
        _ => (w(x.max(0.0)) + r::log1p(v)).exact(),
    }
}

#[inline(always)]
fn exact_body<const FMA: bool>(function: Function, x: &[f64], start: &[f64], out: &mut [Exact]) {
    for ((x, start), out) in x.iter().zip(start).zip(out) {
        *out = exact::<FMA>(function, *x, *start);
    }
}
per_isa! {
    fn exact_column(function: Function, x: &[f64], start: &[f64], out: &mut [Exact]) = exact_body, fused;
}

#[inline(always)]
fn power_body<const FMA: bool>(x: &[f64], y: &[f64], out: &mut [Exact]) {
    for ((x, y), out) in x.iter().zip(y).zip(out) {
        *out = r::pow::<FMA>(*x, *y);
    }
}
per_isa! {
    fn exact_power(x: &[f64], y: &[f64], out: &mut [Exact]) = power_body, fused;
}

/// Run `evaluate(isa, plain, out)` on every instruction set; the largest distance from `exact`, and where it is.
fn worst(
    exact: &[Exact],
    floor: impl Fn(usize) -> f64,
    evaluate: impl Fn(Isa, bool, &mut [f64]),
) -> (f64, usize) {
    let mut worst = (0.0, 0);
    let mut plain = vec![0.0; exact.len()];
    let mut out = vec![0.0; exact.len()];
    evaluate(Isa::Baseline, true, &mut plain);
    for isa in Isa::available() {
        if isa == Isa::Baseline {
            // Both variants are the same code.
            out.copy_from_slice(&plain);
        } else {
            evaluate(isa, true, &mut out);
            assert!(out
                .iter()
                .zip(&plain)
                .all(|(a, b)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan()));
            evaluate(isa, false, &mut out);
        }
        for (i, (&y, &e)) in out.iter().zip(exact).enumerate() {
            let d = distance(y, e, floor(i));
            if d > worst.0 {
                worst = (d, i);
            }
        }
    }
    worst
}

/// The largest distance on the points of the bands, and the point.
fn sweep(function: Function, bands: &[Band], floor: fn(f64) -> f64, points: usize) -> (f64, f64) {
    (0..points / CHUNK)
        .into_par_iter()
        .map(|chunk| {
            let mut words = Words(chunk as u64);
            let x: Vec<f64> = (0..CHUNK)
                .map(|i| words.point(bands[i % bands.len()]))
                .collect();
            let mut start = vec![0.0; CHUNK];
            map_plain(Isa::detect(), function, &x, &mut start);
            let mut exact = vec![w::<false>(0.0).exact(); CHUNK];
            exact_column(Isa::detect(), function, &x, &start, &mut exact);
            let (d, i) = worst(
                &exact,
                |i| floor(x[i]),
                |isa, plain, out| {
                    if plain {
                        map_plain(isa, function, &x, out);
                    } else {
                        map(isa, function, &x, out);
                    }
                },
            );
            (d, x[i])
        })
        .reduce(|| (0.0, 0.0), |a, b| if b.0 > a.0 { b } else { a })
}

fn check(function: Function, bound: f64, bands: &[Band]) {
    check_mixed(function, bound, bands, |_| 0.0, POINTS);
}

fn check_mixed(
    function: Function,
    bound: f64,
    bands: &[Band],
    floor: fn(f64) -> f64,
    points: usize,
) {
    let (d, x) = sweep(function, bands, floor, points);
    println!("{function:?}: {d:.3} ulp at {x:e}");
    assert!(d <= bound, "{function:?}: {d} ulp at {x:e}");
}

#[test]
fn exponentials_are_within_an_ulp() {
    let bands = [
        Uniform(-746.0, 710.0),
        Both(1e-290, 700.0),
        Uniform(-1.0, 1.0),
        Uniform(-746.0, -700.0),
    ];
    check(Function::Exp, 1.0, &bands);
    check(Function::Expm1, 1.0, &bands);
    check(
        Function::Tanh,
        1.0,
        &[Both(1e-290, 30.0), Uniform(-4.0, 4.0)],
    );
}

#[test]
fn logarithms_are_within_an_ulp() {
    let bands = [
        Positive(SMALLEST, LARGEST),
        Near(1.0, 0.5),
        Uniform(0.0, 4.0),
        Positive(SMALLEST, 1e-300),
    ];
    for function in [
        Function::Ln,
        Function::Log10,
        Function::Log2,
        Function::Sqrt,
    ] {
        check(function, 1.0, &bands);
    }
    let bands = [
        Positive(1e-290, LARGEST),
        Negative(1e-290, 0.5),
        Below(-1.0, 0.5),
        Uniform(-0.9, 3.0),
    ];
    check(Function::Log1p, 2.0, &bands);
}

#[test]
fn circular_functions_are_within_an_ulp() {
    let bands = [
        Both(1e-320, 1e8),
        Uniform(-10.0, 10.0),
        QuarterTurns(6e7),
        QuarterTurns(1e3),
    ];
    for function in [Function::Sin, Function::Cos, Function::Tan] {
        check(function, 1.0, &bands);
    }
    let bands = [
        Both(1e-300, 1e300),
        Uniform(-4.0, 4.0),
        Near(0.414_213_562, 0.1),
        Near(2.414_213_562, 0.1),
    ];
    check(Function::Atan, 1.0, &bands);
}

#[test]
fn gamma_functions_are_within_two_ulp_for_positive_arguments() {
    let bands = [
        Positive(1e-300, 2.5e305),
        Positive(1e-3, 1e3),
        Uniform(0.0, 4.0),
        Near(1.0, 0.5),
        Near(2.0, 0.25),
        Near(1.461_632_144_968_362_3, 0.1),
        Halves(30.0),
    ];
    check(Function::Lgamma, 1.0, &bands);
    check(Function::Digamma, 2.0, &bands);
    let bands = [
        Positive(1e-150, 1e150),
        Positive(1e-3, 1e3),
        Uniform(0.0, 4.0),
        Near(1.0, 0.5),
        Halves(30.0),
    ];
    check(Function::Trigamma, 2.0, &bands);
    let bands = [
        Positive(1e-307, 171.7),
        Uniform(0.0, 171.7),
        Uniform(0.0, 4.0),
        Near(1.0, 0.5),
        Halves(170.0),
    ];
    check(Function::Gamma, 1.0, &bands);
}

#[test]
fn gamma_functions_keep_their_bounds_for_negative_arguments() {
    let bands = [
        Uniform(-30.0, 0.0),
        Negative(1e-300, 1e6),
        Near(-2.457_024_738_220_800_6, 0.1),
        Near(-0.5, 0.1),
    ];
    check_mixed(Function::Lgamma, 1.0, &bands, |_| 1.0, POINTS / 4);
    let bands = [
        Uniform(-30.0, 0.0),
        Negative(1e-300, 1e6),
        Near(-0.504_083_008_264_455_4, 0.1),
    ];
    check_mixed(
        Function::Digamma,
        2.0,
        &bands,
        |x| 1.0 + (1.0 - x).ln(),
        POINTS / 4,
    );
    check_mixed(
        Function::Trigamma,
        2.0,
        &[Uniform(-30.0, 0.0), Negative(1e-150, 1e6), Near(-0.5, 0.1)],
        |_| 0.0,
        POINTS / 4,
    );
    check_mixed(
        Function::Gamma,
        1.0,
        &[
            Uniform(-30.0, 0.0),
            Uniform(-184.0, 0.0),
            Negative(1e-307, 1.0),
            Near(-0.5, 0.1),
        ],
        |_| 0.0,
        POINTS / 4,
    );
}

#[test]
fn normal_functions_are_within_two_ulp() {
    let bands = [
        Uniform(-38.6, 9.0),
        Uniform(-3.0, 3.0),
        Both(1e-300, 5.0),
        Near(-1.0, 0.1),
    ];
    check(Function::Pnorm, 2.0, &bands);
    check(
        Function::Dnorm,
        2.0,
        &[Uniform(-38.6, 38.6), Uniform(-3.0, 3.0), Both(1e-300, 5.0)],
    );
    let bands = [
        Uniform(-100.0, 38.5),
        Uniform(-3.0, 3.0),
        Negative(1e-20, 1e100),
        Near(-1.0, 0.1),
        Near(1.0, 0.1),
    ];
    check(Function::LogPnorm, 2.0, &bands);
    let bands = [
        Positive(SMALLEST, 0.5),
        Uniform(0.0, 1.0),
        Near(0.5, 0.5),
        Near(0.125, 0.1),
        Near(0.875, 0.1),
    ];
    check(Function::Qnorm, 2.0, &bands);
}

#[test]
fn logistic_functions_are_within_two_ulp() {
    let bands = [
        Uniform(-746.0, 40.0),
        Uniform(-5.0, 5.0),
        Both(1e-300, 30.0),
    ];
    check(Function::Plogis, 1.0, &bands);
    check(Function::Log1pexp, 2.0, &bands);
    check(
        Function::Qlogis,
        1.0,
        &[
            Positive(SMALLEST, 0.5),
            Uniform(0.0, 1.0),
            Near(0.5, 0.5),
            Below(1.0, 0.5),
        ],
    );
}

#[test]
fn powers_are_within_an_ulp() {
    let (d, x, y) = (0..POINTS / CHUNK)
        .into_par_iter()
        .map(|chunk| {
            let mut words = Words(chunk as u64);
            let bands = [
                Positive(SMALLEST, LARGEST),
                Uniform(0.0, 20.0),
                Near(1.0, 0.5),
            ];
            let x: Vec<f64> = (0..CHUNK).map(|i| words.point(bands[i % 3])).collect();
            let most = |x: f64| (745.0 / x.ln().abs().max(1e-14)).max(1e-3);
            let y: Vec<f64> = x
                .iter()
                .map(|&x| words.point(Both(most(x) * 1e-6, most(x))))
                .collect();
            let mut exact = vec![w::<false>(0.0).exact(); CHUNK];
            exact_power(Isa::detect(), &x, &y, &mut exact);
            let (d, i) = worst(
                &exact,
                |_| 0.0,
                |isa, plain, out| {
                    if plain {
                        map_power_plain(isa, &x, &y, out);
                    } else {
                        map_power(isa, &x, &y, out);
                    }
                },
            );
            (d, x[i], y[i])
        })
        .reduce(|| (0.0, 0.0, 0.0), |a, b| if b.0 > a.0 { b } else { a });
    println!("Pow: {d:.3} ulp at {x:e}, {y:e}");
    assert!(d <= 1.0, "{d} ulp at {x:e}, {y:e}");
}
