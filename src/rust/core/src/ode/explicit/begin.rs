//! Put lanes at the beginning of their courses, and begin again after a change.

use super::start;
use super::step::StepColumns;
use super::walk::{LanesWalk, Position};
use super::way::{bits, first_bits, Sink, WalkSetting};
use crate::ir::column::{Column, LANES};
use crate::ode::system::SIGNALS;
use crate::ode::task::Failure;
use crate::ode::timeline::Act;

impl LanesWalk {
    /// Put all lanes at their beginnings; inputs and states were written, those of unused lanes are finite.
    pub fn begin(&mut self, way: &WalkSetting) {
        self.count = way.courses.len();
        self.active = first_bits(self.count);
        (self.steps, self.slots) = ([0; LANES], 0);
        self.leaves.rates.fill(Column::ZERO);
        self.clock.steps = Column::ZERO;
        self.clock.mark = Column::splat(f64::INFINITY);
        self.clock.target = Column::splat(f64::INFINITY);
        self.clock.h = Column::ZERO;
        let field = way.field;
        field.rhs.once(way.isa, &self.leaves, &mut self.memory);
        field
            .flow
            .once(way.isa, &self.leaves, &mut self.flow_memory);
        field
            .whole
            .once(way.isa, &self.leaves, &mut self.whole_memory);
        for (lane, course) in way.courses.iter().enumerate() {
            let observed = course
                .stops
                .iter()
                .filter(|stop| matches!(stop.act, Act::Observe(_)));
            self.positions[lane] = Position {
                lane,
                cursor: 0,
                left: observed.count(),
            };
            self.clock.t.0[lane] = course.start;
            self.clock.origin.0[lane] = course.start;
        }
        self.find_driven(way);
    }

    /// Read the first line of the signals of every lane.
    pub fn first_signals(&mut self, way: &WalkSetting) {
        for (lane, course) in way.courses.iter().enumerate() {
            if let Some(line) = course.signals.lines.first() {
                self.read_signals(lane, line);
            }
        }
    }

    pub fn read_signals(&mut self, p: usize, line: &[f64]) {
        let signals = self.leaves.data.iter_mut().skip(SIGNALS as usize);
        for (column, value) in signals.zip(line) {
            column.0[p] = *value;
        }
    }

    fn find_driven(&mut self, way: &WalkSetting) {
        self.driven.clear();
        let field = way.field;
        let mut found = 0u128;
        for stop in way.courses.iter().flat_map(|course| course.stops) {
            if let Act::Rate { state, .. } = stop.act {
                found |= 1 << state.min(127);
            }
        }
        if found == 0 {
            return;
        }
        for (i, column) in field.moving.iter().enumerate() {
            if (found >> (column % field.n).min(127)) & 1 != 0 {
                self.driven.push((i, *column));
            }
        }
    }

    /// Derivatives of the present states, and a step that has proved itself after such a change before.
    pub fn restart(&mut self, way: &WalkSetting, sink: &mut Sink, lanes: u64) {
        if lanes == 0 {
            return;
        }
        self.show(lanes);
        self.evaluate(way, 6, 0.0);
        let q = way.field.moving.len();
        let (first, last) = self.k.split_at_mut(6 * q);
        for (k, new) in first.iter_mut().zip(last) {
            for p in bits(lanes) {
                k.0[p] = new.0[p];
            }
        }
        for p in bits(lanes) {
            let (free, first) = (self.clock.free.0[p], self.clock.first.0[p]);
            self.clock.free.0[p] = if first > 0.0 { free.min(first) } else { free };
            self.clock.fresh.0[p] = 1.0;
        }
        self.need_finite(way, sink, lanes);
    }

    fn need_finite(&mut self, way: &WalkSetting, sink: &mut Sink, lanes: u64) {
        let q = way.field.moving.len();
        for p in bits(lanes) {
            if self.k[..q]
                .iter()
                .take(way.field.n_values)
                .any(|k| !k.0[p].is_finite())
            {
                self.fail(way, sink, p, Failure::NotFinite);
            }
        }
    }

    /// Derivatives at the beginning, and the first step of lanes that bring none (`free` is zero).
    pub fn first_steps(&mut self, way: &WalkSetting, sink: &mut Sink) {
        let q = way.field.moving.len();
        self.clock.h = Column::ZERO;
        self.leaves.states.copy_from_slice(&self.x);
        self.evaluate(way, 0, 0.0);
        self.clock.first = self.clock.free;
        self.clock.fresh = Column::splat(1.0);
        self.clock.log_error = Column::ZERO;
        self.need_finite(way, sink, self.active);
        if q == 0 {
            // Nothing is integrated: from stop to stop.
            self.clock.free = Column::splat(f64::MAX);
        }
        if bits(self.active).all(|p| self.clock.free.0[p] > 0.0) {
            return;
        }
        let mut span = Column::splat(1.0);
        for p in bits(self.active) {
            span.0[p] = self.span(way, p);
        }
        let mut guess = Column::ZERO;
        let values = way.field.n_values;
        let columns = StepColumns {
            moving: &way.field.moving,
            x: &self.x,
            k: &self.k,
        };
        let out = (&mut guess, self.leaves.states.as_mut_slice());
        start::guess(way.isa, &columns, values, &way.limits, &span, out);
        self.clock.h = guess;
        self.evaluate(way, 1, 1.0);
        let columns = StepColumns {
            moving: &way.field.moving,
            x: &self.x,
            k: &self.k[..2 * q],
        };
        let at = (self.leaves.states.as_slice(), &span);
        start::first(way.isa, &columns, values, &way.limits, at, &mut guess);
        for p in bits(self.active) {
            if self.clock.free.0[p] == 0.0 {
                self.clock.free.0[p] = guess.0[p];
            }
        }
    }

    /// Time to the next change, or to the end.
    fn span(&self, way: &WalkSetting, p: usize) -> f64 {
        let (now, target) = (self.clock.t.0[p], self.clock.target.0[p]);
        let course = &way.courses[self.positions[p].lane];
        let last = course.stops.last().map_or(target, |stop| stop.time);
        let end = if target.is_finite() { target } else { last };
        // Everything there is at one time: any step will do.
        if end > now {
            end - now
        } else {
            1.0
        }
    }
}
