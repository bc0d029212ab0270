//! Models with one residual error and one scale of random effects, and data for them.

use nlmers_core::problem::{Problem, Route};

use super::{problem, route, Data};

/// 10 subjects with 3 rows: `t` varies, `wt` does not.
pub fn data() -> Data {
    Data::new(10, |_| 3)
        .with("t", |row, _| 1.0 + (row % 3) as f64)
        .with("wt", |_, i| 50.0 + 4.0 * i as f64)
        .with("y", |row, i| 2.0 + (row as f64).sin() + 0.1 * i as f64)
        .with("v", |row, _| 1.0 + (row as f64).cos())
}

/// A model of two effects with scale `o` each, from the lines that differ.
pub fn model(lines: &str) -> Problem {
    problem(&text(lines), &data())
}

pub fn text(lines: &str) -> String {
    format!(
        "fixed o = positive(0.3)
         fixed s = positive(0.5)
         {lines}
         y ~ normal(f, s)"
    )
}

pub fn routes(problem: &Problem, names: &[&str]) -> Vec<Route> {
    names.iter().map(|name| route(problem, name)).collect()
}
