//! Climb a function of the population parameters by quasi-Newton steps that start from the observed information.
//!
//! `theta <- theta + t H g`, `H` the inverse of Louis' information updated by what the steps teach, or with many
//! parameters that of the last steps alone (`metric.rs`). Near the maximum, where values differ by rounding alone, a step is
//! taken when it makes the promised gain `g' H g` smaller. A line search that compares values cannot go there; the
//! fixed point of a linear model is wanted to the last digits.

use nalgebra::{DMatrix, DVector};

use super::metric::Metric;
use crate::mstep::Preconditioner;
use crate::problem::Theta;

/// Longest step, in standard errors.
const LONGEST: f64 = 2.0;

/// Halvings of a step.
const HALVINGS: usize = 25;

/// Relative rounding error of a value.
const ROUNDING: f64 = 1e-11;

/// What is climbed.
pub trait Surface {
    /// Value and gradient in the free coordinates; `None` where it does not exist.
    fn at(&mut self, theta: &[f64]) -> Option<(f64, Vec<f64>)>;

    /// The inverse of the information at the last point that was taken.
    fn precondition(&mut self) -> Option<Preconditioner>;

    /// The last point asked for was taken: steps of other parts begin there.
    fn take(&mut self);
}

/// When the climb ends.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    pub steps: usize,
    /// Gain in twice the value that a further step may promise.
    pub tolerance: f64,
    /// Steps that are remembered in place of a matrix.
    pub memory: Option<usize>,
}

/// Where the climb ended.
#[derive(Debug, Clone)]
pub struct Summit {
    pub theta: Vec<f64>,
    pub value: f64,
    /// Gain in twice the value that a further step promises; infinite when there was no step to judge by.
    pub gain: f64,
    /// Whether it ended because no step rose.
    pub stuck: bool,
    pub stopped: bool,
}

struct Climb<'c> {
    surface: &'c mut dyn Surface,
    bounds: &'c Theta,
    free: &'c [usize],
    theta: Vec<f64>,
    value: f64,
    gradient: DVector<f64>,
    inverse: Metric,
    memory: Option<usize>,
}

/// Climb from `start`; `watch(steps, theta, value)` says whether to go on. `None` where the start has no value.
pub fn climb(
    surface: &mut dyn Surface,
    (bounds, free): (&Theta, &[usize]),
    start: &[f64],
    patience: Patience,
    watch: &mut dyn FnMut(&[f64], f64) -> bool,
) -> Option<Summit> {
    let (value, gradient) = surface.at(start)?;
    surface.take();
    let mut climb = Climb {
        inverse: inverse(surface, (bounds, free), start, patience.memory),
        memory: patience.memory,
        surface,
        bounds,
        free,
        theta: start.to_vec(),
        value,
        gradient: DVector::from_vec(gradient),
    };
    Some(climb.run(patience, watch))
}

/// Sizes of the free coordinates: where one has left a start at zero, still one at least.
pub fn sizes(bounds: &Theta, free: &[usize], theta: &[f64]) -> Vec<f64> {
    let size = |k: &usize| {
        bounds
            .size(*k, theta[*k])
            .max(bounds.size(*k, bounds.start[*k]))
    };
    free.iter().map(size).collect()
}

/// The inverse information, or the squared sizes of the coordinates where there is none.
fn inverse(
    surface: &mut dyn Surface,
    (bounds, free): (&Theta, &[usize]),
    theta: &[f64],
    memory: Option<usize>,
) -> Metric {
    let sizes = sizes(bounds, free, theta).into_iter();
    let squares = DVector::from_iterator(free.len(), sizes.map(|s| 1e-4 * s * s));
    if let Some(memory) = memory {
        return Metric::limited(squares, memory);
    }
    let known = if free.is_empty() {
        None
    } else {
        surface.precondition().map(|found| found.inverse)
    };
    let known = known.filter(|inverse| inverse.iter().all(|x| x.is_finite()));
    Metric::Dense(known.unwrap_or_else(|| DMatrix::from_diagonal(&squares)))
}

impl Climb<'_> {
    fn run(&mut self, patience: Patience, watch: &mut dyn FnMut(&[f64], f64) -> bool) -> Summit {
        let mut fresh = true;
        let mut steps = 0;
        loop {
            let (step, gain) = self.direction(&self.gradient);
            let mut summit = Summit {
                theta: self.theta.clone(),
                value: self.value,
                gain,
                stuck: false,
                stopped: false,
            };
            let believed = self.inverse.is_informed() || gain == 0.0;
            if (believed && gain < patience.tolerance) || steps >= patience.steps {
                return summit;
            }
            if self.advance(&step, gain) {
                steps += 1;
                fresh = false;
                if !watch(&self.theta, self.value) {
                    summit.theta.clone_from(&self.theta);
                    summit.value = self.value;
                    summit.stopped = true;
                    return summit;
                }
            } else if fresh {
                summit.stuck = true;
                return summit;
            } else {
                let coordinates = (self.bounds, self.free);
                self.inverse = inverse(self.surface, coordinates, &self.theta, self.memory);
                fresh = true;
            }
        }
    }

    /// Coordinates that a bound holds against their gradient do not move.
    fn pressed(&self, i: usize, gradient: &DVector<f64>) -> bool {
        let k = self.free[i];
        self.bounds.presses(k, self.theta[k], gradient[i])
    }

    /// The step, no longer than allowed, and the gain in twice the value it promises.
    fn direction(&self, gradient: &DVector<f64>) -> (DVector<f64>, f64) {
        let open: Vec<bool> = (0..self.free.len())
            .map(|i| !self.pressed(i, gradient))
            .collect();
        let masked = DVector::from_fn(
            gradient.len(),
            |i, _| if open[i] { gradient[i] } else { 0.0 },
        );
        let mut step = self.inverse.times(&masked);
        for (step, open) in step.iter_mut().zip(&open) {
            *step = if *open { *step } else { 0.0 };
        }
        let gain = step.dot(&masked);
        let length = gain.max(0.0).sqrt();
        if length > LONGEST {
            step *= LONGEST / length;
        }
        (step, gain)
    }

    /// Take the step or the first of its halves that rises; false when none does.
    fn advance(&mut self, step: &DVector<f64>, gain: f64) -> bool {
        let mut part = 1.0;
        for _ in 0..HALVINGS {
            let mut theta = self.theta.clone();
            for (k, step) in self.free.iter().zip(step.iter()) {
                theta[*k] = self.bounds.clamp(*k, theta[*k] + part * step);
            }
            if let Some((value, gradient)) = self.surface.at(&theta) {
                let gradient = DVector::from_vec(gradient);
                if self.rises(value, &gradient, gain, part) {
                    self.surface.take();
                    self.update(theta, value, gradient);
                    return true;
                }
            }
            part *= 0.5;
        }
        false
    }

    fn rises(&self, value: f64, gradient: &DVector<f64>, gain: f64, part: f64) -> bool {
        let sound = value.is_finite() && gradient.iter().all(|g| g.is_finite());
        let rounding = ROUNDING * (1.0 + self.value.abs());
        if !sound || value < self.value - rounding {
            return false;
        }
        // The promised rise of the value is half the gain.
        if gain > 100.0 * rounding {
            return value >= self.value + 1e-4 * part * 0.5 * gain;
        }
        self.direction(gradient).1 < 0.9 * gain
    }

    /// Move, and learn from the change of the gradient.
    fn update(&mut self, theta: Vec<f64>, value: f64, gradient: DVector<f64>) {
        let moved = self.free.iter().map(|k| theta[*k] - self.theta[*k]);
        let s = DVector::from_iterator(self.free.len(), moved);
        self.inverse.update(s, &self.gradient - &gradient);
        self.theta = theta;
        self.value = value;
        self.gradient = gradient;
    }
}
