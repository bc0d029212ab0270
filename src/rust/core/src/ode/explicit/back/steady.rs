//! Go back from a steady state: along the cycle that leads to itself, or from rest.

use super::super::record::Item;
use super::super::rest::solve;
use super::super::way::bits;
use super::{add_slopes, forget, BackwardMemory, Return};
use crate::ir::column::{Column, LANES};

impl Return<'_> {
    /// Lanes that came from a steady state: `mu = (I - P_x')^-1 lambda` goes back along the cycle.
    pub(super) fn steady(&self, back: &mut BackwardMemory, lanes: u64) {
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
            let memory = inner.get_or_insert_with(|| Box::new(BackwardMemory::new(self.adjoint)));
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

    fn came_from(&self, back: &BackwardMemory, l: usize) -> Option<(usize, usize, bool)> {
        match self.record.lanes[l].items[back.left[l].checked_sub(1)?] {
            Item::Steady { cycle, lane, adds } => Some((cycle, lane, adds)),
            _ => None,
        }
    }

    /// `group`: lanes outside, in the cycle, and whether the steady state was added.
    fn resolve(
        &self,
        inner: &mut BackwardMemory,
        outer: &mut BackwardMemory,
        group: &[(usize, usize, bool)],
        n: usize,
    ) {
        let field = &self.adjoint.explicit.field;
        let mut matrices = vec![vec![0.0; n * n]; group.len()];
        for k in 0..n {
            inner.lambda.fill(Column::ZERO);
            inner.lambda[k] = Column::splat(1.0);
            self.walk(inner);
            // Row `k` of the derivative of the cycle; the matrix of the adjoints is its transpose.
            for ((_, lane, _), matrix) in group.iter().zip(&mut matrices) {
                for (i, lambda) in inner.lambda.iter().enumerate() {
                    let slope = if field.held[k] { 0.0 } else { lambda.0[*lane] };
                    matrix[i * n + k] = f64::from(u8::from(i == k)) - slope;
                }
            }
        }
        inner.lambda.fill(Column::ZERO);
        inner.gradient.fill(Column::ZERO);
        for ((l, lane, adds), matrix) in group.iter().zip(&mut matrices) {
            let mut mu = self.adjoints(outer, *l);
            if !solve(matrix, &mut mu, n) {
                mu.fill(f64::NAN);
            }
            self.begin(outer, &mut mu, (*l, *adds));
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
                forget(outer, &field.lasting, *l);
            }
            outer.left[*l] -= 1;
        }
    }

    /// Adjoints of what a steady state determines.
    fn adjoints(&self, back: &BackwardMemory, l: usize) -> Vec<f64> {
        let lasting = &self.adjoint.explicit.field.lasting;
        let each = back.lambda.iter().zip(lasting);
        each.map(|(lambda, lasts)| if *lasts { 0.0 } else { lambda.0[l] })
            .collect()
    }

    /// States that only add up come from their initial values, not from the steady state.
    fn begin(&self, back: &mut BackwardMemory, mu: &mut [f64], (l, adds): (usize, bool)) {
        let field = &self.adjoint.explicit.field;
        for (k, mu) in mu.iter_mut().enumerate().filter(|(k, _)| field.held[*k]) {
            let own = std::mem::take(mu);
            if let Some(input) = field.initial[k].filter(|_| !adds) {
                back.gradient[input].0[l] += own;
            }
        }
    }

    /// A lane that came from rest: `mu = -J'^-1 lambda` goes back through the equations.
    pub(super) fn rest(&self, back: &mut BackwardMemory, l: usize) {
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
        let element = |i: usize| match field.held[i % n] {
            true => f64::from(u8::from(i / n == i % n)),
            false => -slope(i % n, i / n),
        };
        let mut matrix: Vec<f64> = (0..n * n).map(element).collect();
        let mut mu = self.adjoints(back, l);
        if !solve(&mut matrix, &mut mu, n) {
            mu.fill(f64::NAN);
        }
        self.begin(back, &mut mu, (l, adds));
        back.seeds.fill(Column::ZERO);
        for (seed, mu) in back.seeds.iter_mut().zip(&mu) {
            seed.0[l] = *mu;
        }
        self.adjoint
            .whole
            .pull(isa, &back.leaves, &mut back.whole, &back.seeds);
        back.whole.rates().fill(Column::ZERO);
        let driven = &trail.states[states..];
        add_slopes(back, trail, l, slopes, |i| mu[driven[i]]);
        if !adds {
            forget(back, &field.lasting, l);
        }
    }
}
