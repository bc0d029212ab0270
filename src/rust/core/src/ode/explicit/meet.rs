//! Let lanes meet what changes them: doses, infusions, resets, new signals.
//!
//! Where the time of a stop moves with an input, `S+ = g_x (S- + f- dt/dp) + g_p - f+ dt/dp` with the jump `g` of the states
//! and the derivatives `f-` and `f+` before and after.

use super::walk::LanesWalk;
use super::way::{bits, Sink, WalkSetting};
use crate::ir::column::Column;
use crate::ode::timeline::{Act, InputSlopes, Stop};

/// What a lane does next at a stop.
enum Next {
    /// Nothing more at this time.
    Done,
    /// Its time moves: derivatives before and after are needed.
    Moved,
    /// It runs to a steady state.
    Steady,
}

impl LanesWalk {
    /// Let states in closed form arrive at the end of their segment; a new one begins.
    pub fn close_segments(&mut self, way: &WalkSetting, sink: &mut Sink, changed: u64) {
        if !way.field.flowing.is_empty() {
            if let Some(record) = sink.record.as_deref_mut() {
                record.close(self, way, changed);
            }
            self.tell_time(way, 0.0);
            self.flow(way);
            for (column, end) in way.field.flowing.iter().zip(&self.ends) {
                for p in bits(changed) {
                    self.x[*column].0[p] = end.0[p];
                }
            }
        }
        for p in bits(changed) {
            self.clock.origin.0[p] = self.clock.t.0[p];
        }
    }

    /// States in closed form at the elapsed time of the leaves.
    pub fn flow(&mut self, way: &WalkSetting) {
        let (leaves, memory) = (&self.leaves, &mut self.flow_memory);
        way.field
            .flow
            .run(way.isa, self.count, leaves, memory, &mut self.ends);
    }

    /// Pass all stops of the present time.
    pub fn meet(&mut self, way: &WalkSetting, sink: &mut Sink, lanes: u64) {
        let mut pending = lanes;
        while pending != 0 {
            let (mut moved, mut steady) = (0u64, 0u64);
            for p in bits(pending) {
                match self.pass_stops(way, sink, p) {
                    Next::Done => {}
                    Next::Moved => moved |= 1 << p,
                    Next::Steady => steady |= 1 << p,
                }
            }
            if moved != 0 {
                self.meet_moving(way, sink, moved);
            }
            if steady != 0 {
                self.steady(way, sink, steady);
            }
            pending = (moved | steady) & self.active;
        }
    }

    fn pass_stops(&mut self, way: &WalkSetting, sink: &mut Sink, p: usize) -> Next {
        let course = &way.courses[self.positions[p].lane];
        while self.active >> p & 1 != 0 {
            let now = self.clock.t.0[p];
            let Some(stop) = course.stops.get(self.positions[p].cursor) else {
                break;
            };
            if stop.time > now {
                break;
            }
            match &stop.act {
                Act::Observe(row) => self.deliver_now(way, sink, p, *row),
                Act::Steady { .. } => return Next::Steady,
                Act::Rate { .. } | Act::Signals(_) => self.apply(way, sink, p, stop),
                _ if !stop.moves.is_empty() && self.differentiates(way, sink) => {
                    return Next::Moved;
                }
                _ => self.apply(way, sink, p, stop),
            }
        }
        if self.active >> p & 1 == 0 {
            return Next::Done;
        }
        self.look_ahead(way, p);
        if self.clock.t.0[p] >= course.end {
            let lane = self.positions[p].lane;
            for (out, x) in sink.out.iter_mut().zip(&self.x) {
                out.0[lane] = x.0[p];
            }
            self.leave(p);
        } else if self.positions[p].left == 0 && course.end == f64::INFINITY {
            self.leave(p);
        }
        Next::Done
    }

    fn differentiates(&self, way: &WalkSetting, sink: &Sink) -> bool {
        !way.field.directions.is_empty() || sink.record.is_some()
    }

    /// Stops whose times move, one a lane.
    fn meet_moving(&mut self, way: &WalkSetting, sink: &mut Sink, moved: u64) {
        self.derivatives(way, moved);
        std::mem::swap(&mut self.before, &mut self.after);
        for p in bits(moved) {
            let position = self.positions[p];
            let stop = &way.courses[position.lane].stops[position.cursor];
            self.jump_states(way, p, stop);
        }
        self.derivatives(way, moved);
        for p in bits(moved) {
            let position = self.positions[p];
            let stop = &way.courses[position.lane].stops[position.cursor];
            // A reset forgets how the states moved before.
            let keeps = f64::from(u8::from(stop.act != Act::Reset));
            for k in 0..way.field.n {
                let jump = keeps * self.before[k].0[p] - self.after[k].0[p];
                self.before[k].0[p] = jump;
                self.shift(way, p, k, jump, &stop.moves);
            }
            if let Some(record) = sink.record.as_deref_mut() {
                let jump = self.before.iter().map(|jump| jump.0[p]);
                record.stop(position.lane, stop, jump);
            }
            self.positions[p].cursor += 1;
        }
    }

    /// Derivatives of all states, at the present, into `after`.
    fn derivatives(&mut self, way: &WalkSetting, lanes: u64) {
        self.show(lanes);
        self.tell_time(way, 0.0);
        let (leaves, memory) = (&self.leaves, &mut self.whole_memory);
        let field = way.field;
        field
            .whole
            .run(way.isa, self.count, leaves, memory, &mut self.after);
        for (after, rate) in self.after.iter_mut().zip(&self.leaves.rates) {
            for p in bits(lanes) {
                after.0[p] += rate.0[p];
            }
        }
    }

    /// Put the present states of some lanes among the leaves.
    pub fn show(&mut self, lanes: u64) {
        for (state, x) in self.leaves.states.iter_mut().zip(&self.x) {
            for p in bits(lanes) {
                state.0[p] = x.0[p];
            }
        }
    }

    /// `S_k += jump dt/dp`
    fn shift(&mut self, way: &WalkSetting, p: usize, k: usize, jump: f64, moves: &[InputSlopes]) {
        let field = way.field;
        for InputSlopes { input, slope } in moves {
            if let Some(j) = field.directions.iter().position(|d| d == input) {
                self.x[field.along(j, k)].0[p] += jump * slope;
            }
        }
    }

    /// A stop of which nothing has to be known but itself.
    fn apply(&mut self, way: &WalkSetting, sink: &mut Sink, p: usize, stop: &Stop) {
        match &stop.act {
            Act::Rate {
                state,
                change,
                slopes,
            } => {
                self.leaves.rates[*state].0[p] += change;
                for InputSlopes { input, slope } in slopes {
                    let field = way.field;
                    if let Some(j) = field.directions.iter().position(|d| d == input) {
                        self.leaves.rates[field.along(j, *state)].0[p] += slope;
                    }
                }
                self.shift(way, p, *state, -change, &stop.moves);
            }
            Act::Signals(line) => {
                let course = &way.courses[self.positions[p].lane];
                if let Some(line) = course.signals.lines.get(*line) {
                    self.read_signals(p, line);
                }
            }
            _ => self.jump_states(way, p, stop),
        }
        if let Some(record) = sink.record.as_deref_mut() {
            let jump = (0..way.field.n).map(|k| match stop.act {
                Act::Rate { state, change, .. } if state == k => -change,
                _ => 0.0,
            });
            record.stop(self.positions[p].lane, stop, jump);
        }
        self.positions[p].cursor += 1;
    }

    /// States and derivatives jump, as if the time of the stop stood.
    fn jump_states(&mut self, way: &WalkSetting, p: usize, stop: &Stop) {
        match &stop.act {
            Act::Bolus {
                state,
                amount,
                fraction,
            } => {
                let share = fraction.map_or(1.0, |input| self.leaves.inputs[input].0[p]);
                self.x[*state].0[p] += amount * share;
                let field = way.field;
                if let Some(j) = field.directions.iter().position(|d| Some(*d) == *fraction) {
                    self.x[field.along(j, *state)].0[p] += amount;
                }
            }
            Act::Reset => {
                self.reset(way, p);
                for rate in &mut self.leaves.rates {
                    rate.0[p] = 0.0;
                }
            }
            _ => {}
        }
    }

    /// Initial values, and their derivatives.
    pub fn reset(&mut self, way: &WalkSetting, p: usize) {
        let field = way.field;
        let lasts = |(c, _): &(usize, &mut Column)| field.lasts(*c);
        for (_, column) in self.x.iter_mut().enumerate().filter(|at| !lasts(at)) {
            column.0[p] = 0.0;
        }
        for (k, initial) in field.initial.iter().enumerate() {
            let Some(input) = initial else { continue };
            self.x[k].0[p] = self.leaves.inputs[*input].0[p];
            if let Some(j) = field.directions.iter().position(|d| d == input) {
                self.x[field.along(j, k)].0[p] = 1.0;
            }
        }
    }
}
