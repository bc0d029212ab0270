//! Keep standard deviations and variances above a floor.
//!
//! While annealing the floor of a standard deviation is `alpha |start| exp(-3 frac)` or `alpha |start| (1 - frac)`;
//! `frac` goes from 0 to 1. A floor for good is far lower and keeps a variance from vanishing for numerical reasons. Both
//! hold for every route of the M-step. An effect is floored by its standard deviation, whatever the parameter is: its
//! square where that is the variance, and in a covariance matrix row and column are stretched, which leaves correlations.
//! A target of the user's is floored as the parameter that it is.

use super::options::{AnnealOptions, AnnealSchedule};
use super::schedule::RunSchedule;
use crate::error::{Error, ErrorClass, Result};
use crate::language::words;
use crate::model::covariance::{full_matrix, triangle};
use crate::model::parameter::{ModelParameter, ParameterShape};
use crate::problem::{coordinate_at, natural_at, CovarianceUpdate, Joint, Route, Variance};

/// Floor for good, relative to the start, where none is given: variances then span twenty orders of magnitude.
const RELATIVE_FLOOR: f64 = 1e-5;

/// What has a floor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Floored {
    /// The natural value of a coordinate.
    Value(usize),
    /// The root of it, a standard deviation.
    Root(usize),
    /// The root of a diagonal element of the covariance matrix with this first coordinate.
    Diagonal { first: usize, row: usize },
}

#[derive(Debug, Clone, Copy)]
struct Floor {
    place: Floored,
    /// Value at the start, without its sign.
    start: f64,
    /// Of the annealing; 0 when it is not annealed.
    alpha: f64,
    /// The floor for good; 0 for none.
    lowest: f64,
}

/// Floors of a run.
#[derive(Debug, Clone)]
pub struct Floors {
    list: Vec<Floor>,
    schedule: AnnealSchedule,
}

impl Floored {
    /// The coordinate that names it.
    fn coordinate(self) -> usize {
        match self {
            Self::Value(k) | Self::Root(k) => k,
            Self::Diagonal { first, row } => first + row * (row + 1) / 2 + row,
        }
    }

    /// Its size at `theta`.
    fn size(self, joint: &Joint, theta: &[f64]) -> f64 {
        let natural = natural_at(joint.model(), self.coordinate(), theta).abs();
        match self {
            Self::Value(_) => natural,
            Self::Root(_) | Self::Diagonal { .. } => natural.sqrt(),
        }
    }

    /// Raise it from `size` to `lowest`, as far as bounds allow.
    fn raise(self, joint: &Joint, (size, lowest): (f64, f64), theta: &mut [f64]) {
        let model = joint.model();
        let element = match self {
            Self::Value(k) => lowest.copysign(natural_at(model, k, theta)),
            Self::Root(_) => lowest * lowest,
            Self::Diagonal { first, row } => {
                let own = model.parameters.iter().find(|p| p.first == first);
                if let Some(parameter) = own {
                    stretch(parameter, row, lowest / size, theta);
                }
                return;
            }
        };
        let k = self.coordinate();
        theta[k] = joint
            .theta
            .clamp(k, coordinate_at(model, k, element, theta));
    }
}

/// Multiply row and column of a covariance matrix.
fn stretch(parameter: &ModelParameter, row: usize, factor: f64, theta: &mut [f64]) {
    let mut elements = parameter.natural(&theta[parameter.coordinates()]);
    let dim = (0..)
        .take_while(|n| n * (n + 1) / 2 < elements.len())
        .count();
    for ((i, j), value) in triangle(dim).zip(&mut elements) {
        for _ in [i, j].iter().filter(|at| **at == row) {
            *value *= factor;
        }
    }
    if full_matrix(&elements, dim).cholesky().is_none() {
        return;
    }
    let coordinates = parameter.transform(&elements);
    if coordinates.iter().all(|x| x.is_finite()) {
        theta[parameter.coordinates()].copy_from_slice(&coordinates);
    }
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
            for place in &effects {
                floors.at(joint, *place).alpha = options.sa_anneal_alpha;
            }
        }
        for (name, alpha) in &options.sa_anneal_targets {
            for place in places(joint, name)? {
                floors.at(joint, place).alpha = *alpha;
            }
        }
        if options.auto_var_lb {
            let residuals = joint.main().form.residuals.iter();
            let residuals = residuals.map(|r| Floored::Value(r.theta));
            for place in effects.into_iter().chain(residuals) {
                let floor = floors.at(joint, place);
                let relative = RELATIVE_FLOOR * floor.start;
                floor.lowest = options.var_lb_value.unwrap_or(relative);
            }
        }
        let routes = &joint.theta.routes;
        let free = |floor: &Floor| routes[floor.place.coordinate()] != Route::Fixed;
        floors.list.retain(free);
        Ok(floors)
    }

    /// The floor of a place, made when there is none.
    fn at(&mut self, joint: &Joint, place: Floored) -> &mut Floor {
        let position = self.list.iter().position(|floor| floor.place == place);
        let position = position.unwrap_or_else(|| {
            self.list.push(Floor {
                place,
                start: place.size(joint, &joint.theta.start),
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
            floor.lowest > 0.0 && floor.place.size(joint, theta) <= floor.lowest * (1.0 + 1e-6)
        };
        let reached = self.list.iter().filter(low);
        reached.map(|floor| floor.place.coordinate()).collect()
    }

    /// Raise `theta` to the floors of iteration `k`.
    pub fn raise(&self, joint: &Joint, schedule: &RunSchedule, k: usize, theta: &mut [f64]) {
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
            let size = floor.place.size(joint, theta);
            if lowest > 0.0 && size < lowest {
                floor.place.raise(joint, (size, lowest), theta);
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

/// The standard deviations of effects that are parameters, or the roots of such.
fn effect_deviations(joint: &Joint) -> Vec<Floored> {
    let blocks = joint.parts.iter().flat_map(|part| &part.form.covariance);
    let mut list: Vec<Floored> = Vec::new();
    for block in blocks {
        let own: Vec<Floored> = match &block.update {
            CovarianceUpdate::Diagonal(variances) => {
                variances.iter().filter_map(|v| deviation(*v)).collect()
            }
            CovarianceUpdate::Full { first, .. } => diagonal(*first, block.len).collect(),
            CovarianceUpdate::Numeric => Vec::new(),
        };
        for place in own {
            if !list.contains(&place) {
                list.push(place);
            }
        }
    }
    list
}

fn deviation(variance: Variance) -> Option<Floored> {
    match variance {
        Variance::LogVariance(k) => Some(Floored::Root(k)),
        Variance::LogSd(k) | Variance::Sd(k) => Some(Floored::Value(k)),
        Variance::Known => None,
    }
}

fn diagonal(first: usize, dim: usize) -> impl Iterator<Item = Floored> {
    (0..dim).map(move |row| Floored::Diagonal { first, row })
}

/// What the user means by a parameter: all its elements, of a covariance matrix the standard deviations.
fn places(joint: &Joint, name: &str) -> Result<Vec<Floored>> {
    let parameters = &joint.model().parameters;
    match parameters.iter().find(|p| p.name == name) {
        Some(parameter) => Ok(match parameter.shape {
            ParameterShape::Covariance { dim } | ParameterShape::MatrixLog { dim } => {
                diagonal(parameter.first, dim).collect()
            }
            _ => parameter.coordinates().map(Floored::Value).collect(),
        }),
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
