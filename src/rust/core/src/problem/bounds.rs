//! Bound coordinates of `theta` on the transformed scale.

use super::Joint;
use crate::error::{Error, ErrorClass, Result};
use crate::language::specification::ParameterScale;
use crate::language::words;

/// Bounds by parameter, one value a coordinate or one for all; absent ones leave the declared bound.
pub type ParameterBounds = [(String, Vec<Option<f64>>)];

impl Joint {
    /// Narrow the bounds that parameters declare.
    ///
    /// # Errors
    /// Unknown parameters, wrong lengths, bounds that leave no room, starting values outside.
    pub fn narrow(&mut self, lower: &ParameterBounds, upper: &ParameterBounds) -> Result<()> {
        for (k, value) in self.by_coordinate("lb", lower)? {
            self.each_theta(|theta| theta.lower[k] = theta.lower[k].max(value));
        }
        for (k, value) in self.by_coordinate("ub", upper)? {
            self.each_theta(|theta| theta.upper[k] = theta.upper[k].min(value));
        }
        let theta = &self.theta;
        for k in (0..theta.len()).filter(|k| theta.free[*k]) {
            let (low, value, high) = (theta.lower[k], theta.start[k], theta.upper[k]);
            if low >= high {
                return Err(bad(
                    k,
                    self,
                    "no_room",
                    "The bounds leave no room",
                    low,
                    high,
                ));
            }
            if value < low || value > high {
                let problem =
                    format!("The start {value} (transformed scale) is outside the bounds");
                return Err(bad(k, self, "start_outside_bounds", &problem, low, high));
            }
        }
        Ok(())
    }

    /// Keep positive parameters of residual errors and of the effects' variances above a part of their starting values.
    pub fn floor_spreads(&mut self, part: f64) {
        self.floor(&["residual", "random"], |start| start + part.ln());
    }

    /// Keep positive parameters of such roles above what `lowest` says by their start, on the logarithmic scale.
    pub fn floor(&mut self, wanted: &[&str], lowest: impl Fn(f64) -> f64) {
        let roles = self.roles();
        let positive = self.model().parameters.iter();
        let positive = positive.filter(|p| p.scale() == Some(ParameterScale::Log));
        let wanted: Vec<usize> = (positive.flat_map(|p| p.coordinates()))
            .filter(|k| wanted.contains(&&*roles[*k]) && self.theta.free[*k])
            .collect();
        for k in wanted {
            let floor = lowest(self.theta.start[k]);
            self.each_theta(|theta| theta.lower[k] = theta.lower[k].max(floor));
        }
    }

    /// Start from other values, transformed scale.
    pub fn start_from(&mut self, values: &[f64]) {
        self.each_theta(|theta| theta.start.copy_from_slice(values));
    }

    fn each_theta(&mut self, change: impl Fn(&mut super::Theta)) {
        change(&mut self.theta);
        for part in &mut self.parts {
            change(&mut part.theta);
        }
    }

    fn by_coordinate(&self, side: &str, bounds: &ParameterBounds) -> Result<Vec<(usize, f64)>> {
        let parameters = &self.model().parameters;
        let mut found = Vec::new();
        for (name, values) in bounds {
            let error = |reason, problem: String| {
                Error::new(ErrorClass::Option, reason, problem)
                    .at(format!("`{side}`"))
                    .field("name", name)
            };
            let Some(parameter) = parameters.iter().find(|p| p.name == *name) else {
                let known = parameters.iter().map(|p| p.name.as_str());
                return Err(error(
                    "unknown_parameter",
                    format!("The model has no parameter `{name}`."),
                )
                .hint(words::suggestion(name, "Its parameters are", known)));
            };
            let n = parameter.n_coordinates();
            if values.len() != 1 && values.len() != n {
                return Err(error(
                    "wrong_length",
                    format!("`{name}` has {n} coordinates, not {}.", values.len()),
                )
                .hint("Give one bound for all of them, or one for each."));
            }
            let each = parameter.coordinates().enumerate();
            found.extend(each.filter_map(|(i, k)| Some((k, values[i % values.len()]?))));
        }
        Ok(found)
    }
}

fn bad(k: usize, joint: &Joint, reason: &'static str, problem: &str, low: f64, high: f64) -> Error {
    let name = &joint.theta.names[k];
    Error::new(
        ErrorClass::Option,
        reason,
        format!("{problem} {low} to {high} of `{name}`."),
    )
    .at("`lb` and `ub`")
    .field("name", name)
    .hint("Bounds are on the transformed scale: the logarithm of a positive parameter.")
}
