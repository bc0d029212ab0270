//! Measure nanoseconds per element of every function on every instruction set.

use super::super::{map, map_plain, map_power, map_power_plain, Function, Isa};
use std::hint::black_box;
use std::time::Instant;

const LENGTH: usize = 1024;
const REPEATS: usize = 20;

/// Nanoseconds per element: the best of 30 batches.
fn nanoseconds(mut run: impl FnMut()) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..30 {
        let start = Instant::now();
        (0..REPEATS).for_each(|_| run());
        best = best.min(start.elapsed().as_secs_f64());
    }
    best * 1e9 / (LENGTH * REPEATS) as f64
}

/// Arguments in the part of the domain where models live.
fn arguments(function: Function) -> (f64, f64) {
    match function {
        Function::Qnorm | Function::Qlogis => (0.0, 1.0),
        Function::Ln | Function::Log10 | Function::Log2 | Function::Sqrt => (0.01, 12.0),
        Function::Lgamma | Function::Gamma | Function::Digamma | Function::Trigamma => (0.01, 12.0),
        Function::Log1p => (-0.5, 4.5),
        _ => (-6.0, 6.0),
    }
}

#[test]
#[ignore = "prints timings; run in release mode"]
fn print_nanoseconds_per_element() {
    let unit = |i: usize| (i as f64 + 0.5) / LENGTH as f64;
    let mut out = vec![0.0; LENGTH];
    println!(
        "function: fused on {:?} | plain on the same",
        Isa::available()
    );
    for &function in Function::ALL {
        let (low, high) = arguments(function);
        let x: Vec<f64> = (0..LENGTH).map(|i| low + (high - low) * unit(i)).collect();
        let mut time = |apply: fn(Isa, Function, &[f64], &mut [f64]), isa| {
            format!(
                "{:6.2}",
                nanoseconds(|| apply(isa, function, &x, black_box(&mut out)))
            )
        };
        let fused: Vec<String> = Isa::available()
            .into_iter()
            .map(|isa| time(map, isa))
            .collect();
        let plain: Vec<String> = Isa::available()
            .into_iter()
            .map(|isa| time(map_plain, isa))
            .collect();
        println!("{function:?}: {} | {}", fused.join(" "), plain.join(" "));
    }
    let x: Vec<f64> = (0..LENGTH).map(|i| 0.1 + 10.0 * unit(i)).collect();
    let y: Vec<f64> = (0..LENGTH).map(|i| -3.0 + 7.0 * unit(i)).collect();
    for isa in Isa::available() {
        let fused = nanoseconds(|| map_power(isa, &x, &y, black_box(&mut out)));
        let plain = nanoseconds(|| map_power_plain(isa, &x, &y, black_box(&mut out)));
        println!("Pow on {isa:?}: {fused:.2} | {plain:.2}");
    }
}
