//! Raise the nodes of the quadrature, subject by subject, until two rules agree.
//!
//! Every rule stands where the moments of the one before put it; what the integral of a subject changes by from one to
//! the next is its error. A subject is settled when that is small, and only the others go on: most need two small rules.
//! A change that falls from large to nothing in one step may be chance, and is asked for once more.

use super::gauss_hermite::{rule, trapezoid};
use super::product_rule::{Integrand, Places};
use super::quadrature::{around_modes, RECENTER_FROM};
use crate::error::Result;
use crate::ir::graph::{Graph, Op};
use crate::ir::op::{Binary, Unary};
use crate::problem::Means;

/// Where the refinement ended; one entry a subject.
pub struct Refined {
    pub values: Vec<f64>,
    /// The last change; not a number where only one rule could be afforded.
    pub errors: Vec<f64>,
    pub settled: Vec<bool>,
    pub converged: Vec<bool>,
    pub places: Places,
    /// Nodes a dimension, the most that a subject has.
    pub nodes: usize,
}

/// How far a refinement goes.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Change of a term below which a subject is settled.
    pub tolerance: f64,
    /// Most points of a rule, a subject.
    pub most_points: usize,
    /// Most points of all rules and subjects.
    pub budget: usize,
}

/// A change is believed when it is at most so many times smaller than the one before.
const BELIEVED: f64 = 100.0;

/// A rule in each dimension.
#[derive(Clone, Copy)]
enum Rung {
    Hermite(usize),
    Trapezoid(usize),
}

/// The rules of a model with `d` effects: each has about half as many nodes again as the one before, or more.
fn ladder(d: usize) -> Vec<Rung> {
    let (hermite, trapezoid): (&[usize], &[usize]) = match d {
        0 => (&[1], &[]),
        1 => (&[7, 11, 17, 25], &[65, 129, 257, 513]),
        2 => (&[5, 9, 13, 19], &[49, 73, 109, 163]),
        3 => (&[5, 7, 11, 15, 21, 29], &[]),
        4 => (&[3, 5, 7, 9, 13], &[]),
        _ => (&[1, 3, 5, 7, 9], &[]),
    };
    let first = hermite.iter().map(|n| Rung::Hermite(*n));
    let last = trapezoid.iter().map(|n| Rung::Trapezoid(*n));
    first.chain(last).collect()
}

impl Rung {
    fn nodes(self) -> usize {
        match self {
            Self::Hermite(n) | Self::Trapezoid(n) => n,
        }
    }

    fn points(self) -> Result<Vec<(f64, f64)>> {
        match self {
            Self::Hermite(n) => rule(n),
            Self::Trapezoid(n) => Ok(trapezoid(n)),
        }
    }
}

/// Half the side of the box that the rules cover, in standard deviations: beyond, there is nothing of a Gaussian.
pub const REACH: f64 = 5.0;

/// # Errors
/// None that the rules of the ladder make.
pub fn refine(integrand: &Integrand, start: Option<&[f64]>, effort: Effort) -> Result<Refined> {
    let n = integrand.problem.n_subjects();
    let (places, converged) = around_modes(integrand, start);
    let power = u32::try_from(places.dim).unwrap_or(u32::MAX);
    let mut found = Refined {
        values: vec![f64::NAN; n],
        errors: vec![f64::NAN; n],
        settled: vec![places.dim == 0; n],
        nodes: 1,
        converged,
        places,
    };
    let mut open: Vec<usize> = (0..n).collect();
    let mut spent = 0usize;
    for rung in ladder(found.places.dim) {
        let nodes = rung.nodes();
        let points = nodes.saturating_pow(power);
        let cost = points.saturating_mul(open.len());
        let costly = points > effort.most_points || spent.saturating_add(cost) > effort.budget;
        if open.is_empty() || (nodes > 1 && costly) {
            break;
        }
        spent += cost;
        let moves = nodes >= RECENTER_FROM;
        let sums = integrand.sums(&found.places, &open, &rung.points()?, moves);
        found.nodes = nodes;
        for (i, sum) in open.iter().zip(&sums) {
            let value = found.places.value(*i, sum);
            found.take(*i, value, effort.tolerance);
            if !found.settled[*i] && moves {
                found.places.shift(*i, sum);
            }
        }
        open.retain(|i| !found.settled[*i]);
    }
    if has_kinks(&integrand.problem.form.graph) {
        found.confirm(integrand, effort)?;
    }
    Ok(found)
}

/// Whether a model has kinks in its random effects.
fn has_kinks(graph: &Graph) -> bool {
    let moves = graph.depends(|op| matches!(op, Op::Phi(_)));
    let breaks = |op: Op| match op {
        Op::Unary(f, _) => f == Unary::Abs,
        Op::Binary(f, ..) => {
            use Binary::{Equal, Less, LessEqual, Max, Min};
            matches!(f, Min | Max | Less | LessEqual | Equal)
        }
        _ => false,
    };
    let mut nodes = graph.nodes();
    nodes.any(|node| moves[node.index()] && breaks(graph.op(node)))
}

/// Nodes of the rules over the whole population.
const SWEEPS: [usize; 3] = [513, 2049, 8193];

impl Refined {
    /// At kinks rules agree by chance: subjects that have settled are compared with the finest rule that can be afforded,
    /// where others never settle.
    fn confirm(&mut self, integrand: &Integrand, effort: Effort) -> Result<()> {
        let members: Vec<usize> = (0..self.settled.len())
            .filter(|i| self.settled[*i])
            .collect();
        if members.is_empty() || members.len() == self.settled.len() || self.places.dim == 0 {
            return Ok(());
        }
        let power = u32::try_from(self.places.dim).unwrap_or(u32::MAX);
        let affordable = |rung: &Rung| {
            let points = rung.nodes().saturating_pow(power);
            let all = points.saturating_mul(members.len());
            points <= effort.most_points && all <= effort.budget
        };
        let Some(finest) = ladder(self.places.dim).into_iter().rev().find(affordable) else {
            return Ok(());
        };
        let sums = integrand.sums(&self.places, &members, &finest.points()?, false);
        for (i, sum) in members.iter().zip(&sums) {
            let value = self.places.value(*i, sum);
            let change = (value - self.values[*i]).abs();
            self.values[*i] = value;
            self.errors[*i] = self.errors[*i].max(change);
            self.settled[*i] = self.errors[*i] <= effort.tolerance;
        }
        Ok(())
    }

    /// Integrate `members` of a model with one effect again, over the whole population: their mass is not only where the
    /// rules looked.
    pub fn sweep(&mut self, integrand: &Integrand, members: &[usize], tolerance: f64) {
        let Integrand { problem, theta, .. } = *integrand;
        let means = Means::new(problem, &problem.layout(1), theta);
        for i in members {
            self.places.centers[*i] = means.of(*i)[0];
            self.places.factors[*i] = 1.0 / integrand.prior.chol[(0, 0)];
            self.errors[*i] = f64::NAN;
            self.settled[*i] = false;
        }
        let mut open = members.to_vec();
        for nodes in SWEEPS.into_iter().filter(|_| !members.is_empty()) {
            let sums = integrand.sums(&self.places, &open, &trapezoid(nodes), false);
            self.nodes = self.nodes.max(nodes);
            for (i, sum) in open.iter().zip(&sums) {
                let value = self.places.value(*i, sum);
                self.take(*i, value, tolerance);
            }
            open.retain(|i| !self.settled[*i]);
        }
    }

    /// Take the next value of a subject.
    fn take(&mut self, i: usize, value: f64, tolerance: f64) {
        let (before, change) = (self.errors[i], (value - self.values[i]).abs());
        let plausible = before.is_nan() || before <= BELIEVED * tolerance;
        self.settled[i] |= change <= tolerance && plausible;
        self.values[i] = value;
        self.errors[i] = if self.places.dim == 0 { 0.0 } else { change };
    }
}
