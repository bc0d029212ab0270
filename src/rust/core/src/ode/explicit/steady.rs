//! Run a cycle of doses again and again until nothing changes any more.
//!
//! With `P(x)` the states after a cycle that began with `x`, cycles are repeated, `x <- P(x)`, and from the third one on
//! followed by Newton's steps: `x <- x + d`, `(I - P_x) d = P(x) - x`. Columns for `P_x` and `P_p` run along; at the steady
//! state `dx/dp = (I - P_x)^-1 P_p`. States that only add up keep the value from which they start.

use super::record::{Item, Record};
use super::rest::solve;
use super::walk::LanesWalk;
use super::way::{bits, Delivery, LaneCourse, Sink, WalkSetting};
use crate::ir::column::{Column, LANES};
use crate::ode::signals::Signals;
use crate::ode::task::Failure;
use crate::ode::timeline::Act;

/// Relative distance from the steady state.
const AGREE: f64 = 1e-11;
const MAX_CYCLES: usize = 1_000;
/// Cycles that are only repeated, at first and after a step of Newton's that led nowhere.
const PLAIN: usize = 2;
/// A steady state that would take more cycles than this to build up is none: rounding hides that the states grow.
const MOST_BUILDUP: f64 = 1e9;
/// Cycles without progress after which the differences are taken for errors of the steps.
const PATIENCE: usize = 20;

pub static NO_SIGNALS: Signals = Signals {
    lines: Vec::new(),
    courses: Vec::new(),
};

/// How the cycles of one lane come along.
#[derive(Debug, Clone, Copy)]
struct CycleProgress {
    position: usize,
    /// Relative distance, as far as known: the last one, the smallest, and for how many cycles it has been that.
    last: f64,
    best: f64,
    since: usize,
    /// Cycles to repeat before Newton's next step.
    plain: usize,
    /// The largest state after one cycle.
    size: Option<f64>,
}

/// What a cycle says of a lane.
enum After {
    Steady,
    GoesOn,
    Grows,
}

/// Memory of lanes that look for their steady states.
#[derive(Debug, Clone, Default)]
pub struct Cycles {
    walk: Option<Box<LanesWalk>>,
    /// States before a cycle and, once steady, all columns; in the order of positions.
    at: Vec<Column>,
    /// All columns after a cycle, in the order of the lanes that ran it.
    ends: Vec<Column>,
    matrix: Vec<f64>,
    right: Vec<f64>,
}

impl LanesWalk {
    /// Bring some lanes, each at a stop [`Act::Steady`], to their steady states.
    pub fn steady(&mut self, way: &WalkSetting, sink: &mut Sink, lanes: u64) {
        let mut list = [CycleProgress {
            position: 0,
            last: f64::INFINITY,
            best: f64::INFINITY,
            since: 0,
            plain: PLAIN,
            size: None,
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
        if n == 0 {
            return;
        }
        let mut cycles = self.cycles.take().unwrap_or_default();
        cycles.at.clear();
        cycles.at.resize(way.field.width(), Column::ZERO);
        cycles.ends.clear();
        cycles.ends.resize(way.cycle.width(), Column::ZERO);
        for progress in &list[..n] {
            self.start_cycles(way, progress.position, &mut cycles.at);
        }
        let mut settled = [0; LANES];
        let count = self.settle(way, sink, &mut cycles, (&mut list[..n], &mut settled));
        self.record_cycle(way, sink, &mut cycles, &settled[..count]);
        for p in &settled[..count] {
            self.arrive(way, *p, &cycles.at);
        }
        self.cycles = Some(cycles);
    }

    fn act<'a>(&self, way: &WalkSetting<'a>, p: usize) -> &'a Act {
        let position = self.positions[p];
        let courses: &'a [LaneCourse<'a>] = way.courses;
        &courses[position.lane].stops[position.cursor].act
    }

    /// From the initial values, or from zero if what comes is added.
    fn start_cycles(&mut self, way: &WalkSetting, p: usize, at: &mut [Column]) {
        if matches!(self.act(way, p), Act::Steady { adds: true, .. }) {
            return;
        }
        for (at, initial) in at.iter_mut().zip(&way.field.initial) {
            if let Some(input) = initial {
                at.0[p] = self.leaves.inputs[*input].0[p];
            }
        }
    }

    /// Run cycles of the lanes in `list` until each is steady; how many are, and where.
    fn settle(
        &mut self,
        way: &WalkSetting,
        sink: &mut Sink,
        cycles: &mut Cycles,
        (mut list, settled): (&mut [CycleProgress], &mut [usize; LANES]),
    ) -> usize {
        let mut count = 0;
        for _ in 0..MAX_CYCLES {
            if list.is_empty() {
                break;
            }
            let mut failures = [None; LANES];
            let positions = list.iter().map(|progress| progress.position);
            self.run_cycle(way, cycles, positions, (&mut failures, None));
            let mut kept = 0;
            for i in 0..list.len() {
                let mut progress = list[i];
                let p = progress.position;
                if let Some(failure) = failures[i] {
                    self.fail(way, sink, p, failure);
                    continue;
                }
                let adds = matches!(self.act(way, p), Act::Steady { adds: true, .. });
                match cycles.advance(way, (&mut progress, adds), i) {
                    After::Steady => {
                        settled[count] = p;
                        count += 1;
                    }
                    After::GoesOn => {
                        list[kept] = progress;
                        kept += 1;
                    }
                    After::Grows => self.fail(way, sink, p, Failure::NoSteadyState),
                }
            }
            list = &mut list[..kept];
        }
        for progress in list.iter() {
            self.fail(way, sink, progress.position, Failure::NoSteadyState);
        }
        count
    }

    /// One cycle of the lanes at some positions, from the states in `cycles.at`.
    fn run_cycle(
        &self,
        way: &WalkSetting,
        cycles: &mut Cycles,
        positions: impl Iterator<Item = usize>,
        (failures, record): (&mut [Option<Failure>; LANES], Option<&mut Record>),
    ) {
        let (field, n) = (way.cycle, way.field.n);
        let mut inner = (cycles.walk.take())
            .unwrap_or_else(|| Box::new(LanesWalk::new(field, &Delivery::default())));
        let mut courses = [LaneCourse::NONE; LANES];
        let mut count = 0;
        inner.x.fill(Column::ZERO);
        inner.clock.free = Column::ZERO;
        for (i, p) in positions.enumerate() {
            if let Act::Steady {
                interval, cycle, ..
            } = self.act(way, p)
            {
                courses[i].stops = cycle;
                courses[i].end = *interval;
                courses[i].signals = way.courses[self.positions[p].lane].signals;
            }
            self.lend(way, p, &cycles.at[..n], (&mut inner, i));
            count = i + 1;
        }
        let way = WalkSetting {
            field,
            courses: &courses[..count],
            delivery: &Delivery::default(),
            frozen: true,
            ..*way
        };
        let mut sink = Sink {
            out: &mut cycles.ends,
            failures,
            record,
            prescribed: None,
        };
        if let Some(record) = sink.record.as_deref_mut() {
            record.begin(&inner.leaves.inputs, count);
        }
        inner.begin(&way);
        inner.run(&way, &mut sink);
        cycles.walk = Some(inner);
    }

    /// Put the lane at `p` among those of a cycle, as lane `i`.
    fn lend(
        &self,
        way: &WalkSetting,
        p: usize,
        at: &[Column],
        (inner, i): (&mut LanesWalk, usize),
    ) {
        copy_lane(&self.leaves.inputs, p, &mut inner.leaves.inputs, i);
        copy_lane(&self.leaves.data, p, &mut inner.leaves.data, i);
        copy_lane(at, p, &mut inner.x, i);
        let own = way.field.directions.len();
        for k in 0..at.len() {
            inner.x[way.cycle.along(own + k, k)].0[i] = 1.0;
        }
        inner.clock.wall.0[i] = self.clock.t.0[p];
    }

    /// Once more, for the record.
    fn record_cycle(
        &mut self,
        way: &WalkSetting,
        sink: &mut Sink,
        cycles: &mut Cycles,
        settled: &[usize],
    ) {
        let Some(record) = sink.record.as_deref_mut() else {
            return;
        };
        if settled.is_empty() {
            return;
        }
        let mut cycle = Record::default();
        let out = (&mut [None; LANES], Some(&mut cycle));
        self.run_cycle(way, cycles, settled.iter().copied(), out);
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

    /// Go on from the steady state, or add it to what was there.
    fn arrive(&mut self, way: &WalkSetting, p: usize, at: &[Column]) {
        let adds = matches!(self.act(way, p), Act::Steady { adds: true, .. });
        for (c, (x, steady)) in self.x.iter_mut().zip(at).enumerate() {
            let before = if adds { x.0[p] } else { 0.0 };
            if !way.field.lasts(c) {
                x.0[p] = before + steady.0[p];
            }
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

impl Cycles {
    /// States that only add up are after a cycle what they were before.
    fn hold(&mut self, way: &WalkSetting, i: usize, p: usize) {
        for k in (0..way.field.n).filter(|k| way.field.held[*k]) {
            self.ends[k].0[i] = self.at[k].0[p];
        }
    }

    /// After a cycle as lane `i`: the states before the next one. Of a steady lane all columns are written.
    fn advance(
        &mut self,
        way: &WalkSetting,
        (progress, adds): (&mut CycleProgress, bool),
        i: usize,
    ) -> After {
        let (n, p) = (way.field.n, progress.position);
        self.hold(way, i, p);
        let largest = self.ends[..n].iter().map(|end| end.0[i].abs());
        let largest = largest.fold(0.0, f64::max);
        if largest > MOST_BUILDUP * (*progress.size.get_or_insert(largest) + way.limits.atol) {
            return After::Grows;
        }
        let solved = self.newton(way, adds, i, p);
        let mut distance: f64 = if solved { 0.0 } else { f64::INFINITY };
        let mut crosses = false;
        for k in 0..n {
            let (step, x, end) = (self.right[k], self.at[k].0[p], self.ends[k].0[i]);
            let slack = 1e-6 * way.limits.atol;
            let scale = (x + step).abs() + slack / AGREE;
            let own = step.abs() / scale;
            distance = if own.is_nan() {
                f64::INFINITY
            } else {
                distance.max(own)
            };
            // Amounts do not change their sign from one cycle to the next.
            crosses |= (x + step) * end < 0.0 && (x + step).abs() > way.limits.atol;
        }
        if distance <= AGREE || progress.stalls(distance, way.limits.rtol) {
            for (at, right) in self.at[..n].iter_mut().zip(&self.right) {
                at.0[p] += right;
            }
            for (at, right) in self.at[n..].iter_mut().zip(&self.right[n..]) {
                at.0[p] = *right;
            }
            return After::Steady;
        }
        let leads = solved && !crosses && distance.is_finite();
        if progress.plain > 0 || !leads {
            progress.plain = progress.plain.saturating_sub(1);
            for k in 0..n {
                self.at[k].0[p] = self.ends[k].0[i];
            }
        } else {
            if distance > 0.5 * progress.last {
                progress.plain = PLAIN;
            }
            for (at, right) in self.at[..n].iter_mut().zip(&self.right) {
                at.0[p] += right;
            }
        }
        progress.last = distance;
        After::GoesOn
    }

    /// Newton's step, then the derivatives of the steady state along each direction, in `right`.
    fn newton(&mut self, way: &WalkSetting, adds: bool, i: usize, p: usize) -> bool {
        let (field, n) = (way.cycle, way.field.n);
        let own = way.field.directions.len();
        self.matrix.clear();
        for row in 0..n {
            let along = |k: usize| self.ends[field.along(own + k, row)].0[i];
            let slope = |k: usize| if field.held[row] { 0.0 } else { along(k) };
            let entry = |k: usize| f64::from(u8::from(k == row)) - slope(k);
            self.matrix.extend((0..n).map(entry));
        }
        self.right.clear();
        let ends = &self.ends[..n * (1 + own)];
        self.right.extend(ends.iter().map(|end| end.0[i]));
        for (right, at) in self.right.iter_mut().zip(&self.at[..n]) {
            *right -= at.0[p];
        }
        for k in (0..n).filter(|k| field.held[*k]) {
            for j in 0..own {
                let begins = way.field.initial_slope(j, k);
                self.right[way.field.along(j, k)] = if adds { 0.0 } else { begins };
            }
        }
        solve(&mut self.matrix, &mut self.right, n)
    }
}

impl CycleProgress {
    /// Whether the distance is no more than the errors of the steps and has long ceased to shrink.
    fn stalls(&mut self, distance: f64, rtol: f64) -> bool {
        if distance < 0.9 * self.best {
            (self.best, self.since) = (distance, 0);
        } else {
            self.since += 1;
        }
        self.since > PATIENCE && distance <= 10.0 * rtol
    }
}
