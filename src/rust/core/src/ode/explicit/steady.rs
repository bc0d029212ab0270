//! Run a cycle of doses again and again until nothing changes any more.
//!
//! With the states `x` before the cycle and `P(x)` after it, `x <- P(x)` until two cycles agree; derivatives run along. How
//! fast cycles agree, `rho`, says how far the limit is: `|x - x*| <= |P(x) - x| rho / (1 - rho)`.

use super::record::{Item, Record};
use super::walk::{bits, Course, Delivery, Sink, Walk, Way};
use crate::ir::column::{Column, LANES};
use crate::ode::signals::Signals;
use crate::ode::task::Failure;
use crate::ode::timeline::Act;

/// Relative agreement of two cycles.
const AGREE: f64 = 1e-9;
const MAX_CYCLES: usize = 1_000;
/// Cycles without progress after which the differences are taken for errors of the steps.
const PATIENCE: usize = 20;

pub static NO_SIGNALS: Signals = Signals {
    lines: Vec::new(),
    courses: Vec::new(),
};

/// How the cycles of one lane come along.
#[derive(Debug, Clone, Copy)]
struct Progress {
    position: usize,
    /// Last difference of two cycles in units of `AGREE`, the smallest so far, and when that was.
    last: f64,
    best: f64,
    since: usize,
}

impl Walk {
    /// Bring some lanes, each at a stop [`Act::Steady`], to their steady states.
    pub fn steady(&mut self, way: &Way, sink: &mut Sink, lanes: u64) {
        let mut inner = self
            .inner
            .take()
            .unwrap_or_else(|| Box::new(Walk::new(way.field, &Delivery::default())));
        let mut list = [Progress {
            position: 0,
            last: f64::INFINITY,
            best: f64::INFINITY,
            since: 0,
        }; LANES];
        let mut n = 0;
        for p in bits(lanes) {
            if let Act::Steady { interval, .. } = self.act(way, p) {
                if interval.is_finite() {
                    list[n].position = p;
                    n += 1;
                } else {
                    self.rest(way, sink, p);
                }
            }
        }
        let width = way.field.width();
        let mut at = std::mem::take(&mut self.cycle);
        at.clear();
        at.resize(width + 1, Column::ZERO);
        for progress in &list[..n] {
            self.start_cycles(way, progress.position, &mut at);
        }
        let mut settled = [0; LANES];
        let count = self.settle(
            way,
            sink,
            &mut inner,
            &mut list[..n],
            (&mut at, &mut settled),
        );
        self.record_cycle(way, sink, &mut inner, &settled[..count], &mut at);
        for p in &settled[..count] {
            self.arrive(way, *p, &at);
        }
        self.cycle = at;
        self.inner = Some(inner);
    }

    /// Run cycles of the lanes in `list`, from and to the states `at`, until each is steady; how many are.
    fn settle(
        &mut self,
        way: &Way,
        sink: &mut Sink,
        inner: &mut Walk,
        mut list: &mut [Progress],
        (at, settled): (&mut [Column], &mut [usize; LANES]),
    ) -> usize {
        let mut count = 0;
        let mut ends = std::mem::take(&mut self.cycle_ends);
        ends.clear();
        ends.resize(at.len(), Column::ZERO);
        for _ in 0..MAX_CYCLES {
            if list.is_empty() {
                break;
            }
            let mut failures = [None; LANES];
            let mut cycle = Sink {
                out: &mut ends,
                failures: &mut failures,
                record: None,
                prescribed: None,
            };
            self.run_cycle(way, inner, list.iter().map(|l| l.position), at, &mut cycle);
            let mut kept = 0;
            for i in 0..list.len() {
                let mut progress = list[i];
                let p = progress.position;
                if let Some(failure) = failures[i] {
                    self.fail(way, sink, p, failure);
                    continue;
                }
                let done = progress.agree(way, &ends, i, at);
                for (from, to) in ends.iter().zip(at.iter_mut()) {
                    to.0[p] = from.0[i];
                }
                if done {
                    settled[count] = p;
                    count += 1;
                } else {
                    list[kept] = progress;
                    kept += 1;
                }
            }
            list = &mut list[..kept];
        }
        for progress in list.iter() {
            self.fail(way, sink, progress.position, Failure::NoSteadyState);
        }
        self.cycle_ends = ends;
        count
    }

    /// Once more, for the record.
    fn record_cycle(
        &mut self,
        way: &Way,
        sink: &mut Sink,
        inner: &mut Walk,
        settled: &[usize],
        at: &mut [Column],
    ) {
        let Some(record) = sink.record.as_deref_mut() else {
            return;
        };
        if settled.is_empty() {
            return;
        }
        let mut cycle = Record::default();
        cycle.begin(&[], settled.len());
        let mut ends = vec![Column::ZERO; at.len()];
        let mut inner_sink = Sink {
            out: &mut ends,
            failures: &mut [None; LANES],
            record: Some(&mut cycle),
            prescribed: None,
        };
        self.run_cycle(way, inner, settled.iter().copied(), at, &mut inner_sink);
        cycle.inputs.extend_from_slice(&inner.given);
        for (lane, p) in settled.iter().enumerate() {
            let adds = matches!(self.act(way, *p), Act::Steady { adds: true, .. });
            let steady = Item::Steady {
                cycle: record.cycles.len(),
                lane,
                adds,
            };
            record.push(self.positions[*p].lane, steady);
        }
        record.cycles.push(cycle);
    }

    fn act<'a>(&self, way: &Way<'a>, p: usize) -> &'a Act {
        let position = self.positions[p];
        let courses: &'a [Course<'a>] = way.courses;
        &courses[position.lane].stops[position.cursor].act
    }

    /// From the initial values, or from zero if what comes is added.
    fn start_cycles(&mut self, way: &Way, p: usize, at: &mut [Column]) {
        if matches!(self.act(way, p), Act::Steady { adds: true, .. }) {
            return;
        }
        let field = way.field;
        for (k, initial) in field.initial.iter().enumerate() {
            let Some(input) = initial else { continue };
            at[k].0[p] = self.leaves.inputs[*input].0[p];
            if let Some(j) = field.directions.iter().position(|d| d == input) {
                at[field.along(j, k)].0[p] = 1.0;
            }
        }
    }

    /// One cycle of the lanes at some positions, from `at`. The sink takes where each one ends and its last step.
    fn run_cycle(
        &self,
        way: &Way,
        inner: &mut Walk,
        positions: impl Iterator<Item = usize> + Clone,
        at: &[Column],
        sink: &mut Sink,
    ) {
        let none = Course {
            start: 0.0,
            stops: &[],
            end: 0.0,
            signals: &NO_SIGNALS,
        };
        let mut courses = [none; LANES];
        let (width, free) = (way.field.width(), at.len() - 1);
        let mut count = 0;
        for (i, p) in positions.enumerate() {
            if let Act::Steady {
                interval, cycle, ..
            } = self.act(way, p)
            {
                courses[i].stops = cycle;
                courses[i].end = *interval;
                courses[i].signals = way.courses[self.positions[p].lane].signals;
            }
            let leaves = &self.leaves;
            copy_lane(&leaves.inputs, p, &mut inner.leaves.inputs, i);
            copy_lane(&leaves.data, p, &mut inner.leaves.data, i);
            copy_lane(&at[..width], p, &mut inner.x, i);
            inner.clock.wall.0[i] = self.clock.t.0[p];
            inner.clock.free.0[i] = at[free].0[p];
            count = i + 1;
        }
        if sink.record.is_some() {
            inner.given.clone_from(&inner.leaves.inputs);
        }
        let way = Way {
            courses: &courses[..count],
            delivery: &Delivery::default(),
            frozen: true,
            ..*way
        };
        inner.begin(&way);
        inner.run(&way, sink);
    }

    /// Go on from the steady state, or add it to what was there.
    fn arrive(&mut self, way: &Way, p: usize, at: &[Column]) {
        let adds = matches!(self.act(way, p), Act::Steady { adds: true, .. });
        for (x, steady) in self.x.iter_mut().zip(at) {
            let before = if adds { x.0[p] } else { 0.0 };
            x.0[p] = before + steady.0[p];
        }
        if !adds {
            for rate in &mut self.leaves.rates {
                rate.0[p] = 0.0;
            }
        }
        self.positions[p].cursor += 1;
    }
}

fn copy_lane(from: &[Column], p: usize, to: &mut [Column], i: usize) {
    for (from, to) in from.iter().zip(to) {
        to.0[i] = from.0[p];
    }
}

impl Progress {
    /// Compare the end of a cycle, lane `i` of `ends`, with its beginning.
    fn agree(&mut self, way: &Way, ends: &[Column], i: usize, at: &[Column]) -> bool {
        let (field, p) = (way.field, self.position);
        let mut worst: f64 = 0.0;
        for block in 0..=field.directions.len() {
            let columns = block * field.n..(block + 1) * field.n;
            let largest = ends[columns.clone()]
                .iter()
                .fold(0.0, |m: f64, c| m.max(c.0[i].abs()));
            for (end, start) in ends[columns.clone()].iter().zip(&at[columns]) {
                let (end, start) = (end.0[i], start.0[p]);
                let scale = if block == 0 {
                    AGREE * end.abs() + 1e-6 * way.limits.atol
                } else {
                    AGREE * largest + f64::MIN_POSITIVE
                };
                let ratio = (end - start).abs() / scale;
                worst = if ratio.is_nan() {
                    f64::INFINITY
                } else {
                    worst.max(ratio)
                };
            }
        }
        let rho = (worst / self.last).clamp(0.0, 0.999);
        let close = worst * rho / (1.0 - rho) <= 1.0 && self.last.is_finite();
        self.last = worst;
        if worst < 0.9 * self.best {
            self.best = worst;
            self.since = 0;
        } else {
            self.since += 1;
        }
        let stalled = self.since > PATIENCE && worst * AGREE <= way.limits.rtol;
        worst == 0.0 || close || stalled
    }
}
