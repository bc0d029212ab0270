//! Integrate between two stops by backward differentiation formulas.
//!
//! The method is `Bdf` of the crate diffsol: variable order 1 to 5 in backward differences (Byrne & Hindmarsh 1975;
//! Shampine & Reichelt 1997), with a Newton iteration on `I - c J`. Sensitivities are solved beside the states with the
//! same matrix (staggered corrector) and are part of the error control.

use std::cell::RefCell;

use diffsol::error::{DiffsolError, OdeSolverError};
use diffsol::ode_solver::state::StateCommon;
use diffsol::{
    BdfState, NalgebraContext, NalgebraLU, OdeBuilder, OdeSolverMethod, OdeSolverProblem,
    OdeSolverState, OdeSolverStopReason, Vector, VectorCommon as _,
};

use super::equations::{multiply, LaneEquations, M, V};
use super::field::{Direction, Setting};
use super::walk::{Budget, Deliver, Segment, SolverPoint};
use crate::ode::task::Failure;

type Lu = NalgebraLU<f64>;

/// Go from `segment.from` to `segment.to`; `deliver` gets the position of each observation passed, states and
/// sensitivities.
pub fn integrate(
    setting: &mut Setting,
    point: &mut SolverPoint,
    segment: &Segment,
    budget: &mut Budget,
    deliver: Deliver,
) -> Result<(), Failure> {
    setting.forget();
    setting.trouble = false;
    let state = start(setting, point, segment)?;
    let n_directions = setting.directions.len();
    let problem = problem(setting, point, segment).map_err(|_| Failure::NotFinite)?;
    let way = StopToStop {
        point,
        segment,
        budget,
        deliver,
    };
    if n_directions == 0 {
        Ride::new(problem.bdf_solver::<Lu>(state), way)?.run()
    } else {
        Ride::new(problem.bdf_solver_sens::<Lu>(state), way)?.run()
    }
}

fn problem<'a, 'b>(
    setting: &'b mut Setting<'a>,
    point: &SolverPoint,
    segment: &Segment,
) -> Result<OdeSolverProblem<LaneEquations<'a, 'b>>, DiffsolError> {
    let n_directions = setting.directions.len();
    let scales: Vec<f64> = setting
        .directions
        .iter()
        .map(|direction| scale(setting, point, *direction))
        .collect();
    let mut builder = OdeBuilder::<M>::new()
        .t0(segment.from)
        .rtol(segment.rtol)
        .atol([segment.atol])
        .p(vec![0.0; n_directions]);
    if n_directions > 0 {
        builder = builder
            .sens_rtol(segment.rtol)
            .sens_atol([segment.atol])
            .param_scales(scales);
    }
    let mut problem = builder.build_from_eqn(LaneEquations {
        setting: RefCell::new(setting),
        start: point.x.clone(),
        n_directions,
        context: NalgebraContext::default(),
    })?;
    let options = &mut problem.ode_options;
    // Steps are counted here, and time says when they are too small.
    options.min_timestep = f64::MIN_POSITIVE;
    // A Jacobian costs little beside a step that fails.
    options.update_rhs_jacobian_after_steps = 20;
    // Sensitivities at rest cannot be told apart further than this by rounding, and a solve that tries to fails.
    options.derivative_solve_tolerance = (1e-9 / segment.rtol).max(0.2);
    options.max_nonlinear_solver_failures = usize::MAX;
    Ok(problem)
}

/// What a change of a direction is measured by, as `pbar` of CVODES.
fn scale(setting: &Setting, point: &SolverPoint, direction: Direction) -> f64 {
    let size = match direction {
        Direction::Input(j) => setting.input(j).abs(),
        Direction::Start(k) => point.x[k].abs(),
    };
    if size.is_normal() {
        size
    } else {
        1.0
    }
}

/// States and sensitivities with their derivatives by time, and the first step.
fn start(
    setting: &mut Setting,
    point: &SolverPoint,
    segment: &Segment,
) -> Result<BdfState<V, M>, Failure> {
    let (n, t) = (point.x.len(), segment.from);
    let mut dx = vec![0.0; n];
    setting.call(&point.x, t, &mut dx);
    if setting.trouble {
        return Err(Failure::NotFinite);
    }
    let h = first_step(setting, point, segment, &dx);
    let p = setting.directions.len();
    let mut ds = vec![0.0; n * p];
    let plain = NalgebraContext::default();
    let (s, ds) = if p == 0 {
        (V::zeros(0, plain), V::zeros(0, plain))
    } else {
        let mut slopes = vec![0.0; n * p];
        setting.slopes(&point.x, t, &mut slopes);
        multiply(setting.jacobian(&point.x, t), &point.s, &mut ds, n);
        ds.iter_mut().zip(&slopes).for_each(|(ds, f)| *ds += f);
        let context = NalgebraContext::with_nbatch(p);
        (V::from_slice(&point.s, context), V::from_vec(ds, context))
    };
    if !s.inner().iter().chain(ds.inner()).all(|v| v.is_finite()) {
        return Err(Failure::NotFinite);
    }
    let empty = || V::zeros(0, *s.context());
    Ok(BdfState::new_from_common(StateCommon {
        y: V::from_slice(&point.x, plain),
        dy: V::from_vec(dx, plain),
        g: V::zeros(0, plain),
        dg: V::zeros(0, plain),
        sg: empty(),
        dsg: empty(),
        s,
        ds,
        t,
        h,
    }))
}

/// Step of an Euler method that keeps to a hundredth of the tolerance (Hairer, Norsett & Wanner 1993, II.4).
fn first_step(setting: &mut Setting, point: &SolverPoint, segment: &Segment, dx: &[f64]) -> f64 {
    let x = &point.x;
    let norm = |v: &[f64]| {
        let terms = v.iter().zip(x).map(|(v, x)| {
            let term = v / (segment.atol + segment.rtol * x.abs());
            term * term
        });
        (terms.sum::<f64>() / v.len() as f64).sqrt()
    };
    let span = segment.to - segment.from;
    let (d0, d1) = (norm(x), norm(dx));
    let guess = if d0 < 1e-5 || d1 < 1e-5 {
        1e-6 * span
    } else {
        (0.01 * d0 / d1).min(span)
    };
    let ahead: Vec<f64> = x.iter().zip(dx).map(|(x, d)| x + guess * d).collect();
    let mut change = vec![0.0; x.len()];
    setting.call(&ahead, segment.from + guess, &mut change);
    change.iter_mut().zip(dx).for_each(|(c, d)| *c -= d);
    let steepest = d1.max(norm(&change) / guess);
    // What a first guess meets is no trouble yet.
    setting.trouble = false;
    let step = if !steepest.is_finite() {
        1e-3 * guess
    } else if steepest <= 1e-15 {
        guess
    } else {
        (0.01 / steepest).sqrt()
    };
    step.min(100.0 * guess).min(span)
}

/// One way from stop to stop.
struct StopToStop<'r> {
    point: &'r mut SolverPoint,
    segment: &'r Segment,
    budget: &'r mut Budget,
    deliver: Deliver<'r>,
}

/// A solver on its way.
struct Ride<'r, S> {
    solver: S,
    way: StopToStop<'r>,
    /// Observations delivered.
    passed: usize,
}

impl<'a: 'b, 'b: 'p, 'p, S: OdeSolverMethod<'p, LaneEquations<'a, 'b>>> Ride<'_, S> {
    fn new(solver: Result<S, DiffsolError>, way: StopToStop<'_>) -> Result<Ride<'_, S>, Failure> {
        let solver = solver.map_err(|_| Failure::NotFinite)?;
        Ok(Ride {
            solver,
            way,
            passed: 0,
        })
    }

    fn run(&mut self) -> Result<(), Failure> {
        let before = self.way.budget.steps;
        match self.solver.set_stop_time(self.way.segment.to) {
            Ok(()) => {}
            Err(DiffsolError::OdeSolverError(OdeSolverError::StopTimeAtCurrentTime)) => {
                return self.arrive();
            }
            Err(error) => return Err(self.failure(&error)),
        }
        loop {
            let t = self.solver.state().t;
            let step = self.solver.step();
            let reason = step.map_err(|error| self.failure(&error))?;
            let statistics = self.solver.get_statistics();
            self.way.budget.steps.steps = before.steps + statistics.number_of_steps;
            self.way.budget.steps.rejected = before.rejected
                + statistics.number_of_error_test_failures
                + statistics.number_of_nonlinear_solver_fails;
            if matches!(reason, OdeSolverStopReason::TstopReached) {
                return self.arrive();
            }
            self.pass()?;
            self.way.budget.check()?;
            if self.solver.state().t <= t {
                return Err(Failure::StepTooSmall);
            }
            // Only what happens in the step that fails is its cause.
            self.solver.problem().eqn.setting.borrow_mut().trouble = false;
        }
    }

    /// Deliver the observations that the last step went over.
    fn pass(&mut self) -> Result<(), Failure> {
        let now = self.solver.state().t;
        let ahead = &self.way.segment.times[self.passed..];
        let n = ahead.partition_point(|time| *time <= now);
        if n == 0 {
            return Ok(());
        }
        let mut x = self.solver.state().y.clone();
        let mut s = self.solver.state().s.clone();
        for time in &ahead[..n] {
            let mut read = self.solver.interpolate_inplace(*time, &mut x);
            if !self.way.point.s.is_empty() {
                read = read.and_then(|()| self.solver.interpolate_sens_inplace(*time, &mut s));
            }
            read.map_err(|error| self.failure(&error))?;
            (self.way.deliver)(self.passed, x.inner().as_slice(), s.inner().as_slice());
            self.passed += 1;
        }
        Ok(())
    }

    /// Take the last state over, and let the observations there have it.
    fn arrive(&mut self) -> Result<(), Failure> {
        self.pass()?;
        let state = self.solver.state();
        self.way.point.x.copy_from_slice(state.y.inner().as_slice());
        self.way.point.s.copy_from_slice(state.s.inner().as_slice());
        for i in self.passed..self.way.segment.times.len() {
            (self.way.deliver)(i, &self.way.point.x, &self.way.point.s);
        }
        Ok(())
    }

    fn failure(&self, error: &DiffsolError) -> Failure {
        let trouble = self.solver.problem().eqn.setting.borrow().trouble;
        match error {
            _ if trouble => Failure::NotFinite,
            DiffsolError::LaError(_) => Failure::NotFinite,
            _ => Failure::StepTooSmall,
        }
    }
}
