//! Write sums and differences of probabilities on the log scale, where they keep their digits.

use crate::ir::graph::{Graph, Node};
use crate::ir::op::{Binary, Unary};

/// `ln(1 - exp(-d))` for `d >= 0`; `-Inf` at zero, NaN below.
///
/// Source: Maechler (2012), Accurately computing log(1 - exp(-|a|)), equation 7.
pub fn log1mexp(g: &mut Graph, d: Node) -> Node {
    let middle = g.constant(std::f64::consts::LN_2);
    let small = g.binary(Binary::Less, d, middle);
    let minus = g.neg(d);
    let expm1 = g.unary(Unary::Expm1, minus);
    let near = g.neg(expm1);
    let near = g.ln(near);
    let exp = g.exp(minus);
    let far = g.neg(exp);
    let far = g.unary(Unary::Log1p, far);
    g.select(small, near, far)
}

/// `factor * log`, zero where the factor is zero, whatever the logarithm.
pub fn times_log(g: &mut Graph, factor: Node, log: Node) -> Node {
    let product = g.mul(factor, log);
    let zero = g.constant(0.0);
    g.select(factor, product, zero)
}

/// `ln(y!) = lnGamma(y + 1)`.
pub fn log_factorial(g: &mut Graph, y: Node) -> Node {
    let one = g.constant(1.0);
    let next = g.add(y, one);
    g.unary(Unary::LGamma, next)
}

/// `ln(Gamma(x + y) / Gamma(x)) - y ln(x)` for `x > 0`, `y >= 0`.
///
/// For `x > 50` from Stirling's series, where the difference of two large logarithms would lose its digits.
pub fn log_rising(g: &mut Graph, x: Node, y: Node) -> Node {
    let total = g.add(x, y);
    let (upper, lower) = (g.unary(Unary::LGamma, total), g.unary(Unary::LGamma, x));
    let difference = g.sub(upper, lower);
    let log = g.ln(x);
    let linear = g.mul(y, log);
    let near = g.sub(difference, linear);
    let ratio = g.div(y, x);
    let rest = g.unary(Unary::Log1p, ratio);
    let half = g.constant(0.5);
    let shifted = g.sub(total, half);
    let main = g.mul(shifted, rest);
    let main = g.sub(main, y);
    let (above, below) = (stirling(g, total), stirling(g, x));
    let series = g.sub(above, below);
    let far = g.add(main, series);
    let bound = g.constant(50.0);
    let large = g.binary(Binary::Less, bound, x);
    g.select(large, far, near)
}

/// `lnGamma(x) - (x - 1/2) ln(x) + x - ln(2 pi)/2` for `x > 50`: `1/(12 x) - 1/(360 x^3) + 1/(1260 x^5)`.
fn stirling(g: &mut Graph, x: Node) -> Node {
    let inverse = g.unary(Unary::Recip, x);
    let square = g.square(inverse);
    let mut sum = g.constant(1.0 / 1260.0);
    for coefficient in [-1.0 / 360.0, 1.0 / 12.0] {
        let term = g.mul(sum, square);
        let next = g.constant(coefficient);
        sum = g.add(term, next);
    }
    g.mul(sum, inverse)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(f: impl Fn(&mut Graph) -> Node) -> f64 {
        let mut g = Graph::new();
        let node = f(&mut g);
        g.as_constant(node).unwrap_or(f64::NAN)
    }

    #[test]
    fn differences_of_probabilities_keep_their_digits() {
        for (d, expected) in [
            (1e-20, -46.051_701_859_880_91),
            (50.0, -1.928_749_847_963_917_8e-22),
        ] {
            let log = value(|g| {
                let d = g.constant(d);
                log1mexp(g, d)
            });
            assert!((log / expected - 1.0).abs() < 1e-14, "{d}: {log}");
        }
    }

    #[test]
    fn rising_factorials_are_products() {
        for x in [0.3, 7.0, 49.0, 51.0, 3e3, 1e9] {
            for y in [0.0, 1.0, 4.0, 30.0] {
                let rising = value(|g| {
                    let (x, y) = (g.constant(x), g.constant(y));
                    log_rising(g, x, y)
                });
                let product: f64 = (0..y as usize).map(|k| (k as f64 / x).ln_1p()).sum();
                assert!(
                    (rising - product).abs() < 1e-11,
                    "{x} {y}: {rising} {product}"
                );
            }
        }
    }
}
