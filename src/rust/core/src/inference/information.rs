//! Take the observed information and the scores of all batches from weighted draws.
//!
//! The score of the likelihood is the mean of those of the complete data under the weights (Fisher's identity),
//! `S(theta) = sum_b E_w[score_b]`. Its derivative is minus the observed information. In what only the Gaussian
//! distribution of the effects and residual errors hold it has a closed form, the expected information of the complete data
//! less the covariance of their score (Louis 1982). In what else the programs read it is taken by central differences. Draws
//! move along with `theta` as conditional means and variances do, whose derivatives are covariances with the score:
//! `phi(theta') = phi + [Cov_w(phi, score) + e (phi - E_w phi)] (theta' - theta)`, `e = Cov_w((phi - E_w phi)^2, score) / (2
//! Var_w phi)`. Weights then stay nearly what they are, and the information is no small difference of two large numbers,
//! as it is in the formula of Louis (1982) for draws that stay, of which this is the limit. Replicates tell its noise.
//!
//! The gradient `g` of the log density in the effects has mean 0 given the data; `score + Cov_w(phi, score)' g` has the
//! same mean as the score and hardly any variance where the conditional distribution is nearly Gaussian. Source: Assaraf &
//! Caffarel (1999), Zero-variance principle for Monte Carlo algorithms.

use nalgebra::DMatrix;

use super::cloud::{Cloud, Scored, Weighted};
use super::complete::{complete, open_coordinates};
use super::importance::{Drawn, Importance, Sampling, REPLICATES};
use super::posterior::{Batches, Posterior};
use crate::error::{Error, ErrorClass, Result};
use crate::problem::{Joint, Means, Prior, Route};

/// Most free parameters whose information is computed.
const MAX_PARAMETERS: usize = 500;

/// Step of the differences in standard errors: exact programs, and differential equations that were solved.
const STEP: f64 = 5e-3;
const SOLVED_STEP: f64 = 3e-2;

/// Weight of the draws of a batch without a score that can be passed over.
const LOST: f64 = 0.05;

/// What weighted draws say of the free coordinates.
#[derive(Debug, Clone)]
pub struct Information {
    /// The free coordinates of `theta`, in the order of the rows.
    pub free: Vec<usize>,
    /// Whether no coordinate needs differences: the observed information is known with the scores.
    pub is_closed: bool,
    /// Observed information of the data, and the same from the draws of each replicate alone.
    pub observed: DMatrix<f64>,
    pub replicates: Vec<DMatrix<f64>>,
    /// Sum over the batches of the expected square of each score of the complete data.
    pub squares: Vec<f64>,
    /// Monte-Carlo covariance of the total score.
    pub noise: DMatrix<f64>,
    /// Score of the log-likelihood of each batch, `batches x p`, row-major.
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

/// Scores from all draws, second derivatives from no more than `differentiated` of each batch.
///
/// # Errors
/// Too many parameters, a population distribution that does not exist, a batch without any draw of finite density.
pub fn information(
    sampling: &Sampling,
    posterior: &Posterior,
    differentiated: usize,
) -> Result<Information> {
    let mut found = scores(sampling, posterior)?;
    let fewer = Sampling {
        draws: sampling.draws.min(differentiated),
        ..*sampling
    };
    differentiate(&fewer, posterior, &mut found)?;
    Ok(found)
}

/// Fill in the second derivatives of what weighted draws say.
///
/// # Errors
/// A population distribution that does not exist.
pub fn differentiate(
    sampling: &Sampling,
    posterior: &Posterior,
    found: &mut Information,
) -> Result<()> {
    let mut differences = Differences::new(found, sampling.joint, sampling.theta);
    if differences.open.is_empty() {
        return Ok(());
    }
    let mut failed = None;
    sampling.visit(posterior, |cloud, drawn| {
        if let Err(error) = differences.add(sampling, cloud, drawn) {
            failed.get_or_insert(error);
        }
    })?;
    if let Some(error) = failed {
        return Err(error);
    }
    differences.finish(found);
    Ok(())
}

/// Everything but the second derivatives.
///
/// # Errors
/// Too many parameters, a population distribution that does not exist, a batch without any draw of finite density.
pub fn scores(sampling: &Sampling, posterior: &Posterior) -> Result<Information> {
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
    let p = free.len();
    let mut found = Information {
        observed: DMatrix::zeros(p, p),
        replicates: vec![DMatrix::zeros(p, p); REPLICATES],
        squares: vec![0.0; p],
        noise: DMatrix::zeros(p, p),
        scores: vec![0.0; joint.n_batches * p],
        moments: Weighted::none(&Batches::new(joint)),
        importance: Importance::default(),
        is_closed: open_coordinates(joint).is_empty(),
        free,
    };
    let open = !found.is_closed;
    let mut gradient = vec![0.0; joint.theta.len()];
    let mut failed = None;
    let importance = sampling.visit(posterior, |cloud, drawn| {
        let priors = match priors(joint, sampling.theta) {
            Ok(priors) => priors,
            Err(error) => {
                failed.get_or_insert(error);
                return;
            }
        };
        let means = cloud.means();
        let workers = sampling.workers;
        let mut draws = cloud.draw_scores(&found.free, (&priors, &means), workers);
        let weights = scored(drawn.weights, &draws, (cloud.copies, p));
        let drawn = &Drawn {
            weights: &weights,
            ..*drawn
        };
        let plain = Scored::of(&draws, (drawn.weights, cloud.copies), (p, REPLICATES));
        for (total, own) in found.squares.iter_mut().zip(&plain.squares) {
            *total += own;
        }
        found.observed -= &plain.covariance;
        for (total, own) in found.replicates.iter_mut().zip(&plain.replicates) {
            *total -= own;
        }
        for (total, own) in gradient
            .iter_mut()
            .zip(cloud.theta_gradient(drawn.weights, workers))
        {
            *total += own;
        }
        let scored = if open {
            let drifts = drift(cloud, drawn, &draws, p);
            let at = (drawn.draws, &priors[..], &means[..]);
            steady(cloud, at, &drifts, &mut draws, sampling);
            Scored::of(&draws, (drawn.weights, cloud.copies), (p, REPLICATES))
        } else {
            plain
        };
        found.noise += &scored.noise;
        let moments = cloud.moments(drawn.draws, drawn.weights);
        for (i, b) in drawn.members.iter().enumerate() {
            found.scores[b * p..(b + 1) * p].copy_from_slice(&scored.batches[i * p..(i + 1) * p]);
            found.moments[*b].copy(&moments[i]);
        }
    })?;
    if let Some(error) = failed {
        return Err(error);
    }
    if let Some(batch) = importance.log_lik.iter().position(|x| !x.is_finite()) {
        return Err(without_density(joint, batch));
    }
    found.importance = importance;
    let n = joint.n_batches as f64;
    let squares: Vec<f64> = found.squares.iter().map(|square| square / n).collect();
    let at = (&found.free[..], sampling.theta);
    let closed = complete(joint, at, (&found.moments, &squares), &gradient)?;
    found.observed += &closed;
    for own in &mut found.replicates {
        *own += &closed;
    }
    Ok(found)
}

impl Information {
    /// Score of the log-likelihood: the sum over the batches.
    pub fn score(&self) -> Vec<f64> {
        let p = self.free.len();
        let mut total = vec![0.0; p];
        for own in self.scores.chunks_exact(p.max(1)) {
            for (total, own) in total.iter_mut().zip(own) {
                *total += own;
            }
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

fn priors(joint: &Joint, theta: &[f64]) -> Result<Vec<Prior>> {
    let each = joint.parts.iter();
    each.map(|part| Prior::new(part, theta)).collect()
}

/// Differences of the score, a step up less a step down in each free coordinate.
struct Differences<'a> {
    joint: &'a Joint,
    theta: &'a [f64],
    free: Vec<usize>,
    /// Positions of the coordinates that move.
    open: Vec<usize>,
    steps: Vec<f64>,
    /// From the draws of each replicate, and from all: column `k` for the coordinate that moved.
    sums: Vec<DMatrix<f64>>,
}

/// Where the draws stand, and what they weigh there.
struct Ground<'g> {
    draws: &'g [f64],
    weights: &'g [f64],
    /// Log density of data and effects at each draw.
    log: Vec<f64>,
    drift: Vec<Drift>,
}

/// Change of the effects of a batch with each coordinate, `effects x p`: of their means, and relative to the distance
/// from them.
struct Drift {
    mean: Vec<f64>,
    shift: DMatrix<f64>,
    stretch: DMatrix<f64>,
}

impl<'a> Differences<'a> {
    fn new(found: &Information, joint: &'a Joint, theta: &'a [f64]) -> Self {
        let p = found.free.len();
        // Between batches the scores vary as the observed information says.
        let mut squares = vec![0.0; p];
        for own in found.scores.chunks_exact(p.max(1)) {
            for (square, s) in squares.iter_mut().zip(own) {
                *square += s * s;
            }
        }
        let open = open_coordinates(joint);
        let solved = joint.main().form.dynamics.is_some();
        let part = if solved { SOLVED_STEP } else { STEP };
        let each = found.free.iter().zip(squares);
        Self {
            steps: each
                .map(|(k, square)| joint.theta.step(*k, theta[*k], square, part))
                .collect(),
            sums: vec![DMatrix::zeros(p, p); REPLICATES + 1],
            open: (found.free.iter().enumerate())
                .filter(|(_, k)| open.contains(k))
                .map(|(a, _)| a)
                .collect(),
            free: found.free.clone(),
            joint,
            theta,
        }
    }

    fn add(&mut self, sampling: &Sampling, cloud: &mut Cloud, drawn: &Drawn) -> Result<()> {
        let priors = priors(self.joint, self.theta)?;
        let means = cloud.means();
        let scores = cloud.draw_scores(&self.free, (&priors, &means), sampling.workers);
        let weights = scored(drawn.weights, &scores, (cloud.copies, self.free.len()));
        let drawn = &Drawn {
            weights: &weights,
            ..*drawn
        };
        let ground = Ground {
            draws: drawn.draws,
            weights: drawn.weights,
            log: log_densities(cloud, (&priors, &means), sampling),
            drift: drift(cloud, drawn, &scores, self.free.len()),
        };
        for k in self.open.clone() {
            for sign in [1.0, -1.0] {
                self.side((k, sign), sampling, cloud, &ground)?;
            }
        }
        Ok(())
    }

    /// Add the scores a step to one side.
    fn side(
        &mut self,
        (k, sign): (usize, f64),
        sampling: &Sampling,
        cloud: &mut Cloud,
        ground: &Ground,
    ) -> Result<()> {
        let p = self.free.len();
        let step = sign * self.steps[k];
        let mut theta = self.theta.to_vec();
        theta[self.free[k]] += step;
        let mut draws = ground.draws.to_vec();
        for (b, drift) in ground.drift.iter().enumerate() {
            for c in 0..cloud.copies {
                let first = cloud.first(b, c);
                for (i, phi) in draws[first..].iter_mut().take(drift.mean.len()).enumerate() {
                    let away = *phi - drift.mean[i];
                    *phi += step * (drift.shift[(i, k)] + drift.stretch[(i, k)] * away);
                }
            }
        }
        cloud.set(&draws);
        cloud.prepare(&theta);
        let priors = priors(self.joint, &theta)?;
        let means: Vec<Means> = cloud.means();
        let logs = log_densities(cloud, (&priors, &means), sampling);
        let mut scores = cloud.draw_scores(&self.free, (&priors, &means), sampling.workers);
        let at = (&draws[..], &priors[..], &means[..]);
        steady(cloud, at, &ground.drift, &mut scores, sampling);
        let copies = cloud.copies;
        for b in 0..cloud.batches.len() {
            let own = b * copies..(b + 1) * copies;
            let changes = own.clone().map(|i| logs[i] - ground.log[i]);
            // A draw that moved to where no density is weighs nothing.
            let weigh = |(w, change): (&f64, f64)| {
                let weight = w * change.exp();
                if weight.is_finite() {
                    weight
                } else {
                    0.0
                }
            };
            let weights: Vec<f64> = ground.weights[own.clone()]
                .iter()
                .zip(changes)
                .map(weigh)
                .collect();
            let scores = &scores[own.start * p..own.end * p];
            let each = copies.div_ceil(REPLICATES).max(1);
            let parts = weights.chunks(each).zip(scores.chunks((each * p).max(1)));
            for (r, (weights, scores)) in parts.enumerate() {
                add_mean(&mut self.sums[r], k, sign, weights, scores);
            }
            add_mean(&mut self.sums[REPLICATES], k, sign, &weights, scores);
        }
        Ok(())
    }

    /// Put minus the derivatives in the rows and columns of the coordinates that moved.
    fn finish(self, found: &mut Information) {
        let slope = |sums: &DMatrix<f64>, a: usize, k: usize| -sums[(a, k)] / (2.0 * self.steps[k]);
        let into = |matrix: &mut DMatrix<f64>, sums: &DMatrix<f64>| {
            for k in &self.open {
                for a in 0..self.free.len() {
                    let value = if self.open.contains(&a) {
                        0.5 * (slope(sums, a, *k) + slope(sums, *k, a))
                    } else {
                        slope(sums, a, *k)
                    };
                    matrix[(a, *k)] = value;
                    matrix[(*k, a)] = value;
                }
            }
        };
        into(&mut found.observed, &self.sums[REPLICATES]);
        for (matrix, sums) in found.replicates.iter_mut().zip(&self.sums) {
            into(matrix, sums);
        }
    }
}

/// Log density of data and effects at each draw.
fn log_densities(
    cloud: &mut Cloud,
    (priors, means): (&[Prior], &[Means]),
    sampling: &Sampling,
) -> Vec<f64> {
    let log_lik = cloud.log_lik(sampling.workers);
    let log_prior = cloud.log_prior(priors, means);
    let each = log_lik.into_iter().zip(log_prior);
    each.map(|(y, prior)| y + prior).collect()
}

/// How the conditional distributions of every batch move.
fn drift(cloud: &Cloud, drawn: &Drawn, scores: &[f64], p: usize) -> Vec<Drift> {
    let batch = |b: usize| {
        let d = cloud.batches.dim(b);
        let mut mean = vec![0.0; d];
        for (weight, phi, _) in counted(cloud, drawn, scores, (b, p)) {
            for (mean, x) in mean.iter_mut().zip(phi) {
                *mean += weight * x;
            }
        }
        let mut center = vec![0.0; p];
        for (weight, _, score) in counted(cloud, drawn, scores, (b, p)) {
            for (center, s) in center.iter_mut().zip(score) {
                *center += weight * s;
            }
        }
        let mut variance = vec![0.0; d];
        let (mut shift, mut stretch) = (DMatrix::<f64>::zeros(d, p), DMatrix::<f64>::zeros(d, p));
        for (weight, phi, score) in counted(cloud, drawn, scores, (b, p)) {
            for (i, x) in phi.iter().enumerate() {
                let away = x - mean[i];
                variance[i] += weight * away * away;
                for (k, s) in score.iter().enumerate() {
                    let along = weight * (s - center[k]);
                    shift[(i, k)] += along * away;
                    stretch[(i, k)] += 0.5 * along * away * away;
                }
            }
        }
        let sound = |x: f64| if x.is_finite() { x } else { 0.0 };
        Drift {
            stretch: DMatrix::from_fn(d, p, |i, k| sound(stretch[(i, k)] / variance[i])),
            shift: shift.map(sound),
            mean,
        }
    };
    (0..cloud.batches.len()).map(batch).collect()
}

/// Weights of the draws of every batch without those that have a density but no score, as where only the equations of
/// derivatives were not solved; as they are where these weigh too much to be passed over.
fn scored(weights: &[f64], scores: &[f64], (copies, p): (usize, usize)) -> Vec<f64> {
    let mut found = weights.to_vec();
    let batches = found.chunks_mut(copies.max(1));
    for (own, scores) in batches.zip(scores.chunks((copies * p).max(1))) {
        let draws = scores.chunks_exact(p.max(1));
        let known: Vec<bool> = draws.map(|s| s.iter().all(|x| x.is_finite())).collect();
        let lost: f64 = (own.iter().zip(&known))
            .filter(|(_, known)| !**known)
            .map(|(weight, _)| weight)
            .sum();
        if lost > 0.0 && lost <= LOST {
            for (weight, known) in own.iter_mut().zip(&known) {
                *weight = if *known { *weight / (1.0 - lost) } else { 0.0 };
            }
        }
    }
    found
}

/// Weight, effects and scores of the draws of a batch that count.
fn counted<'c>(
    cloud: &'c Cloud,
    drawn: &'c Drawn,
    scores: &'c [f64],
    (b, p): (usize, usize),
) -> impl Iterator<Item = (f64, &'c [f64], &'c [f64])> {
    let d = cloud.batches.dim(b);
    (0..cloud.copies).filter_map(move |c| {
        let draw = b * cloud.copies + c;
        let weight = drawn.weights[draw];
        let first = cloud.first(b, c);
        let phi = &drawn.draws[first..first + d];
        (weight > 0.0).then(|| (weight, phi, &scores[draw * p..(draw + 1) * p]))
    })
}

/// Add to the scores of the draws that a cloud holds what has mean 0 and takes most of their variance away.
fn steady(
    cloud: &mut Cloud,
    (phi, priors, means): (&[f64], &[Prior], &[Means]),
    drifts: &[Drift],
    scores: &mut [f64],
    sampling: &Sampling,
) {
    let n = cloud.batches.len();
    let p = scores.len() / (n * cloud.copies).max(1);
    let slopes = cloud.slopes(&vec![true; n], sampling.workers).gradient;
    for (b, drift) in drifts.iter().enumerate() {
        let d = cloud.batches.dim(b);
        for c in 0..cloud.copies {
            let first = cloud.first(b, c);
            let mut slope = slopes[first..first + d].to_vec();
            pull(
                cloud,
                (b, &phi[first..first + d]),
                (priors, means),
                &mut slope,
            );
            if !slope.iter().all(|g| g.is_finite()) {
                continue;
            }
            let draw = b * cloud.copies + c;
            let own = &mut scores[draw * p..(draw + 1) * p];
            for (k, s) in own.iter_mut().enumerate() {
                *s += (0..d).map(|i| drift.shift[(i, k)] * slope[i]).sum::<f64>();
            }
        }
    }
}

/// Add the gradient of the log density of the effects of a draw; given effects pull too.
fn pull(
    cloud: &Cloud,
    (b, phi): (usize, &[f64]),
    (priors, means): (&[Prior], &[Means]),
    slope: &mut [f64],
) {
    let mut first = 0;
    for level in cloud.batches.levels(b) {
        let (group, index) = (level[0].group, level[0].level);
        let (prior, mean) = (&priors[group], means[group].of(index));
        let held = cloud.joint.parts[group].held.as_ref();
        let mut miss: Vec<f64> = (0..mean.len())
            .map(|k| held.map_or(0.0, |held| held[index * mean.len() + k] - mean[k]))
            .collect();
        for (i, c) in level.iter().enumerate() {
            miss[c.effect] = phi[first + i] - mean[c.effect];
        }
        for (i, c) in level.iter().enumerate() {
            let row = prior.precision.row(c.effect);
            let own: f64 = row.iter().zip(&miss).map(|(p, r)| p * r).sum();
            slope[first + i] -= own;
        }
        first += level.len();
    }
}

/// Add the weighted mean of the scores of some draws to a column.
fn add_mean(sums: &mut DMatrix<f64>, k: usize, sign: f64, weights: &[f64], scores: &[f64]) {
    let p = sums.nrows();
    let total: f64 = weights.iter().sum();
    if total.is_nan() || total <= 0.0 {
        return;
    }
    for (weight, score) in weights.iter().zip(scores.chunks_exact(p.max(1))) {
        if *weight > 0.0 && score.iter().all(|s| s.is_finite()) {
            for (a, s) in score.iter().enumerate() {
                sums[(a, k)] += sign * weight / total * s;
            }
        }
    }
}
