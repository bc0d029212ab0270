//! Fit a model by an estimator and report everything a front end shows of it.

use std::time::Instant;

use super::arrive::{arrive, keep_errors, SMALLEST_SPREAD};
use super::classes;
use super::course::refuse_course;
use super::direct;
use super::evaluate::evaluate;
use super::fit_task::{CheckTask, FitTask};
use super::hazard;
use super::history::{acceptance, refusals, trace};
use super::likelihood::{by_class, by_draws, exact, exact_classes};
use super::method::Method;
use super::report::{conditional_effects, FitReport};
use super::uncertainty::of_arrival;
use super::variational::{AroundModes, EndWork, Variational};
use super::{count, list, parameters, FrameColumns};
use crate::error::Result;
use crate::fitted::Fit;
use crate::inference::importance::Importance;
use crate::inference::options::LogLik;
use crate::inference::precision;
use crate::inference::scale::matched_start;
use crate::inference::start::check_start;
use crate::model::{compile, Model};
use crate::monitor::Monitor;
use crate::parallel::Workers;
use crate::problem::{Given, Joint, Route};
use crate::reply::ReplyValue;
use crate::saem::{self, RunEnds, SaemOptions, SavedRun};
use crate::vem;
use crate::vem::VemOptions;

/// What an estimator found, and what the front end hears of it beside the estimates.
struct EstimatorResult {
    fit: Fit,
    seed: u64,
    ineligible: Vec<(String, String)>,
    variational: Option<Variational>,
    /// The log-likelihood of a model without random effects.
    exact: Option<Importance>,
    /// What the draws say that judged the estimates.
    judged: Option<Importance>,
}

impl EstimatorResult {
    fn new(fit: Fit, seed: u64) -> Self {
        Self {
            fit,
            seed,
            ineligible: Vec::new(),
            variational: None,
            exact: None,
            judged: None,
        }
    }
}

pub fn fit(task: &FitTask, columns: FrameColumns, monitor: &dyn Monitor) -> Result<ReplyValue> {
    let started = Instant::now();
    let model = task.compiled()?;
    let method = &task.method;
    let workers = Workers::new(task.threads)?;
    let mut given = task.given();
    given.apart = method.collapsed();
    let mut course = task.course(&columns, &mut given)?;
    let frame = task.frame(columns)?;
    let make = |model: &Model| match task.evaluate {
        true => Joint::at_values(model, &frame, &given),
        false => Joint::new(model, &frame, &given),
    };
    let (mut problem, panels) = hazard::at_start(&task.model, make(&model)?, &make)?;
    if !task.gives_tolerances() {
        problem = precision::at_start(problem)?;
    }
    course.first = task.first_effects(&problem);
    let (lower, upper) = method.bounds();
    problem.narrow(lower, upper)?;
    method.ebe().check(&problem)?;
    let built = started.elapsed().as_secs_f64();
    let asked = problem.theta.start.clone();
    check_start(&problem)?;
    if !task.evaluate {
        let matched = matched_start(&problem);
        problem.start_from(&matched);
        let way = (task.seed(), &workers);
        if let Some(spread) = classes::better_start(&problem, (method, &course), way, monitor) {
            problem.start_from(&spread);
        }
    }
    let way = (task.seed(), &workers);
    let mut found = match method {
        _ if task.evaluate => evaluated(&problem, method, way)?,
        _ if direct::is_direct(&problem) => {
            problem.floor_spreads(direct::SMALLEST_SPREAD);
            directly(&problem, (method, &course), way, monitor)?
        }
        Method::Saem(options) => by_saem(task, &mut problem, options, &course, monitor)?,
        Method::Vem(options) => {
            problem.floor_spreads(SMALLEST_SPREAD);
            by_vem(task, &problem, options, &course, monitor)?
        }
    };
    problem.start_from(&asked);
    if !task.evaluate {
        found.fit.evidence.extend(trained(&problem));
    }
    let started = Instant::now();
    if let Some(variational) = &mut found.variational {
        variational.infer(&problem, &mut found.fit, found.seed, &workers);
    }
    let state = found.fit.state.take();
    let mut entries = report(&problem, &given, method, &found, workers);
    let seconds = [built, found.fit.seconds, started.elapsed().as_secs_f64()];
    let names = ["build", method.name(), "inference"];
    let names = ReplyValue::Texts(names.map(String::from).to_vec());
    entries.extend(vec![
        ("ineligible", refusals(&found.ineligible)),
        (
            "timing",
            list(vec![
                ("name", names),
                ("seconds", ReplyValue::Numbers(seconds.to_vec())),
            ]),
        ),
        ("n_subjects", count(frame.labels.len())),
        ("n_obs", count(problem.main().records.n_obs())),
        ("seed", ReplyValue::Number(found.seed as f64)),
    ]);
    let points = problem.points(found.fit.cond_mean.clone());
    let at = (found.fit.theta.as_slice(), &points);
    let accuracy = hazard::accuracy(&task.model, &problem, panels, at, &make)?;
    entries.extend(accuracy.map(|found| ("hazard", found)));
    let change = precision::change(&problem, &found.fit.theta, &points)?;
    entries.extend(equations(&problem, change).map(|found| ("equations", found)));
    entries.extend(state.map(|state| ("state", ReplyValue::Bytes(state))));
    Ok(list(entries))
}

/// What is not known of weights that followed gradients.
fn trained(joint: &Joint) -> Option<String> {
    let mut names: Vec<String> = (joint.theta.on_route(Route::Gradient).iter())
        .map(|k| format!("`{}`", joint.theta.base[*k]))
        .collect();
    names.dedup();
    let named = names.join(", ");
    (!names.is_empty()).then(|| {
        format!(
            "The weights of {named} followed gradients: no second derivatives judge them, and errors of other \
             parameters hold them."
        )
    })
}

/// Everything that a fit checks before it begins.
///
/// # Errors
/// Everything wrong with model, data or starting values.
pub fn check(task: &CheckTask, columns: FrameColumns) -> Result<ReplyValue> {
    let frame = task.data.frame(&task.model, columns)?;
    let problem = Joint::new(&compile(&task.model)?, &frame, &Given::default())?;
    check_start(&problem)?;
    Ok(ReplyValue::Null)
}

fn by_saem(
    task: &FitTask,
    problem: &mut Joint,
    options: &SaemOptions,
    course: &RunEnds,
    monitor: &dyn Monitor,
) -> Result<EstimatorResult> {
    let ineligible = saem::choose_routes(problem, options);
    let seed = (course.resume.as_ref()).map_or(task.seed(), SavedRun::seed);
    let mut fit = saem::fit_on(problem, options, seed, task.threads, monitor, course)?;
    let started = Instant::now();
    let workers = Workers::new(task.threads)?;
    keep_errors(problem, options);
    let arrival = arrive(problem, &mut fit, options, (seed, &workers), monitor);
    if let Some(arrival) = &arrival {
        fit.covariance = of_arrival(arrival, options.inference.se);
    }
    fit.seconds += started.elapsed().as_secs_f64();
    Ok(EstimatorResult {
        ineligible,
        judged: arrival.map(|arrival| arrival.look.information.importance),
        ..EstimatorResult::new(fit, seed)
    })
}

fn by_vem(
    task: &FitTask,
    problem: &Joint,
    options: &VemOptions,
    course: &RunEnds,
    monitor: &dyn Monitor,
) -> Result<EstimatorResult> {
    refuse_course(course, "A fit by vem() keeps no checkpoints.")?;
    let seed = task.seed();
    let first = course.first.as_ref();
    let found = vem::fit(problem, options, (seed, task.threads), first, monitor)?;
    let (fit, variational) = Variational::new(found, options);
    Ok(EstimatorResult {
        variational: Some(variational),
        ..EstimatorResult::new(fit, seed)
    })
}

fn directly(
    problem: &Joint,
    begun: (&Method, &RunEnds),
    way: (u64, &Workers),
    monitor: &dyn Monitor,
) -> Result<EstimatorResult> {
    let found = direct::fit(problem, begun, way, monitor)?;
    Ok(EstimatorResult {
        exact: Some(found.log_lik),
        ..EstimatorResult::new(found.fit, way.0)
    })
}

fn evaluated(problem: &Joint, method: &Method, way: (u64, &Workers)) -> Result<EstimatorResult> {
    let started = Instant::now();
    let (mut fit, exact) = evaluate(problem, method, way)?;
    fit.seconds = started.elapsed().as_secs_f64();
    Ok(EstimatorResult {
        exact,
        ..EstimatorResult::new(fit, way.0)
    })
}

/// Everything about the estimates, the data given the estimates, and the run.
fn report(
    problem: &Joint,
    given: &Given,
    method: &Method,
    found: &EstimatorResult,
    workers: Workers,
) -> Vec<(&'static str, ReplyValue)> {
    let (fit, asked) = (&found.fit, method.inference());
    let finite = fit.theta.iter().all(|x| x.is_finite());
    let theta = if finite {
        &fit.theta
    } else {
        &problem.theta.start
    };
    let of = |part| conditional_effects(part, fit, theta, given);
    let mut report = FitReport {
        problem,
        fit,
        theta,
        given,
        means: problem.parts.iter().map(of).collect(),
        errors: method.inference().se.words(),
        warnings: fit.warnings.clone(),
        unlikely: false,
        workers,
        judged: found.judged.as_ref(),
    };
    let weighed = found.variational.as_ref();
    if weighed.is_some_and(Variational::is_unlikely) {
        report.doubt(&problem.points(fit.cond_mean.clone()));
    }
    report.warn_of_idle();
    let wanted = match &found.exact {
        Some(_) => EndWork::without_effects(asked),
        None => EndWork::of(asked),
    };
    let modes = report.modes(method, found.seed, wanted.modes());
    let mut log_lik = match wanted.log_lik {
        AroundModes::Nodes(nodes) => report.log_lik(nodes, modes.as_ref(), found.seed),
        AroundModes::Linear => report.linear_log_lik(modes.as_ref()),
        AroundModes::Nothing => match (&found.exact, &found.judged) {
            (Some(found), _) => exact(found),
            (None, Some(found)) if asked.log_lik == LogLik::Importance => by_draws(found),
            _ => ReplyValue::Null,
        },
    };
    // Where the likelihood was not integrated class by class, the classes are.
    let integrated = matches!(wanted.log_lik, AroundModes::Nodes(_));
    let classes = match (problem.n_classes(), &found.exact) {
        (0, _) => None,
        (_, Some(_)) => exact_classes(problem, theta, &report.workers).ok(),
        (_, None) if integrated => None,
        _ => report.classes(modes.as_ref(), found.seed),
    };
    let uncertainty = if wanted.linear_errors {
        report.linear_uncertainty(modes.as_ref())
    } else {
        report.uncertainty()
    };
    let mut entries = report.conditional(modes.as_ref().filter(|_| method.ebe().store_eb_modes));
    if let Some(variational) = &found.variational {
        log_lik = variational.log_lik().unwrap_or(log_lik);
        entries.extend(variational.entries());
    }
    entries.extend(classes.and_then(|shares| by_class(&shares)));
    entries.extend(vec![
        ("parameters", report.parameters()),
        (
            "coordinates",
            parameters::coordinates(&problem.theta, theta),
        ),
        ("covariance", report.covariance()),
        ("uncertainty", uncertainty),
        ("log_lik", log_lik),
        ("trace", trace(problem, &fit.trace)),
        ("status", report.status()),
        ("acceptance", acceptance(fit)),
        ("rejected", ReplyValue::Number(fit.not_finite as f64)),
        ("chains", count(fit.chains)),
        ("warnings", ReplyValue::Texts(report.warnings.clone())),
    ]);
    entries
}

/// How the differential equations were solved, and how often that failed; nothing without equations.
/// `change`: of the log density with smaller tolerances.
fn equations(joint: &Joint, change: Option<f64>) -> Option<ReplyValue> {
    let dynamics = joint.main().form.dynamics.as_ref()?;
    let counts = dynamics.counts();
    let change = change.unwrap_or(0.0);
    let wanted = precision::wanted(&dynamics.system.control, change)
        .map_or(Vec::new(), |(rtol, atol)| vec![rtol, atol]);
    let (reasons, numbers): (Vec<&str>, Vec<u64>) = counts.failed().into_iter().unzip();
    Some(list(vec![
        ("states", ReplyValue::Texts(dynamics.system.states.clone())),
        (
            "solver",
            ReplyValue::Texts(vec![dynamics.solver().to_string()]),
        ),
        ("solved", ReplyValue::Number(counts.solved() as f64)),
        ("implicit", ReplyValue::Number(counts.implicit() as f64)),
        (
            "implicit_steps",
            ReplyValue::Number(counts.implicit_steps() as f64),
        ),
        (
            "implicit_starts",
            ReplyValue::Number(counts.implicit_starts() as f64),
        ),
        ("rtol", ReplyValue::Number(dynamics.system.control.rtol)),
        ("atol", ReplyValue::Number(dynamics.system.control.atol)),
        ("change", ReplyValue::Number(change)),
        ("wanted", ReplyValue::Numbers(wanted)),
        (
            "failed",
            list(vec![
                (
                    "reason",
                    ReplyValue::Texts(reasons.into_iter().map(String::from).collect()),
                ),
                (
                    "count",
                    ReplyValue::Numbers(numbers.into_iter().map(|n| n as f64).collect()),
                ),
            ]),
        ),
    ]))
}
