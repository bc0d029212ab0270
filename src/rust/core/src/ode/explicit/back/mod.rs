//! Go back along a recorded walk: the derivative of what was observed by all inputs, for steps as they were.
//!
//! With the adjoint `lambda` of the states after a step and weights `w` of the observations in it,
//! `kappa_s = h (b_s lambda + sum b_s(theta) w) + h sum_(r>s) a_rs J_r' kappa_r` and
//! `lambda <- lambda + sum w + sum_s J_s' kappa_s`; the inputs receive `sum_s (df/dp)_s' kappa_s`, the rates
//! `sum_s kappa_s`. A stop whose time moves gives `lambda' (f- - f+) dt/dp`.

mod steady;
mod step;

use super::dense;
use super::record::{Item, ListRange, Record, Trail};
use super::tableau::{C, STAGES};
use super::way::bits;
use super::Adjoint;
use crate::ir::column::{Column, LANES};
use crate::ir::vmath::Isa;
use crate::ode::program::{LeafColumns, ProgramMemory};
use crate::ode::pull;
use crate::ode::system::{ELAPSED, SIGNALS, TIME};

/// Memory of a way back; [`Adjoint::back`] makes it.
#[derive(Debug, Clone)]
pub struct BackwardMemory {
    leaves: LeafColumns,
    memory: ProgramMemory,
    still: ProgramMemory,
    still_out: Vec<Column>,
    rhs: pull::PullMemory,
    flow: pull::PullMemory,
    whole: pull::PullMemory,
    x: Vec<Column>,
    k: Vec<Column>,
    /// Integrated states of each stage.
    stages: Vec<Column>,
    kappa: Vec<Column>,
    direct: Vec<Column>,
    seeds: Vec<Column>,
    /// Adjoints of states, rates and inputs.
    lambda: Vec<Column>,
    rho: Vec<Column>,
    gradient: Vec<Column>,
    t: Column,
    h: Column,
    elapsed: Column,
    /// For each lane how many items are left, and where the numbers of its step are.
    left: [usize; LANES],
    spot: [usize; LANES],
    inner: Option<Box<BackwardMemory>>,
}

/// A way back under way.
struct Return<'a> {
    adjoint: &'a Adjoint,
    isa: Isa,
    record: &'a Record,
    /// One column a row and wanted state.
    seeds: &'a [Column],
    /// The clock stood still.
    frozen: bool,
}

/// Lanes by what comes next on their way back.
#[derive(Default)]
struct Waiting {
    steps: u64,
    closes: u64,
    steady: u64,
    rest: u64,
}

impl BackwardMemory {
    pub(super) fn new(adjoint: &Adjoint) -> Self {
        let field = &adjoint.explicit.field;
        let (n, q) = (field.n, field.moving.len());
        let zeros = |n: usize| vec![Column::ZERO; n];
        Self {
            leaves: LeafColumns::zeros(field.n_inputs, n, field.n_signals),
            memory: field.rhs.memory(),
            still: field.still.memory(),
            still_out: zeros(field.still.n_roots()),
            rhs: adjoint.rhs.back(),
            flow: adjoint.flow.back(),
            whole: adjoint.whole.back(),
            x: zeros(n),
            k: zeros(STAGES * q),
            stages: zeros(STAGES * q),
            kappa: zeros(STAGES * q),
            direct: zeros(q),
            seeds: zeros(n),
            lambda: zeros(n),
            rho: zeros(n),
            gradient: zeros(field.n_inputs),
            t: Column::ZERO,
            h: Column::ZERO,
            elapsed: Column::ZERO,
            left: [0; LANES],
            spot: [0; LANES],
            inner: None,
        }
    }
}

/// Go back along `record` with `seeds`, one column a row and wanted state; `gradients`: one column an input.
pub(super) fn go(
    adjoint: &Adjoint,
    isa: Isa,
    record: &Record,
    seeds: &[Column],
    (back, gradients): (&mut BackwardMemory, &mut [Column]),
) {
    back.lambda.fill(Column::ZERO);
    back.gradient.fill(Column::ZERO);
    let way = Return {
        adjoint,
        isa,
        record,
        seeds,
        frozen: false,
    };
    way.walk(back);
    for (k, initial) in adjoint.explicit.field.initial.iter().enumerate() {
        if let Some(input) = initial {
            dense::add(isa, &back.lambda[k], &mut back.gradient[*input], LANES / 8);
        }
    }
    for (to, from) in gradients.iter_mut().zip(&back.gradient) {
        to.0 = [0.0; LANES];
        let lanes = record.lanes.len().min(LANES);
        to.0[..lanes].copy_from_slice(&from.0[..lanes]);
    }
}

impl Return<'_> {
    /// From the adjoints after the walk, `lambda`, to those before it; adds to `gradient`.
    fn walk(&self, back: &mut BackwardMemory) {
        let (adjoint, isa) = (self.adjoint, self.isa);
        let field = &adjoint.explicit.field;
        back.leaves.inputs.copy_from_slice(&self.record.inputs);
        back.rho.fill(Column::ZERO);
        back.h = Column::ZERO;
        field.rhs.once(isa, &back.leaves, &mut back.memory);
        adjoint.rhs.start(isa, &back.leaves, &mut back.rhs);
        adjoint.flow.start(isa, &back.leaves, &mut back.flow);
        adjoint.whole.start(isa, &back.leaves, &mut back.whole);
        back.left = [0; LANES];
        for (left, trail) in back.left.iter_mut().zip(&self.record.lanes) {
            *left = trail.items.len();
        }
        loop {
            let waiting = self.pass_stops(back);
            if waiting.steady != 0 {
                self.steady(back, waiting.steady);
            } else if waiting.rest != 0 {
                bits(waiting.rest).for_each(|l| self.rest(back, l));
            } else if waiting.closes != 0 {
                self.close(back, waiting.closes);
            } else if waiting.steps != 0 {
                self.step(back, waiting.steps);
            } else {
                break;
            }
        }
        let pulls = [
            (&adjoint.rhs, &mut back.rhs),
            (&adjoint.flow, &mut back.flow),
            (&adjoint.whole, &mut back.whole),
        ];
        for (pull, memory) in pulls {
            pull.finish(isa, &back.leaves, memory);
            for (sum, own) in back.gradient.iter_mut().zip(memory.inputs()) {
                dense::add(isa, own, sum, LANES / 8);
            }
        }
    }

    /// Stops that need no equations.
    fn pass_stops(&self, back: &mut BackwardMemory) -> Waiting {
        let mut waiting = Waiting::default();
        for (l, trail) in self.record.lanes.iter().enumerate() {
            while let Some(i) = back.left[l].checked_sub(1) {
                match trail.items[i] {
                    Item::Step(_) | Item::Seen { .. } => waiting.steps |= 1 << l,
                    Item::Close(_) => waiting.closes |= 1 << l,
                    Item::Steady { .. } => waiting.steady |= 1 << l,
                    Item::Rest { .. } => waiting.rest |= 1 << l,
                    item => {
                        self.pass(back, trail, l, item);
                        back.left[l] = i;
                        continue;
                    }
                }
                break;
            }
        }
        waiting
    }

    fn pass(&self, back: &mut BackwardMemory, trail: &Trail, l: usize, item: Item) {
        let field = &self.adjoint.explicit.field;
        match item {
            Item::Now(row) => {
                for (s, state) in self.adjoint.states.iter().enumerate() {
                    back.lambda[*state].0[l] += self.seed(row, s).0[l];
                }
            }
            Item::Bolus {
                state,
                amount,
                fraction: Some(input),
            } => back.gradient[input].0[l] += amount * back.lambda[state].0[l],
            Item::Rate { state, slopes } => {
                let rho = back.rho[state].0[l];
                add_slopes(back, trail, l, slopes, |_| rho);
            }
            Item::Reset => {
                for (k, initial) in field.initial.iter().enumerate() {
                    if let Some(input) = initial {
                        back.gradient[*input].0[l] += back.lambda[k].0[l];
                    }
                }
                forget(back, &field.lasting, l);
            }
            Item::Moves { slopes, jump } => {
                let jumps = &trail.numbers[jump..jump + field.n];
                let along = back.lambda.iter().zip(jumps);
                let total: f64 = along.map(|(lambda, jump)| lambda.0[l] * jump).sum();
                add_slopes(back, trail, l, slopes, |_| total);
            }
            _ => {}
        }
    }

    fn seed(&self, row: usize, s: usize) -> &Column {
        &self.seeds[row * self.adjoint.states.len() + s]
    }

    /// Load the step, or the end of the segment, that each of `lanes` came from.
    fn load(&self, back: &mut BackwardMemory, lanes: u64) {
        let field = &self.adjoint.explicit.field;
        back.h = Column::ZERO;
        for l in bits(lanes) {
            let spot = self.record.lanes[l].spot(back.spot[l], field.n, field.n_signals);
            (back.t.0[l], back.h.0[l]) = (spot.t, spot.h);
            back.elapsed.0[l] = spot.elapsed;
            for k in 0..field.n {
                back.x[k].0[l] = spot.x[k];
                back.leaves.rates[k].0[l] = spot.rates[k];
            }
        }
        back.leaves.states.copy_from_slice(&back.x);
    }

    /// Time and signals of stage `s`, in the lanes that were loaded.
    fn tell_time(&self, back: &mut BackwardMemory, lanes: u64, s: usize) {
        let field = &self.adjoint.explicit.field;
        let share = if self.frozen { 0.0 } else { C[s] };
        let data = &mut back.leaves.data;
        dense::times(self.isa, &back.t, &back.h, share, &mut data[TIME as usize]);
        let elapsed = &mut data[ELAPSED as usize];
        dense::times(self.isa, &back.elapsed, &back.h, C[s], elapsed);
        let n = field.n_signals;
        for l in bits(if n > 0 { lanes } else { 0 }) {
            let spot = self.record.lanes[l].spot(back.spot[l], field.n, n);
            for (m, value) in spot.signals[s * n..(s + 1) * n].iter().enumerate() {
                data[SIGNALS as usize + m].0[l] = *value;
            }
        }
    }

    /// The end of a segment of states in closed form.
    fn close(&self, back: &mut BackwardMemory, lanes: u64) {
        for l in bits(lanes) {
            back.left[l] -= 1;
            if let Item::Close(at) = self.record.lanes[l].items[back.left[l]] {
                back.spot[l] = at;
            }
        }
        self.load(back, lanes);
        self.tell_time(back, lanes, 0);
        let field = &self.adjoint.explicit.field;
        for (f, column) in field.flowing.iter().enumerate() {
            back.seeds[f] = Column::ZERO;
            for l in bits(lanes) {
                back.seeds[f].0[l] = back.lambda[*column].0[l];
                back.lambda[*column].0[l] = 0.0;
            }
        }
        self.pull_flow(back);
    }

    /// Carry the seeds of the flowing states back to where their segment began.
    fn pull_flow(&self, back: &mut BackwardMemory) {
        let (flow, isa) = (&self.adjoint.flow, self.isa);
        flow.pull(isa, &back.leaves, &mut back.flow, &back.seeds);
        for (sum, own) in back.lambda.iter_mut().zip(back.flow.states()) {
            dense::add(isa, own, sum, LANES / 8);
        }
        take_rates(isa, &mut back.flow, &mut back.rho);
    }
}

/// `gradient[input] += factor slope` for each of some slopes.
fn add_slopes(
    back: &mut BackwardMemory,
    trail: &Trail,
    l: usize,
    slopes: ListRange,
    factor: impl Fn(usize) -> f64,
) {
    for (i, slope) in trail.part(slopes).iter().enumerate() {
        back.gradient[slope.input].0[l] += factor(i) * slope.slope;
    }
}

/// What comes before has no influence but on states that are lasting.
fn forget(back: &mut BackwardMemory, lasting: &[bool], l: usize) {
    let lambda = back.lambda.iter_mut().zip(lasting);
    let lambda = lambda.filter(|(_, lasts)| !**lasts);
    for column in lambda.map(|(column, _)| column).chain(&mut back.rho) {
        column.0[l] = 0.0;
    }
}

fn take_rates(isa: Isa, from: &mut pull::PullMemory, rho: &mut [Column]) {
    for (own, sum) in from.rates().iter_mut().zip(rho) {
        dense::add(isa, own, sum, LANES / 8);
        *own = Column::ZERO;
    }
}
