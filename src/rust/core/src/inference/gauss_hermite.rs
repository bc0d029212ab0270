//! Give nodes and weights of one-dimensional rules for functions near `exp(-x^2)`: Gauss-Hermite, trapezoid.

use gauss_quad::hermite::GaussHermite;

use crate::error::{Error, ErrorClass, Result};

/// Nodes and `ln(weight) + node^2` of the one-dimensional rule.
///
/// # Errors
/// No nodes.
pub fn rule(nodes: usize) -> Result<Vec<(f64, f64)>> {
    if nodes == 1 {
        return Ok(vec![(0.0, 0.5 * std::f64::consts::PI.ln())]);
    }
    let degree = nodes.try_into().map_err(|_| {
        Error::new(
            ErrorClass::Option,
            "nodes",
            "The number of quadrature nodes is not positive.",
        )
    })?;
    let rule = GaussHermite::new(degree);
    let pairs = rule.as_node_weight_pairs().iter();
    Ok(pairs.map(|(x, _)| (*x, log_weight(*x, nodes))).collect())
}

/// Half the interval of the trapezoid rule, in standard deviations.
pub const SIDE: f64 = 8.0;

/// The trapezoid rule within [`SIDE`] standard deviations, `1 / sqrt(2)` each. Where a function has poles near the real
/// line, as logistic curves of large effects do, its error falls faster than that of Gauss-Hermite, and kinks do not
/// matter much. Source: Trefethen & Weideman (2014), The exponentially convergent trapezoidal rule.
pub fn trapezoid(nodes: usize) -> Vec<(f64, f64)> {
    let half = SIDE * std::f64::consts::FRAC_1_SQRT_2;
    let step = 2.0 * half / (nodes.max(2) - 1) as f64;
    let node = |k: usize| -half + step * k as f64;
    (0..nodes).map(|k| (node(k), step.ln())).collect()
}

/// `ln(weight) + x^2` at a node: minus the logarithm of the sum of squares of the orthonormal Hermite functions, which
/// keeps its digits where the weight itself is lost in rounding.
fn log_weight(x: f64, nodes: usize) -> f64 {
    let (mut before, mut here) = (0.0, std::f64::consts::PI.powf(-0.25) * (-0.5 * x * x).exp());
    let mut sum = 0.0;
    for k in 0..nodes {
        sum += here * here;
        let next = k as f64 + 1.0;
        let after = x * (2.0 / next).sqrt() * here - (k as f64 / next).sqrt() * before;
        (before, here) = (here, after);
    }
    -sum.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_rules_integrate_a_gaussian_times_a_square() {
        let integral = |points: &[(f64, f64)]| -> f64 {
            let term = |(x, log): &(f64, f64)| (log - x * x).exp() * (1.0 + x * x);
            points.iter().map(term).sum()
        };
        let exact = 1.5 * std::f64::consts::PI.sqrt();
        for points in [rule(3).unwrap(), rule(101).unwrap(), trapezoid(65)] {
            assert!((integral(&points) / exact - 1.0).abs() < 1e-12);
        }
    }
}
