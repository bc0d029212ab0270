//! Keep what a walk did, to go back along it.

use super::step::Verdict;
use super::tableau::{C, STAGES};
use super::walk::LanesWalk;
use super::way::{bits, WalkSetting};
use crate::ir::column::{Column, LANES};
use crate::ode::system::SIGNALS;
use crate::ode::timeline::{Act, InputSlopes, Stop};

/// Accepted steps and stops of every lane.
#[derive(Debug, Clone, Default)]
pub struct Record {
    pub(super) inputs: Vec<Column>,
    pub(super) lanes: Vec<Trail>,
    /// Cycles at their steady states, in the order in which lanes came to them.
    pub(super) cycles: Vec<Record>,
}

/// What one lane did, in order.
#[derive(Debug, Clone, Default)]
pub(super) struct Trail {
    pub items: Vec<Item>,
    pub numbers: Vec<f64>,
    pub slopes: Vec<InputSlopes>,
    /// States whose rates have slopes at rest.
    pub states: Vec<usize>,
    /// Steps, and whether each was cut by a stop.
    pub sizes: Vec<(f64, bool)>,
}

/// A part of a list: first, count.
pub(super) type ListRange = (usize, usize);

#[derive(Debug, Clone, Copy)]
pub(super) enum Item {
    /// A step whose numbers ([`Spot`]) begin here.
    Step(usize),
    /// An observation within the step before.
    Seen {
        row: usize,
        theta: f64,
    },
    /// An observation of the present states.
    Now(usize),
    /// States in closed form arrive where their segment ends.
    Close(usize),
    Bolus {
        state: usize,
        amount: f64,
        fraction: Option<usize>,
    },
    Rate {
        state: usize,
        slopes: ListRange,
    },
    Reset,
    /// The time of the stop before moves: its slopes, and for each state the jump of the derivative.
    Moves {
        slopes: ListRange,
        jump: usize,
    },
    /// A cycle of the record, and the lane in it.
    Steady {
        cycle: usize,
        lane: usize,
        adds: bool,
    },
    /// A state in which nothing moves; the derivatives of the rates that keep it there, and into which states they go.
    Rest {
        at: usize,
        slopes: ListRange,
        states: usize,
        adds: bool,
    },
}

/// Numbers of a step: time, size, time since the segment began, states, rates, signals (of each stage where they are
/// smooth).
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot<'a> {
    pub t: f64,
    pub h: f64,
    pub elapsed: f64,
    pub x: &'a [f64],
    pub rates: &'a [f64],
    pub signals: &'a [f64],
}

impl Trail {
    pub fn spot(&self, at: usize, n: usize, n_signals: usize) -> Spot<'_> {
        let numbers = &self.numbers[at..];
        let (x, rest) = numbers[3..].split_at(n);
        let (rates, rest) = rest.split_at(n);
        Spot {
            t: numbers[0],
            h: numbers[1],
            elapsed: numbers[2],
            x,
            rates,
            signals: &rest[..STAGES * n_signals],
        }
    }

    fn keep_slopes(&mut self, slopes: &[InputSlopes]) -> ListRange {
        let first = self.slopes.len();
        self.slopes.extend_from_slice(slopes);
        (first, slopes.len())
    }

    pub fn part(&self, (first, count): ListRange) -> &[InputSlopes] {
        &self.slopes[first..first + count]
    }
}

impl Record {
    pub(super) fn begin(&mut self, inputs: &[Column], lanes: usize) {
        self.inputs.clear();
        self.inputs.extend_from_slice(inputs);
        self.cycles.clear();
        self.lanes.resize_with(lanes, Trail::default);
        for trail in &mut self.lanes {
            trail.items.clear();
            trail.numbers.clear();
            trail.slopes.clear();
            trail.states.clear();
            trail.sizes.clear();
        }
    }

    /// The steps about to be accepted.
    pub(super) fn steps(&mut self, walk: &LanesWalk, way: &WalkSetting, accepted: u64) {
        for p in bits(accepted) {
            let at = self.spot(walk, way, p);
            let (h, left) = (
                walk.clock.h.0[p],
                walk.clock.target.0[p] - walk.clock.t.0[p],
            );
            let trail = &mut self.lanes[walk.positions[p].lane];
            trail.items.push(Item::Step(at));
            trail.sizes.push((h, h >= left));
        }
    }

    /// The ends of segments of states in closed form.
    pub(super) fn close(&mut self, walk: &LanesWalk, way: &WalkSetting, lanes: u64) {
        for p in bits(lanes) {
            let at = self.spot(walk, way, p);
            self.lanes[walk.positions[p].lane]
                .items
                .push(Item::Close(at));
        }
    }

    fn spot(&mut self, walk: &LanesWalk, way: &WalkSetting, p: usize) -> usize {
        let (n, n_signals) = (way.field.n, way.field.n_signals);
        let (t, h) = (walk.clock.t.0[p], walk.clock.h.0[p]);
        let wall = if way.frozen { walk.clock.wall.0[p] } else { t };
        let lane = walk.positions[p].lane;
        let numbers = &mut self.lanes[lane].numbers;
        let at = numbers.len();
        numbers.extend([wall, h, t - walk.clock.origin.0[p]]);
        numbers.extend(walk.x[..n].iter().map(|x| x.0[p]));
        numbers.extend(walk.leaves.rates[..n].iter().map(|rate| rate.0[p]));
        let signals = &walk.leaves.data[SIGNALS as usize..][..n_signals];
        let first = numbers.len();
        for share in C {
            numbers.extend(signals.iter().map(|signal| signal.0[p]));
            let line = numbers.len() - n_signals;
            let time = if way.frozen { wall } else { t + share * h };
            for (m, course) in &way.courses[lane].signals.courses {
                numbers[line + m] = course.at(time);
            }
        }
        debug_assert_eq!(numbers.len() - first, STAGES * n_signals);
        at
    }

    pub(super) fn push(&mut self, lane: usize, item: Item) {
        self.lanes[lane].items.push(item);
    }

    /// A stop that was met; `jump`: for each state how much its derivative jumps, where the time of the stop moves.
    pub(super) fn stop(&mut self, lane: usize, stop: &Stop, jump: impl Iterator<Item = f64>) {
        let trail = &mut self.lanes[lane];
        let item = match &stop.act {
            Act::Bolus {
                state,
                amount,
                fraction,
            } => Item::Bolus {
                state: *state,
                amount: *amount,
                fraction: *fraction,
            },
            Act::Rate { state, slopes, .. } => Item::Rate {
                state: *state,
                slopes: trail.keep_slopes(slopes),
            },
            Act::Reset => Item::Reset,
            _ => return,
        };
        trail.items.push(item);
        if !stop.moves.is_empty() {
            let slopes = trail.keep_slopes(&stop.moves);
            let at = trail.numbers.len();
            trail.numbers.extend(jump);
            trail.items.push(Item::Moves { slopes, jump: at });
        }
    }

    /// A lane came to rest at `x` under the infusions of `stop`.
    pub(super) fn rest(
        &mut self,
        walk: &LanesWalk,
        way: &WalkSetting,
        p: usize,
        x: &[f64],
        stop: &Stop,
    ) {
        let Act::Steady { cycle, adds, .. } = &stop.act else {
            return;
        };
        let at = self.spot(walk, way, p);
        let trail = &mut self.lanes[walk.positions[p].lane];
        trail.numbers[at + 3..at + 3 + x.len()].copy_from_slice(x);
        let states = trail.states.len();
        let first = trail.slopes.len();
        for stop in cycle {
            if let Act::Rate { state, slopes, .. } = &stop.act {
                trail.slopes.extend_from_slice(slopes);
                trail.states.extend(slopes.iter().map(|_| *state));
            }
        }
        let slopes = (first, trail.slopes.len() - first);
        trail.items.push(Item::Rest {
            at,
            slopes,
            states,
            adds: *adds,
        });
    }
}

/// Steps that a record prescribes.
#[derive(Debug, Clone, Copy)]
pub struct Prescribed<'a> {
    record: &'a Record,
    taken: [usize; LANES],
}

impl<'a> Prescribed<'a> {
    pub fn new(record: &'a Record) -> Self {
        Self {
            record,
            taken: [0; LANES],
        }
    }

    /// Put the sizes in the place of those that the error allows. Steps that stops cut end at the stops.
    pub fn sizes(&mut self, walk: &mut LanesWalk) {
        for p in bits(walk.active) {
            let lane = walk.positions[p].lane;
            let left = walk.clock.target.0[p] - walk.clock.t.0[p];
            let sizes = &self.record.lanes[lane].sizes;
            let (h, cut) = sizes.get(self.taken[lane]).copied().unwrap_or((left, true));
            walk.clock.h.0[p] = if cut { left } else { h };
            self.taken[lane] += 1;
        }
    }

    /// Accept every step.
    pub fn overrule(&self, walk: &LanesWalk, verdict: &mut Verdict) {
        let clock = &walk.clock;
        let reached = bits(walk.active).filter(|p| {
            let (t, h) = (clock.t.0[*p], clock.h.0[*p]);
            t + h >= clock.next.0[*p] || h >= clock.target.0[*p] - t
        });
        verdict.accepted = walk.active;
        verdict.arrived = reached.fold(0, |sum, p| sum | (1 << p));
        verdict.trouble = 0;
    }
}
