//! Walk all lanes along their courses, each with steps of its own, in lockstep.
//!
//! One turn of the loop is one step of every lane that is on its way. Lanes that have arrived leave; the others move
//! together, so that eights without a lane cost nothing.

use super::dense;
use super::field::LanesField;
use super::rest::Rest;
use super::steady::Cycles;
use super::step::{self, Clock, StepColumns, Verdict, CHUNK};
use super::tableau::{C, STAGES};
use super::way::{bits, Delivery, Sink, WalkSetting};
use crate::ir::column::{Column, LANES};
use crate::ode::program::{LeafColumns, ProgramMemory};
use crate::ode::system::{ELAPSED, SIGNALS, TIME};
use crate::ode::timeline::{Act, Stop};

/// Steps between two looks at how far a lane has come. Every turn is a step of each lane: what a lane is told depends on
/// no other.
pub const LOOK: usize = 256;

/// A lane on its way.
#[derive(Debug, Clone, Copy, Default)]
pub struct Position {
    pub lane: usize,
    /// The next stop.
    pub cursor: usize,
    /// Observations to come.
    pub left: usize,
}

/// The state of all lanes. A lane has a position, which changes; all columns are in the order of positions.
#[derive(Debug, Clone)]
pub struct LanesWalk {
    pub leaves: LeafColumns,
    pub memory: ProgramMemory,
    pub flow_memory: ProgramMemory,
    pub whole_memory: ProgramMemory,
    /// Values and derivatives now; those in closed form, when the segment began.
    pub x: Vec<Column>,
    pub k: Vec<Column>,
    pub clock: Clock,
    pub positions: [Position; LANES],
    /// Positions of lanes on their way, one bit each.
    pub active: u64,
    pub count: usize,
    /// Integrated columns into which some lane has an infusion, and where they are among the states.
    pub driven: Vec<(usize, usize)>,
    pub ends: Vec<Column>,
    pub before: Vec<Column>,
    pub after: Vec<Column>,
    pub theta: Column,
    pub row: Vec<Column>,
    pub cycles: Option<Cycles>,
    /// Steps of each lane that has arrived, and of all lanes if they had stayed together.
    pub steps: [u32; LANES],
    pub slots: usize,
    pub rest: Option<Box<Rest>>,
}

impl LanesWalk {
    pub fn new(field: &LanesField, delivery: &Delivery) -> Self {
        let width = field.width();
        Self {
            leaves: LeafColumns::zeros(field.n_inputs, width, field.n_signals),
            memory: field.rhs.memory(),
            flow_memory: field.flow.memory(),
            whole_memory: field.whole.memory(),
            x: vec![Column::ZERO; width],
            k: vec![Column::ZERO; STAGES * field.moving.len()],
            clock: Clock::default(),
            positions: [Position::default(); LANES],
            active: 0,
            count: 0,
            driven: Vec::new(),
            ends: vec![Column::ZERO; field.flowing.len()],
            before: vec![Column::ZERO; field.n],
            after: vec![Column::ZERO; field.n],
            row: vec![Column::ZERO; delivery.moving.len()],
            theta: Column::ZERO,
            cycles: None,
            steps: [0; LANES],
            slots: 0,
            rest: None,
        }
    }

    pub fn chunks(&self) -> usize {
        self.count.div_ceil(CHUNK)
    }

    /// Walk to the end of every lane.
    pub fn run(&mut self, way: &WalkSetting, sink: &mut Sink) {
        let (everyone, mut turns) = (self.active, 0usize);
        self.meet(way, sink, everyone);
        self.first_steps(way, sink);
        while self.active != 0 {
            let verdict = self.advance(way, sink);
            let arrived = verdict.arrived & self.active;
            if let Some(record) = sink.record.as_deref_mut() {
                record.steps(self, way, verdict.accepted & self.active);
            }
            if arrived != 0 {
                self.observe(way, sink, arrived);
            }
            self.commit(way, verdict.accepted & self.active);
            if arrived != 0 {
                let changed = self.at_target(arrived);
                if changed != 0 {
                    self.close_segments(way, sink, changed);
                    self.meet(way, sink, changed);
                    self.restart(way, sink, changed & self.active);
                }
            }
            let trouble = verdict.trouble & self.active;
            if trouble != 0 {
                self.judge_trouble(way, sink, trouble);
            }
            turns += 1;
            if turns % LOOK == 0 && sink.prescribed.is_none() {
                self.judge_pace(way, sink);
            }
            self.gather(way);
        }
    }

    /// One step of all lanes, not yet accepted: its end is in the states of the leaves.
    fn advance(&mut self, way: &WalkSetting, sink: &mut Sink) -> Verdict {
        let (isa, chunks) = (way.isa, self.chunks());
        self.slots += chunks * CHUNK;
        step::plan(isa, &mut self.clock, chunks);
        if let Some(prescribed) = &mut sink.prescribed {
            prescribed.sizes(self);
        }
        for s in (1..STAGES).filter(|_| !way.field.moving.is_empty()) {
            let columns = StepColumns {
                moving: &way.field.moving,
                x: &self.x,
                k: &self.k,
            };
            step::stage(
                isa,
                s,
                &columns,
                &self.clock.h,
                &mut self.leaves.states,
                chunks,
            );
            self.evaluate(way, s, C[s]);
        }
        let columns = StepColumns {
            moving: &way.field.moving,
            x: &self.x,
            k: &self.k,
        };
        let (new, limits) = (&self.leaves.states, (&way.limits, chunks));
        let values = way.field.n_values;
        let mut verdict = step::judge(isa, &columns, values, new, limits, &mut self.clock);
        if let Some(prescribed) = &sink.prescribed {
            prescribed.overrule(self, &mut verdict);
        }
        verdict
    }

    /// Derivatives of stage `s` at the states of the leaves, `share` of the step after its beginning.
    #[inline]
    pub fn evaluate(&mut self, way: &WalkSetting, s: usize, share: f64) {
        let (field, q) = (way.field, way.field.moving.len());
        if field.reads_time | field.reads_elapsed | field.reads_signals {
            self.tell_time(way, share);
        }
        let out = &mut self.k[s * q..(s + 1) * q];
        let lanes = self.count;
        field
            .rhs
            .run(way.isa, lanes, &self.leaves, &mut self.memory, out);
        let chunks = self.count.div_ceil(CHUNK);
        for (i, column) in &self.driven {
            dense::add(way.isa, &self.leaves.rates[*column], &mut out[*i], chunks);
        }
    }

    /// Write times and signals `share` of the step after its beginning.
    pub fn tell_time(&mut self, way: &WalkSetting, share: f64) {
        let field = way.field;
        let time = &mut self.leaves.data[TIME as usize];
        if way.frozen {
            *time = self.clock.wall;
        } else if field.reads_time || field.reads_signals {
            dense::times(way.isa, &self.clock.t, &self.clock.h, share, time);
        }
        if field.reads_elapsed {
            let elapsed = &mut self.leaves.data[ELAPSED as usize];
            dense::times(way.isa, &self.clock.t, &self.clock.h, share, elapsed);
            for (elapsed, origin) in elapsed.0.iter_mut().zip(self.clock.origin.0) {
                *elapsed -= origin;
            }
        }
        if field.reads_signals {
            for p in bits(self.active) {
                let now = self.leaves.data[TIME as usize].0[p];
                let course = &way.courses[self.positions[p].lane];
                for (m, interpolant) in &course.signals.courses {
                    self.leaves.data[SIGNALS as usize + m].0[p] = interpolant.at(now);
                }
            }
        }
    }

    /// Go on to the next stop after an observation: the next one that changes something stays.
    pub fn pass(&mut self, way: &WalkSetting, p: usize) {
        let position = &mut self.positions[p];
        position.cursor += 1;
        let course = &way.courses[position.lane];
        let next = course.stops.get(position.cursor);
        self.clock.next.0[p] = next.map_or(course.end, |stop| stop.time);
    }

    /// Find the next stop and the next one that changes something.
    pub fn look_ahead(&mut self, way: &WalkSetting, p: usize) {
        let course = &way.courses[self.positions[p].lane];
        let rest = &course.stops[self.positions[p].cursor.min(course.stops.len())..];
        let changes = rest
            .iter()
            .find(|stop| !matches!(stop.act, Act::Observe(_)));
        let time = |stop: Option<&Stop>| stop.map_or(course.end, |stop| stop.time);
        let still = way.field.moving.is_empty() || way.field.bounded;
        self.clock.next.0[p] = time(rest.first());
        self.clock.target.0[p] = match changes {
            // Where nothing is integrated, one step reaches all that is left; nor is there a value behind it for some.
            None if still && course.end == f64::INFINITY => time(rest.last()),
            _ => time(changes),
        };
    }

    fn commit(&mut self, way: &WalkSetting, accepted: u64) {
        let chunks = self.chunks();
        let (moving, states) = (&way.field.moving, &self.leaves.states);
        let columns = (self.x.as_mut_slice(), self.k.as_mut_slice());
        let lanes = (accepted, chunks);
        step::commit(way.isa, lanes, moving, states, columns, &mut self.clock);
    }

    fn at_target(&self, arrived: u64) -> u64 {
        let clock = &self.clock;
        let reached = bits(arrived & self.active).filter(|p| clock.t.0[*p] >= clock.target.0[*p]);
        reached.fold(0, |sum, p| sum | (1 << p))
    }
}
