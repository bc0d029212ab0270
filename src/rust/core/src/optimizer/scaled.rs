//! Put an objective on the scale on which the optimizers work.

use std::cell::RefCell;

use super::{BestPoint, Objective};

/// Where an objective is maximized; all of one length but `weight`.
#[derive(Debug, Clone)]
pub struct Space {
    pub start: Vec<f64>,
    pub lower: Vec<f64>,
    pub upper: Vec<f64>,
    /// Step of each coordinate that is neither large nor small.
    pub size: Vec<f64>,
    /// Size of the objective's changes at such steps: the number of observations for a log density.
    pub weight: f64,
}

/// Step of a central difference, in sizes: near the cube root of the precision.
const DIFFERENCE: f64 = 1e-5;

/// The objective as the optimizers see it: a cost of `z`. It remembers the best point it was asked for.
pub struct ScaledCost<'o> {
    inner: RefCell<CostState<'o>>,
    space: Space,
    finite: bool,
}

struct CostState<'o> {
    objective: &'o mut dyn Objective,
    best: BestPoint,
    first: f64,
    /// Values since the last gradient.
    run: usize,
}

impl<'o> ScaledCost<'o> {
    /// `finite`: whether gradients are central differences although exact ones are known.
    pub fn new(objective: &'o mut dyn Objective, mut space: Space, finite: bool) -> Self {
        for k in 0..space.start.len() {
            space.start[k] = space.start[k].max(space.lower[k]).min(space.upper[k]);
        }
        let value = objective.value(&space.start);
        let best = BestPoint {
            x: space.start.clone(),
            value,
            evaluations: 1,
            not_finite: usize::from(!value.is_finite()),
        };
        let inner = CostState {
            objective,
            best,
            first: value,
            run: 0,
        };
        Self {
            inner: RefCell::new(inner),
            space,
            finite,
        }
    }

    /// Whether there is something to maximize, and a start to do it from.
    pub fn is_defined(&self) -> bool {
        !self.space.start.is_empty() && self.inner.borrow().first.is_finite()
    }

    pub fn len(&self) -> usize {
        self.space.start.len()
    }

    pub fn best(&self) -> BestPoint {
        self.inner.borrow().best.clone()
    }

    /// Values that were computed since the last gradient.
    pub fn run(&self) -> usize {
        self.inner.borrow().run
    }

    /// A tolerance of the objective, as the optimizers see it.
    pub fn tolerance(&self, value: f64) -> f64 {
        value / self.space.weight
    }

    /// The best point so far.
    pub fn best_z(&self) -> Vec<f64> {
        self.z(&self.best().x)
    }

    /// The nearest point inside the bounds.
    pub fn inside(&self, z: &[f64]) -> Vec<f64> {
        self.z(&self.x(z))
    }

    fn z(&self, x: &[f64]) -> Vec<f64> {
        let entries = x.iter().zip(&self.space.start).zip(&self.space.size);
        entries
            .map(|((x, start), size)| (x - start) / size)
            .collect()
    }

    /// The point inside the bounds.
    pub fn x(&self, z: &[f64]) -> Vec<f64> {
        let space = &self.space;
        (0..z.len())
            .map(|k| {
                let x = space.start[k] + space.size[k] * z[k];
                x.max(space.lower[k]).min(space.upper[k])
            })
            .collect()
    }

    /// The cost at `z`; very large where the objective is not finite.
    pub fn cost(&self, z: &[f64]) -> f64 {
        let x = self.x(z);
        let value = self.value(x);
        let first = self.inner.borrow().first;
        if value.is_finite() {
            (first - value) / self.space.weight
        } else {
            f64::MAX
        }
    }

    fn value(&self, x: Vec<f64>) -> f64 {
        let mut inner = self.inner.borrow_mut();
        let value = inner.objective.value(&x);
        inner.run += 1;
        inner.best.evaluations += 1;
        inner.best.not_finite += usize::from(!value.is_finite());
        if value.is_finite() && value > inner.best.value {
            inner.best.value = value;
            inner.best.x = x;
        }
        value
    }

    /// Gradient of the cost; nothing in the directions that lead out of the bounds.
    pub fn gradient(&self, z: &[f64]) -> Vec<f64> {
        let x = self.x(z);
        let exact = if self.finite {
            None
        } else {
            self.inner.borrow_mut().objective.gradient(&x)
        };
        let gradient = exact.unwrap_or_else(|| self.differences(&x));
        self.inner.borrow_mut().run = 0;
        let space = &self.space;
        let outward = |k: usize, g: f64| {
            let raw = space.start[k] + space.size[k] * z[k];
            let (low, high) = (space.lower[k], space.upper[k]);
            raw < low || raw > high || (raw <= low && g < 0.0) || (raw >= high && g > 0.0)
        };
        let entries = gradient.iter().enumerate();
        entries
            .map(|(k, g)| {
                if outward(k, *g) || !g.is_finite() {
                    0.0
                } else {
                    -g * space.size[k] / space.weight
                }
            })
            .collect()
    }

    /// Central differences, one-sided at a bound.
    fn differences(&self, x: &[f64]) -> Vec<f64> {
        let space = &self.space;
        (0..x.len())
            .map(|k| {
                let h = DIFFERENCE * space.size[k];
                let side = |to: f64| {
                    let mut moved = x.to_vec();
                    moved[k] = to.max(space.lower[k]).min(space.upper[k]);
                    (moved[k], self.value(moved))
                };
                let ((up, above), (down, below)) = (side(x[k] + h), side(x[k] - h));
                if up > down {
                    (above - below) / (up - down)
                } else {
                    0.0
                }
            })
            .collect()
    }
}
