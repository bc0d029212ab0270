//! Find the state in which nothing moves: an infusion without end.
//!
//! The course is followed by the linearly implicit Euler method, `(I / delta - J) d = f(x) + r`, `x <- x + d`: there may be
//! other roots that no course leads to. A step is taken as two halves, what one step of twice the length makes of it says
//! how much it errs. Steps grow as there is less and less to follow and are those of Newton's method in the end. At rest
//! `dx/dp = -J^-1 (df/dp + dr/dp)`.

use super::field::LanesField;
use super::walk::LanesWalk;
use super::way::{Sink, WalkSetting};
use crate::ir::column::Column;
use crate::ode::program::{LeafColumns, ProgramMemory};
use crate::ode::task::Failure;
use crate::ode::timeline::{Act, InputSlopes, Stop};

const MAX_ITERATIONS: usize = 2_000;
/// Relative error of a step on the way.
const ROUGHLY: f64 = 0.01;
/// By how much a step may grow or shrink.
const MOST_GROWTH: f64 = 4.0;
const MOST_SHRINKING: f64 = 0.1;
/// Relative change that counts as none.
const SAME: f64 = 1e-12;

/// Memory of one lane: the first lane of the columns.
#[derive(Debug, Clone)]
pub struct Rest {
    leaves: LeafColumns,
    memory: ProgramMemory,
    out: Vec<Column>,
    pub matrix: Vec<f64>,
    /// Right-hand sides, one after the other: the field, then a direction each.
    pub right: Vec<f64>,
    rates: Vec<f64>,
    pub x: Vec<f64>,
}

impl Rest {
    fn new(field: &LanesField) -> Self {
        let (n, width) = (field.n, field.width());
        Self {
            leaves: LeafColumns::zeros(field.n_inputs, n, field.n_signals),
            memory: field.still.memory(),
            out: vec![Column::ZERO; field.still.n_roots()],
            matrix: vec![0.0; n * n],
            right: vec![0.0; width],
            rates: vec![0.0; width],
            x: vec![0.0; n],
        }
    }

    /// The infusion that never ends.
    fn drive(&mut self, field: &LanesField, cycle: &[Stop]) {
        self.rates.fill(0.0);
        for stop in cycle {
            let Act::Rate {
                state,
                change,
                slopes,
            } = &stop.act
            else {
                continue;
            };
            self.rates[*state] += change;
            for InputSlopes { input, slope } in slopes {
                if let Some(j) = field.directions.iter().position(|d| d == input) {
                    self.rates[field.along(j, *state)] += slope;
                }
            }
        }
    }

    /// Field and matrix at `x`; the largest element of `J`.
    fn evaluate(&mut self, way: &WalkSetting, delta: f64) -> f64 {
        let n = way.field.n;
        for (state, x) in self.leaves.states.iter_mut().zip(&self.x) {
            state.0[0] = *x;
        }
        let still = &way.field.still;
        still.run(way.isa, 1, &self.leaves, &mut self.memory, &mut self.out);
        for k in 0..n {
            self.right[k] = self.out[k].0[0] + self.rates[k];
        }
        for k in (0..n).filter(|k| way.field.held[*k]) {
            self.right[k] = 0.0;
            (0..n).for_each(|i| self.out[n + k * n + i].0[0] = 0.0);
        }
        let mut largest: f64 = 0.0;
        for i in 0..n * n {
            let slope = self.out[n + i].0[0];
            largest = largest.max(slope.abs());
            self.matrix[i] = f64::from(u8::from(i / n == i % n)) / delta - slope;
        }
        for i in n..self.right.len() {
            self.right[i] = self.out[n * n + i].0[0] + self.rates[i];
        }
        largest
    }

    /// States that only add up stay where they start, with the derivatives of that: their rows of `I / delta - J` are
    /// those of `I`.
    fn hold(&mut self, field: &LanesField, adds: bool) {
        let n = field.n;
        for k in (0..n).filter(|k| field.held[*k]) {
            self.matrix[k * n + k] = 1.0;
            for j in 0..field.directions.len() {
                let begins = field.initial_slope(j, k);
                self.right[field.along(j, k)] = if adds { 0.0 } else { begins };
            }
        }
    }

    /// Go to rest from `x`; true if it was reached.
    fn settle(&mut self, way: &WalkSetting, adds: bool) -> bool {
        let n = way.field.n;
        let largest = self.evaluate(way, f64::INFINITY);
        if largest.is_nan() || largest == 0.0 {
            self.hold(way.field, adds);
            return self.right[..n].iter().all(|f| *f == 0.0);
        }
        let mut delta = 1e-2 / largest;
        for _ in 0..MAX_ITERATIONS {
            let before = self.x.clone();
            let error = self.step(way, delta, &before);
            if error <= 1.0 {
                let still = |(x, before): (&f64, &f64)| {
                    (x - before).abs() <= SAME * x.abs() + 1e-6 * way.limits.atol
                };
                if delta * largest > 1e6 && self.x.iter().zip(&before).all(still) {
                    // The derivatives are those of Newton's method.
                    self.evaluate(way, 1e20 / largest);
                    self.hold(way.field, adds);
                    return solve(&mut self.matrix, &mut self.right, n);
                }
            } else {
                self.x = before;
            }
            // The error grows with the square of the step; what is no number counts as large.
            let factor = 0.9 / error.sqrt();
            delta *= if factor >= MOST_SHRINKING {
                factor.min(MOST_GROWTH)
            } else {
                MOST_SHRINKING
            };
        }
        false
    }

    /// Two steps of `delta / 2` from `before`; their error in units of what it may be.
    fn step(&mut self, way: &WalkSetting, delta: f64, before: &[f64]) -> f64 {
        if !self.advance(way, delta) {
            return f64::INFINITY;
        }
        let whole = std::mem::replace(&mut self.x, before.to_vec());
        if !(self.advance(way, 0.5 * delta) && self.advance(way, 0.5 * delta)) {
            return f64::INFINITY;
        }
        let own = |k: usize| {
            let size = self.x[k].abs().max(before[k].abs());
            let error = (self.x[k] - whole[k]).abs() / (ROUGHLY * size + way.limits.atol);
            if error.is_nan() {
                f64::INFINITY
            } else {
                error
            }
        };
        (0..whole.len()).map(own).fold(0.0, f64::max)
    }

    /// One step; false where the matrix is singular.
    fn advance(&mut self, way: &WalkSetting, delta: f64) -> bool {
        let n = way.field.n;
        self.evaluate(way, delta);
        let solved = solve(&mut self.matrix, &mut self.right[..n], n);
        for (x, d) in self.x.iter_mut().zip(&self.right) {
            *x += d;
        }
        solved
    }
}

impl LanesWalk {
    /// Let the lane at `p`, at a stop [`Act::Steady`] without an interval, come to rest.
    pub fn rest(&mut self, way: &WalkSetting, sink: &mut Sink, p: usize) {
        let position = self.positions[p];
        let stop = &way.courses[position.lane].stops[position.cursor];
        let Act::Steady { cycle, adds, .. } = &stop.act else {
            return;
        };
        let mut rest = self
            .rest
            .take()
            .unwrap_or_else(|| Box::new(Rest::new(way.field)));
        let field = way.field;
        for (to, from) in rest.leaves.inputs.iter_mut().zip(&self.leaves.inputs) {
            to.0[0] = from.0[p];
        }
        self.tell_time(way, 0.0);
        for (to, from) in rest.leaves.data.iter_mut().zip(&self.leaves.data) {
            to.0[0] = from.0[p];
        }
        rest.leaves.data[crate::ode::system::ELAPSED as usize].0[0] = 0.0;
        for (k, initial) in field.initial.iter().enumerate() {
            let initial = initial.filter(|_| !adds);
            rest.x[k] = initial.map_or(0.0, |input| self.leaves.inputs[input].0[p]);
        }
        rest.drive(field, cycle);
        field.still.once(way.isa, &rest.leaves, &mut rest.memory);
        if rest.settle(way, *adds) {
            self.take_rest(way, p, *adds, &rest);
            if let Some(record) = sink.record.as_deref_mut() {
                record.rest(self, way, p, &rest.x, stop);
            }
            self.positions[p].cursor += 1;
        } else {
            self.fail(way, sink, p, Failure::NoSteadyState);
        }
        self.rest = Some(rest);
    }

    fn take_rest(&mut self, way: &WalkSetting, p: usize, adds: bool, rest: &Rest) {
        let n = way.field.n;
        let found = rest.x.iter().chain(&rest.right[n..]);
        let columns = self.x.iter_mut().zip(found).enumerate();
        for (_, (x, found)) in columns.filter(|(c, _)| !way.field.lasts(*c)) {
            let before = if adds { x.0[p] } else { 0.0 };
            x.0[p] = before + found;
        }
        if !adds {
            for rate in &mut self.leaves.rates {
                rate.0[p] = 0.0;
            }
        }
    }
}

/// Solve `matrix x = right` (row-major) for right-hand sides of length `n`, one after the other, by elimination with
/// partial pivoting, in place. False if the matrix is singular or not finite.
pub fn solve(matrix: &mut [f64], right: &mut [f64], n: usize) -> bool {
    for i in 0..n {
        let size = |row: &usize| matrix[row * n + i].abs();
        let pivot = (i..n)
            .max_by(|a, b| size(a).total_cmp(&size(b)))
            .unwrap_or(i);
        let largest = matrix[pivot * n + i];
        if largest == 0.0 || !largest.is_finite() {
            return false;
        }
        for j in 0..n {
            matrix.swap(i * n + j, pivot * n + j);
        }
        for right in right.chunks_mut(n) {
            right.swap(i, pivot);
        }
        for row in i + 1..n {
            let factor = matrix[row * n + i] / matrix[i * n + i];
            if factor == 0.0 {
                continue;
            }
            for j in i..n {
                matrix[row * n + j] -= factor * matrix[i * n + j];
            }
            for right in right.chunks_mut(n) {
                right[row] -= factor * right[i];
            }
        }
    }
    for right in right.chunks_mut(n) {
        for i in (0..n).rev() {
            let known: f64 = (i + 1..n).map(|j| matrix[i * n + j] * right[j]).sum();
            right[i] = (right[i] - known) / matrix[i * n + i];
        }
    }
    true
}
