//! Check values that the user gives to a parameter, on the natural scale.

use super::covariance::full_matrix;
use super::parameter::{ModelParameter, ParameterShape};
use crate::error::{Error, ErrorClass, Result};
use crate::language::specification::ParameterScale;

/// How far probabilities may be from summing to one, and rates from summing to zero.
const TOLERANCE: f64 = 1e-6;

impl ModelParameter {
    /// Check values of all elements.
    ///
    /// # Errors
    /// Not finite, outside the scale, outside the bounds, not positive definite, rows with a wrong sum.
    pub fn check(&self, natural: &[f64]) -> Result<()> {
        if natural.len() != self.n_elements() {
            return Err(Error::new(
                ErrorClass::Start,
                "start_length",
                format!(
                    "`{}` has {} values, not {}.",
                    self.name,
                    self.n_elements(),
                    natural.len()
                ),
            )
            .field("name", &self.name));
        }
        for (i, value) in natural.iter().enumerate() {
            self.check_value(i, *value)?;
        }
        match self.shape {
            ParameterShape::Covariance { dim } | ParameterShape::MatrixLog { dim } => {
                self.check_covariance(natural, dim)
            }
            ParameterShape::Simplex => self.check_sums(natural, natural.len(), 1.0),
            ParameterShape::Transition { dim } => self.check_sums(natural, dim, 1.0),
            ParameterShape::Rate { dim } => self.check_sums(natural, dim, 0.0),
            _ => Ok(()),
        }
    }

    /// What the element must be, if the value is not that.
    fn needs(&self, i: usize, value: f64) -> Option<String> {
        let bound = |list: &[f64], default: f64| list.get(i).copied().unwrap_or(default);
        let low = bound(&self.lower, f64::NEG_INFINITY);
        let high = bound(&self.upper, f64::INFINITY);
        match (self.shape, self.scale()) {
            _ if !value.is_finite() => Some("a finite number".into()),
            (_, Some(ParameterScale::Log)) if value <= 0.0 => Some("a positive number".into()),
            (_, Some(ParameterScale::Logit | ParameterScale::Probit))
                if value <= 0.0 || value >= 1.0 =>
            {
                Some("a number between 0 and 1".into())
            }
            (ParameterShape::Simplex | ParameterShape::Transition { .. }, _) if value <= 0.0 => {
                Some("a positive probability".into())
            }
            (ParameterShape::Rate { dim }, _) if i / dim != i % dim && value <= 0.0 => {
                Some("a positive rate".into())
            }
            _ if value < low || value > high => Some(format!("between {low} and {high}")),
            _ => None,
        }
    }

    fn check_value(&self, i: usize, value: f64) -> Result<()> {
        let Some(needs) = self.needs(i, value) else {
            return Ok(());
        };
        let name = self.element_names().swap_remove(i);
        let problem = format!("The starting value of `{name}` is outside its bounds.");
        Err(
            Error::new(ErrorClass::Start, "start_outside_bounds", problem)
                .field("name", name)
                .field("value", value)
                .hint(format!("The value given is {value}; it must be {needs}.")),
        )
    }

    fn check_covariance(&self, natural: &[f64], dim: usize) -> Result<()> {
        if full_matrix(natural, dim).cholesky().is_some() {
            return Ok(());
        }
        let name = &self.name;
        let problem = format!("The starting value of `{name}` is not a positive definite matrix.");
        Err(
            Error::new(ErrorClass::Start, "start_not_positive_definite", problem)
                .field("name", name)
                .hint("A covariance matrix needs positive variances and correlations between -1 and 1."),
        )
    }

    /// Every row of `len` elements must have this sum, within the tolerance times its size.
    fn check_sums(&self, natural: &[f64], len: usize, sum: f64) -> Result<()> {
        for (i, row) in natural.chunks(len).enumerate() {
            let found: f64 = row.iter().sum();
            let size = row.iter().fold(sum, |m, x| m.max(x.abs()));
            if (found - sum).abs() <= TOLERANCE * size {
                continue;
            }
            let part = match self.shape {
                ParameterShape::Simplex => format!("`{}`", self.name),
                _ => format!("row {} of `{}`", i + 1, self.name),
            };
            let problem = format!("The starting values of {part} sum to {found}, not to {sum}.");
            return Err(Error::new(ErrorClass::Start, "start_wrong_sum", problem)
                .field("name", &self.name)
                .field("value", found)
                .hint(match self.shape {
                    ParameterShape::Rate { .. } => {
                        "The diagonal of a rate matrix is minus the sum of the other rates of its row."
                    }
                    _ => "Divide them by their sum.",
                }));
        }
        Ok(())
    }
}
