//! Maximize the objective over the coordinates that have no closed form.
//!
//! Coordinates that only the outcomes read and coordinates that only the density of `phi` reads are maximized apart
//! where no coordinate joins the two: the latter cost next to nothing.

use super::hooks::Hooks;
use super::objective::Q;
use super::optimizer::{maximize, BestPoint, Derivative, Objective, OptimizerOptions, Space};
use super::options::{BuiltinMean, Hook, SaemOptions};
use super::part::GroupingRun;
use super::store::{ChainSnapshot, Store};
use crate::error::{Error, Result};
use crate::parallel::Workers;
use crate::problem::{Joint, Route};

/// The numerical part of the M-step.
pub struct NumericStep<'a> {
    joint: &'a Joint,
    optimizer: OptimizerOptions,
    on_params: bool,
    /// Coordinates that are maximized together after the closed forms, and those of the outcomes' means before them.
    coordinates: Vec<usize>,
    means: Vec<usize>,
}

/// What a step found.
#[derive(Debug, Clone, Default)]
pub struct NumericReport {
    /// The objective at the new `theta`, over the stored draws; 0 while there are none.
    pub objective: f64,
    pub evaluations: usize,
    /// Points whose objective was not finite.
    pub not_finite: usize,
}

/// Draws and threads.
pub struct Material<'s, 'a> {
    pub parts: &'s mut [GroupingRun<'a>],
    pub store: &'s Store,
    pub workers: &'s Workers,
}

/// How the outcomes' means are maximized, whatever the optimizer of the other parameters.
const MEANS: OptimizerOptions = OptimizerOptions::Lbfgs {
    maxiters: 10,
    g_tol: 1e-4,
    memory: 10,
    adtype: Derivative::Reverse,
};

impl<'a> NumericStep<'a> {
    pub fn new(joint: &'a Joint, options: &SaemOptions) -> Self {
        let trains = options.optimizer != OptimizerOptions::Score;
        let takes = |route: Route| route == Route::Numeric || trains && route == Route::Gradient;
        let numeric = joint.theta.routes.iter().enumerate();
        let numeric = numeric.filter(|(_, route)| takes(**route));
        let glm = glm_coordinates(joint, options);
        let (means, coordinates) = numeric.map(|(k, _)| k).partition(|k| glm.contains(k));
        Self {
            joint,
            optimizer: options.optimizer,
            on_params: options.mstep.mstep_sa_on_params,
            coordinates,
            means,
        }
    }

    /// Whether there is anything to maximize.
    pub fn is_idle(&self) -> bool {
        self.coordinates.is_empty() && self.means.is_empty()
    }

    /// New values of the coordinates of the outcomes' means, the others being at `theta`: to be set once the closed
    /// forms are done.
    pub fn means(&self, material: &mut Material<'_, 'a>, theta: &[f64]) -> Vec<(usize, f64)> {
        let stored = material.store.active();
        if self.means.is_empty() || stored.is_empty() {
            return Vec::new();
        }
        let mut moved = theta.to_vec();
        let mut q = Q::new(self.joint, material.parts, stored, material.workers);
        self.climb(&mut q, &self.means, MEANS, &mut moved);
        self.means.iter().map(|k| (*k, moved[*k])).collect()
    }

    /// Maximize over the coordinates without closed form, from `theta` and the rest of it held, and set them: to the
    /// maximum over the stored draws, or moved by the gain toward that at the current ones.
    pub fn run(
        &self,
        material: &mut Material<'_, 'a>,
        gain: f64,
        theta: &mut [f64],
    ) -> NumericReport {
        let mut report = NumericReport::default();
        let (parts, workers) = (&mut *material.parts, material.workers);
        let current = ChainSnapshot::take(parts).filter(|_| self.on_params && gain > 0.0);
        if let Some(current) = &current {
            let mut best = theta.to_vec();
            let mut q = Q::new(self.joint, parts, vec![(1.0, current)], workers);
            report.add(self.climb(&mut q, &self.coordinates, self.optimizer, &mut best));
            for k in &self.coordinates {
                theta[*k] += gain * (best[*k] - theta[*k]);
            }
        }
        let stored = material.store.active();
        if stored.is_empty() {
            return report;
        }
        let mut q = Q::new(self.joint, parts, stored, workers);
        if !self.on_params {
            report.add(self.climb(&mut q, &self.coordinates, self.optimizer, theta));
        }
        report.objective = q.value(theta);
        report
    }

    /// Maximize the user's objective over the coordinates without closed form, from `theta` and the rest of it held.
    ///
    /// # Errors
    /// Those of the user's function.
    pub fn run_asking(&self, hooks: &Hooks, gain: f64, theta: &mut [f64]) -> Result<NumericReport> {
        let space = self.space(&self.coordinates, theta);
        let mut asked = UserObjective {
            hooks,
            coordinates: &self.coordinates,
            theta: theta.to_vec(),
            failure: None,
        };
        let found = maximize(&mut asked, space, self.optimizer);
        if let Some(failure) = asked.failure {
            return Err(failure);
        }
        let step = if self.on_params { gain } else { 1.0 };
        for (k, x) in self.coordinates.iter().zip(found.x) {
            theta[*k] += step * (x - theta[*k]);
        }
        Ok(NumericReport {
            objective: found.value,
            evaluations: found.evaluations,
            not_finite: found.not_finite,
        })
    }

    /// Maximize over some coordinates.
    fn climb(
        &self,
        q: &mut Q,
        coordinates: &[usize],
        optimizer: OptimizerOptions,
        theta: &mut [f64],
    ) -> NumericReport {
        let mut report = NumericReport::default();
        for (kind, coordinates) in pieces(q, coordinates) {
            let space = self.space(&coordinates, theta);
            let mut piece = Piece {
                q,
                kind,
                coordinates: &coordinates,
                theta: theta.to_vec(),
            };
            let BestPoint {
                x,
                evaluations,
                not_finite,
                ..
            } = maximize(&mut piece, space, optimizer);
            for (k, x) in coordinates.iter().zip(x) {
                theta[*k] = x;
            }
            report.evaluations += evaluations;
            report.not_finite += not_finite;
        }
        report
    }

    fn space(&self, coordinates: &[usize], theta: &[f64]) -> Space {
        let bounds = &self.joint.theta;
        let pick = |values: &[f64]| coordinates.iter().map(|k| values[*k]).collect();
        let main = self.joint.main();
        let outcomes = 0..main.model.outcomes.len();
        let n: usize = outcomes.map(|o| main.n_obs_of(o)).sum();
        Space {
            start: pick(theta),
            lower: pick(&bounds.lower),
            upper: pick(&bounds.upper),
            size: (coordinates.iter())
                .map(|k| bounds.size(*k, theta[*k]))
                .collect(),
            weight: n.max(1) as f64,
        }
    }
}

impl NumericReport {
    fn add(&mut self, other: Self) {
        self.evaluations += other.evaluations;
        self.not_finite += other.not_finite;
    }
}

/// The parameters of the outcomes' means, where they are maximized by themselves: with outcomes of these families, and
/// without statistics of the user.
pub fn glm_coordinates(joint: &Joint, options: &SaemOptions) -> Vec<usize> {
    let all = joint.model().outcomes.iter().all(|o| {
        let family = o.family;
        family.variance.is_some() || family.is_gaussian() && !family.is_lognormal()
    });
    let wanted = options.mstep.builtin_mean == BuiltinMean::Glm;
    if !wanted || !all || options.mstep.has(Hook::Suffstats) {
        return Vec::new();
    }
    let routes = &joint.theta.routes;
    let means = joint.in_predictions().into_iter();
    means
        .filter(|k| matches!(routes[*k], Route::Score | Route::Numeric))
        .collect()
}

/// Which part of the objective some coordinates move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ObjectivePart {
    Likelihood,
    Population,
    Both,
}

/// Coordinates that can be maximized apart from each other.
fn pieces(q: &Q, coordinates: &[usize]) -> Vec<(ObjectivePart, Vec<usize>)> {
    let likelihood = q.in_likelihood();
    let (population, bent) = q.in_population();
    let (outer, inner): (Vec<usize>, Vec<usize>) =
        coordinates.iter().partition(|k| likelihood.contains(k));
    let joined = outer.iter().any(|k| population.contains(k));
    let mut pieces = if joined || inner.iter().any(|k| bent.contains(k)) {
        vec![(ObjectivePart::Both, coordinates.to_vec())]
    } else {
        vec![
            (ObjectivePart::Likelihood, outer),
            (ObjectivePart::Population, inner),
        ]
    };
    pieces.retain(|(_, coordinates)| !coordinates.is_empty());
    pieces
}

/// A part of the objective as a function of some coordinates.
struct Piece<'p, 'q, 'a> {
    q: &'p mut Q<'q, 'a>,
    kind: ObjectivePart,
    coordinates: &'p [usize],
    theta: Vec<f64>,
}

impl Piece<'_, '_, '_> {
    fn place(&mut self, x: &[f64]) {
        for (k, x) in self.coordinates.iter().zip(x) {
            self.theta[*k] = *x;
        }
    }
}

impl Objective for Piece<'_, '_, '_> {
    fn value(&mut self, x: &[f64]) -> f64 {
        self.place(x);
        match self.kind {
            ObjectivePart::Likelihood => self.q.likelihood(&self.theta),
            ObjectivePart::Population => self.q.population(&self.theta),
            ObjectivePart::Both => self.q.value(&self.theta),
        }
    }

    fn gradient(&mut self, x: &[f64]) -> Option<Vec<f64>> {
        self.place(x);
        match self.kind {
            ObjectivePart::Population => self.q.population_gradient(self.coordinates, &self.theta),
            _ => self.q.gradient(self.coordinates, &self.theta),
        }
    }
}

/// The user's objective as a function of some coordinates.
struct UserObjective<'h, 'a> {
    hooks: &'h Hooks<'a>,
    coordinates: &'h [usize],
    theta: Vec<f64>,
    /// The first error; nothing is asked after it.
    failure: Option<Error>,
}

impl Objective for UserObjective<'_, '_> {
    fn value(&mut self, x: &[f64]) -> f64 {
        if self.failure.is_some() {
            return f64::NAN;
        }
        for (k, x) in self.coordinates.iter().zip(x) {
            self.theta[*k] = *x;
        }
        self.hooks.q(&self.theta).unwrap_or_else(|error| {
            self.failure = Some(error);
            f64::NAN
        })
    }

    fn gradient(&mut self, _x: &[f64]) -> Option<Vec<f64>> {
        None
    }
}
