//! M-step: move `theta` by the route each coordinate takes.

use nalgebra::{DMatrix, DVector};

use super::bare::Bare;
use super::means::LinearMeans;
use super::population::Population;
use super::statistics::{Smoothed, Statistics};
use super::trust::TrustedStep;
use crate::keep::keeps;
use crate::problem::{CovarianceBlock, CovarianceUpdate, Means, Prior, Problem, Residual, Route};

/// The M-step of a problem, with the statistics of the residual errors and of the score route.
pub struct MStep<'a> {
    problem: &'a Problem,
    pub linear: LinearMeans,
    residuals: Vec<Smoothed>,
    pub bare: Bare,
    /// Coordinates on the score route, and behind them those that are maximized numerically: whoever has no closed form
    /// has its information learned.
    pub scored: Vec<usize>,
    /// Whether weights follow the gradient of the complete data.
    trained: bool,
    /// Smoothed information of the complete data: all free coordinates by the scored ones.
    pub information: Option<DMatrix<f64>>,
}

keeps!(MStep<'_>:
    values { residuals, information }
    parts { bare }
    rebuilt { problem, linear, scored, trained });

/// How far variances may fall in this iteration.
#[derive(Debug, Clone, Copy)]
pub struct Annealing {
    /// Smallest ratio of a new variance to the old one; 0 when not annealing.
    pub rate: f64,
}

impl Annealing {
    /// A variance that the draws show, kept up from an old one.
    fn kept(&self, shown: f64, old: f64) -> f64 {
        shown.max(self.rate * old)
    }
}

/// What the M-step reads beside the population from which it starts.
pub struct StepInput<'s> {
    /// Gradient of the complete-data log density at the draws.
    pub gradient: &'s [f64],
    pub gain: f64,
    pub annealing: Annealing,
}

impl Population<'_> {
    /// Move `theta` from where the population stands.
    pub fn update(&mut self, step: &StepInput, theta: &mut [f64]) {
        let Self {
            at,
            mstep,
            statistics,
        } = self;
        let problem = at.problem;
        mstep.residual_errors(step, at.theta(), theta);
        (mstep.bare).update(problem, step.gradient, step.gain, theta);
        if let Some(values) = mstep.linear.solve(at, statistics) {
            for (k, value) in mstep.linear.coordinates.iter().zip(values) {
                theta[*k] = problem.theta.clamp(*k, value);
            }
        }
        let means = at.means_at(theta);
        let from = (at.prior(), &*statistics);
        for block in &problem.form.covariance {
            mstep.covariance(block, from, (step, &means), theta);
        }
    }
}

impl<'a> MStep<'a> {
    pub fn new(problem: &'a Problem) -> Self {
        let mut scored = problem.theta.on_route(Route::Score);
        scored.extend(problem.theta.on_route(Route::Numeric));
        Self {
            problem,
            linear: LinearMeans::new(problem),
            residuals: vec![Smoothed::default(); problem.form.residuals.len()],
            bare: Bare::new(problem),
            trained: !problem.theta.on_route(Route::Gradient).is_empty(),
            scored,
            information: None,
        }
    }

    /// True when derivatives of the program are read.
    pub fn needs_derivatives(&self) -> bool {
        self.problem.constant_error.is_none()
            && (self.reads_residuals()
                || !self.scored.is_empty()
                || self.trained
                || self.bare.needs_derivatives(self.problem))
    }

    /// True when some residual error keeps its closed form.
    fn reads_residuals(&self) -> bool {
        let residuals = &self.problem.form.residuals;
        let routes = &self.problem.theta.routes;
        residuals.iter().any(|r| routes[r.theta] == Route::Residual)
    }

    /// `sd^2 <- mean of squared residuals`; with `g` the derivative in `ln sd`, the sum of squares is `sd^2 (g + n)`.
    fn residual_errors(&mut self, step: &StepInput, old: &[f64], theta: &mut [f64]) {
        for (residual, smoothed) in self.problem.form.residuals.iter().zip(&mut self.residuals) {
            let Residual {
                theta: k, outcomes, ..
            } = residual;
            let gradient = step.gradient.get(*k).copied().unwrap_or(f64::NAN);
            if self.problem.theta.routes[*k] != Route::Residual || !gradient.is_finite() {
                continue;
            }
            let n: usize = outcomes.iter().map(|o| self.problem.n_obs_of(*o)).sum();
            let n = n as f64;
            let variance = (2.0 * old[*k]).exp();
            let squares = (variance * (gradient + n)).max(0.0);
            let new = smoothed.update(squares, step.gain) / n;
            let new = step.annealing.kept(new, variance);
            let new = new.max(f64::MIN_POSITIVE);
            theta[*k] = self.problem.theta.clamp(*k, 0.5 * new.ln());
        }
    }

    /// The promise of a step in some scored coordinates, by the information that was learned; `None` where there is none.
    ///
    /// `free`: all free coordinates; `gradient`: of the objective, one entry a coordinate.
    pub fn promise(&self, own: &[usize], free: &[usize], gradient: &[f64]) -> Option<TrustedStep> {
        let learned = self.information.as_ref()?;
        let place = |k: &usize| free.iter().position(|free| free == k);
        let column = |k: &usize| self.scored.iter().position(|s| s == k);
        let rows: Option<Vec<usize>> = own.iter().map(place).collect();
        let columns: Option<Vec<usize>> = own.iter().map(column).collect();
        let information = learned.select_rows(&rows?).select_columns(&columns?);
        let score = own
            .iter()
            .map(|k| gradient.get(*k).copied().unwrap_or(f64::NAN));
        let score = DVector::from_iterator(own.len(), score);
        TrustedStep::new(&((&information + information.transpose()) * 0.5), score)
    }

    /// Smooth the information of the score route toward that of the current draws.
    pub fn learn_information(&mut self, new: DMatrix<f64>, gain: f64) {
        self.information = Some(match self.information.take() {
            None => new,
            Some(old) => &old + (new - &old) * gain,
        });
    }

    fn covariance(
        &self,
        block: &CovarianceBlock,
        (prior, statistics): (&Prior, &Statistics),
        (step, means): (&StepInput, &Means),
        theta: &mut [f64],
    ) {
        let old = |a: usize| prior.omega[(block.first + a, block.first + a)];
        let new =
            |a: usize, b: usize| statistics.covariance(means, block.first + a, block.first + b);
        let floor =
            |a: usize, value: f64| step.annealing.kept(value, old(a)).max(f64::MIN_POSITIVE);
        match &block.update {
            CovarianceUpdate::Numeric => {}
            CovarianceUpdate::Diagonal(variances) => {
                let mut done = Vec::new();
                for variance in variances {
                    let Some(k) = variance.coordinate() else {
                        continue;
                    };
                    if self.problem.theta.routes[k] != Route::Covariance || done.contains(&k) {
                        continue;
                    }
                    done.push(k);
                    // A variance shared by several effects is the mean of theirs.
                    let same = (0..block.len).filter(|a| variances[*a].coordinate() == Some(k));
                    let values: Vec<f64> = same.map(|a| floor(a, new(a, a))).collect();
                    let mean = values.iter().sum::<f64>() / values.len() as f64;
                    theta[k] = self.problem.theta.clamp(k, variance.theta(mean));
                }
            }
            CovarianceUpdate::Full { first, .. }
                if self.problem.theta.routes[*first] != Route::Covariance => {}
            CovarianceUpdate::Full { first, .. } => {
                let mut omega = DMatrix::from_fn(block.len, block.len, new);
                let stretch: Vec<f64> = (0..block.len)
                    .map(|a| (floor(a, omega[(a, a)]) / omega[(a, a)]).sqrt())
                    .collect();
                for a in 0..block.len {
                    for b in 0..block.len {
                        omega[(a, b)] *= stretch[a] * stretch[b];
                    }
                }
                self.set_full(*first, &omega, theta);
            }
        }
    }

    fn set_full(&self, first: usize, omega: &DMatrix<f64>, theta: &mut [f64]) {
        let lower: Vec<f64> = crate::model::covariance::triangle(omega.nrows())
            .map(|at| omega[at])
            .collect();
        let parameter = self
            .problem
            .model
            .parameters
            .iter()
            .find(|p| p.first == first);
        if let (Some(parameter), true) = (parameter, omega.clone().cholesky().is_some()) {
            for (k, value) in parameter.transform(&lower).into_iter().enumerate() {
                theta[first + k] = value;
            }
        }
    }
}
