//! Evaluate the log density of `phi` given the data, `log p(y_i | phi) + log N(phi; m_i, Omega)`, and its gradient.

use std::cell::OnceCell;

use super::modes::Conditional;
use crate::ir::column::{Column, LANES};
use crate::ir::vmath::Isa;
use crate::problem::{Derivatives, Means, Scratch, Values};

/// The density in the lanes of a layout.
pub struct Density<'a> {
    target: &'a Conditional<'a>,
    values: Values<'a>,
    /// Made when a gradient is first asked for.
    derivatives: OnceCell<Derivatives<'a>>,
    means: Means,
    isa: Isa,
}

impl<'a> Density<'a> {
    pub fn new(target: &'a Conditional<'a>) -> Self {
        let (problem, layout) = (target.problem, target.layout);
        let mut values = Values::new(problem, layout, &problem.programs.likelihood);
        values.set_known(target.known.clone());
        values.prepare(target.theta);
        Self {
            target,
            values,
            derivatives: OnceCell::new(),
            means: Means::new(problem, layout, target.theta),
            isa: Isa::detect(),
        }
    }

    /// Log density of each lane of a block.
    pub fn value(&self, b: usize, phi: &[Column], scratch: &mut Scratch) -> Column {
        let mut value = self.values.log_lik(b, phi, &mut scratch.work);
        let mean = self.means.columns(self.target.layout, b);
        let prior = self.target.prior.log_density(self.isa, phi, &mean);
        for l in 0..LANES {
            value.0[l] += prior.0[l];
        }
        value
    }

    fn derivatives(&self) -> &Derivatives<'a> {
        self.derivatives.get_or_init(|| {
            let Conditional {
                problem, layout, ..
            } = *self.target;
            let mut derivatives = Derivatives::new(problem, layout, &problem.programs.phi);
            derivatives.set_known(self.target.known.clone());
            derivatives.prepare(self.target.theta);
            derivatives
        })
    }

    /// The same with its gradient; coordinates with given values have no slope.
    pub fn gradient(
        &self,
        b: usize,
        phi: &[Column],
        gradient: &mut [Column],
        scratch: &mut Scratch,
    ) -> Column {
        let mut value = self.derivatives().gradient_phi(b, phi, gradient, scratch);
        let mean = self.means.columns(self.target.layout, b);
        let prior = self.target.prior.log_density(self.isa, phi, &mean);
        let precision = &self.target.prior.precision;
        let held = self.target.problem.held_columns(self.target.layout, b);
        for l in 0..LANES {
            value.0[l] += prior.0[l];
            for (k, slope) in gradient.iter_mut().enumerate() {
                let pull: f64 = (0..phi.len())
                    .map(|j| precision[(k, j)] * (phi[j].0[l] - mean[j].0[l]))
                    .sum();
                let free = held.as_ref().is_none_or(|held| held[k].0[l].is_nan());
                slope.0[l] = if free { slope.0[l] - pull } else { 0.0 };
            }
        }
        value
    }
}

/// Put given values of `phi` (NaN where free) in their place.
pub fn put_held(held: &[Column], phi: &mut [Column]) {
    for (values, column) in held.iter().zip(phi) {
        for l in (0..LANES).filter(|l| !values.0[*l].is_nan()) {
            column.0[l] = values.0[l];
        }
    }
}
