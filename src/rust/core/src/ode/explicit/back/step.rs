//! Go back one step, with the observations in it.

use super::super::dense;
use super::super::record::Item;
use super::super::step::{self, StepColumns};
use super::super::tableau::{weight, A, STAGES};
use super::super::way::bits;
use super::{take_rates, BackwardMemory, Return};
use crate::ir::column::{Column, LANES};
use crate::ode::system::ELAPSED;

impl Return<'_> {
    /// One step of each of `lanes`, with the observations in it.
    pub(super) fn step(&self, back: &mut BackwardMemory, lanes: u64) {
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
        if !self.adjoint.explicit.field.moving.is_empty() {
            self.forward(back, lanes);
            self.backward(back, lanes, observed);
        }
    }

    /// From the last stage to the first; the last one counts only where something was observed.
    fn backward(&self, back: &mut BackwardMemory, lanes: u64, observed: bool) {
        let field = &self.adjoint.explicit.field;
        let q = field.moving.len();
        if observed {
            self.pull_stage(back, lanes, 6);
            for column in &field.moving {
                let own = &back.rhs.states()[*column];
                dense::add(self.isa, own, &mut back.lambda[*column], LANES / 8);
            }
        }
        for (i, column) in field.moving.iter().enumerate() {
            let lambda = &back.lambda[*column];
            for s in 0..6 {
                dense::add_times(
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
                dense::add(self.isa, own, &mut back.direct[i], LANES / 8);
                for j in 0..s {
                    let kappa = &mut back.kappa[j * q + i];
                    dense::add_times(self.isa, A[s][j], &back.h, own, kappa);
                }
            }
        }
        for (i, column) in field.moving.iter().enumerate() {
            dense::add(
                self.isa,
                &back.direct[i],
                &mut back.lambda[*column],
                LANES / 8,
            );
        }
    }

    /// Seeds of the observations within the step enter through the weights of the dense output.
    fn observe(
        &self,
        back: &mut BackwardMemory,
        seen: &[(usize, usize); LANES],
        lanes: u64,
    ) -> bool {
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
                dense::add(self.isa, &seed, &mut back.direct[i], LANES / 8);
                for s in 0..STAGES {
                    let weights = Column(theta.0.map(|theta| weight::<false>(s, theta)));
                    let mut share = Column::ZERO;
                    dense::add_times(self.isa, 1.0, &weights, &back.h, &mut share);
                    dense::add_times(self.isa, 1.0, &share, &seed, &mut back.kappa[s * q + i]);
                }
            }
            self.observe_flow(back, lanes, &theta);
        }
        observed
    }

    fn observe_flow(&self, back: &mut BackwardMemory, lanes: u64, theta: &Column) {
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
    fn forward(&self, back: &mut BackwardMemory, lanes: u64) {
        let field = &self.adjoint.explicit.field;
        let q = field.moving.len();
        for s in 0..STAGES {
            if s > 0 {
                let columns = StepColumns {
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
                dense::add(self.isa, &back.leaves.rates[*column], k, LANES / 8);
            }
        }
    }

    /// Carry `kappa` of stage `s` back through the equations.
    fn pull_stage(&self, back: &mut BackwardMemory, lanes: u64, s: usize) {
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
            dense::add(self.isa, seed, &mut back.rho[*column], LANES / 8);
        }
        for column in &field.flowing {
            let own = &back.rhs.states()[*column];
            dense::add(self.isa, own, &mut back.lambda[*column], LANES / 8);
        }
        take_rates(self.isa, &mut back.rhs, &mut back.rho);
    }
}
