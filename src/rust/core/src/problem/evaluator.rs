//! Evaluate one grouping at a `theta`: everything that is asked of the model in the lanes of a layout.
//!
//! Given the effects of the other groupings the log density of a lane is `log p(y | phi) + log N(phi; m, Omega)`; with
//! one grouping nothing else is given. A program is bound when something first reads it, and computed anew once `theta`
//! or what is given has moved. Lanes are independent: whoever adds up blocks in their order may share them among threads
//! or machines.

use std::sync::{Arc, Mutex, OnceLock};

use super::differentiate::{DerivativeScratch, Derivatives};
use super::evaluate::BoundProgram;
use super::known::Known;
use super::prior::{MeanProgram, Means, Prior};
use super::Problem;
use crate::data::Layout;
use crate::error::Result;
use crate::ir::column::{Column, LANES};
use crate::ir::program::{DerivativeProgram, ValueProgram};
use crate::ir::vmath::Isa;

/// A grouping in the lanes of a layout, at a `theta`. `phi` of a block: one column a coordinate.
pub struct Evaluator<'a> {
    pub problem: &'a Problem,
    pub layout: &'a Layout,
    theta: Vec<f64>,
    known: Arc<Vec<Known>>,
    prior: Prior,
    program: MeanProgram<'a>,
    means: Means,
    /// Means in the lanes of the blocks that were asked for.
    mean: Vec<OnceLock<Vec<Column>>>,
    values: PreparedProgram<BoundProgram<'a>>,
    corrections: PreparedProgram<BoundProgram<'a>>,
    by_phi: PreparedProgram<Derivatives<'a>>,
    by_theta: PreparedProgram<Derivatives<'a>>,
    by_both: PreparedProgram<Derivatives<'a>>,
}

impl<'a> Evaluator<'a> {
    /// # Errors
    /// A population distribution that does not exist at `theta`.
    pub fn new(problem: &'a Problem, layout: &'a Layout, theta: &[f64]) -> Result<Self> {
        Ok(Self::of(
            (problem, layout),
            theta,
            Prior::new(problem, theta)?,
        ))
    }

    /// The same with the population distribution at `theta`.
    pub fn of((problem, layout): (&'a Problem, &'a Layout), theta: &[f64], prior: Prior) -> Self {
        let mut program = MeanProgram::new(problem, layout);
        Self {
            means: program.at(theta),
            mean: vec![OnceLock::new(); layout.blocks.len()],
            theta: theta.to_vec(),
            known: Arc::default(),
            values: PreparedProgram::default(),
            corrections: PreparedProgram::default(),
            by_phi: PreparedProgram::default(),
            by_theta: PreparedProgram::default(),
            by_both: PreparedProgram::default(),
            problem,
            layout,
            prior,
            program,
        }
    }

    /// The same given effects of the other groupings, or stored values.
    #[must_use]
    pub fn given(mut self, known: Vec<Known>) -> Self {
        self.set_known(Arc::new(known));
        self
    }

    pub fn set_known(&mut self, known: Arc<Vec<Known>>) {
        self.known = known;
        self.stale();
    }

    /// # Errors
    /// A population distribution that does not exist there: then nothing has moved.
    pub fn set_theta(&mut self, theta: &[f64]) -> Result<()> {
        self.set(theta, Prior::new(self.problem, theta)?);
        Ok(())
    }

    /// Move to a `theta` at which this is the population distribution.
    pub fn set(&mut self, theta: &[f64], prior: Prior) {
        self.prior = prior;
        self.means = self.program.at(theta);
        self.mean.fill(OnceLock::new());
        self.theta = theta.to_vec();
        self.stale();
    }

    fn stale(&mut self) {
        self.values.stale();
        self.corrections.stale();
        self.by_phi.stale();
        self.by_theta.stale();
        self.by_both.stale();
    }

    pub fn theta(&self) -> &[f64] {
        &self.theta
    }

    pub fn prior(&self) -> &Prior {
        &self.prior
    }

    /// Means of `phi` at another `theta`.
    pub fn means_at(&mut self, theta: &[f64]) -> Means {
        self.program.at(theta)
    }

    /// Means of `phi` of the levels of the layout.
    pub fn means(&self) -> &Means {
        &self.means
    }

    /// The same in the lanes of a block.
    pub fn mean(&self, b: usize) -> &[Column] {
        self.mean[b].get_or_init(|| self.means.columns(self.layout, b))
    }

    /// `phi` of all levels (`levels x d`, row-major) in the lanes of every block.
    pub fn columns(&self, phi: &[f64]) -> Vec<Vec<Column>> {
        let blocks = 0..self.layout.blocks.len();
        let block = |b: usize| self.layout.columns(b, phi, self.problem.n_phi());
        blocks.map(block).collect()
    }

    /// Put given values of `phi` in their places in the lanes of a block.
    pub fn put_held(&self, b: usize, phi: &mut [Column]) {
        let held = self.problem.held_columns(self.layout, b);
        for (values, column) in held.iter().flatten().zip(phi) {
            for l in (0..LANES).filter(|l| !values.0[*l].is_nan()) {
                column.0[l] = values.0[l];
            }
        }
    }

    /// Another program at this `theta`, given the same.
    pub fn bind(&self, program: &'a ValueProgram) -> BoundProgram<'a> {
        self.prepared(BoundProgram::new(self.problem, self.layout, program))
    }

    fn prepared<P: EvaluatedProgram>(&self, mut program: P) -> P {
        program.set_known(self.known.clone());
        program.prepare(&self.theta);
        program
    }

    fn value_of<'s>(
        &'s self,
        bound: &'s PreparedProgram<BoundProgram<'a>>,
        program: &'a ValueProgram,
    ) -> &'s BoundProgram<'a> {
        let bind = || BoundProgram::new(self.problem, self.layout, program);
        bound.at(bind, |own| self.prepared(own))
    }

    fn slopes_of<'s>(
        &'s self,
        bound: &'s PreparedProgram<Derivatives<'a>>,
        program: &'a DerivativeProgram,
    ) -> &'s Derivatives<'a> {
        let bind = || Derivatives::new(self.problem, self.layout, program);
        bound.at(bind, |own| self.prepared(own))
    }

    /// The outcomes' log density at the rows of each level, with what effects that are not Gaussian add.
    pub fn values(&self) -> &BoundProgram<'a> {
        self.value_of(&self.values, &self.problem.programs.likelihood)
    }

    /// What effects that are not Gaussian add.
    pub fn corrections(&self) -> &BoundProgram<'a> {
        self.value_of(&self.corrections, &self.problem.programs.corrections)
    }

    /// The grouping's share of a log density of all groupings: the outcomes count once, in the first.
    pub fn share(&self) -> &BoundProgram<'a> {
        if self.problem.group == 0 {
            self.values()
        } else {
            self.corrections()
        }
    }

    /// Derivatives of the values in `phi`.
    pub fn by_phi(&self) -> &Derivatives<'a> {
        self.slopes_of(&self.by_phi, &self.problem.programs.phi)
    }

    /// Derivatives in `theta` of the values and of what else the program for `theta` holds.
    pub fn by_theta(&self) -> &Derivatives<'a> {
        self.slopes_of(&self.by_theta, &self.problem.programs.theta)
    }

    /// Derivatives in both, where one program has them.
    pub fn by_both(&self) -> Option<&Derivatives<'a>> {
        let program = self.problem.programs.both.as_ref();
        program.map(|program| self.slopes_of(&self.by_both, program))
    }

    /// Log density of each lane: `values` and the Gaussian distribution of `phi`.
    pub fn log_density(&self, b: usize, phi: &[Column], work: &mut Vec<Column>) -> Column {
        plus(self.values().log_lik(b, phi, work), self.log_prior(b, phi))
    }

    /// Log density of the Gaussian distribution of `phi` in each lane.
    pub fn log_prior(&self, b: usize, phi: &[Column]) -> Column {
        self.prior.log_density(Isa::detect(), phi, self.mean(b))
    }

    /// Log density of each lane and its gradient in `phi`; coordinates with given values have no slope.
    pub fn gradient(
        &self,
        b: usize,
        phi: &[Column],
        gradient: &mut [Column],
        scratch: &mut DerivativeScratch,
    ) -> Column {
        let value = self.by_phi().gradient_phi(b, phi, gradient, scratch);
        let (mean, held) = (self.mean(b), self.problem.held_columns(self.layout, b));
        for (k, slope) in gradient.iter_mut().enumerate() {
            for l in 0..LANES {
                let free = held.as_ref().is_none_or(|held| held[k].0[l].is_nan());
                let away = |j: usize| phi[j].0[l] - mean[j].0[l];
                let pull = self.prior.pull(k, away);
                slope.0[l] = if free { slope.0[l] - pull } else { 0.0 };
            }
        }
        plus(value, self.log_prior(b, phi))
    }
}

fn plus(mut value: Column, other: Column) -> Column {
    for (value, other) in value.0.iter_mut().zip(other.0) {
        *value += other;
    }
    value
}

/// What a program reads beside `phi`.
trait EvaluatedProgram {
    fn set_known(&mut self, known: Arc<Vec<Known>>);
    fn prepare(&mut self, theta: &[f64]);
}

impl EvaluatedProgram for BoundProgram<'_> {
    fn set_known(&mut self, known: Arc<Vec<Known>>) {
        self.set_known(known);
    }

    fn prepare(&mut self, theta: &[f64]) {
        self.prepare(theta);
    }
}

impl EvaluatedProgram for Derivatives<'_> {
    fn set_known(&mut self, known: Arc<Vec<Known>>) {
        self.set_known(known);
    }

    fn prepare(&mut self, theta: &[f64]) {
        self.prepare(theta);
    }
}

/// A program that is bound once and prepared whenever it is read after a move.
struct PreparedProgram<P> {
    ready: OnceLock<P>,
    stale: Mutex<Option<P>>,
}

impl<P> Default for PreparedProgram<P> {
    fn default() -> Self {
        Self {
            ready: OnceLock::new(),
            stale: Mutex::new(None),
        }
    }
}

impl<P> PreparedProgram<P> {
    fn at(&self, bind: impl FnOnce() -> P, prepare: impl FnOnce(P) -> P) -> &P {
        self.ready.get_or_init(|| {
            let stale = self.stale.lock().ok().and_then(|mut stale| stale.take());
            prepare(stale.unwrap_or_else(bind))
        })
    }

    fn stale(&mut self) {
        if let (Some(program), Ok(stale)) = (self.ready.take(), self.stale.get_mut()) {
            *stale = Some(program);
        }
    }
}
