//! Run a cycle of doses again and again until nothing changes any more.
//!
//! With the states `x` before the cycle and `P(x)` after it, `x <- P(x)` until two cycles agree; derivatives run along. How
//! fast cycles agree, `rho`, says how far the limit is: `|x - x*| <= |P(x) - x| rho / (1 - rho)`.

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
        let mut list = &mut list[..n];
        for _ in 0..MAX_CYCLES {
            if list.is_empty() {
                break;
            }
            let mut ends = std::mem::take(&mut inner.before_cycle);
            ends.clear();
            ends.resize(width + 1, Column::ZERO);
            let mut failures = [None; LANES];
            self.run_cycle(way, &mut inner, list, &at, (&mut ends, &mut failures));
            let mut kept = 0;
            for i in 0..list.len() {
                let mut progress = list[i];
                let p = progress.position;
                if let Some(failure) = failures[i] {
                    self.fail(way, sink, p, failure);
                    continue;
                }
                let done = progress.agree(way, &ends, i, &at);
                for (from, to) in ends.iter().zip(&mut at) {
                    to.0[p] = from.0[i];
                }
                if done {
                    self.arrive(way, p, &at);
                } else {
                    list[kept] = progress;
                    kept += 1;
                }
            }
            inner.before_cycle = ends;
            list = &mut list[..kept];
        }
        for progress in list.iter() {
            self.fail(way, sink, progress.position, Failure::NoSteadyState);
        }
        self.cycle = at;
        self.inner = Some(inner);
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

    /// One cycle of the lanes in `list`, from `at`. `out`: where each one ended and its last step, or why it failed.
    fn run_cycle(
        &self,
        way: &Way,
        inner: &mut Walk,
        list: &[Progress],
        at: &[Column],
        out: (&mut [Column], &mut [Option<Failure>; LANES]),
    ) {
        let none = Course {
            start: 0.0,
            stops: &[],
            end: 0.0,
            signals: &NO_SIGNALS,
        };
        let mut courses = [none; LANES];
        for (course, progress) in courses.iter_mut().zip(list) {
            if let Act::Steady {
                interval, cycle, ..
            } = self.act(way, progress.position)
            {
                course.stops = cycle;
                course.end = *interval;
                course.signals = way.courses[self.positions[progress.position].lane].signals;
            }
        }
        let way = Way {
            courses: &courses[..list.len()],
            delivery: &Delivery::default(),
            frozen: true,
            ..*way
        };
        let (width, free) = (way.field.width(), at.len() - 1);
        for (i, progress) in list.iter().enumerate() {
            let p = progress.position;
            let leaves = &self.leaves;
            copy_lane(&leaves.inputs, p, &mut inner.leaves.inputs, i);
            copy_lane(&leaves.data, p, &mut inner.leaves.data, i);
            copy_lane(&at[..width], p, &mut inner.x, i);
            inner.clock.wall.0[i] = self.clock.t.0[p];
            inner.clock.free.0[i] = at[free].0[p];
        }
        inner.begin(&way);
        let mut sink = Sink {
            out: out.0,
            failures: out.1,
            record: None,
        };
        inner.run(&way, &mut sink);
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
