//! Simulate twelve subjects like those of the theophylline data, with a model near its maximum of the likelihood.

use nlmers_core::problem::Joint;

use super::data::{Data, Generator};
use super::{joint, numeric};

/// One-compartment absorption with log-normal parameters and a constant residual error, the effects' means inside.
pub const MODEL: &str = "
    fixed lka = 0.46
    fixed lv = 3.45
    fixed lcl = 1.01
    fixed o = positive(0.3844, 0.0169, 0.0676)
    fixed s = positive(0.74)
    random e ~ mvnormal(c(lka, lv, lcl), diag(o)) | id
    ka <- exp(e[1])
    v <- exp(e[2])
    k <- exp(e[3]) / v
    y ~ normal(dose * ka / (v * (ka - k)) * (exp(-k * t) - exp(-ka * t)), s)";

/// Ten concentrations a subject.
pub fn data() -> Data {
    let mut draw = Generator(12);
    let times = [0.25, 0.6, 1.1, 2.0, 3.8, 5.0, 7.0, 9.0, 12.0, 24.0];
    let effects: Vec<[f64; 3]> = (0..12)
        .map(|_| {
            [
                0.62 * draw.normal(),
                0.13 * draw.normal(),
                0.26 * draw.normal(),
            ]
        })
        .collect();
    let data = Data::new(12, |_| 10)
        .with("t", |row, _| times[row % 10])
        .with("dose", |_, i| 300.0 + 10.0 * i as f64);
    let (t, dose) = (data.column("t").to_vec(), data.column("dose").to_vec());
    data.with("y", |row, i| {
        let [ka, v, cl] = effects[i];
        let (ka, v, cl) = ((0.46 + ka).exp(), (3.45 + v).exp(), (1.01 + cl).exp());
        let k = cl / v;
        let f = dose[row] * ka / (v * (ka - k)) * ((-k * t[row]).exp() - (-ka * t[row]).exp());
        f + 0.74 * draw.normal()
    })
}

pub fn problem() -> Joint {
    joint(MODEL, &data())
}

/// Minus the Hessian of a function by central differences.
pub fn curvature(x: &[f64], h: f64, f: impl Fn(&[f64]) -> f64) -> nalgebra::DMatrix<f64> {
    let slope = |at: &[f64], k: usize| {
        let mut moved = at.to_vec();
        numeric::derivative(at[k], h, |value| {
            moved[k] = value;
            f(&moved)
        })
    };
    nalgebra::DMatrix::from_fn(x.len(), x.len(), |a, b| {
        let mut moved = x.to_vec();
        -numeric::derivative(x[b], h, |value| {
            moved[b] = value;
            slope(&moved, a)
        })
    })
}
