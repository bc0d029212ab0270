//! Conditional distributions of one effect, or two, whose moments are known: in closed form, or by quadrature on the
//! natural scale.

use nalgebra::{DMatrix, DVector};
use nlmers_core::problem::Problem;

use super::{problem, Data};

/// Exact moments of a conditional distribution on the natural scale.
#[derive(Debug, Clone)]
pub struct Exact {
    pub mean: DVector<f64>,
    pub covariance: DMatrix<f64>,
}

pub struct Target {
    pub name: String,
    pub problem: Problem,
    pub exact: Exact,
    pub natural: fn(f64) -> f64,
}

pub fn identity(phi: f64) -> f64 {
    phi
}

pub fn logistic(phi: f64) -> f64 {
    1.0 / (1.0 + (-phi).exp())
}

/// Moments by the midpoint rule on the natural scale, where no Jacobian is needed.
pub fn integrated(range: (f64, f64), log_density: impl Fn(f64) -> f64) -> Exact {
    let n = 400_000;
    let h = (range.1 - range.0) / f64::from(n);
    let points = || (0..n).map(|k| range.0 + h * (f64::from(k) + 0.5));
    let weights: Vec<f64> = points().map(|x| log_density(x).exp()).collect();
    let total: f64 = weights.iter().sum();
    let mean = points().zip(&weights).map(|(x, w)| x * w).sum::<f64>() / total;
    let square = points().zip(&weights);
    let variance = square.map(|(x, w)| (x - mean).powi(2) * w).sum::<f64>() / total;
    Exact {
        mean: DVector::from_element(1, mean),
        covariance: DMatrix::from_element(1, 1, variance),
    }
}

/// `N(m, omega)` effects of `y = X e + noise`.
pub fn gaussian(text: &str, omega: DMatrix<f64>, mean: &[f64], data: &Data, sd: f64) -> Target {
    let d = mean.len();
    let y = &data.column("y")[..data.n_rows() / 2];
    let x = DMatrix::from_fn(
        y.len(),
        d,
        |j, k| {
            if k == 0 {
                1.0
            } else {
                data.column("x")[j]
            }
        },
    );
    let weight = 1.0 / (sd * sd);
    let precision = omega.try_inverse().unwrap();
    let right = &precision * DVector::from_column_slice(mean)
        + x.transpose() * DVector::from_column_slice(y) * weight;
    let covariance = (precision + x.transpose() * x * weight)
        .try_inverse()
        .unwrap();
    Target {
        name: format!("Gaussian, d = {d}"),
        problem: problem(text, data),
        exact: Exact {
            mean: &covariance * right,
            covariance,
        },
        natural: identity,
    }
}

pub fn line() -> Target {
    let data = Data::new(2, |_| 3).with("y", |row, _| 1.0 + 0.7 * (row % 3) as f64);
    let text = "fixed m = 0.5\nfixed o = positive(1.3)
        random e ~ normal(m, o) | id\ny ~ normal(e, 1.1)";
    gaussian(text, DMatrix::from_element(1, 1, 1.69), &[0.5], &data, 1.1)
}

pub fn plane() -> Target {
    let data = Data::new(2, |_| 4)
        .with("x", |row, _| (1.0 + (row % 4) as f64).sin() + 0.5)
        .with("y", |row, _| 0.5 * (row % 4) as f64 - 1.0);
    let text = "fixed m = real(0.2, -0.4)\nfixed w = covariance_matrix(1, 0.5, 0.5, 0.8)
        random e ~ mvnormal(m, w) | id\ny ~ normal(e[1] + x * e[2], 0.6)";
    let omega = DMatrix::from_row_slice(2, 2, &[1.0, 0.5, 0.5, 0.8]);
    gaussian(text, omega, &[0.2, -0.4], &data, 0.6)
}

/// A family of effects: how it is written, its log density, its support, its map, and `dx/dphi`.
pub struct Family {
    pub text: &'static str,
    pub log_density: fn(f64) -> f64,
    pub range: (f64, f64),
    pub natural: fn(f64) -> f64,
    pub slope: fn(f64) -> f64,
    pub log_slope: &'static str,
}

pub const FAMILIES: [Family; 3] = [
    Family {
        text: "lognormal(0.2, 0.5)",
        log_density: |x| -x.ln() - 2.0 * (x.ln() - 0.2).powi(2),
        range: (0.0, 30.0),
        natural: f64::exp,
        slope: |x| x,
        log_slope: "log(e)",
    },
    Family {
        text: "exponential(1.5)",
        log_density: |x| -x / 1.5,
        range: (0.0, 60.0),
        natural: f64::exp,
        slope: |x| x,
        log_slope: "log(e)",
    },
    Family {
        text: "beta(2, 3)",
        log_density: |x| x.ln() + 2.0 * (1.0 - x).ln(),
        range: (0.0, 1.0),
        natural: logistic,
        slope: |x| x * (1.0 - x),
        log_slope: "(log(e) + log(1 - e))",
    },
];

/// Outcomes near `0.6`: their number and standard deviation.
pub const INFORMATIVE: (usize, f64) = (3, 0.25);
pub const WEAK: (usize, f64) = (1, 3.0);

impl Family {
    /// `power`: of `dx/dphi` in the density, beside that which is due. `wrong`: in the model that is sampled, too.
    pub fn target(&self, (rows, sd): (usize, f64), power: i32, wrong: bool) -> Target {
        let data = Data::new(2, |_| rows)
            .with("y", |row, _| 0.6 + 0.2 * (row % rows) as f64)
            .with("w", |row, _| if row % rows == 0 { 1.0 } else { f64::NAN });
        let spoiled = format!("\nw ~ custom(-2 * {})", self.log_slope);
        let text = format!(
            "fixed s = positive({sd})\nrandom e ~ {} | id\ny ~ normal(e, s){}",
            self.text,
            if wrong { &spoiled } else { "" }
        );
        let y = data.column("y")[..rows].to_vec();
        let exact = integrated(self.range, |x| {
            let fit: f64 = y.iter().map(|y| -0.5 * ((y - x) / sd).powi(2)).sum();
            (self.log_density)(x) + fit + f64::from(power) * (self.slope)(x).ln()
        });
        Target {
            name: format!("{}, {rows} outcomes with sd {sd}", self.text),
            problem: problem(&text, &data),
            exact,
            natural: self.natural,
        }
    }
}
