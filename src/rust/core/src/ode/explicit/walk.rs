//! Walk all lanes along their courses, each with steps of its own, in lockstep.
//!
//! One turn of the loop is one step of every lane that is on its way. Lanes that have arrived leave; the others move
//! together, so that eights without a lane cost nothing.

use super::field::{Field, Slot};
use super::record::{Item, Prescribed, Record};
use super::rest::Rest;
use super::step::{self, Clock, Columns, Limits, Verdict, CHUNK};
use super::tableau::{C, STAGES};
use crate::ir::column::{Column, LANES};
use crate::ir::vmath::Isa;
use crate::ode::program::{Leaves, Memory};
use crate::ode::signals::Signals;
use crate::ode::system::{ELAPSED, SIGNALS, TIME};
use crate::ode::task::{Failure, Wanted};
use crate::ode::timeline::{Act, Stop};

/// What a lane meets.
#[derive(Debug, Clone, Copy)]
pub struct Course<'a> {
    pub start: f64,
    pub stops: &'a [Stop],
    /// Where a lane ends that has no observations to wait for; infinite: with its last observation.
    pub end: f64,
    pub signals: &'a Signals,
}

/// Which columns an observation delivers.
#[derive(Debug, Clone, Default)]
pub struct Delivery {
    /// Column of the states for each column of a row.
    pub columns: Vec<usize>,
    /// Integrated ones: position among these, column of the row.
    moving: Vec<usize>,
    moving_to: Vec<usize>,
    /// The same for those in closed form.
    flowing: Vec<(usize, usize)>,
}

impl Delivery {
    pub fn new(field: &Field, wanted: &Wanted) -> Self {
        let mut delivery = Self::default();
        delivery.columns.extend(&wanted.states);
        for state in &wanted.states {
            let along = (0..wanted.inputs.len()).map(|j| field.along(j, *state));
            delivery.columns.extend(along);
        }
        for (to, column) in delivery.columns.iter().enumerate() {
            match field.slots[*column] {
                Slot::Moving(i) => {
                    delivery.moving.push(i);
                    delivery.moving_to.push(to);
                }
                Slot::Flowing(i) => delivery.flowing.push((i, to)),
            }
        }
        delivery
    }
}

/// What stays the same during a walk.
#[derive(Clone, Copy)]
pub struct Way<'a> {
    pub field: &'a Field,
    pub delivery: &'a Delivery,
    pub isa: Isa,
    pub limits: Limits,
    /// What too many steps mean.
    pub exhausted: Failure,
    pub courses: &'a [Course<'a>],
    /// The equations see the time of `Clock::wall`.
    pub frozen: bool,
}

/// What a walk leaves.
pub struct Sink<'a> {
    /// Row after row.
    pub out: &'a mut [Column],
    pub failures: &'a mut [Option<Failure>; LANES],
    pub record: Option<&'a mut Record>,
    /// Steps to take instead of those that the error allows.
    pub prescribed: Option<Prescribed<'a>>,
}

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
pub struct Walk {
    pub leaves: Leaves,
    pub memory: Memory,
    pub flow_memory: Memory,
    pub whole_memory: Memory,
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
    row: Vec<Column>,
    /// Lanes that run cycles until they are steady: states before a cycle, states after one, the walk.
    pub cycle: Vec<Column>,
    pub cycle_ends: Vec<Column>,
    /// Inputs of the lanes in their first order, where a record needs them.
    pub given: Vec<Column>,
    pub inner: Option<Box<Walk>>,
    /// Steps of each lane that has arrived, and of all lanes if they had stayed together.
    pub steps: [u32; LANES],
    pub slots: usize,
    pub rest: Option<Box<Rest>>,
}

impl Walk {
    pub fn new(field: &Field, delivery: &Delivery) -> Self {
        let width = field.width();
        Self {
            leaves: Leaves::zeros(field.n_inputs, width, field.n_signals),
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
            cycle: Vec::new(),
            cycle_ends: Vec::new(),
            given: Vec::new(),
            inner: None,
            steps: [0; LANES],
            slots: 0,
            rest: None,
        }
    }

    pub fn chunks(&self) -> usize {
        self.count.div_ceil(CHUNK)
    }

    /// Put all lanes at their beginnings; inputs and states were written, those of unused lanes are finite.
    pub fn begin(&mut self, way: &Way) {
        self.count = way.courses.len();
        self.active = first_bits(self.count);
        (self.steps, self.slots) = ([0; LANES], 0);
        self.leaves.rates.fill(Column::ZERO);
        self.clock.steps = Column::ZERO;
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
    pub fn first_signals(&mut self, way: &Way) {
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

    fn find_driven(&mut self, way: &Way) {
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

    /// Walk to the end of every lane.
    pub fn run(&mut self, way: &Way, sink: &mut Sink) {
        let everyone = self.active;
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
            self.gather(way);
        }
    }

    /// One step of all lanes, not yet accepted: its end is in the states of the leaves.
    fn advance(&mut self, way: &Way, sink: &mut Sink) -> Verdict {
        let (isa, chunks) = (way.isa, self.chunks());
        self.slots += chunks * CHUNK;
        step::plan(isa, &mut self.clock, chunks);
        if let Some(prescribed) = &mut sink.prescribed {
            prescribed.sizes(self);
        }
        for s in (1..STAGES).filter(|_| !way.field.moving.is_empty()) {
            let columns = Columns {
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
        let columns = Columns {
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
    pub fn evaluate(&mut self, way: &Way, s: usize, share: f64) {
        let (field, q) = (way.field, way.field.moving.len());
        self.tell_time(way, share);
        let out = &mut self.k[s * q..(s + 1) * q];
        let lanes = self.count;
        field
            .rhs
            .run(way.isa, lanes, &self.leaves, &mut self.memory, out);
        let chunks = self.count.div_ceil(CHUNK);
        for (i, column) in &self.driven {
            step::add(way.isa, &self.leaves.rates[*column], &mut out[*i], chunks);
        }
    }

    /// Write times and signals `share` of the step after its beginning.
    pub fn tell_time(&mut self, way: &Way, share: f64) {
        let field = way.field;
        let time = &mut self.leaves.data[TIME as usize];
        if way.frozen {
            *time = self.clock.wall;
        } else if field.reads_time || field.reads_signals {
            step::times(way.isa, &self.clock.t, &self.clock.h, share, time);
        }
        if field.reads_elapsed {
            let elapsed = &mut self.leaves.data[ELAPSED as usize];
            step::times(way.isa, &self.clock.t, &self.clock.h, share, elapsed);
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

    /// Deliver what was asked for on the way, from the dense output.
    fn observe(&mut self, way: &Way, sink: &mut Sink, arrived: u64) {
        let mut pending = arrived;
        loop {
            let mut here = 0u64;
            for p in bits(pending) {
                let position = &self.positions[p];
                let course = &way.courses[position.lane];
                let (t, h) = (self.clock.t.0[p], self.clock.h.0[p]);
                let end = (t + h).min(self.clock.target.0[p]);
                match course.stops.get(position.cursor) {
                    Some(stop) if stop.time <= end && matches!(stop.act, Act::Observe(_)) => {
                        self.theta.0[p] = ((stop.time - t) / h).clamp(0.0, 1.0);
                        here |= 1 << p;
                    }
                    _ => {}
                }
            }
            if here == 0 {
                return;
            }
            self.deliver(way, sink, here);
            pending = here;
        }
    }

    fn deliver(&mut self, way: &Way, sink: &mut Sink, here: u64) {
        let columns = Columns {
            moving: &way.field.moving,
            x: &self.x,
            k: &self.k,
        };
        let delivery = way.delivery;
        let at = (&self.theta, &self.clock.h);
        step::dense(way.isa, &columns, &delivery.moving, at, here, &mut self.row);
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

    /// Go on to the next stop.
    pub fn pass(&mut self, way: &Way, p: usize) {
        self.positions[p].cursor += 1;
        self.look_ahead(way, p);
    }

    /// Find the next stop and the next one that changes something.
    pub fn look_ahead(&mut self, way: &Way, p: usize) {
        let course = &way.courses[self.positions[p].lane];
        let rest = &course.stops[self.positions[p].cursor.min(course.stops.len())..];
        let changes = rest
            .iter()
            .find(|stop| !matches!(stop.act, Act::Observe(_)));
        let time = |stop: Option<&Stop>| stop.map_or(course.end, |stop| stop.time);
        let still = way.field.moving.is_empty();
        self.clock.next.0[p] = time(rest.first());
        self.clock.target.0[p] = match changes {
            // Where nothing is integrated, one step reaches all that is left.
            None if still && course.end == f64::INFINITY => time(rest.last()),
            _ => time(changes),
        };
    }

    fn commit(&mut self, way: &Way, accepted: u64) {
        let chunks = self.chunks();
        let (moving, states) = (&way.field.moving, &self.leaves.states);
        let columns = (self.x.as_mut_slice(), self.k.as_mut_slice());
        step::commit(
            way.isa,
            accepted,
            moving,
            states,
            columns,
            &mut self.clock,
            chunks,
        );
    }

    fn at_target(&self, arrived: u64) -> u64 {
        let clock = &self.clock;
        let reached = bits(arrived & self.active).filter(|p| clock.t.0[*p] >= clock.target.0[*p]);
        reached.fold(0, |sum, p| sum | (1 << p))
    }

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
    pub fn fail(&mut self, way: &Way, sink: &mut Sink, p: usize, failure: Failure) {
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

    fn judge_trouble(&mut self, way: &Way, sink: &mut Sink, trouble: u64) {
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

    /// Move lanes together where that frees eights.
    fn gather(&mut self, way: &Way) {
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

    fn move_lane(&mut self, way: &Way, from: usize, to: usize) {
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

pub fn first_bits(n: usize) -> u64 {
    if n >= LANES {
        u64::MAX
    } else {
        (1 << n) - 1
    }
}

/// Positions of the bits that are set.
pub fn bits(mut set: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let next = set.trailing_zeros() as usize;
        set &= set.wrapping_sub(1);
        (next < LANES).then_some(next)
    })
}
