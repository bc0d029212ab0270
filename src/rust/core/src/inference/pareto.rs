//! Estimate the shape of the tail of importance weights, Pareto's `k`.
//!
//! The largest `M = min(n / 5, 3 sqrt(n))` weights, less the largest of the others, are fitted by the generalized Pareto
//! distribution. With `x_1 <= .. <= x_M` and `k(b) = mean ln(1 - b x_i)` the profile log-likelihood of `b = -k/sigma` is
//! `l(b) = M (ln(-b / k(b)) - k(b) - 1)`; `b` is the mean over the points
//! `b_j = 1/x_M + (1 - sqrt(m / (j - 1/2))) / (3 x_q)`, `x_q` the first quartile, weighted by `exp l(b_j)`. The shape is
//! drawn to one half with the weight of 10 observations. Weights have a finite variance for `k < 1/2`; estimates are
//! dependable up to `min(1 - 1/log10(n), 0.7)`. Sources: Zhang & Stephens (2009), A new and efficient estimation method
//! for the generalized Pareto distribution; Vehtari, Simpson, Gelman, Yao & Gabry (2024), Pareto smoothed importance
//! sampling.

/// Fewest weights in the tail that say anything of it.
const FEWEST: usize = 5;

/// `k` of weights given by their logarithms; `None` when they are too few, or their tail has no shape. Equal weights have
/// minus infinity.
pub fn khat(log_weights: &[f64]) -> Option<f64> {
    let n = log_weights.len();
    let tail = (0.2 * n as f64).min(3.0 * (n as f64).sqrt()).ceil() as usize;
    if tail < FEWEST || n <= tail || log_weights.iter().any(|w| w.is_nan()) {
        return None;
    }
    let mut sorted = log_weights.to_vec();
    sorted.sort_by(f64::total_cmp);
    let largest = sorted[n - 1];
    let cutoff = sorted[n - tail - 1];
    if !largest.is_finite() {
        return None;
    }
    let threshold = (cutoff - largest).exp();
    let excess: Vec<f64> = sorted[n - tail..]
        .iter()
        .map(|w| (w - largest).exp() - threshold)
        .collect();
    if excess[tail - 1] <= f64::EPSILON {
        return Some(f64::NEG_INFINITY);
    }
    let n = tail as f64;
    shape(&excess).map(|k| (n * k + 5.0) / (n + 10.0))
}

/// Shape of the generalized Pareto distribution of positive numbers in ascending order.
fn shape(x: &[f64]) -> Option<f64> {
    let n = x.len();
    let quartile = x[(0.25 * n as f64 + 0.5).floor() as usize - 1];
    let largest = x[n - 1];
    if quartile <= 0.0 {
        return None;
    }
    let m = 30 + (n as f64).sqrt().floor() as usize;
    let points: Vec<f64> = (1..=m)
        .map(|j| {
            let ratio = m as f64 / (j as f64 - 0.5);
            1.0 / largest + (1.0 - ratio.sqrt()) / (3.0 * quartile)
        })
        .collect();
    let k = |b: f64| x.iter().map(|x| (-b * x).ln_1p()).sum::<f64>() / n as f64;
    let profile = |b: &f64| {
        let k = k(*b);
        n as f64 * ((-b / k).ln() - k - 1.0)
    };
    let logs: Vec<f64> = points.iter().map(profile).collect();
    let highest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let (mut total, mut sum) = (0.0, 0.0);
    for (b, log) in points.iter().zip(logs) {
        let weight = (log - highest).exp();
        if weight.is_finite() {
            total += weight;
            sum += weight * b;
        }
    }
    let shape = k(sum / total);
    shape.is_finite().then_some(shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Evenly spread quantiles of the generalized Pareto distribution.
    fn sample(k: f64, sigma: f64, n: usize) -> Vec<f64> {
        let quantile = |i: usize| {
            let upper = 1.0 - (i as f64 + 0.5) / n as f64;
            if k == 0.0 {
                -sigma * upper.ln()
            } else {
                sigma * (upper.powf(-k) - 1.0) / k
            }
        };
        (0..n).map(quantile).collect()
    }

    #[test]
    fn the_shape_of_exact_samples_is_found_whatever_their_scale() {
        for k in [-0.5, -0.2, 0.0, 0.3, 0.5, 0.7, 1.0, 1.5] {
            for sigma in [1e-3, 1.0, 50.0] {
                let found = shape(&sample(k, sigma, 2000)).unwrap();
                assert!((found - k).abs() < 0.03, "{k}: {found}");
            }
        }
    }

    #[test]
    fn weights_with_a_pareto_tail_have_its_shape() {
        for (k, n) in [(0.2, 20_000), (0.5, 20_000), (0.9, 20_000), (1.5, 1_000)] {
            // Pareto: w = u^-k, of which every tail is generalized Pareto with the same shape.
            let weights = (0..n).map(|i| -k * ((f64::from(i) + 0.5) / f64::from(n)).ln());
            let found = khat(&weights.collect::<Vec<f64>>()).unwrap();
            let tail = 3.0 * f64::from(n).sqrt();
            let drawn = (tail * k + 5.0) / (tail + 10.0);
            assert!((found - drawn).abs() < 0.05, "{k}: {found} {drawn}");
        }
    }

    #[test]
    fn the_order_and_the_size_of_the_weights_do_not_matter() {
        let weights: Vec<f64> = (0..500)
            .map(|i| (f64::from(i) * 0.37).sin() * 2.0)
            .collect();
        let mut other: Vec<f64> = weights.iter().map(|w| w - 800.0).collect();
        other.reverse();
        let (one, two) = (khat(&weights).unwrap(), khat(&other).unwrap());
        assert!((one - two).abs() < 1e-6, "{one} {two}");
    }

    #[test]
    fn weights_without_a_tail_say_so() {
        assert_eq!(khat(&[0.0; 20]), None);
        assert_eq!(khat(&[0.3; 1000]), Some(f64::NEG_INFINITY));
        assert_eq!(khat(&[f64::NEG_INFINITY; 1000]), None);
        let mut lost = vec![0.1; 1000];
        lost[3] = f64::NAN;
        assert_eq!(khat(&lost), None);
    }
}
