//! Integrate by a rule what has no closed form.
//!
//! Hazards often begin at infinity, or with slopes there, and are smooth afterwards: the first part of the interval is
//! integrated by a double exponential rule (Takahasi and Mori, 1974), `t = a + w x(s)` with
//! `x = 1/(1 + e^(-pi sinh s))`, whose nodes come as close to `a` as numbers go; the rest by Gauss and Legendre's, in
//! panels. Where the hazard is written in the time since an origin, as in `t - last`, nodes are laid out in that time,
//! so that no difference of large numbers takes the place of a small one.

use std::f64::consts::PI;
use std::num::NonZeroUsize;

use gauss_quad::legendre::GaussLegendre;

use super::closed::Span;
use super::dependents;
use crate::ir::graph::{Graph, Node, Op};
use crate::ir::op::Binary;

/// Nodes of a panel.
const NODES: usize = 20;
/// Step of the double exponential rule, and the first and the last of its nodes: `t^-0.9` is cut off at `1e-10` of its
/// integral, and what lies behind the last node is below rounding.
const STEP: f64 = 0.25;
const FIRST: i32 = -20;
const LAST: i32 = 12;
/// The first part of the interval, as a part of a panel.
const GRADED: f64 = 0.125;

/// Nodes and weights on (0, 1).
fn nodes(panels: usize) -> Vec<(f64, f64)> {
    let width = 1.0 / panels.max(1) as f64;
    let graded = GRADED * width;
    let mut all = Vec::new();
    for i in FIRST..=LAST {
        let s = STEP * f64::from(i);
        let e = (-PI * s.sinh()).exp();
        let x = 1.0 / (1.0 + e);
        let weight = STEP * PI * s.cosh() * x * (x * e);
        all.push((graded * x, graded * weight));
    }
    let rule = GaussLegendre::new(NonZeroUsize::new(NODES).unwrap_or(NonZeroUsize::MIN));
    for panel in 0..panels.max(1) {
        let from = if panel == 0 {
            graded
        } else {
            width * panel as f64
        };
        let half = 0.5 * (width * (panel + 1) as f64 - from);
        for (point, weight) in rule.iter() {
            all.push((from + half * (1.0 + point), half * weight));
        }
    }
    all
}

/// `int hazard dt`, where `hazard` is written in the node `time`.
pub fn integral(g: &mut Graph, hazard: Node, time: Node, span: Span, panels: usize) -> Node {
    let origin = origin(g, hazard, time);
    let [from, to] = span.since(g, origin);
    let width = g.sub(to, from);
    // An empty interval has nodes as others have: at its end the hazard may be infinite.
    let (zero, one) = (g.constant(0.0), g.constant(1.0));
    let is_wide = g.binary(Binary::Less, zero, width);
    let spread = g.select(is_wide, width, one);
    let mut terms = Vec::new();
    for (x, weight) in nodes(panels) {
        let step = g.scale(x, spread);
        let at = g.add(from, step);
        let value = written_at(g, hazard, time, (origin, at));
        terms.push(g.scale(weight, value));
    }
    let mean = g.sum(&terms);
    g.mul(mean, width)
}

/// From when on the hazard counts the time, where it is written in such a time.
fn origin(g: &Graph, hazard: Node, time: Node) -> Option<Node> {
    let needed = g.reachable(&[hazard]);
    let varies = dependents(g, time);
    let mut nodes = g.nodes().filter(|node| needed[node.index()]);
    nodes.find_map(|node| match g.op(node) {
        Op::Binary(Binary::Sub, a, b) if a == time && !varies[b.index()] => Some(b),
        _ => None,
    })
}

/// The hazard at the time `at`, counted from the origin.
fn written_at(g: &mut Graph, hazard: Node, time: Node, (origin, at): (Option<Node>, Node)) -> Node {
    let Some(origin) = origin else {
        return super::replaced(g, hazard, &[(time, at)]);
    };
    let clock = g.add(origin, at);
    let since = g.sub(time, origin);
    super::replaced(g, hazard, &[(time, clock), (since, at)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn integrate(panels: usize, f: impl Fn(f64) -> f64) -> f64 {
        nodes(panels).iter().map(|(x, weight)| weight * f(*x)).sum()
    }

    #[test]
    fn powers_with_any_beginning_are_integrated() {
        for panels in [1, 2, 4] {
            for power in [-0.9, -0.7, -0.5, 0.0, 0.3, 1.0, 2.5, 8.0] {
                let error = integrate(panels, |x| x.powf(power)) * (power + 1.0) - 1.0;
                assert!(error.abs() < 1e-9, "{power} {panels}: {error}");
            }
        }
        let error = integrate(1, |x| 1.0 / (0.01 + x)) - (1.01f64 / 0.01).ln();
        assert!(error.abs() < 1e-6, "{error}");
    }
}
