//! Let draws move along with the population parameters, and take most of the variance of their scores away.
//!
//! The conditional means and variances of the effects change with `theta` as covariances with the score say:
//! `phi(theta') = phi + [Cov_w(phi, score) + e (phi - E_w phi)] (theta' - theta)`, `e = Cov_w((phi - E_w phi)^2, score) / (2
//! Var_w phi)`. The gradient `g` of the log density in the effects has mean 0 given the data; `score + Cov_w(phi, score)' g`
//! has the same mean as the score and hardly any variance where the conditional distribution is nearly Gaussian. Source:
//! Assaraf & Caffarel (1999), Zero-variance principle for Monte Carlo algorithms.

use nalgebra::DMatrix;

use super::cloud::Cloud;
use super::importance::WeightedDraws;

/// Weight of the draws of a batch without a score that can be passed over.
const LOST: f64 = 0.05;

/// Change of the effects of a batch with each coordinate, `effects x p`: of their means, and relative to the distance
/// from them.
#[derive(Debug, Clone)]
pub struct Drift {
    pub mean: Vec<f64>,
    pub shift: DMatrix<f64>,
    pub stretch: DMatrix<f64>,
}

/// How the conditional distributions of every batch move.
pub fn drift(cloud: &Cloud, drawn: &WeightedDraws, scores: &[f64], p: usize) -> Vec<Drift> {
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
pub fn scored(weights: &[f64], scores: &[f64], (copies, p): (usize, usize)) -> Vec<f64> {
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
fn counted<'c, 'a>(
    cloud: &'c Cloud<'a>,
    drawn: &'c WeightedDraws,
    scores: &'c [f64],
    (b, p): (usize, usize),
) -> impl Iterator<Item = (f64, &'c [f64], &'c [f64])> + use<'c, 'a> {
    let d = cloud.batches.dim(b);
    (0..cloud.copies).filter_map(move |c| {
        let draw = b * cloud.copies + c;
        let weight = drawn.weights[draw];
        let first = cloud.first(b, c);
        let phi = &drawn.draws[first..first + d];
        (weight > 0.0).then(|| (weight, phi, &scores[draw * p..(draw + 1) * p]))
    })
}

/// Add to the scores of the draws that a cloud holds what has mean 0 and takes most of their variance away. `slopes`: the
/// gradient of the log-likelihood at each draw.
pub fn steady(cloud: &Cloud, phi: &[f64], drifts: &[Drift], scores: &mut [f64], slopes: &[f64]) {
    let n = cloud.batches.len();
    let p = scores.len() / (n * cloud.copies).max(1);
    for (b, drift) in drifts.iter().enumerate() {
        let d = cloud.batches.dim(b);
        for c in 0..cloud.copies {
            let first = cloud.first(b, c);
            let mut slope = slopes[first..first + d].to_vec();
            cloud.add_pull(b, &phi[first..first + d], &mut slope);
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
