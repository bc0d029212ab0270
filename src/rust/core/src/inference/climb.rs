//! Climb to conditional modes from given starts.
//!
//! Newton's iteration takes all starts in lanes. The optimizers of the M-step take them one by one; each lane of a block
//! is computed all the same, so they cost about 64 times as much.

use super::ebe::{EbeOptimizer, EbeOptions};
use super::modes::{ModeOptions, Modes};
use crate::data::Layout;
use crate::ir::column::{Column, LANES};
use crate::ir::symmetric::at;
use crate::optimizer::{maximize, Derivative, Objective, OptimizerOptions, Space};
use crate::parallel::Workers;
use crate::problem::{DerivativeScratch, Evaluator, Prior, Problem};

/// As many starts for each of some levels.
#[derive(Debug, Clone)]
pub struct Starts {
    /// Ascending.
    pub levels: Vec<usize>,
    pub copies: usize,
    /// `levels x copies x d`, row-major.
    pub phi: Vec<f64>,
}

/// Where a climb ended.
#[derive(Debug, Clone, PartialEq)]
pub struct End {
    pub phi: Vec<f64>,
    /// Log density.
    pub value: f64,
    /// Largest element of its gradient, 0 when no larger than rounding makes it.
    pub slope: f64,
    /// Whether the optimizer calls it a maximum.
    pub settled: bool,
}

/// Climbs for one grouping at one `theta`.
#[derive(Clone, Copy)]
pub struct Climber<'a> {
    pub problem: &'a Problem,
    pub theta: &'a [f64],
    pub prior: &'a Prior,
    pub options: &'a EbeOptions,
    pub workers: &'a Workers,
}

/// Newton decrements at a maximum that is found to the last digits.
const LAST_DIGITS: f64 = 1e-24;

/// Most steps that look for them.
const POLISHING: usize = 40;

/// Precision of a sum of a few terms, relative to the largest; solutions of differential equations have their own.
const ROUNDING: f64 = 64.0 * f64::EPSILON;

impl<'a> Climber<'a> {
    /// One end for each start, in their order. `tol`: the slope that is wanted.
    pub fn climb(&self, starts: &Starts, tol: f64) -> Vec<End> {
        if self.options.ebe_optimizer != EbeOptimizer::Newton {
            return self.optimize(starts, tol);
        }
        let exact = ModeOptions {
            max_steps: self.options.ebe_maxiters,
            ..ModeOptions::exact()
        };
        let mut ends = self.newton(starts, exact);
        let steep = |end: &End| end.settled && end.slope > tol;
        let (levels, copies) = (&starts.levels, starts.copies);
        let steep: Vec<usize> = (0..levels.len())
            .filter(|p| ends[p * copies..(p + 1) * copies].iter().any(steep))
            .collect();
        if !steep.is_empty() {
            self.polish(starts, &steep, &mut ends);
        }
        ends
    }

    /// Go on from where climbs ended, for the levels at the places `steep`.
    fn polish(&self, starts: &Starts, steep: &[usize], ends: &mut [End]) {
        let copies = starts.copies;
        let of = |p: &usize| p * copies..(p + 1) * copies;
        let again = Starts {
            levels: steep.iter().map(|p| starts.levels[*p]).collect(),
            copies,
            phi: (steep.iter().flat_map(of))
                .flat_map(|s| ends[s].phi.clone())
                .collect(),
        };
        let options = ModeOptions {
            max_steps: POLISHING.min(self.options.ebe_maxiters),
            tolerance: LAST_DIGITS,
            ..ModeOptions::exact()
        };
        let polished = self.newton(&again, options);
        for (s, end) in steep.iter().flat_map(of).zip(polished) {
            if end.slope < ends[s].slope {
                ends[s] = End {
                    settled: ends[s].settled,
                    ..end
                };
            }
        }
    }

    /// The density that is climbed.
    pub fn target<'b>(&'b self, layout: &'b Layout) -> Evaluator<'b> {
        Evaluator::of((self.problem, layout), self.theta, self.prior.clone())
    }

    fn newton(&self, starts: &Starts, options: ModeOptions) -> Vec<End> {
        let layout = self.problem.layout_of(&starts.levels, starts.copies);
        let target = self.target(&layout);
        let d = self.problem.n_phi();
        let columns: Vec<Vec<Column>> = (0..layout.blocks.len())
            .map(|b| starts.columns(&layout, b, d))
            .collect();
        let modes = Modes::find(&target, Some(&columns), options, self.workers);
        self.ends(&target, starts, &modes)
    }

    /// Log density and slope where the climbs ended.
    fn ends(&self, target: &Evaluator, starts: &Starts, modes: &Modes) -> Vec<End> {
        let mut scratch = DerivativeScratch::default();
        let mut gradient = vec![Column::ZERO; self.problem.n_phi()];
        let mut ends = vec![None; starts.levels.len() * starts.copies];
        for (b, block) in target.layout.blocks.iter().enumerate() {
            let phi = &modes.phi[b];
            let value = target.gradient(b, phi, &mut gradient, &mut scratch);
            for (l, lane) in block.lanes.iter().enumerate() {
                let slopes = gradient.iter().enumerate().map(|(k, slope)| {
                    let precision = ROUNDING.max(self.problem.solution_error());
                    let rounding = rounding(precision, &modes.factor[b], phi, (k, l));
                    let slope = slope.0[l].abs();
                    // A slope that is not a number must stay one.
                    if slope <= rounding {
                        0.0
                    } else {
                        slope
                    }
                });
                ends[starts.place(lane.subject as usize, lane.copy as usize)] = Some(End {
                    phi: phi.iter().map(|column| column.0[l]).collect(),
                    value: value.0[l],
                    slope: slopes.fold(0.0, largest),
                    settled: modes.converged[b].0[l] != 0.0,
                });
            }
        }
        ends.into_iter().flatten().collect()
    }

    /// Climb by an optimizer of the M-step, start by start.
    fn optimize(&self, starts: &Starts, tol: f64) -> Vec<End> {
        let layout = self.problem.layout_of(&starts.levels, starts.copies);
        let target = self.target(&layout);
        let d = self.problem.n_phi();
        let sds: Vec<f64> = (0..d)
            .map(|k| self.prior.omega[(k, k)].sqrt().max(1e-8))
            .collect();
        let options = self.optimizer(tol * sds.iter().copied().fold(1.0, f64::min));
        let mut ends = vec![None; starts.levels.len() * starts.copies];
        for (b, block) in layout.blocks.iter().enumerate() {
            let mut columns = starts.columns(&layout, b, d);
            let held = self.problem.held_columns(&layout, b);
            target.put_held(b, &mut columns);
            for (l, lane) in block.lanes.iter().enumerate() {
                let free: Vec<usize> = (0..d)
                    .filter(|k| held.as_ref().is_none_or(|held| held[*k].0[l].is_nan()))
                    .collect();
                let mut one = OneLane {
                    target: &target,
                    b,
                    l,
                    columns: columns.clone(),
                    free,
                    scratch: DerivativeScratch::default(),
                };
                let end = one.climb(&sds, options);
                ends[starts.place(lane.subject as usize, lane.copy as usize)] = Some(end);
            }
        }
        ends.into_iter().flatten().collect()
    }

    fn optimizer(&self, g_tol: f64) -> OptimizerOptions {
        let maxiters = self.options.ebe_maxiters;
        match self.options.ebe_optimizer {
            EbeOptimizer::NelderMead => OptimizerOptions::NelderMead {
                maxiters,
                f_tol: 1e-12,
            },
            _ => OptimizerOptions::Lbfgs {
                maxiters,
                g_tol,
                memory: 10,
                adtype: Derivative::Reverse,
            },
        }
    }
}

impl Starts {
    /// One start a level.
    pub fn one(levels: Vec<usize>, phi: Vec<f64>) -> Self {
        Self {
            levels,
            copies: 1,
            phi,
        }
    }

    /// Position of the start of a level.
    pub fn place(&self, level: usize, copy: usize) -> usize {
        let p = self.levels.partition_point(|other| *other < level);
        p * self.copies + copy
    }

    /// The starts in the lanes of a block; unused lanes repeat the first.
    pub fn columns(&self, layout: &Layout, b: usize, d: usize) -> Vec<Column> {
        let lanes = &layout.blocks[b].lanes;
        let places: [usize; LANES] = std::array::from_fn(|l| {
            let lane = lanes.get(l).unwrap_or(&lanes[0]);
            self.place(lane.subject as usize, lane.copy as usize)
        });
        (0..d)
            .map(|k| Column(std::array::from_fn(|l| self.phi[places[l] * d + k])))
            .collect()
    }
}

/// What a relative change of `phi` alone makes of an element of the gradient, from the factor of the precision.
fn rounding(change: f64, factor: &[Column], phi: &[Column], (k, l): (usize, usize)) -> f64 {
    let d = phi.len();
    let precision = |j: usize| -> f64 {
        (0..=k.min(j))
            .map(|i| factor[at(k, i)].0[l] * factor[at(j, i)].0[l])
            .sum()
    };
    let sum: f64 = (0..d).map(|j| (precision(j) * phi[j].0[l]).abs()).sum();
    change * sum
}

/// The larger one; not a number when either is not.
fn largest(a: f64, b: f64) -> f64 {
    if a.is_nan() || a >= b {
        a
    } else {
        b
    }
}

/// The density of one lane as a function of its free coordinates.
struct OneLane<'a> {
    target: &'a Evaluator<'a>,
    b: usize,
    l: usize,
    columns: Vec<Column>,
    free: Vec<usize>,
    scratch: DerivativeScratch,
}

impl OneLane<'_> {
    fn climb(&mut self, sds: &[f64], options: OptimizerOptions) -> End {
        let n = self.free.len();
        let space = Space {
            start: self
                .free
                .iter()
                .map(|k| self.columns[*k].0[self.l])
                .collect(),
            lower: vec![f64::NEG_INFINITY; n],
            upper: vec![f64::INFINITY; n],
            size: self.free.iter().map(|k| sds[*k]).collect(),
            weight: 1.0,
        };
        if n > 0 {
            let x = maximize(self, space, options).x;
            self.put(&x);
        }
        let (value, gradient) = self.slopes();
        End {
            phi: self.columns.iter().map(|column| column.0[self.l]).collect(),
            value,
            slope: gradient.iter().map(|g| g.abs()).fold(0.0, largest),
            settled: value.is_finite(),
        }
    }

    fn put(&mut self, x: &[f64]) {
        for (k, x) in self.free.iter().zip(x) {
            self.columns[*k].0[self.l] = *x;
        }
    }

    fn slopes(&mut self) -> (f64, Vec<f64>) {
        let mut gradient = vec![Column::ZERO; self.columns.len()];
        let value = self
            .target
            .gradient(self.b, &self.columns, &mut gradient, &mut self.scratch);
        (
            value.0[self.l],
            gradient.iter().map(|g| g.0[self.l]).collect(),
        )
    }
}

impl Objective for OneLane<'_> {
    fn value(&mut self, x: &[f64]) -> f64 {
        self.put(x);
        let work = &mut self.scratch.work;
        self.target.log_density(self.b, &self.columns, work).0[self.l]
    }

    fn gradient(&mut self, x: &[f64]) -> Option<Vec<f64>> {
        self.put(x);
        let (_, gradient) = self.slopes();
        Some(self.free.iter().map(|k| gradient[*k]).collect())
    }
}
