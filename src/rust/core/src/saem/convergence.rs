//! Judge whether a run has converged, and say on what evidence.
//!
//! The last half of the smoothing is split in two windows. A coordinate has settled when the means of the windows
//! differ by little compared with the scale on which the parameter is known.

use crate::fitted::{FitStatus, Trace};
use crate::problem::Theta;

/// Largest drift between the windows that counts as settled.
const DRIFT: f64 = 0.02;

/// Status of a run, and the evidence in words; `smoothing`: iterations of the smoothing that were run, the last of the
/// trace.
pub fn judge(theta: &Theta, trace: &Trace, smoothing: usize) -> (FitStatus, Vec<String>) {
    let window = smoothing / 4;
    if window < 5 {
        let evidence =
            format!("{smoothing} smoothing iterations are too few to judge convergence.");
        return (FitStatus::MaxIterations, vec![evidence]);
    }
    let last = trace.theta.len();
    let mean = |k: usize, from: usize, to: usize| {
        trace.theta[from..to]
            .iter()
            .map(|values| values[k])
            .sum::<f64>()
            / (to - from) as f64
    };
    let mut worst = (0.0, 0);
    for k in 0..theta.len() {
        if !theta.routes[k].is_informed() {
            continue;
        }
        let (before, after) = (
            mean(k, last - 2 * window, last - window),
            mean(k, last - window, last),
        );
        let drift = (after - before).abs() / before.abs().max(1.0);
        if drift > worst.0 || drift.is_nan() {
            worst = (drift, k);
        }
    }
    let name = &theta.names[worst.1];
    let evidence = format!(
        "Largest change between the last two windows of {window} iterations: {:.2} % (`{name}`, transformed scale).",
        100.0 * worst.0
    );
    let status = if worst.0 <= DRIFT {
        FitStatus::Converged
    } else {
        FitStatus::MaxIterations
    };
    (status, vec![evidence])
}

/// Iterations of each of two windows that are compared, and how often.
const WINDOW: usize = 25;
const EVERY: usize = 5;

/// Distance of their means, in standard deviations within them, that noise explains.
const STILL: f64 = 1.2;

/// Whether estimates have stopped to travel at iteration `k`, as far as their noise shows: the last windows have the same
/// means.
pub fn stationary(trace: &Trace, k: usize) -> bool {
    let n = trace.theta.len();
    if n < 2 * WINDOW || !k.is_multiple_of(EVERY) {
        return false;
    }
    let (before, after) = trace.theta[n - 2 * WINDOW..].split_at(WINDOW);
    let moments = |window: &[Vec<f64>], k: usize| {
        let size = window.len() as f64;
        let mean = window.iter().map(|theta| theta[k]).sum::<f64>() / size;
        let square = window.iter().map(|theta| (theta[k] - mean).powi(2));
        (mean, square.sum::<f64>() / size)
    };
    (0..trace.theta[n - 1].len()).all(|k| {
        let ((a, v), (b, w)) = (moments(before, k), moments(after, k));
        let still = STILL * (0.5 * (v + w)).sqrt() + 1e-9 * (a.abs() + b.abs());
        (b - a).abs() <= still
    })
}
