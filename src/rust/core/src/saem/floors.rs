//! Keep standard deviations and variances above a floor.
//!
//! While annealing the floor of a parameter is `alpha |start| exp(-3 frac)` or `alpha |start| (1 - frac)`, natural
//! scale, element by element; `frac` goes from 0 to 1. A floor for good is far lower and keeps a variance from
//! vanishing for numerical reasons. Both hold for every route of the M-step.

use super::options::{AnnealOptions, AnnealSchedule};
use super::schedule::Schedule;
use crate::error::{Error, ErrorClass, Result};
use crate::language::words;
use crate::problem::{coordinate_at, natural_at, CovarianceUpdate, Joint, Route};

/// Floor for good, relative to the start, where none is given: variances then span twenty orders of magnitude.
const RELATIVE_FLOOR: f64 = 1e-5;

/// A coordinate with a floor.
#[derive(Debug, Clone, Copy)]
struct Floor {
    coordinate: usize,
    /// Natural value at the start, without its sign.
    start: f64,
    /// Of the annealing; 0 when it is not annealed.
    alpha: f64,
    /// Natural value of the floor for good; 0 for none.
    lowest: f64,
}

/// Floors of a run.
#[derive(Debug, Clone)]
pub struct Floors {
    list: Vec<Floor>,
    schedule: AnnealSchedule,
}

impl Floors {
    /// # Errors
    /// An annealing target that is no parameter.
    pub fn new(joint: &Joint, options: &AnnealOptions) -> Result<Self> {
        let effects = effect_deviations(joint);
        let mut floors = Self {
            list: Vec::new(),
            schedule: options.sa_anneal_schedule,
        };
        let anneals = matches!(
            options.sa_anneal_schedule,
            AnnealSchedule::Exponential | AnnealSchedule::Linear
        );
        if anneals && options.sa_anneal_targets.is_empty() {
            for k in &effects {
                floors.at(joint, *k).alpha = options.sa_anneal_alpha;
            }
        }
        for (name, alpha) in &options.sa_anneal_targets {
            for k in coordinates(joint, name)? {
                floors.at(joint, k).alpha = *alpha;
            }
        }
        if options.auto_var_lb {
            let residuals = joint.main().form.residuals.iter().map(|r| r.theta);
            for k in effects.into_iter().chain(residuals) {
                let floor = floors.at(joint, k);
                let relative = RELATIVE_FLOOR * floor.start;
                floor.lowest = options.var_lb_value.unwrap_or(relative);
            }
        }
        floors
            .list
            .retain(|floor| joint.theta.routes[floor.coordinate] != Route::Fixed);
        Ok(floors)
    }

    /// The floor of a coordinate, made when there is none.
    fn at(&mut self, joint: &Joint, k: usize) -> &mut Floor {
        let position = self.list.iter().position(|floor| floor.coordinate == k);
        let position = position.unwrap_or_else(|| {
            self.list.push(Floor {
                coordinate: k,
                start: natural_at(joint.model(), k, &joint.theta.start).abs(),
                alpha: 0.0,
                lowest: 0.0,
            });
            self.list.len() - 1
        });
        &mut self.list[position]
    }

    /// Coordinates at their floor for good.
    pub fn reached(&self, joint: &Joint, theta: &[f64]) -> Vec<usize> {
        let low = |floor: &&Floor| {
            let value = natural_at(joint.model(), floor.coordinate, theta);
            floor.lowest > 0.0 && value <= floor.lowest * (1.0 + 1e-6)
        };
        let reached = self.list.iter().filter(low);
        reached.map(|floor| floor.coordinate).collect()
    }

    /// Raise `theta` to the floors of iteration `k`.
    pub fn raise(&self, joint: &Joint, schedule: &Schedule, k: usize, theta: &mut [f64]) {
        for floor in &self.list {
            let annealed = if schedule.anneals(k) {
                annealed(
                    self.schedule,
                    floor.alpha,
                    floor.start,
                    schedule.annealing(k),
                )
            } else {
                0.0
            };
            let lowest = annealed.max(floor.lowest);
            if lowest > 0.0 && natural_at(joint.model(), floor.coordinate, theta) < lowest {
                let value = coordinate_at(joint.model(), floor.coordinate, lowest, theta);
                theta[floor.coordinate] = joint.theta.clamp(floor.coordinate, value);
            }
        }
    }
}

/// The floor when the annealing has come so far.
fn annealed(schedule: AnnealSchedule, alpha: f64, start: f64, fraction: f64) -> f64 {
    let left = match schedule {
        AnnealSchedule::Exponential => (-3.0 * fraction).exp(),
        AnnealSchedule::Linear => 1.0 - fraction,
        AnnealSchedule::Rate | AnnealSchedule::None => 0.0,
    };
    alpha * start.abs() * left
}

/// Coordinates that stand alone for the standard deviation or variance of an effect.
fn effect_deviations(joint: &Joint) -> Vec<usize> {
    let blocks = joint.parts.iter().flat_map(|part| &part.form.covariance);
    let mut list: Vec<usize> = blocks
        .filter_map(|block| match &block.update {
            CovarianceUpdate::Diagonal(variances) => Some(variances),
            _ => None,
        })
        .flatten()
        .filter_map(|variance| variance.coordinate())
        .collect();
    list.sort_unstable();
    list.dedup();
    list
}

fn coordinates(joint: &Joint, name: &str) -> Result<Vec<usize>> {
    let parameters = &joint.model().parameters;
    match parameters.iter().find(|p| p.name == name) {
        Some(parameter) => Ok(parameter.coordinates().collect()),
        None => Err(Error::new(
            ErrorClass::Option,
            "unknown_parameter",
            format!("`sa_anneal_targets` names `{name}`, which is not a parameter."),
        )
        .field("name", name)
        .hint(words::suggestion(
            name,
            "Parameters are",
            parameters.iter().map(|p| p.name.as_str()),
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_6_the_floor_decays() {
        use AnnealSchedule::{Exponential, Linear};
        assert_eq!(annealed(Exponential, 0.9, 1.0, 0.0), 0.9);
        assert!((annealed(Exponential, 0.9, 1.0, 1.0) - 0.04481).abs() < 5e-6);
        assert_eq!(annealed(Linear, 0.9, 1.0, 1.0), 0.0);
        assert_eq!(annealed(Linear, 0.8, -0.5, 0.0), 0.4);
    }
}
