//! Let lanes meet doses, infusions, resets and new signals.
//!
//! Where the time of a stop moves with an input, `S+ = S- + (f- - f+) dt/dp`, `f` being `dx/dt` with all rates.

use super::march::{lanes_of, LinearScratch, March};
use super::plan::Meeting;
use crate::ir::column::Column;
use crate::ir::vmath::Isa;
use crate::ode::program::LeafColumns;
use crate::ode::system::SIGNALS;
use crate::ode::task::Task;
use crate::ode::timeline::{Act, InputSlopes, Stop};

impl March {
    /// One after the other, all lanes together.
    pub(super) fn meet(
        &self,
        isa: Isa,
        meetings: &[Meeting],
        task: &Task,
        scratch: &mut LinearScratch,
    ) {
        let most = meetings.iter().map(|m| m.last - m.first).max().unwrap_or(0);
        for i in 0..most {
            let here = meetings.iter().filter(move |m| m.first + i < m.last);
            let stops = here.map(|m| (m.lane, &task.lanes[m.lane].stops[m.first + i]));
            self.pass(isa, stops.clone(), scratch);
            let mut steady = 0u64;
            for (lane, stop) in stops {
                match &stop.act {
                    Act::Steady { .. } => steady |= 1 << lane,
                    Act::Signals(line) => {
                        let line = task.lanes[lane].signals.lines.get(*line);
                        let signals = scratch.leaves.data[SIGNALS as usize..]
                            .iter_mut()
                            .enumerate();
                        for (m, signal) in signals {
                            let value = line.and_then(|line| line.get(m));
                            signal.0[lane] = value.copied().unwrap_or(f64::NAN);
                        }
                    }
                    _ => {}
                }
            }
            if steady != 0 {
                let of = |m: &Meeting| steady >> m.lane & 1 != 0 && m.first + i < m.last;
                let stops = meetings.iter().filter(|m| of(m));
                let stops = stops.map(|m| (m.lane, &task.lanes[m.lane].stops[m.first + i]));
                self.steady(isa, stops, scratch);
            }
        }
    }

    /// Doses, infusions and resets, one a lane.
    pub(super) fn pass<'a>(
        &self,
        isa: Isa,
        stops: impl Iterator<Item = (usize, &'a Stop)> + Clone,
        scratch: &mut LinearScratch,
    ) {
        let is_moved = |stop: &Stop| !stop.moves.is_empty();
        let any_moves =
            !self.directions.is_empty() && stops.clone().any(|(_, stop)| is_moved(stop));
        if any_moves {
            self.fields(isa, scratch);
            std::mem::swap(&mut scratch.before, &mut scratch.after);
        }
        for (lane, stop) in stops.clone() {
            self.jump(lane, &stop.act, &mut scratch.leaves);
        }
        if !any_moves {
            return;
        }
        self.fields(isa, scratch);
        for (lane, stop) in stops {
            for InputSlopes { input, slope } in &stop.moves {
                let Some(j) = self.direction(*input) else {
                    continue;
                };
                for k in 0..self.n {
                    let change = scratch.before[k].0[lane] - scratch.after[k].0[lane];
                    scratch.leaves.states[self.along(j, k)].0[lane] += change * slope;
                }
            }
        }
    }

    /// `dx/dt` with all rates, to `after`.
    fn fields(&self, isa: Isa, scratch: &mut LinearScratch) {
        if !std::mem::replace(&mut scratch.ready[0], true) {
            self.field.once(isa, &scratch.leaves, &mut scratch.field);
        }
        let (leaves, memory) = (&scratch.leaves, &mut scratch.field);
        self.field.run(
            isa,
            crate::ir::column::LANES,
            leaves,
            memory,
            &mut scratch.after,
        );
        for (field, rate) in scratch.after.iter_mut().zip(&leaves.rates) {
            for (field, rate) in field.0.iter_mut().zip(&rate.0) {
                *field += rate;
            }
        }
    }

    pub(super) fn jump(&self, lane: usize, act: &Act, leaves: &mut LeafColumns) {
        match act {
            Act::Bolus {
                state,
                amount,
                fraction,
            } => {
                let share = fraction.map_or(1.0, |input| leaves.inputs[input].0[lane]);
                leaves.states[*state].0[lane] += amount * share;
                if let Some(j) = fraction.and_then(|input| self.direction(input)) {
                    leaves.states[self.along(j, *state)].0[lane] += amount;
                }
            }
            Act::Rate {
                state,
                change,
                slopes,
            } => {
                leaves.rates[*state].0[lane] += change;
                for InputSlopes { input, slope } in slopes {
                    if let Some(j) = self.direction(*input) {
                        leaves.rates[self.along(j, *state)].0[lane] += slope;
                    }
                }
            }
            Act::Reset => self.restart(lane, leaves),
            Act::Observe(_) | Act::Signals(_) | Act::Steady { .. } => {}
        }
    }

    /// One lane to its initial values, without rates.
    pub(super) fn restart(&self, lane: usize, leaves: &mut LeafColumns) {
        let states = leaves.states.iter_mut().enumerate();
        let states = states.filter(|(c, _)| !self.lasts(*c));
        let columns = states.map(|(_, column)| column);
        let columns = columns.chain(&mut leaves.rates);
        columns.for_each(|column| column.0[lane] = 0.0);
        for (k, input) in self.initial.iter().enumerate() {
            let Some(input) = input else { continue };
            leaves.states[k].0[lane] = leaves.inputs[*input].0[lane];
            if let Some(j) = self.direction(*input) {
                leaves.states[self.along(j, k)].0[lane] = 1.0;
            }
        }
    }
}

/// Copy some lanes.
pub(super) fn copy_lanes(lanes: u64, from: &[Column], to: &mut [Column]) {
    for (to, from) in to.iter_mut().zip(from) {
        for l in lanes_of(lanes) {
            to.0[l] = from.0[l];
        }
    }
}
