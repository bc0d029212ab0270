//! Outcomes that are normal on another scale: `h(y) = h(median) + sd * e`, `e ~ N(0, 1)`, with an increasing `h`.
//!
//! `log p = log N(h(y); h(median), sd) + ln h'(y)`: the last term makes the likelihood one of `y` itself, comparable with
//! that of any other family.
//!
//! | family | `h(x)` | `ln h'(x)` |
//! |---|---|---|
//! | `lognormal` | `ln x` | `-ln x` |
//! | `box_cox` | `(x^lambda - 1) / lambda`, `ln x` at 0 | `(lambda - 1) ln x` |
//! | `yeo_johnson` | that of `1 + x` with `lambda` for `x >= 0`; minus that of `1 - x` with `2 - lambda` below | `sign(x) (lambda - 1) ln(1 + abs(x))` |
//! | `logit_normal` | `ln((x - lower) / (upper - x))` | `ln(upper - lower) - ln(x - lower) - ln(upper - x)` |
//! | `probit_normal` | `qnorm(p)`, `p = (x - lower) / (upper - lower)` | `h^2 / 2 + ln(sqrt(2 pi)) - ln(upper - lower)` |
//!
//! Sources: Box and Cox (1964), J. R. Stat. Soc. B 26, 211-252; Yeo and Johnson (2000), Biometrika 87, 954-959.

use rand::Rng;

use super::{
    draw, normal, Family, FamilyForm, GaussianSpread, On, OutcomeDensity, Support, LN_SQRT_2PI,
};
use crate::ir::graph::{Graph, Node, Op};
use crate::ir::op::{Binary, Unary};

pub const BOX_COX: Family = Family {
    name: "box_cox",
    arguments: &["median", "sd", "lambda"],
    form: FamilyForm::Normal(On::Other(|more| NormalScale::BoxCox(more[0]))),
    support: Support::Positive,
    draw: |a, rng| draw(a, rng, box_cox_inverse),
    tails: Some(|g, x, a| log_tails(g, x, a, NormalScale::BoxCox(a[2]))),
    ..Family::BLANK
};

pub const YEO_JOHNSON: Family = Family {
    name: "yeo_johnson",
    form: FamilyForm::Normal(On::Other(|more| NormalScale::YeoJohnson(more[0]))),
    support: Support::Real,
    draw: |a, rng| draw(a, rng, yeo_johnson_inverse),
    tails: Some(|g, x, a| log_tails(g, x, a, NormalScale::YeoJohnson(a[2]))),
    ..BOX_COX
};

pub const LOGIT_NORMAL: Family = Family {
    name: "logit_normal",
    arguments: &["median", "sd", "lower", "upper"],
    defaults: &[0.0, 1.0],
    form: FamilyForm::Normal(On::Other(|more| NormalScale::Logit(more[0], more[1]))),
    support: Support::Between(0.0, 1.0),
    draw: |a, rng| draw(a, rng, logit_inverse),
    tails: Some(|g, x, a| log_tails(g, x, a, NormalScale::Logit(a[2], a[3]))),
    ..Family::BLANK
};

pub const PROBIT_NORMAL: Family = Family {
    name: "probit_normal",
    form: FamilyForm::Normal(On::Other(|more| NormalScale::Probit(more[0], more[1]))),
    draw: |a, rng| draw(a, rng, probit_inverse),
    tails: Some(|g, x, a| log_tails(g, x, a, NormalScale::Probit(a[2], a[3]))),
    ..LOGIT_NORMAL
};

/// Draws after which a scale is taken to have no values there.
const MOST: usize = 1000;

type Inverse = fn(f64, &[f64]) -> Option<f64>;

/// Draw on the scale, again where no value was drawn.
fn draw(a: &[f64], rng: &mut dyn Rng, inverse: Inverse) -> f64 {
    let mut draws = (0..MOST).map(|_| a[0] + a[1] * draw::normal(rng));
    draws.find_map(|v| inverse(v, &a[2..])).unwrap_or(f64::NAN)
}

/// The scale on which an outcome is normal.
#[derive(Debug, Clone, Copy)]
pub enum NormalScale {
    Log,
    BoxCox(Node),
    YeoJohnson(Node),
    /// Lower and upper bound.
    Logit(Node, Node),
    Probit(Node, Node),
}

impl NormalScale {
    /// That of a family, where it is normal on another scale than its own; `more`: the arguments behind its spread.
    fn of(family: &Family, more: &[Node]) -> Option<Self> {
        match family.form {
            FamilyForm::Normal(On::Log) => Some(Self::Log),
            FamilyForm::Normal(On::Other(scale)) => Some(scale(more)),
            _ => None,
        }
    }

    /// `h(x)`
    fn value(self, g: &mut Graph, x: Node) -> Node {
        match self {
            Self::Log => g.ln(x),
            Self::BoxCox(lambda) => {
                let log = g.ln(x);
                power(g, log, lambda)
            }
            Self::YeoJohnson(lambda) => yeo_johnson(g, x, lambda),
            Self::Logit(lower, upper) => {
                let (above, below) = (g.sub(x, lower), g.sub(upper, x));
                let (above, below) = (g.ln(above), g.ln(below));
                g.sub(above, below)
            }
            Self::Probit(lower, upper) => {
                let (above, width) = (g.sub(x, lower), g.sub(upper, lower));
                let share = g.div(above, width);
                g.unary(Unary::QNorm, share)
            }
        }
    }

    /// `ln h'(x)`; `h` is the value there.
    fn log_slope(self, g: &mut Graph, x: Node, h: Node) -> Node {
        let one = g.constant(1.0);
        match self {
            Self::Log => g.neg(h),
            Self::BoxCox(lambda) => {
                let (log, less) = (g.ln(x), g.sub(lambda, one));
                g.mul(less, log)
            }
            Self::YeoJohnson(lambda) => {
                let (log, less) = (log_size(g, x), g.sub(lambda, one));
                let above = g.mul(less, log);
                let below = g.neg(above);
                let negative = is_negative(g, x);
                g.select(negative, below, above)
            }
            Self::Logit(lower, upper) => {
                let parts = [g.sub(upper, lower), g.sub(x, lower), g.sub(upper, x)];
                let [width, above, below] = parts.map(|part| g.ln(part));
                let rest = g.sub(width, above);
                g.sub(rest, below)
            }
            Self::Probit(lower, upper) => {
                let (square, width) = (g.square(h), g.sub(upper, lower));
                let (half, log) = (g.scale(0.5, square), g.ln(width));
                let constant = g.constant(LN_SQRT_2PI);
                let sum = g.add(half, constant);
                g.sub(sum, log)
            }
        }
    }

    /// A limit of what was seen may lie at a bound of the scale or beyond it, where no value can.
    fn inside(self, g: &mut Graph, x: Node) -> Node {
        let (Self::Logit(lower, upper) | Self::Probit(lower, upper)) = self else {
            return x;
        };
        let width = g.sub(upper, lower);
        let (least, most) = (
            g.scale(f64::EPSILON, width),
            g.scale(1.0 - f64::EPSILON, width),
        );
        let (least, most) = (g.add(lower, least), g.add(lower, most));
        let x = g.binary(Binary::Max, x, least);
        g.binary(Binary::Min, x, most)
    }

    /// Whether what it depends on reaches random effects.
    fn varies(self, g: &Graph) -> bool {
        let nodes = match self {
            Self::Log => return false,
            Self::BoxCox(a) | Self::YeoJohnson(a) => vec![a],
            Self::Logit(a, b) | Self::Probit(a, b) => vec![a, b],
        };
        let needed = g.reachable(&nodes);
        g.nodes()
            .any(|n| needed[n.index()] && matches!(g.op(n), Op::Phi(_) | Op::State(_)))
    }
}

/// `(exp(lambda * log) - 1) / lambda`, which is `log` at 0; no digits are lost near 0, nor in its slopes.
fn power(g: &mut Graph, log: Node, lambda: Node) -> Node {
    if g.as_constant(lambda) == Some(0.0) {
        return log;
    }
    let u = g.mul(lambda, log);
    let (size, small) = (g.unary(Unary::Abs, u), g.constant(0.01));
    let near = g.binary(Binary::Less, size, small);
    // (exp(u) - 1) / u = 1 + u/2 (1 + u/3 (1 + ...)); the first term left out is u^6 / 5040.
    let one = g.constant(1.0);
    let mut series = one;
    for k in [6.0, 5.0, 4.0, 3.0, 2.0f64] {
        let step = g.scale(1.0 / k, u);
        let term = g.mul(step, series);
        series = g.add(one, term);
    }
    let apart = g.select(near, one, u);
    let difference = g.unary(Unary::Expm1, apart);
    let ratio = g.div(difference, apart);
    let factor = g.select(near, series, ratio);
    g.mul(log, factor)
}

fn is_negative(g: &mut Graph, x: Node) -> Node {
    let zero = g.constant(0.0);
    g.binary(Binary::Less, x, zero)
}

/// `ln(1 + |x|)`
fn log_size(g: &mut Graph, x: Node) -> Node {
    let size = g.unary(Unary::Abs, x);
    g.unary(Unary::Log1p, size)
}

fn yeo_johnson(g: &mut Graph, x: Node, lambda: Node) -> Node {
    let (log, two) = (log_size(g, x), g.constant(2.0));
    let other = g.sub(two, lambda);
    let (above, below) = (power(g, log, lambda), power(g, log, other));
    let below = g.neg(below);
    let negative = is_negative(g, x);
    g.select(negative, below, above)
}

/// `more` are the arguments behind the spread: `lambda`, or the bounds. The arguments of the density are the median
/// on the scale of `h`, the SD, and those.
pub fn density(
    g: &mut Graph,
    y: Node,
    median: Node,
    spread: GaussianSpread,
    (scale, more): (NormalScale, &[Node]),
) -> OutcomeDensity {
    let (here, center) = (scale.value(g, y), scale.value(g, median));
    let inner = normal::density(g, here, center, spread);
    let slope = scale.log_slope(g, y, here);
    OutcomeDensity {
        log_density: g.add(inner.log_density, slope),
        prediction: Some(median),
        // What lambda and the bounds do to the values themselves has no known information.
        information: inner.information.filter(|_| !scale.varies(g)),
        arguments: [&inner.arguments, more].concat(),
        sd: inner.sd,
    }
}

/// `(h(y) - h(median)) / sd`; `None` for a family that is normal on no other scale.
pub fn weighted(g: &mut Graph, family: &Family, y: Node, arguments: &[Node]) -> Option<Node> {
    let [center, sd, more @ ..] = arguments else {
        return None;
    };
    let here = NormalScale::of(family, more)?.value(g, y);
    let residual = g.sub(here, *center);
    Some(g.div(residual, *sd))
}

/// `(ln F(x), ln(1 - F(x)))`
fn log_tails(g: &mut Graph, x: Node, arguments: &[Node], scale: NormalScale) -> (Node, Node) {
    let x = scale.inside(g, x);
    let here = scale.value(g, x);
    normal::log_tails(g, here, [arguments[0], arguments[1]])
}

/// The `x` with `h(x) = v`; `None` where no value has it: below `-1 / lambda`.
fn box_cox_inverse(v: f64, more: &[f64]) -> Option<f64> {
    Some(power_inverse(v, more[0])?.exp())
}

fn yeo_johnson_inverse(v: f64, more: &[f64]) -> Option<f64> {
    if v < 0.0 {
        return Some(-power_inverse(-v, 2.0 - more[0])?.exp_m1());
    }
    Some(power_inverse(v, more[0])?.exp_m1())
}

fn logit_inverse(v: f64, more: &[f64]) -> Option<f64> {
    Some(more[0] + (more[1] - more[0]) * Unary::Logistic.value::<false>(v))
}

fn probit_inverse(v: f64, more: &[f64]) -> Option<f64> {
    Some(more[0] + (more[1] - more[0]) * Unary::PNorm.value::<false>(v))
}

/// The logarithm of which [`power`] is `v`.
fn power_inverse(v: f64, lambda: f64) -> Option<f64> {
    let u = lambda * v;
    match u {
        _ if lambda == 0.0 => Some(v),
        u if u > -1.0 => Some(u.ln_1p() / lambda),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(family: &Family, x: f64, more: &[f64]) -> f64 {
        let mut g = Graph::new();
        let more: Vec<Node> = more.iter().map(|m| g.constant(*m)).collect();
        let x = g.constant(x);
        let node = NormalScale::of(family, &more).map(|scale| scale.value(&mut g, x));
        node.and_then(|node| g.as_constant(node))
            .unwrap_or(f64::NAN)
    }

    type Case = (Family, Inverse, &'static [&'static [f64]], &'static [f64]);

    #[test]
    fn scales_are_inverted() {
        let bounds: &[&[f64]] = &[&[-1.0, 3.0]];
        let cases: [Case; 4] = [
            (
                BOX_COX,
                box_cox_inverse,
                &[&[-1.5], &[0.0], &[1e-9], &[4e-3], &[0.5], &[2.0]],
                &[0.02, 1.0, 7.0],
            ),
            (
                YEO_JOHNSON,
                yeo_johnson_inverse,
                &[&[-0.5], &[0.0], &[1e-9], &[1.0], &[2.0], &[2.5]],
                &[-3.0, -0.1, 0.0, 0.2, 9.0],
            ),
            (LOGIT_NORMAL, logit_inverse, bounds, &[-0.9, 0.5, 2.99]),
            (PROBIT_NORMAL, probit_inverse, bounds, &[-0.9, 0.5, 2.99]),
        ];
        for (family, inverse, sets, xs) in cases {
            for (more, x) in sets
                .iter()
                .flat_map(|set| xs.iter().map(move |x| (set, *x)))
            {
                let back = inverse(value(&family, x, more), more).unwrap_or(f64::NAN);
                assert!(
                    (back - x).abs() < 1e-12 * (1.0 + x.abs()),
                    "{family:?} {more:?} {x}: {back}"
                );
            }
        }
        assert_eq!(box_cox_inverse(-3.0, &[0.5]), None);
    }

    #[test]
    fn the_power_keeps_its_digits_near_zero() {
        // ln(7) (1 + u/2 + u^2/6) with u = lambda ln(7), by hand.
        let log = 7.0f64.ln();
        for lambda in [1e-12, 1e-7, -1e-5] {
            let u = lambda * log;
            let expected = log * (1.0 + u / 2.0 + u * u / 6.0);
            assert!((value(&BOX_COX, 7.0, &[lambda]) / expected - 1.0).abs() < 1e-15);
        }
        assert!((value(&BOX_COX, 7.0, &[0.5]) - 2.0 * (7.0f64.sqrt() - 1.0)).abs() < 1e-15);
    }
}
