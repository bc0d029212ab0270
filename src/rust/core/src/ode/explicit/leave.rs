//! Let lanes leave the walk, and the others move together.

use super::step::CHUNK;
use super::walk::{LanesWalk, LOOK};
use super::way::{bits, first_bits, Sink, WalkSetting};
use crate::ode::task::Failure;
use crate::ode::timeline::Act;

/// How many times as far as its steps would take a lane at their pace it may have to go.
const BEYOND: f64 = 4.0;

impl LanesWalk {
    /// A lane that needs nothing more.
    pub fn leave(&mut self, p: usize) {
        self.active &= !(1 << p);
        // Steps are counted in whole numbers below 2^32.
        self.steps[self.positions[p].lane] = self.clock.steps.0[p] as u32;
        self.clock.free.0[p] = 0.0;
        self.clock.target.0[p] = f64::INFINITY;
        self.clock.next.0[p] = f64::INFINITY;
    }

    /// A lane that has no solution from here on.
    pub fn fail(&mut self, way: &WalkSetting, sink: &mut Sink, p: usize, failure: Failure) {
        let position = self.positions[p];
        let course = &way.courses[position.lane];
        let width = way.delivery.columns.len();
        sink.failures[position.lane] = Some(failure);
        for stop in &course.stops[position.cursor.min(course.stops.len())..] {
            if let Act::Observe(row) = stop.act {
                for column in &mut sink.out[row * width..(row + 1) * width] {
                    column.0[position.lane] = f64::NAN;
                }
            }
        }
        self.leave(p);
        for column in &mut self.x {
            column.0[p] = 0.0;
        }
    }

    pub fn judge_trouble(&mut self, way: &WalkSetting, sink: &mut Sink, trouble: u64) {
        for p in bits(trouble) {
            let q = way.field.moving.len();
            let finite = self.k.iter().take(q).all(|k| k.0[p].is_finite());
            let failure = if !finite {
                Failure::NotFinite
            } else if self.clock.steps.0[p] >= way.limits.max_steps {
                way.exhausted
            } else {
                Failure::StepTooSmall
            };
            self.fail(way, sink, p, failure);
        }
    }

    /// Give lanes up that would take far too many steps at the pace of the last ones, where another solver waits. Steps
    /// grow as fast parts die out: only a pace that is out of reach ends a lane before its steps are spent.
    pub fn judge_pace(&mut self, way: &WalkSetting, sink: &mut Sink) {
        if way.exhausted != Failure::LooksStiff {
            return;
        }
        for p in bits(self.active) {
            let course = &way.courses[self.positions[p].lane];
            let (now, before) = (self.clock.t.0[p], self.clock.mark.0[p]);
            self.clock.mark.0[p] = now;
            let Some(last) = course.stops.last().filter(|_| course.end == f64::INFINITY) else {
                continue;
            };
            // Before the first look a lane has no mark; cycles of a steady state have a clock of their own.
            let left = way.limits.max_steps - self.clock.steps.0[p];
            let reach = (now - before) / LOOK as f64 * left * BEYOND;
            if self.clock.steps.0[p] >= 2.0 * LOOK as f64 && now > before && now + reach < last.time
            {
                self.fail(way, sink, p, way.exhausted);
            }
        }
    }

    /// Move lanes together where that frees eights.
    pub fn gather(&mut self, way: &WalkSetting) {
        let on_way = self.active.count_ones() as usize;
        if on_way.div_ceil(CHUNK) == self.chunks() {
            return;
        }
        let n = on_way.next_multiple_of(CHUNK);
        let mut holes = bits(!self.active & first_bits(n));
        for from in bits(self.active & !first_bits(n)) {
            let Some(to) = holes.next() else { break };
            self.move_lane(way, from, to);
        }
        self.active = (self.active & first_bits(n)) | moved_bits(self.active, n);
        self.count = n.min(self.count);
    }

    fn move_lane(&mut self, way: &WalkSetting, from: usize, to: usize) {
        let q = way.field.moving.len();
        let leaves = &mut self.leaves;
        let columns = (leaves.inputs.iter_mut())
            .chain(&mut leaves.states)
            .chain(&mut leaves.data)
            .chain(&mut leaves.rates)
            .chain(&mut self.memory.kept)
            .chain(&mut self.flow_memory.kept)
            .chain(&mut self.whole_memory.kept)
            .chain(&mut self.x)
            .chain(&mut self.k[..q])
            .chain(self.clock.columns());
        for column in columns {
            column.0[to] = column.0[from];
        }
        self.positions[to] = self.positions[from];
    }
}

/// After the lanes behind `n` filled the holes before it, the lowest ones first.
fn moved_bits(active: u64, n: usize) -> u64 {
    let holes = bits(!active & first_bits(n));
    let count = (active & !first_bits(n)).count_ones() as usize;
    holes.take(count).fold(0, |sum, p| sum | (1 << p))
}
