//! Deliver observations: those within a step from the dense output, others from the present states.

use super::dense;
use super::record::Item;
use super::step::StepColumns;
use super::walk::LanesWalk;
use super::way::{bits, Sink, WalkSetting};
use crate::ir::column::LANES;
use crate::ode::system::ELAPSED;
use crate::ode::timeline::Act;

impl LanesWalk {
    /// Deliver what was asked for on the way, from the dense output.
    pub fn observe(&mut self, way: &WalkSetting, sink: &mut Sink, arrived: u64) {
        let mut pending = arrived;
        loop {
            let mut here = 0u64;
            for p in bits(pending) {
                let (t, h) = (self.clock.t.0[p], self.clock.h.0[p]);
                let end = (t + h).min(self.clock.target.0[p]);
                if self.clock.next.0[p] > end {
                    continue;
                }
                let position = &self.positions[p];
                let course = &way.courses[position.lane];
                let stop = course.stops.get(position.cursor);
                if let Some(stop) = stop.filter(|stop| matches!(stop.act, Act::Observe(_))) {
                    self.theta.0[p] = ((stop.time - t) / h).clamp(0.0, 1.0);
                    here |= 1 << p;
                }
            }
            if here == 0 {
                return;
            }
            self.deliver(way, sink, here);
            pending = here;
        }
    }

    fn deliver(&mut self, way: &WalkSetting, sink: &mut Sink, here: u64) {
        let columns = StepColumns {
            moving: &way.field.moving,
            x: &self.x,
            k: &self.k,
        };
        let delivery = way.delivery;
        let at = (&self.theta, &self.clock.h);
        dense::dense(way.isa, &columns, &delivery.moving, at, here, &mut self.row);
        if !delivery.flowing.is_empty() {
            self.flow_at_theta(way);
        }
        let width = delivery.columns.len();
        for p in bits(here) {
            let course = &way.courses[self.positions[p].lane];
            let Act::Observe(row) = course.stops[self.positions[p].cursor].act else {
                continue;
            };
            let lane = self.positions[p].lane;
            if let Some(record) = sink.record.as_deref_mut() {
                let theta = self.theta.0[p];
                record.push(lane, Item::Seen { row, theta });
            }
            let out = &mut sink.out[row * width..(row + 1) * width];
            for (to, column) in delivery.moving_to.iter().zip(&self.row) {
                out[*to].0[lane] = column.0[p];
            }
            for (i, to) in &delivery.flowing {
                out[*to].0[lane] = self.ends[*i].0[p];
            }
            self.pass(way, p);
            self.positions[p].left -= 1;
            if self.positions[p].left == 0 && course.end == f64::INFINITY {
                self.leave(p);
            }
        }
    }

    /// States in closed form where observations wait.
    fn flow_at_theta(&mut self, way: &WalkSetting) {
        let clock = &self.clock;
        let elapsed = &mut self.leaves.data[ELAPSED as usize];
        for p in 0..LANES {
            let since = clock.t.0[p] - clock.origin.0[p];
            elapsed.0[p] = since + self.theta.0[p] * clock.h.0[p];
        }
        self.flow(way);
    }

    pub fn deliver_now(&mut self, way: &WalkSetting, sink: &mut Sink, p: usize, row: usize) {
        let lane = self.positions[p].lane;
        if let Some(record) = sink.record.as_deref_mut() {
            record.push(lane, Item::Now(row));
        }
        let columns = &way.delivery.columns;
        for (to, column) in columns.iter().enumerate() {
            sink.out[row * columns.len() + to].0[lane] = self.x[*column].0[p];
        }
        self.positions[p].cursor += 1;
        self.positions[p].left -= 1;
        if self.positions[p].left == 0 && way.courses[lane].end == f64::INFINITY {
            self.leave(p);
        }
    }
}
