//! Chains in short: the likelihood by the sum over all paths, series of several lengths.

use super::data::{Data, Generator};
use super::likelihood;
use super::numeric::assert_close;
use nlmers_core::ir::vmath::Isa;
use nlmers_core::problem::Problem;

/// The log-likelihood of one series by the sum over all paths of states.
///
/// `steps`: transition into each row; `emission(row, state)`: density there, one where the outcome is missing.
pub fn by_paths(
    steps: &[Vec<f64>],
    initial: &[f64],
    emission: impl Fn(usize, usize) -> f64,
) -> f64 {
    over_paths(steps, initial, emission).0
}

/// And the probabilities of the states at each row, `[row][state]`.
pub fn over_paths(
    steps: &[Vec<f64>],
    initial: &[f64],
    emission: impl Fn(usize, usize) -> f64,
) -> (f64, Vec<Vec<f64>>) {
    let (k, n) = (initial.len(), steps.len());
    let (mut total, mut at) = (0.0, vec![vec![0.0; k]; n]);
    // The state before the first row, then one a row.
    for path in 0..k.pow(u32::try_from(n + 1).unwrap()) {
        let state = |at: usize| path / k.pow(u32::try_from(at).unwrap()) % k;
        let mut weight = initial[state(0)];
        for (row, step) in steps.iter().enumerate() {
            weight *= step[state(row) * k + state(row + 1)] * emission(row, state(row + 1));
        }
        total += weight;
        for (row, states) in at.iter_mut().enumerate() {
            states[state(row + 1)] += weight;
        }
    }
    for p in at.iter_mut().flatten() {
        *p /= total;
    }
    (total.ln(), at)
}

pub fn normal_density(y: f64, mean: f64, sd: f64) -> f64 {
    let z = (y - mean) / sd;
    (-0.5 * z * z).exp() / (sd * std::f64::consts::TAU.sqrt())
}

pub const HEAD: &str = "
    fixed th = 0.3
    fixed o = positive(0.5)
    random e ~ normal(0, o) | id
";

pub fn with_head(rest: &str) -> String {
    format!("{HEAD}{rest}")
}

pub fn log_liks(problem: &Problem, phi: &[f64]) -> Vec<f64> {
    let theta = problem.theta.start.clone();
    let values = likelihood::values(Isa::detect(), problem, &theta, phi);
    for isa in Isa::available() {
        let programs = &problem.programs;
        for program in [&programs.phi, &programs.theta] {
            let derived = likelihood::derived_values(isa, problem, program, &theta, phi);
            for (a, b) in values.iter().zip(&derived) {
                assert_close(*a, *b, 1e-13, "value and derivative programs");
            }
        }
    }
    values
}

/// Lengths 1 to 6, so that lanes of one block end at different rows; rows of the frame are shuffled.
pub fn ragged(n: usize, value: impl Fn(&mut Generator, usize) -> f64) -> Data {
    let mut draw = Generator(5);
    let data = Data::new(n, |i| 1 + i % 6);
    let within: Vec<usize> = (0..data.n_rows()).map(|row| data.within(row)).collect();
    let data = data
        .with("t", |row, i| {
            within[row] as f64 * 0.7 + 0.1 * (i * within[row]) as f64
        })
        .with("x", |row, _| (row % 4) as f64 / 4.0)
        .with("y", |row, _| {
            if row % 5 == 3 {
                f64::NAN
            } else {
                value(&mut draw, row)
            }
        })
        .timed("t");
    let order = Generator(11).permutation(data.n_rows());
    data.permuted(&order)
}

/// Rows of a subject in the order of time, with the time since the one before.
pub fn in_time(data: &Data, subject: usize) -> Vec<(usize, f64)> {
    let t = data.column("t");
    let mut rows = data.rows_of(subject);
    rows.sort_by(|a, b| t[*a].total_cmp(&t[*b]));
    let before = |j: usize| {
        if j == 0 {
            0.0
        } else {
            t[rows[j]] - t[rows[j - 1]]
        }
    };
    (0..rows.len()).map(|j| (rows[j], before(j))).collect()
}
