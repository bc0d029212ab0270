//! Go back along a recorded walk: the derivative of what was observed by all inputs, for steps as they were.
//!
//! With the adjoint `lambda` of the states after a step and weights `w` of the observations in it,
//! `kappa_s = h (b_s lambda + sum b_s(theta) w) + h sum_(r>s) a_rs J_r' kappa_r` and
//! `lambda <- lambda + sum w + sum_s J_s' kappa_s`; the inputs receive `sum_s (df/dp)_s' kappa_s`, the rates
//! `sum_s kappa_s`. A stop whose time moves gives `lambda' (f- - f+) dt/dp`.

use super::record::{Item, Part, Record, Trail};
use super::rest::solve;
use super::step::{self, Columns};
use super::tableau::{weight, A, C, STAGES};
use super::walk::bits;
use super::Adjoint;
use crate::ir::column::{Column, LANES};
use crate::ir::vmath::Isa;
use crate::ode::program::{Leaves, Memory};
use crate::ode::pull;
use crate::ode::system::{ELAPSED, SIGNALS, TIME};

/// Memory of a way back; [`Adjoint::back`] makes it.
#[derive(Debug, Clone)]
pub struct Back {
    leaves: Leaves,
    memory: Memory,
    still: Memory,
    still_out: Vec<Column>,
    rhs: pull::Back,
    flow: pull::Back,
    whole: pull::Back,
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
    inner: Option<Box<Back>>,
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

impl Back {
    pub(super) fn new(adjoint: &Adjoint) -> Self {
        let field = &adjoint.explicit.field;
        let (n, q) = (field.n, field.moving.len());
        let zeros = |n: usize| vec![Column::ZERO; n];
        Self {
            leaves: Leaves::zeros(field.n_inputs, n, field.n_signals),
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
    (back, gradients): (&mut Back, &mut [Column]),
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
            step::add(isa, &back.lambda[k], &mut back.gradient[*input], LANES / 8);
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
    fn walk(&self, back: &mut Back) {
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
                step::add(isa, own, sum, LANES / 8);
            }
        }
    }

    /// Stops that need no equations.
    fn pass_stops(&self, back: &mut Back) -> Waiting {
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

    fn pass(&self, back: &mut Back, trail: &Trail, l: usize, item: Item) {
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
                forget(back, l);
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
    fn load(&self, back: &mut Back, lanes: u64) {
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
    fn tell_time(&self, back: &mut Back, lanes: u64, s: usize) {
        let field = &self.adjoint.explicit.field;
        let share = if self.frozen { 0.0 } else { C[s] };
        let data = &mut back.leaves.data;
        step::times(self.isa, &back.t, &back.h, share, &mut data[TIME as usize]);
        let elapsed = &mut data[ELAPSED as usize];
        step::times(self.isa, &back.elapsed, &back.h, C[s], elapsed);
        let n = field.n_signals;
        for l in bits(if n > 0 { lanes } else { 0 }) {
            let spot = self.record.lanes[l].spot(back.spot[l], field.n, n);
            for (m, value) in spot.signals[s * n..(s + 1) * n].iter().enumerate() {
                data[SIGNALS as usize + m].0[l] = *value;
            }
        }
    }

    /// The end of a segment of states in closed form.
    fn close(&self, back: &mut Back, lanes: u64) {
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
    fn pull_flow(&self, back: &mut Back) {
        let (flow, isa) = (&self.adjoint.flow, self.isa);
        flow.pull(isa, &back.leaves, &mut back.flow, &back.seeds);
        for (sum, own) in back.lambda.iter_mut().zip(back.flow.states()) {
            step::add(isa, own, sum, LANES / 8);
        }
        take_rates(isa, &mut back.flow, &mut back.rho);
    }

    /// One step of each of `lanes`, with the observations in it.
    fn step(&self, back: &mut Back, lanes: u64) {
        let field = &self.adjoint.explicit.field;
        let q = field.moving.len();
        let mut seen = [(0, 0); LANES];
        for l in bits(lanes) {
            let items = &self.record.lanes[l].items[..back.left[l]];
            let last = items.iter().rposition(|item| matches!(item, Item::Step(_)));
            let first = last.unwrap_or(0);
            if let Some(Item::Step(at)) = items.get(first) {
                back.spot[l] = *at;
            }
            seen[l] = (first + 1, items.len());
            back.left[l] = first;
        }
        self.load(back, lanes);
        back.kappa.fill(Column::ZERO);
        back.direct.fill(Column::ZERO);
        let observed = self.observe(back, &seen, lanes);
        if q == 0 {
            return;
        }
        self.forward(back, lanes);
        if observed {
            self.pull_stage(back, lanes, 6);
            for column in &field.moving {
                let own = &back.rhs.states()[*column];
                step::add(self.isa, own, &mut back.lambda[*column], LANES / 8);
            }
        }
        for (i, column) in field.moving.iter().enumerate() {
            let lambda = &back.lambda[*column];
            for s in 0..6 {
                step::add_times(
                    self.isa,
                    A[6][s],
                    &back.h,
                    lambda,
                    &mut back.kappa[s * q + i],
                );
            }
        }
        for s in (0..6).rev() {
            self.pull_stage(back, lanes, s);
            for (i, column) in field.moving.iter().enumerate() {
                let own = &back.rhs.states()[*column];
                step::add(self.isa, own, &mut back.direct[i], LANES / 8);
                for j in 0..s {
                    let kappa = &mut back.kappa[j * q + i];
                    step::add_times(self.isa, A[s][j], &back.h, own, kappa);
                }
            }
        }
        for (i, column) in field.moving.iter().enumerate() {
            step::add(
                self.isa,
                &back.direct[i],
                &mut back.lambda[*column],
                LANES / 8,
            );
        }
    }

    /// Seeds of the observations within the step enter through the weights of the dense output.
    fn observe(&self, back: &mut Back, seen: &[(usize, usize); LANES], lanes: u64) -> bool {
        let field = &self.adjoint.explicit.field;
        let q = field.moving.len();
        let mut observed = false;
        for round in 0.. {
            let mut any = false;
            back.seeds.fill(Column::ZERO);
            let mut theta = Column::ZERO;
            for l in bits(lanes) {
                let (first, end) = seen[l];
                let item = self.record.lanes[l].items[..end].get(first + round);
                let Some(Item::Seen { row, theta: share }) = item else {
                    continue;
                };
                any = true;
                theta.0[l] = *share;
                for (s, state) in self.adjoint.states.iter().enumerate() {
                    back.seeds[*state].0[l] += self.seed(*row, s).0[l];
                }
            }
            if !any {
                break;
            }
            observed = true;
            for (i, column) in field.moving.iter().enumerate() {
                let seed = back.seeds[*column];
                step::add(self.isa, &seed, &mut back.direct[i], LANES / 8);
                for s in 0..STAGES {
                    let weights = Column(theta.0.map(|theta| weight(s, theta)));
                    let mut share = Column::ZERO;
                    step::add_times(self.isa, 1.0, &weights, &back.h, &mut share);
                    step::add_times(self.isa, 1.0, &share, &seed, &mut back.kappa[s * q + i]);
                }
            }
            self.observe_flow(back, lanes, &theta);
        }
        observed
    }

    fn observe_flow(&self, back: &mut Back, lanes: u64, theta: &Column) {
        let field = &self.adjoint.explicit.field;
        if field.flowing.is_empty() {
            return;
        }
        let seeds = back.seeds.clone();
        for (f, column) in field.flowing.iter().enumerate() {
            back.seeds[f] = seeds[*column];
        }
        self.tell_time(back, lanes, 0);
        let elapsed = &mut back.leaves.data[ELAPSED as usize];
        for l in bits(lanes) {
            elapsed.0[l] = back.elapsed.0[l] + theta.0[l] * back.h.0[l];
        }
        self.pull_flow(back);
    }

    /// The stages again.
    fn forward(&self, back: &mut Back, lanes: u64) {
        let field = &self.adjoint.explicit.field;
        let q = field.moving.len();
        for s in 0..STAGES {
            if s > 0 {
                let columns = Columns {
                    moving: &field.moving,
                    x: &back.x,
                    k: &back.k,
                };
                let states = &mut back.leaves.states;
                step::stage(self.isa, s, &columns, &back.h, states, LANES / 8);
            }
            for (i, column) in field.moving.iter().enumerate() {
                back.stages[s * q + i] = back.leaves.states[*column];
            }
            if s == 6 {
                break;
            }
            self.tell_time(back, lanes, s);
            let out = &mut back.k[s * q..(s + 1) * q];
            field
                .rhs
                .run(self.isa, LANES, &back.leaves, &mut back.memory, out);
            for (k, column) in out.iter_mut().zip(&field.moving) {
                step::add(self.isa, &back.leaves.rates[*column], k, LANES / 8);
            }
        }
    }

    /// Carry `kappa` of stage `s` back through the equations.
    fn pull_stage(&self, back: &mut Back, lanes: u64, s: usize) {
        let field = &self.adjoint.explicit.field;
        let q = field.moving.len();
        self.tell_time(back, lanes, s);
        for (i, column) in field.moving.iter().enumerate() {
            back.leaves.states[*column] = back.stages[s * q + i];
        }
        let seeds = &back.kappa[s * q..(s + 1) * q];
        self.adjoint
            .rhs
            .pull(self.isa, &back.leaves, &mut back.rhs, seeds);
        for (seed, column) in seeds.iter().zip(&field.moving) {
            step::add(self.isa, seed, &mut back.rho[*column], LANES / 8);
        }
        for column in &field.flowing {
            let own = &back.rhs.states()[*column];
            step::add(self.isa, own, &mut back.lambda[*column], LANES / 8);
        }
        take_rates(self.isa, &mut back.rhs, &mut back.rho);
    }

    /// Lanes that came from a steady state: `mu = (I - P_x')^-1 lambda` goes back along the cycle.
    fn steady(&self, back: &mut Back, lanes: u64) {
        let n = self.adjoint.explicit.field.n;
        let mut inner = back.inner.take();
        let mut waiting = lanes;
        while let Some(first) = bits(waiting).next() {
            let Some((cycle, _, _)) = self.came_from(back, first) else {
                break;
            };
            let mut group = [(0, 0, false); LANES];
            let mut count = 0;
            for l in bits(waiting) {
                if let Some((own, lane, adds)) = self.came_from(back, l) {
                    if own == cycle {
                        group[count] = (l, lane, adds);
                        count += 1;
                        waiting &= !(1 << l);
                    }
                }
            }
            let memory = inner.get_or_insert_with(|| Box::new(Back::new(self.adjoint)));
            let way = Return {
                record: &self.record.cycles[cycle],
                frozen: true,
                adjoint: self.adjoint,
                isa: self.isa,
                seeds: &[],
            };
            way.resolve(memory, back, &group[..count], n);
        }
        back.inner = inner;
    }

    fn came_from(&self, back: &Back, l: usize) -> Option<(usize, usize, bool)> {
        match self.record.lanes[l].items[back.left[l].checked_sub(1)?] {
            Item::Steady { cycle, lane, adds } => Some((cycle, lane, adds)),
            _ => None,
        }
    }

    /// `group`: lanes outside, in the cycle, and whether the steady state was added.
    fn resolve(
        &self,
        inner: &mut Back,
        outer: &mut Back,
        group: &[(usize, usize, bool)],
        n: usize,
    ) {
        let mut matrices = vec![vec![0.0; n * n]; group.len()];
        for k in 0..n {
            inner.lambda.fill(Column::ZERO);
            inner.lambda[k] = Column::splat(1.0);
            self.walk(inner);
            // Row `k` of the derivative of the cycle; the matrix of the adjoints is its transpose.
            for ((_, lane, _), matrix) in group.iter().zip(&mut matrices) {
                for (i, lambda) in inner.lambda.iter().enumerate() {
                    matrix[i * n + k] = f64::from(u8::from(i == k)) - lambda.0[*lane];
                }
            }
        }
        inner.lambda.fill(Column::ZERO);
        inner.gradient.fill(Column::ZERO);
        for ((l, lane, _), matrix) in group.iter().zip(&mut matrices) {
            let mut mu: Vec<f64> = outer.lambda.iter().map(|lambda| lambda.0[*l]).collect();
            if !solve(matrix, &mut mu, n) {
                mu.fill(f64::NAN);
            }
            for (lambda, mu) in inner.lambda.iter_mut().zip(mu) {
                lambda.0[*lane] = mu;
            }
        }
        self.walk(inner);
        for (l, lane, adds) in group {
            for (sum, own) in outer.gradient.iter_mut().zip(&inner.gradient) {
                sum.0[*l] += own.0[*lane];
            }
            if !adds {
                forget(outer, *l);
            }
            outer.left[*l] -= 1;
        }
    }

    /// A lane that came from rest: `mu = -J'^-1 lambda` goes back through the equations.
    fn rest(&self, back: &mut Back, l: usize) {
        let field = &self.adjoint.explicit.field;
        let (n, trail) = (field.n, &self.record.lanes[l]);
        back.left[l] -= 1;
        let Item::Rest {
            at,
            slopes,
            states,
            adds,
        } = trail.items[back.left[l]]
        else {
            return;
        };
        back.spot[l] = at;
        self.load(back, 1 << l);
        back.elapsed.0[l] = 0.0;
        self.tell_time(back, 1 << l, 0);
        let (still, isa) = (&field.still, self.isa);
        still.once(isa, &back.leaves, &mut back.still);
        still.run(
            isa,
            LANES,
            &back.leaves,
            &mut back.still,
            &mut back.still_out,
        );
        let slope = |i: usize, j: usize| back.still_out[n + i * n + j].0[l];
        let mut matrix: Vec<f64> = (0..n * n).map(|i| -slope(i % n, i / n)).collect();
        let mut mu: Vec<f64> = back.lambda.iter().map(|lambda| lambda.0[l]).collect();
        if !solve(&mut matrix, &mut mu, n) {
            mu.fill(f64::NAN);
        }
        back.seeds.fill(Column::ZERO);
        for (seed, mu) in back.seeds.iter_mut().zip(&mu) {
            seed.0[l] = *mu;
        }
        self.adjoint
            .whole
            .pull(isa, &back.leaves, &mut back.whole, &back.seeds);
        back.whole.rates().fill(Column::ZERO);
        let numbers = &trail.numbers[states..];
        add_slopes(back, trail, l, slopes, |i| mu[numbers[i] as usize]);
        if !adds {
            forget(back, l);
        }
    }
}

/// `gradient[input] += factor slope` for each of some slopes.
fn add_slopes(
    back: &mut Back,
    trail: &Trail,
    l: usize,
    slopes: Part,
    factor: impl Fn(usize) -> f64,
) {
    for (i, slope) in trail.part(slopes).iter().enumerate() {
        back.gradient[slope.input].0[l] += factor(i) * slope.slope;
    }
}

/// What comes before has no influence.
fn forget(back: &mut Back, l: usize) {
    for column in back.lambda.iter_mut().chain(&mut back.rho) {
        column.0[l] = 0.0;
    }
}

fn take_rates(isa: Isa, from: &mut pull::Back, rho: &mut [Column]) {
    for (own, sum) in from.rates().iter_mut().zip(rho) {
        step::add(isa, own, sum, LANES / 8);
        *own = Column::ZERO;
    }
}
