//! Take the observed information and the scores of all batches from weighted draws, by Louis' formula.
//!
//! `I = sum_b E_w[-d2 log p(y_b, phi)] - sum_b Cov_w(score_b)`, the expectations over the draws of importance sampling.
//! With `S(theta) = sum_b E_w[score_b]`, draws and weights held, the first term is `-dS/dtheta'`: of the Gaussian
//! distribution of the effects by central differences of a score that reads the weighted moments alone; of a residual
//! error `exp(theta)` in closed form, `2 (S_k + n)`; of what else the program says by central differences of its gradient
//! at all draws. Source: Louis (1982), Finding the observed information matrix when using the EM algorithm.

use nalgebra::DMatrix;

use super::cloud::{Cloud, Levels, Weighted};
use super::importance::{Drawn, Importance, Sampling, REPLICATES};
use super::posterior::{Batches, Posterior};
use crate::data::Layout;
use crate::error::{Error, ErrorClass, Result};
use crate::mstep::{MStep, Scores, Statistics};
use crate::problem::{Joint, MeanProgram, Prior, Problem, Route};

/// Most free parameters whose information is computed.
const MAX_PARAMETERS: usize = 500;

/// What weighted draws say of the free coordinates.
#[derive(Debug, Clone)]
pub struct Information {
    /// The free coordinates of `theta`, in the order of the rows.
    pub free: Vec<usize>,
    /// Observed information of the data, and its two parts: the expected information of the complete data less the
    /// covariance of their score given the data.
    pub observed: DMatrix<f64>,
    pub complete: DMatrix<f64>,
    /// The missing part from the draws of each replicate alone.
    pub missing: Vec<DMatrix<f64>>,
    /// Monte-Carlo covariance of the total score.
    pub noise: DMatrix<f64>,
    /// Score of the log-likelihood of each batch (Fisher's identity), `batches x p`, row-major.
    pub scores: Vec<f64>,
    /// Moments of the effects of every batch given its data.
    pub moments: Vec<Weighted>,
    pub importance: Importance,
}

/// Coordinates of `theta` that are estimated.
pub fn free(joint: &Joint) -> Vec<usize> {
    let routes = joint.theta.routes.iter().enumerate();
    routes
        .filter(|(_, route)| **route != Route::Fixed)
        .map(|(k, _)| k)
        .collect()
}

/// # Errors
/// Too many parameters, a population distribution that does not exist, a batch without any draw of finite density.
pub fn louis(sampling: &Sampling, posterior: &Posterior) -> Result<Information> {
    let joint = sampling.joint;
    let free = free(joint);
    if free.len() > MAX_PARAMETERS {
        return Err(Error::new(
            ErrorClass::Option,
            "too_many_parameters",
            format!(
                "The model has {} free parameters; standard errors are computed for at most {MAX_PARAMETERS}.",
                free.len()
            ),
        )
        .hint("The estimates do not need them: use se = \"none\"."));
    }
    let open = open_coordinates(joint);
    let mut sums = Sums::new(joint, &free, &open);
    let mut failed = None;
    let importance = sampling.visit(posterior, |cloud, drawn| {
        if let Err(error) = sums.add(sampling, cloud, drawn) {
            failed.get_or_insert(error);
        }
    })?;
    if let Some(error) = failed {
        return Err(error);
    }
    if let Some(batch) = importance.log_lik.iter().position(|x| !x.is_finite()) {
        return Err(without_density(joint, batch));
    }
    let complete = sums.complete(sampling)?;
    Ok(Information {
        observed: &complete - &sums.covariance,
        complete,
        missing: sums.missing,
        noise: sums.noise,
        scores: sums.scores,
        moments: sums.moments,
        importance,
        free,
    })
}

impl Information {
    /// Score of the log-likelihood: the sum over the batches.
    pub fn score(&self) -> Vec<f64> {
        let p = self.free.len();
        let mut total = vec![0.0; p];
        for own in self.scores.chunks_exact(p.max(1)) {
            add(&mut total, own.to_vec(), 1.0);
        }
        total
    }
}

fn without_density(joint: &Joint, batch: usize) -> Error {
    let records = &joint.main().records;
    let level = joint.batches[0].iter().position(|b| *b == batch);
    let label = level.map_or("", |level| records.labels[level].as_str());
    Error::new(
        ErrorClass::Numeric,
        "no_density",
        format!(
            "The likelihood of `{}` {label} is not finite at any draw of its random effects.",
            records.group
        ),
    )
    .field("level", label)
    .hint("Look at its data and at what the model predicts of it at the estimates.")
}

/// Coordinates that the programs read, but for residual errors with a closed form.
fn open_coordinates(joint: &Joint) -> Vec<usize> {
    let mut open: Vec<bool> = (joint.theta.routes.iter())
        .map(|route| {
            !matches!(
                route,
                Route::Fixed | Route::Mean | Route::Covariance | Route::Residual
            )
        })
        .collect();
    for part in &joint.parts {
        let numeric = &part.programs.numeric;
        for term in part.terms.iter().filter(|t| numeric.contains(&t.effect)) {
            open[term.theta] = true;
        }
        for (effect, _, gradient) in part.omega_gradients(&part.theta.start) {
            for (k, slope) in gradient.iter().enumerate() {
                open[k] |= numeric.contains(&effect) && *slope != 0.0;
            }
        }
    }
    let free = |k: &usize| joint.theta.routes[*k] != Route::Fixed;
    (0..open.len()).filter(|k| open[*k]).filter(free).collect()
}

/// Sums over the batches.
struct Sums<'a> {
    joint: &'a Joint,
    free: &'a [usize],
    open: &'a [usize],
    scores: Vec<f64>,
    covariance: DMatrix<f64>,
    missing: Vec<DMatrix<f64>>,
    noise: DMatrix<f64>,
    moments: Vec<Weighted>,
    /// Gradient of the programs at `theta`.
    gradient: Vec<f64>,
    /// The difference of the gradients a step up and a step down, for each open coordinate.
    turns: Vec<Vec<f64>>,
    /// Steps of the central differences, the same for all batches; one a free coordinate.
    steps: Vec<f64>,
}

impl<'a> Sums<'a> {
    fn new(joint: &'a Joint, free: &'a [usize], open: &'a [usize]) -> Self {
        let (n, p) = (joint.theta.len(), free.len());
        Self {
            joint,
            free,
            open,
            scores: vec![0.0; joint.n_batches * p],
            covariance: DMatrix::zeros(p, p),
            missing: vec![DMatrix::zeros(p, p); REPLICATES],
            noise: DMatrix::zeros(p, p),
            moments: Weighted::none(&Batches::new(joint)),
            gradient: vec![0.0; n],
            turns: vec![vec![0.0; n]; open.len()],
            steps: Vec::new(),
        }
    }

    fn step(&self, k: usize) -> f64 {
        let at = self.free.iter().position(|free| *free == k);
        at.and_then(|at| self.steps.get(at)).copied().unwrap_or(0.0)
    }

    fn add(&mut self, sampling: &Sampling, cloud: &mut Cloud, drawn: &Drawn) -> Result<()> {
        let Sampling { theta, workers, .. } = *sampling;
        let joint = self.joint;
        let priors: Result<Vec<Prior>> = joint.parts.iter().map(|p| Prior::new(p, theta)).collect();
        let means = cloud.means();
        let population = (priors?, means);
        let scored = cloud.scores(
            self.free,
            (&population.0, &population.1),
            (drawn.weights, REPLICATES),
            workers,
        );
        let p = self.free.len();
        for (b, own) in drawn.members.iter().zip(scored.batches.chunks_exact(p)) {
            self.scores[b * p..(b + 1) * p].copy_from_slice(own);
        }
        self.covariance += &scored.covariance;
        self.noise += &scored.noise;
        for (total, own) in self.missing.iter_mut().zip(&scored.replicates) {
            *total += own;
        }
        if self.steps.is_empty() {
            let n = drawn.members.len() as f64;
            let each = self.free.iter().zip(&scored.squares);
            let steps = each.map(|(k, square)| joint.theta.step(*k, theta[*k], square / n));
            self.steps = steps.collect();
        }
        let moments = cloud.moments(drawn.draws, drawn.weights);
        for (b, moments) in drawn.members.iter().zip(&moments) {
            self.moments[*b].copy(moments);
        }
        let read = |route: &Route| !matches!(route, Route::Fixed | Route::Mean | Route::Covariance);
        if !joint.theta.routes.iter().any(read) && self.open.is_empty() {
            return Ok(());
        }
        add(
            &mut self.gradient,
            cloud.theta_gradient(drawn.weights, workers),
            1.0,
        );
        for (turn, k) in self.open.iter().enumerate() {
            for sign in [1.0, -1.0] {
                let mut moved = theta.to_vec();
                moved[*k] += sign * self.step(*k);
                cloud.prepare(&moved);
                let gradient = cloud.theta_gradient(drawn.weights, workers);
                add(&mut self.turns[turn], gradient, sign);
            }
        }
        Ok(())
    }

    /// `-dS/dtheta'`.
    fn complete(&self, sampling: &Sampling) -> Result<DMatrix<f64>> {
        let theta = sampling.theta;
        let p = self.free.len();
        let mut columns = DMatrix::zeros(p, p);
        let mut population = Population::new(self);
        for (b, k) in self.free.iter().enumerate() {
            let step = self.step(*k);
            let mut moved = theta.to_vec();
            moved[*k] += step;
            let mut difference = population.score(&moved)?;
            moved[*k] -= 2.0 * step;
            add(&mut difference, population.score(&moved)?, -1.0);
            if let Some(turn) = self.open.iter().position(|open| open == k) {
                for (entry, k) in difference.iter_mut().zip(self.free) {
                    *entry += self.turns[turn][*k];
                }
            }
            for (a, entry) in difference.into_iter().enumerate() {
                columns[(a, b)] = -entry / (2.0 * step);
            }
        }
        for residual in &self.joint.main().form.residuals {
            let at = self.free.iter().position(|k| *k == residual.theta);
            let closed = self.joint.theta.routes[residual.theta] == Route::Residual;
            if let Some(at) = at.filter(|_| closed) {
                let n_obs = |o: &usize| self.joint.main().n_obs_of(*o) as f64;
                let n: f64 = residual.outcomes.iter().map(n_obs).sum();
                columns[(at, at)] += 2.0 * (self.gradient[residual.theta] + n);
            }
        }
        Ok(self.symmetric(&columns))
    }

    /// Only the columns of open coordinates hold all that the programs say.
    fn symmetric(&self, columns: &DMatrix<f64>) -> DMatrix<f64> {
        let open: Vec<bool> = self.free.iter().map(|k| self.open.contains(k)).collect();
        DMatrix::from_fn(open.len(), open.len(), |a, b| match (open[a], open[b]) {
            (true, false) => columns[(b, a)],
            (false, true) => columns[(a, b)],
            _ => 0.5 * (columns[(a, b)] + columns[(b, a)]),
        })
    }
}

/// The score of the Gaussian distribution of the effects, as far as it is in no program, at given moments.
struct Population<'a> {
    free: &'a [usize],
    parts: Vec<(&'a Problem, MStep<'a>, Statistics)>,
    layouts: Vec<Layout>,
}

impl<'a> Population<'a> {
    fn new(sums: &Sums<'a>) -> Self {
        let joint = sums.joint;
        let batches = Batches::new(joint);
        let levels = Levels {
            joint,
            batches: &batches,
            moments: &sums.moments,
        };
        let layouts: Vec<Layout> = joint.parts.iter().map(|part| part.layout(1)).collect();
        let each = joint.parts.iter().zip(&layouts);
        let parts = each.map(|(part, layout)| {
            let means = MeanProgram::new(part, layout).at(&part.theta.start);
            let mut statistics = Statistics::new(&means);
            levels.fill(part.group, &mut statistics);
            (part, MStep::new(part), statistics)
        });
        Self {
            free: sums.free,
            parts: parts.collect(),
            layouts,
        }
    }

    fn score(&mut self, theta: &[f64]) -> Result<Vec<f64>> {
        let mut total = vec![0.0; self.free.len()];
        for ((part, mstep, statistics), layout) in self.parts.iter().zip(&self.layouts) {
            let prior = Prior::new(part, theta)?;
            let means = MeanProgram::new(part, layout).at(theta);
            let scores = Scores::new(part, self.free, &prior, None, theta);
            let own = scores.total(&mstep.linear, statistics, &means, &[]);
            add(&mut total, own, 1.0);
        }
        Ok(total)
    }
}

fn add(total: &mut [f64], own: Vec<f64>, factor: f64) {
    for (total, own) in total.iter_mut().zip(own) {
        *total += factor * own;
    }
}
