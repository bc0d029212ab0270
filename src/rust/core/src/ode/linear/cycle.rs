//! Find the steady state of repeated doses and of an infusion without end.
//!
//! States that only add up keep the value from which they start: their rows of `I - F` are those of `I`, without a change.
//!
//! A cycle is an affine map `x -> F x + c`, `F` the derivative of the flow over the interval. Its fixed point is
//! `x = x0 + (I - F)^-1 (map(x0) - x0)`, however slowly cycles would come there. Derivatives likewise: from the fixed point
//! with `S0` the cycle leads to `S1`, so `S = S0 + (I - F)^-1 (S1 - S0)`. An infusion comes to rest where
//! `A x + b + r = 0`, with `A S + d(A x + b + r)/dp = 0`.

use super::march::{LinearScratch, March};
use super::meet::copy_lanes;
use crate::ir::column::{Column, LANES};
use crate::ir::vmath::Isa;
use crate::ode::system::ELAPSED;
use crate::ode::task::Failure;
use crate::ode::timeline::{Act, Stop};

impl March {
    /// Lanes at stops [`Act::Steady`].
    pub(super) fn steady<'a>(
        &self,
        isa: Isa,
        stops: impl Iterator<Item = (usize, &'a Stop)> + Clone,
        scratch: &mut LinearScratch,
    ) {
        let lanes = stops.clone().fold(0u64, |set, (lane, _)| set | 1 << lane);
        let mut saved = std::mem::take(&mut scratch.saved);
        let [states, rates] = &mut saved;
        copy_lanes(lanes, &scratch.leaves.states, states);
        copy_lanes(lanes, &scratch.leaves.rates, rates);
        for (lane, stop) in stops.clone() {
            self.restart(lane, &mut scratch.leaves);
            if let Act::Steady { adds: true, .. } = stop.act {
                let states = scratch.leaves.states.iter_mut();
                states.for_each(|column| column.0[lane] = 0.0);
            }
        }
        let is_finite =
            |stop: &Stop| matches!(stop.act, Act::Steady { interval, .. } if interval.is_finite());
        if stops.clone().any(|(_, stop)| is_finite(stop)) {
            self.repeat(
                isa,
                stops.clone().filter(|(_, stop)| is_finite(stop)),
                scratch,
            );
        }
        if stops.clone().any(|(_, stop)| !is_finite(stop)) {
            self.rest(
                isa,
                stops.clone().filter(|(_, stop)| !is_finite(stop)),
                scratch,
            );
        }
        for (lane, stop) in stops {
            let Act::Steady { adds, .. } = stop.act else {
                continue;
            };
            let before = |column: &Column| if adds { column.0[lane] } else { 0.0 };
            let leaves = &mut scratch.leaves;
            for (c, (x, saved)) in leaves.states.iter_mut().zip(states.iter()).enumerate() {
                if self.lasts(c) {
                    x.0[lane] = saved.0[lane];
                } else {
                    x.0[lane] += before(saved);
                }
            }
            for (rate, saved) in leaves.rates.iter_mut().zip(rates.iter()) {
                rate.0[lane] = before(saved);
            }
        }
        scratch.saved = saved;
    }

    /// To the fixed point of the cycles; what stands in the states is where they start.
    fn repeat<'a>(
        &self,
        isa: Isa,
        stops: impl Iterator<Item = (usize, &'a Stop)> + Clone,
        scratch: &mut LinearScratch,
    ) {
        let n = self.n;
        self.transfer(isa, stops.clone(), scratch);
        // Values first: the derivatives of a cycle are taken at its fixed point.
        for values in [true, false] {
            if !values && self.directions.is_empty() {
                break;
            }
            let mut start = std::mem::take(&mut scratch.start);
            start.clone_from(&scratch.leaves.states);
            self.cycle(isa, stops.clone(), scratch);
            let columns = if values { 0..n } else { n..start.len() };
            for (lane, _) in stops.clone() {
                let one = |i: usize| f64::from(u8::from(i / n == i % n));
                let (system, states) = (&mut scratch.elimination, &mut scratch.leaves.states);
                let moves = |i: usize| self.unless_held(i / n, scratch.matrix[i].0[lane]);
                let elements = (0..n * n).map(|i| one(i) - moves(i));
                let change = |c: usize| states[c].0[lane] - start[c].0[lane];
                let change = |c: usize| self.unless_held(c % n, change(c));
                system.set(elements, columns.clone().map(change));
                let is_found = system.solve(n);
                for (x, start) in states.iter_mut().zip(&start) {
                    x.0[lane] = start.0[lane];
                }
                for (c, change) in columns.clone().zip(&system.right) {
                    states[c].0[lane] += change;
                }
                if !is_found {
                    self.fail(lane, scratch);
                }
            }
            scratch.start = start;
        }
    }

    /// Derivatives of the flow over the interval.
    fn transfer<'a>(
        &self,
        isa: Isa,
        stops: impl Iterator<Item = (usize, &'a Stop)>,
        scratch: &mut LinearScratch,
    ) {
        for (lane, stop) in stops {
            if let Act::Steady { interval, .. } = stop.act {
                scratch.leaves.data[ELAPSED as usize].0[lane] = interval;
            }
        }
        let (leaves, memory) = (&scratch.leaves, &mut scratch.flow);
        self.flow.transfer(isa, leaves, memory, &mut scratch.matrix);
    }

    /// One cycle.
    fn cycle<'a>(
        &self,
        isa: Isa,
        stops: impl Iterator<Item = (usize, &'a Stop)> + Clone,
        scratch: &mut LinearScratch,
    ) {
        let parts = |stop: &'a Stop| match &stop.act {
            Act::Steady {
                interval, cycle, ..
            } => (*interval, cycle.as_slice()),
            _ => (0.0, [].as_slice()),
        };
        let mut now = [0.0; LANES];
        let most = stops
            .clone()
            .map(|(_, stop)| parts(stop).1.len())
            .max()
            .unwrap_or(0);
        for i in 0..=most {
            let mut lanes = 0u64;
            for (lane, stop) in stops.clone() {
                let (interval, cycle) = parts(stop);
                let time = cycle.get(i).map_or(interval, |inner| inner.time);
                let elapsed = time - now[lane];
                scratch.leaves.data[ELAPSED as usize].0[lane] = elapsed;
                now[lane] = time;
                if elapsed != 0.0 {
                    lanes |= 1 << lane;
                }
            }
            if lanes != 0 {
                self.advance(isa, lanes, 0, scratch);
            }
            let inner = stops
                .clone()
                .filter_map(|(lane, stop)| Some((lane, parts(stop).1.get(i)?)));
            self.pass(isa, inner, scratch);
        }
    }

    /// To where nothing moves.
    fn rest<'a>(
        &self,
        isa: Isa,
        stops: impl Iterator<Item = (usize, &'a Stop)> + Clone,
        scratch: &mut LinearScratch,
    ) {
        let n = self.n;
        for (lane, stop) in stops.clone() {
            let Act::Steady { cycle, .. } = &stop.act else {
                continue;
            };
            for inner in cycle {
                self.jump(lane, &inner.act, &mut scratch.leaves);
            }
        }
        for values in [true, false] {
            if !values && self.directions.is_empty() {
                break;
            }
            if !std::mem::replace(&mut scratch.ready[1], true) {
                self.still.once(isa, &scratch.leaves, &mut scratch.still);
            }
            let (leaves, memory) = (&scratch.leaves, &mut scratch.still);
            self.still
                .run(isa, LANES, leaves, memory, &mut scratch.matrix);
            for (lane, _) in stops.clone() {
                let (system, states) = (&mut scratch.elimination, &mut scratch.leaves.states);
                let at = |c: usize| scratch.matrix[c].0[lane];
                let columns = if values { 0..n } else { n..states.len() };
                let moves = |c: usize| if values { at(c) } else { at(n * n + c) };
                let rate = |c: usize| scratch.leaves.rates[c].0[lane];
                let right = columns.clone();
                let right = right.map(|c| self.unless_held(c % n, moves(c) + rate(c)));
                let one = |i: usize| f64::from(u8::from(i / n == i % n && self.held[i / n]));
                let element = |i: usize| one(i) - self.unless_held(i / n, at(n + i));
                system.set((0..n * n).map(element), right);
                let is_found = system.solve(n);
                for (c, change) in columns
                    .zip(&system.right)
                    .filter(|(c, _)| !self.held[c % n])
                {
                    let before = if values { states[c].0[lane] } else { 0.0 };
                    states[c].0[lane] = before + change;
                }
                if !is_found {
                    self.fail(lane, scratch);
                }
            }
        }
    }

    /// Zero for a state that only adds up.
    fn unless_held(&self, k: usize, value: f64) -> f64 {
        if self.held[k] {
            0.0
        } else {
            value
        }
    }

    fn fail(&self, lane: usize, scratch: &mut LinearScratch) {
        let states = &mut scratch.leaves.states;
        if states[..self.n].iter().all(|x| x.0[lane].is_finite()) {
            scratch.failures[lane].get_or_insert(Failure::NoSteadyState);
        }
        states.iter_mut().for_each(|x| x.0[lane] = f64::NAN);
    }
}
