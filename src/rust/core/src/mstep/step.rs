//! M-step: move `theta` by the route each coordinate takes.

use nalgebra::{DMatrix, DVector};

use super::bare::Bare;
use super::means::LinearMeans;
use super::statistics::{Smoothed, Statistics};
use crate::keep::keeps;
use crate::problem::{
    CovarianceBlock, CovarianceUpdate, MeanProgram, Means, Prior, Problem, Residual, Route,
};

/// The M-step of a problem, with the statistics of the residual errors and of the score route.
pub struct MStep<'a> {
    problem: &'a Problem,
    pub linear: LinearMeans,
    residuals: Vec<Smoothed>,
    pub bare: Bare,
    /// Coordinates on the score route, and behind them those that are maximized numerically: whoever has no closed form
    /// has its information learned.
    pub scored: Vec<usize>,
    n_steps: usize,
    /// Smoothed information of the complete data: all free coordinates by the scored ones.
    pub information: Option<DMatrix<f64>>,
    /// Positions of the scored coordinates among the free ones.
    rows: Vec<usize>,
}

keeps!(MStep<'_>:
    values { residuals, information }
    parts { bare }
    rebuilt { problem, linear, scored, n_steps, rows });

/// How far variances may fall in this iteration.
#[derive(Debug, Clone, Copy)]
pub struct Annealing {
    /// Smallest ratio of a new variance to the old one; 0 when not annealing.
    pub rate: f64,
}

/// What the M-step reads.
pub struct Step<'s> {
    pub statistics: &'s Statistics,
    /// Means of `phi` before the step.
    pub means: &'s Means,
    pub prior: &'s Prior,
    /// Gradient of the complete-data log density at the draws.
    pub gradient: &'s [f64],
    pub gain: f64,
    pub annealing: Annealing,
}

impl<'a> MStep<'a> {
    pub fn new(problem: &'a Problem, free: &[usize]) -> Self {
        let mut scored = problem.theta.on_route(Route::Score);
        let n_steps = scored.len();
        scored.extend(problem.theta.on_route(Route::Numeric));
        let rows = scored
            .iter()
            .filter_map(|k| free.iter().position(|f| f == k))
            .collect();
        Self {
            rows,
            problem,
            linear: LinearMeans::new(problem),
            residuals: vec![Smoothed::default(); problem.form.residuals.len()],
            bare: Bare::new(problem),
            scored,
            n_steps,
            information: None,
        }
    }

    /// Whether steps on the score route are taken.
    pub fn follows_scores(&self) -> bool {
        self.n_steps > 0
    }

    /// True when derivatives of the program are read.
    pub fn needs_derivatives(&self) -> bool {
        self.problem.constant_error.is_none()
            && (self.reads_residuals()
                || !self.scored.is_empty()
                || self.bare.needs_derivatives(self.problem))
    }

    /// True when some residual error keeps its closed form.
    fn reads_residuals(&self) -> bool {
        let residuals = &self.problem.form.residuals;
        let routes = &self.problem.theta.routes;
        residuals.iter().any(|r| routes[r.theta] == Route::Residual)
    }

    /// Move `theta`.
    pub fn update(&mut self, step: &Step, program: &mut MeanProgram, theta: &mut [f64]) {
        let old = theta.to_vec();
        self.residual_errors(step, &old, theta);
        self.bare
            .update(self.problem, step.gradient, step.gain, theta);
        self.score_route(step, &old, theta);
        let solved = self
            .linear
            .solve(self.problem, step.prior, step.statistics, step.means, &old);
        if let Some(values) = solved {
            for (k, value) in self.linear.coordinates.iter().zip(values) {
                theta[*k] = self.problem.theta.clamp(*k, value);
            }
        }
        let means = program.at(theta);
        for block in &self.problem.form.covariance {
            self.covariance(block, step, &means, theta);
        }
    }

    /// `sd^2 <- mean of squared residuals`; with `g` the derivative in `ln sd`, the sum of squares is `sd^2 (g + n)`.
    fn residual_errors(&mut self, step: &Step, old: &[f64], theta: &mut [f64]) {
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
            let new = new.max(step.annealing.rate * variance);
            let new = new.max(f64::MIN_POSITIVE);
            theta[*k] = self.problem.theta.clamp(*k, 0.5 * new.ln());
        }
    }

    /// One step of stochastic approximation on score and information.
    fn score_route(&self, step: &Step, old: &[f64], theta: &mut [f64]) {
        let Some(information) = &self.information else {
            return;
        };
        let n = self.n_steps;
        if n == 0 {
            return;
        }
        let steps = &self.scored[..n];
        let score = DVector::from_iterator(n, steps.iter().map(|k| step.gradient[*k]));
        let own = information.select_rows(&self.rows[..n]);
        let own = own.columns(0, n).into_owned();
        let change = damped_solve(&((&own + own.transpose()) * 0.5), &score);
        for (k, change) in steps.iter().zip(change.iter()) {
            let limit = 0.5 * self.problem.theta.size(*k, old[*k]);
            let moved = old[*k] + step.gain * change.clamp(-limit, limit);
            theta[*k] = self.problem.theta.clamp(*k, moved);
        }
    }

    /// Smooth the information of the score route toward that of the current draws.
    pub fn learn_information(&mut self, new: DMatrix<f64>, gain: f64) {
        self.information = Some(match self.information.take() {
            None => new,
            Some(old) => &old + (new - &old) * gain,
        });
    }

    fn covariance(&self, block: &CovarianceBlock, step: &Step, means: &Means, theta: &mut [f64]) {
        let old = |a: usize| step.prior.omega[(block.first + a, block.first + a)];
        let new = |a: usize, b: usize| {
            step.statistics
                .covariance(means, block.first + a, block.first + b)
        };
        let floor = |a: usize, value: f64| {
            value
                .max(step.annealing.rate * old(a))
                .max(f64::MIN_POSITIVE)
        };
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

/// Solve with the positive part of a symmetric matrix: small and negative eigenvalues are replaced by their size.
fn damped_solve(matrix: &DMatrix<f64>, right: &DVector<f64>) -> DVector<f64> {
    let eigen = matrix.clone().symmetric_eigen();
    let largest = eigen.eigenvalues.iter().fold(0.0f64, |m, x| m.max(x.abs()));
    let coefficients = eigen.eigenvectors.transpose() * right;
    let scaled = DVector::from_iterator(
        coefficients.len(),
        coefficients
            .iter()
            .zip(eigen.eigenvalues.iter())
            .map(|(c, x)| c / x.abs().max(1e-8 * largest).max(f64::MIN_POSITIVE)),
    );
    eigen.eigenvectors * scaled
}
