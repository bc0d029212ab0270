//! Differentiate, compare and integrate numerically.

/// `|a - b|` relative to the larger of `|a|`, `|b|` and `floor`.
pub fn relative(a: f64, b: f64, floor: f64) -> f64 {
    if a == b || (a.is_nan() && b.is_nan()) {
        return 0.0;
    }
    let error = (a - b).abs() / a.abs().max(b.abs()).max(floor);
    if error.is_nan() {
        f64::INFINITY
    } else {
        error
    }
}

pub fn assert_close(a: f64, b: f64, tolerance: f64, what: &str) {
    let error = relative(a, b, 1.0);
    assert!(
        error <= tolerance,
        "{what}: {a} and {b} differ by {error:.2e}"
    );
}

/// Derivative of `f` at `x` by the five-point rule of order four.
pub fn derivative(x: f64, h: f64, mut f: impl FnMut(f64) -> f64) -> f64 {
    let (one, two) = (f(x + h) - f(x - h), f(x + 2.0 * h) - f(x - 2.0 * h));
    (8.0 * one - two) / (12.0 * h)
}

/// Gradient of `f` at `x`.
pub fn gradient(x: &[f64], h: f64, mut f: impl FnMut(&[f64]) -> f64) -> Vec<f64> {
    let mut moved = x.to_vec();
    (0..x.len())
        .map(|k| {
            let slope = derivative(x[k], h, |value| {
                moved[k] = value;
                f(&moved)
            });
            moved[k] = x[k];
            slope
        })
        .collect()
}

/// `log int exp(f)` over an interval by the trapezoidal rule, which is exact to rounding for smooth integrands that
/// vanish at both ends.
pub fn log_integral(low: f64, high: f64, n: usize, f: impl Fn(f64) -> f64) -> f64 {
    let h = (high - low) / n as f64;
    let terms: Vec<f64> = (0..=n).map(|k| f(low + h * k as f64)).collect();
    let largest = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = terms.iter().map(|t| (t - largest).exp()).sum();
    largest + (sum * h).ln()
}

/// Minimum of a smooth function by damped Newton steps on central differences.
pub fn minimise(start: &[f64], mut f: impl FnMut(&[f64]) -> f64) -> (Vec<f64>, f64) {
    use nalgebra::{DMatrix, DVector};
    let (p, h) = (start.len(), 1e-3);
    let mut x = start.to_vec();
    let mut best = f(&x);
    for _ in 0..50 {
        let mut at = |moves: &[(usize, f64)]| {
            let mut moved = x.clone();
            moves.iter().for_each(|(k, step)| moved[*k] += step);
            f(&moved)
        };
        let mut slope = DVector::zeros(p);
        let mut curve = DMatrix::zeros(p, p);
        for a in 0..p {
            let (up, down) = (at(&[(a, h)]), at(&[(a, -h)]));
            slope[a] = (up - down) / (2.0 * h);
            curve[(a, a)] = (up + down - 2.0 * best) / (h * h);
            for b in 0..a {
                let corners =
                    at(&[(a, h), (b, h)]) - at(&[(a, h), (b, -h)]) - at(&[(a, -h), (b, h)])
                        + at(&[(a, -h), (b, -h)]);
                curve[(a, b)] = corners / (4.0 * h * h);
                curve[(b, a)] = curve[(a, b)];
            }
        }
        let eigen = curve.symmetric_eigen();
        let turned = eigen.eigenvectors.transpose() * slope;
        let scaled = turned.zip_map(&eigen.eigenvalues, |s, e| -s / e.abs().max(1e-6));
        let step = &eigen.eigenvectors * scaled;
        let mut fraction = 1.0f64.min(1.0 / step.norm());
        let before = best;
        for _ in 0..30 {
            let moved: Vec<f64> = x
                .iter()
                .zip(step.iter())
                .map(|(x, s)| x + fraction * s)
                .collect();
            let value = f(&moved);
            if value < best {
                (x, best) = (moved, value);
                break;
            }
            fraction *= 0.5;
        }
        if before - best < 1e-9 {
            break;
        }
    }
    (x, best)
}
