//! `x(t)` of `dx/dt = A x + u` by Taylor's series with scaling and squaring, in double-double arithmetic.

use nlmers_core::ir::vmath::double::Double;

type Matrix = Vec<Vec<Double>>;

fn times(a: &Matrix, b: &Matrix) -> Matrix {
    let n = a.len();
    let element = |i: usize, j: usize| {
        (0..n).fold(Double::from(0.0), |sum, l| {
            sum.plus(a[i][l].times::<false>(b[l][j]))
        })
    };
    (0..n)
        .map(|i| (0..n).map(|j| element(i, j)).collect())
        .collect()
}

fn plus(a: &Matrix, b: &Matrix) -> Matrix {
    let row =
        |(x, y): (&Vec<Double>, &Vec<Double>)| x.iter().zip(y).map(|(x, y)| x.plus(*y)).collect();
    a.iter().zip(b).map(row).collect()
}

/// `e^(a t)`
pub fn exponential(a: &[Vec<f64>], t: f64) -> Vec<Vec<f64>> {
    let n = a.len();
    let norm = a.iter().flatten().fold(0.0f64, |m, x| m.max(x.abs())) * t * n as f64;
    let squarings = (norm.max(1.0).log2().ceil() as i32) + 2;
    let tau = Double::from(t * 2f64.powi(-squarings));
    let x: Matrix = a
        .iter()
        .map(|row| {
            row.iter()
                .map(|v| Double::from(*v).times::<false>(tau))
                .collect()
        })
        .collect();
    let unit = |i: usize, j: usize| Double::from(if i == j { 1.0 } else { 0.0 });
    let one: Matrix = (0..n)
        .map(|i| (0..n).map(|j| unit(i, j)).collect())
        .collect();
    let mut sum = one.clone();
    for m in (1..=40).rev() {
        let mut scaled = times(&x, &sum);
        for v in scaled.iter_mut().flatten() {
            *v = v.over::<false>(Double::from(f64::from(m)));
        }
        sum = plus(&one, &scaled);
    }
    for _ in 0..squarings {
        sum = times(&sum, &sum);
    }
    sum.iter()
        .map(|row| row.iter().map(|v| v.value()).collect())
        .collect()
}

/// `x(t)` from `x(0) = start` with constant inputs.
pub fn solution(a: &[Vec<f64>], input: &[f64], start: &[f64], t: f64) -> Vec<f64> {
    let n = a.len();
    let mut augmented: Vec<Vec<f64>> = a
        .iter()
        .zip(input)
        .map(|(row, u)| [row.as_slice(), &[*u]].concat())
        .collect();
    augmented.push(vec![0.0; n + 1]);
    let grown = exponential(&augmented, t);
    grown[..n]
        .iter()
        .map(|row| row[..n].iter().zip(start).map(|(f, x)| f * x).sum::<f64>() + row[n])
        .collect()
}
