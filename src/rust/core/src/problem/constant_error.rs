//! Read the residual standard deviation's statistic off the log-likelihood itself.
//!
//! With one Gaussian outcome and one constant standard deviation, `log p(y_i | phi) = -S_i / 2 - n_i theta - c_i`, where
//! `theta` is its logarithm, `S_i` the sum of squared standardized residuals and `c_i` known from the data. So every
//! draw whose likelihood was computed gives `S_i` for nothing, and no derivative of the program is needed.

use super::theta::{Route, Theta};
use super::{NormalForm, Problem};
use crate::distributions::LN_SQRT_2PI;

/// A constant residual error of the only outcome.
#[derive(Debug, Clone)]
pub struct ConstantError {
    pub theta: usize,
    /// Observations of each subject.
    count: Vec<f64>,
    /// `c_i`.
    constant: Vec<f64>,
}

impl ConstantError {
    /// `None` unless the model has exactly this form and nothing else needs derivatives.
    pub fn find(form: &NormalForm, problem: &Problem) -> Option<Self> {
        let ([outcome], [residual]) =
            (problem.model.outcomes.as_slice(), form.residuals.as_slice())
        else {
            return None;
        };
        let Theta { routes, .. } = &problem.theta;
        if !residual.constant
            || !outcome.family.is_gaussian()
            || routes[residual.theta] != Route::Residual
            || routes.iter().any(|route| route.is_open())
            || !problem.form.corrections.is_empty() && routes.contains(&Route::Law)
        {
            return None;
        }
        let values = &problem.records.columns[outcome.column as usize];
        let lognormal = outcome.family.is_lognormal();
        let constant = |y: f64| LN_SQRT_2PI + if lognormal { y.ln() } else { 0.0 };
        let present = |rows: &Vec<usize>| {
            let observed = rows.iter().map(|r| values[*r]).filter(|y| !y.is_nan());
            observed.fold((0.0, 0.0), |(n, c), y| (n + 1.0, c + constant(y)))
        };
        let (count, constant) = problem.records.rows.iter().map(present).unzip();
        Some(Self {
            theta: residual.theta,
            count,
            constant,
        })
    }

    /// Derivative of a subject's log-likelihood in `theta`, from its value: `S_i - n_i`.
    pub fn score(&self, subject: usize, theta: &[f64], log_lik: f64) -> f64 {
        let n = self.count[subject];
        -2.0 * (log_lik + n * theta[self.theta] + self.constant[subject]) - n
    }
}
