//! Find the conditional mode of `phi` of every subject by a damped Gauss-Newton, then Newton iteration.
//!
//! Maximise `log p(y_i | phi) + log N(phi; m_i, Omega)`. Each step solves with the posterior precision and is halved
//! until the objective rises; lanes move independently. Solutions of differential equations have errors, which no step
//! gets below: a lane whose expected gain drowns in them, and no longer shrinks, has converged too.

use super::curvature::{posterior_precision, Curvature};
use super::metric_lanes::LaneMetric;
use crate::data::Layout;
use crate::ir::column::{Column, LANES};
use crate::ir::symmetric::{at, cholesky, solve_lower, solve_upper};
use crate::ir::vmath::Isa;
use crate::parallel::Workers;
use serde::{Deserialize, Serialize};

use crate::problem::{DerivativeScratch, Evaluator, Problem};

/// Steps after which Gauss-Newton gives way to Newton: with large residuals, or a residual error that depends on
/// `phi`, the expected curvature may be less than half the observed one, and steps overshoot forever. A Newton step takes
/// two gradients for every effect: with more effects than a few, quasi-Newton steps come first.
const PATIENCE: usize = 20;
const FEW: usize = 10;

/// Effects above which a Newton step is dear, and how many of them then follow at most.
const MANY: usize = 24;
const AFTER: usize = 4;

/// How often a step is halved.
const HALVINGS: usize = 30;

/// Conditional modes and the factor of their posterior precision, block by block.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Modes {
    /// `[block][coordinate]`
    pub phi: Vec<Vec<Column>>,
    /// Lower Cholesky factor of the posterior precision, `[block][element]`.
    pub factor: Vec<Vec<Column>>,
    /// 1 where the iteration converged.
    pub converged: Vec<Column>,
}

/// When the iteration stops.
#[derive(Debug, Clone, Copy)]
pub struct ModeOptions {
    pub max_steps: usize,
    /// Newton decrement (expected gain in log density) below which a lane has converged.
    pub tolerance: f64,
    /// Curvature reported at the modes.
    pub curvature: Curvature,
}

impl ModeOptions {
    /// Tight: for reports and quadrature.
    pub fn exact() -> Self {
        Self {
            max_steps: 200,
            tolerance: 1e-12,
            curvature: Curvature::Observed,
        }
    }
}

/// The iteration of one block.
struct BlockModes<'s, 'a> {
    target: &'s Evaluator<'a>,
    b: usize,
    isa: Isa,
    /// Curvature of the first steps.
    curvature: Curvature,
    /// Given values of `phi`, NaN where free.
    held: Option<Vec<Column>>,
    /// Relative error of the log density.
    error: f64,
}

/// Lanes that are as good as the solutions of their equations.
struct Drowned {
    before: Column,
    lanes: Column,
}

impl Drowned {
    /// Newton's expected gain falls to a fraction from step to step while it means anything; `noise` is its size when the
    /// slope is an error of the solutions.
    const SHRINKS: f64 = 0.25;

    fn look(&mut self, l: usize, gain: f64, noise: f64) -> bool {
        if gain < noise && gain > Self::SHRINKS * self.before.0[l] {
            self.lanes.0[l] = 1.0;
        }
        self.before.0[l] = gain;
        self.lanes.0[l] != 0.0
    }
}

impl Modes {
    /// Modes given the other groupings, in parallel over blocks. `start`: a first value of `phi` for each block, else
    /// the means.
    pub fn find(
        target: &Evaluator,
        start: Option<&[Vec<Column>]>,
        options: ModeOptions,
        workers: &Workers,
    ) -> Self {
        let (problem, layout) = (target.problem, target.layout);
        let found = workers.map_range(
            layout.blocks.len(),
            DerivativeScratch::default,
            |scratch, b| {
                let search = BlockModes {
                    target,
                    b,
                    isa: Isa::detect(),
                    curvature: step_curvature(problem),
                    held: problem.held_columns(layout, b),
                    error: problem.solution_error(),
                };
                let start = start.map_or_else(|| target.mean(b).to_vec(), |start| start[b].clone());
                search.find(start, options, scratch)
            },
        );
        let mut modes = Self {
            phi: Vec::new(),
            factor: Vec::new(),
            converged: Vec::new(),
        };
        for (phi, factor, converged) in found {
            modes.phi.push(phi);
            modes.factor.push(factor);
            modes.converged.push(converged);
        }
        modes
    }

    /// Modes of all subjects: `n_subjects x d`, row-major; the first copy of each subject.
    pub fn by_subject(&self, layout: &Layout) -> (Vec<f64>, Vec<bool>) {
        let d = self.phi.first().map_or(0, Vec::len);
        let mut values = vec![f64::NAN; layout.n_subjects * d];
        let mut converged = vec![false; layout.n_subjects];
        for (b, block) in layout.blocks.iter().enumerate() {
            for (l, lane) in block
                .lanes
                .iter()
                .enumerate()
                .filter(|(_, lane)| lane.copy == 0)
            {
                let subject = lane.subject as usize;
                for k in 0..d {
                    values[subject * d + k] = self.phi[b][k].0[l];
                }
                converged[subject] = self.converged[b].0[l] != 0.0;
            }
        }
        (values, converged)
    }
}

/// Gauss-Newton where every family knows its information, else the observed curvature.
pub fn step_curvature(problem: &Problem) -> Curvature {
    if problem.programs.has_information {
        Curvature::Expected
    } else {
        Curvature::Observed
    }
}

impl BlockModes<'_, '_> {
    /// Modes of the block, the factor of their precision, and where they were found.
    fn find(
        &self,
        mut phi: Vec<Column>,
        options: ModeOptions,
        scratch: &mut DerivativeScratch,
    ) -> (Vec<Column>, Vec<Column>, Column) {
        self.target.put_held(self.b, &mut phi);
        let converged = self.run(&mut phi, options, scratch);
        let mut factor = posterior_precision(options.curvature, self.target, self.b, &phi, scratch);
        cholesky(self.isa, &mut factor, phi.len(), &mut Column::ZERO.clone());
        (phi, factor, converged)
    }

    fn run(
        &self,
        phi: &mut [Column],
        options: ModeOptions,
        scratch: &mut DerivativeScratch,
    ) -> Column {
        let mut drowned = Drowned {
            before: Column::splat(f64::INFINITY),
            lanes: Column::ZERO,
        };
        let mut curvature = self.curvature;
        let mut found = [false; LANES];
        // Lanes from which no part of the step leads up: the same step would be tried again.
        let mut stuck = [false; LANES];
        let most = match phi.len() > MANY && self.curvature == Curvature::Expected {
            true => options.max_steps.min(PATIENCE + AFTER),
            false => options.max_steps,
        };
        for round in 0..most {
            let (here, gradient, mut step) = self.step(phi, curvature, scratch);
            for l in 0..LANES {
                let products = gradient.iter().zip(&step).map(|(g, s)| g.0[l] * s.0[l]);
                let gain = 0.5 * products.sum::<f64>().abs();
                let still = drowned.look(l, gain, self.noise(here.0[l]));
                found[l] = still || gain < options.tolerance;
                if still || stuck[l] {
                    step.iter_mut().for_each(|step| step.0[l] = 0.0);
                }
            }
            let ended = (0..LANES).all(|l| found[l] || stuck[l]);
            if ended && (curvature == Curvature::Observed || found == [true; LANES]) {
                break;
            }
            if !ended {
                self.advance(phi, (&here, &step), &mut stuck, scratch);
            }
            let patient = round + 1 < PATIENCE;
            if !ended && !patient && curvature == Curvature::Expected && phi.len() > FEW {
                self.quasi_newton(phi, options, &mut found, scratch);
            }
            if ended || !patient {
                (curvature, stuck) = (Curvature::Observed, [false; LANES]);
            }
        }
        Column(found.map(|found| f64::from(u8::from(found))))
    }

    /// Expected gain where the slope is an error of the solutions, at this log density.
    fn noise(&self, here: f64) -> f64 {
        (10.0 * self.error * here.abs().max(1.0)).powi(2)
    }

    /// Quasi-Newton steps from the expected curvature, until they lead no further.
    fn quasi_newton(
        &self,
        phi: &mut [Column],
        options: ModeOptions,
        found: &mut [bool; LANES],
        scratch: &mut DerivativeScratch,
    ) {
        let mut factor = posterior_precision(self.curvature, self.target, self.b, phi, scratch);
        self.isolate_held(&mut factor);
        cholesky(self.isa, &mut factor, phi.len(), &mut Column::ZERO.clone());
        let mut metric = LaneMetric::new(self.isa, &factor, phi.len());
        let mut gradient = vec![Column::ZERO; phi.len()];
        let mut here = self.target.gradient(self.b, phi, &mut gradient, scratch);
        let mut stuck = [false; LANES];
        for _ in 0..options.max_steps {
            let mut step = metric.times(&gradient);
            for l in 0..LANES {
                let products = gradient.iter().zip(&step).map(|(g, s)| g.0[l] * s.0[l]);
                let gain = 0.5 * products.sum::<f64>().abs();
                found[l] = gain < options.tolerance.max(self.noise(here.0[l]));
                if found[l] || stuck[l] {
                    step.iter_mut().for_each(|step| step.0[l] = 0.0);
                }
            }
            if (0..LANES).all(|l| found[l] || stuck[l]) {
                return;
            }
            let before = (phi.to_vec(), gradient.clone());
            self.advance(phi, (&here, &step), &mut stuck, scratch);
            here = self.target.gradient(self.b, phi, &mut gradient, scratch);
            let change = |new: &[Column], old: &[Column]| -> Vec<Column> {
                let each = new.iter().zip(old);
                each.map(|(new, old)| Column(std::array::from_fn(|l| new.0[l] - old.0[l])))
                    .collect()
            };
            metric.learn(&change(phi, &before.0), &change(&before.1, &gradient));
        }
    }

    /// Log density of each lane, its gradient and the whole step.
    fn step(
        &self,
        phi: &[Column],
        curvature: Curvature,
        scratch: &mut DerivativeScratch,
    ) -> (Column, Vec<Column>, Vec<Column>) {
        let mut gradient = vec![Column::ZERO; phi.len()];
        let here = self.target.gradient(self.b, phi, &mut gradient, scratch);
        let mut factor = posterior_precision(curvature, self.target, self.b, phi, scratch);
        self.isolate_held(&mut factor);
        cholesky(self.isa, &mut factor, phi.len(), &mut Column::ZERO.clone());
        let mut step = gradient.clone();
        solve_lower(self.isa, &factor, &mut step);
        solve_upper(self.isa, &factor, &mut step);
        (here, gradient, step)
    }

    /// Cut held coordinates off from the others: a unit row of the precision.
    fn isolate_held(&self, precision: &mut [Column]) {
        let d = self.target.problem.n_phi();
        for (k, values) in self.held.iter().flatten().enumerate() {
            for l in (0..LANES).filter(|l| !values.0[*l].is_nan()) {
                for j in 0..d {
                    precision[at(k.max(j), k.min(j))].0[l] = f64::from(u8::from(j == k));
                }
            }
        }
    }

    /// Move every lane that is not stuck along its step, halved until the objective does not fall; a lane from which no
    /// part of it leads up stays and is stuck.
    fn advance(
        &self,
        phi: &mut [Column],
        (here, step): (&Column, &[Column]),
        stuck: &mut [bool; LANES],
        scratch: &mut DerivativeScratch,
    ) {
        let origin = phi.to_vec();
        let mut fraction = Column::splat(1.0);
        for _ in 0..HALVINGS {
            for (k, column) in phi.iter_mut().enumerate() {
                for l in 0..LANES {
                    column.0[l] = origin[k].0[l] + fraction.0[l] * step[k].0[l];
                }
            }
            let there = self.target.log_density(self.b, phi, &mut scratch.work);
            let mut done = true;
            for l in (0..LANES).filter(|l| !stuck[*l]) {
                let slack = self.error.max(1e-12) * here.0[l].abs().max(1.0);
                // The first value of a chain may have no finite density; any finite one is better.
                let rises = there.0[l] >= here.0[l] - slack;
                if !rises && (there.0[l].is_nan() || !here.0[l].is_nan()) {
                    fraction.0[l] *= 0.5;
                    done = false;
                }
            }
            if done {
                return;
            }
        }
        for l in 0..LANES {
            if fraction.0[l] < 1e-8 {
                stuck[l] = true;
                for (column, start) in phi.iter_mut().zip(&origin) {
                    column.0[l] = start.0[l];
                }
            }
        }
    }
}
