//! Fit a model by an estimator and report everything a front end shows of it.

use std::time::Instant;

use super::arrive::{arrive, keep_errors, SMALLEST_SPREAD};
use super::classes;
use super::course::refuse_course;
use super::direct;
use super::evaluate::evaluate;
use super::hazard;
use super::history::{acceptance, refusals, trace};
use super::likelihood::{by_class, exact, exact_classes};
use super::method::Method;
use super::report::{conditional_effects, Report};
use super::variational::{AroundModes, Variational, Wanted};
use super::{count, list, parameters, Columns, Request};
use crate::error::Result;
use crate::fitted::Fit;
use crate::inference::importance::Importance;
use crate::inference::precision;
use crate::inference::scale::matched_start;
use crate::inference::start::check_start;
use crate::model::Model;
use crate::monitor::Monitor;
use crate::problem::{Given, Joint};
use crate::reply::Value;
use crate::saem::{self, Course, SaemOptions, Saved};
use crate::vem;
use crate::vem::options::{Errors, VemOptions};

/// What an estimator found, and what the front end hears of it beside the estimates.
struct Found {
    fit: Fit,
    seed: u64,
    ineligible: Vec<(String, String)>,
    variational: Option<Variational>,
    /// The log-likelihood of a model without random effects.
    exact: Option<Importance>,
    /// What the draws say that judged the estimates.
    judged: Option<Importance>,
}

impl Found {
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

pub fn fit(request: &Request, columns: Columns, monitor: &dyn Monitor) -> Result<Value> {
    let started = Instant::now();
    let model = request.compiled()?;
    let method = request.estimator()?;
    let mut given = request.given()?;
    given.apart = method.collapsed();
    let mut course = request.course(&columns, &mut given)?;
    let frame = request.frame(columns)?;
    let make = |model: &Model| match request.evaluate {
        true => Joint::at_values(model, &frame, &given),
        false => Joint::new(model, &frame, &given),
    };
    let (mut problem, panels) = hazard::at_start(request, make(&model)?, &make)?;
    if !request.gives_tolerances() {
        problem = precision::at_start(problem)?;
    }
    course.first = request.first_effects(&problem);
    let (lower, upper) = method.bounds();
    problem.narrow(lower, upper)?;
    method.ebe().check(&problem)?;
    let built = started.elapsed().as_secs_f64();
    let asked = problem.theta.start.clone();
    check_start(&problem)?;
    if !request.evaluate {
        let matched = matched_start(&problem);
        problem.start_from(&matched);
        let begun = (&method, &course);
        if let Some(spread) = classes::better_start(request, &problem, begun, monitor)? {
            problem.start_from(&spread);
        }
    }
    let mut found = match &method {
        _ if request.evaluate => evaluated(request, &problem, &method)?,
        _ if direct::is_direct(&problem) => {
            problem.floor_spreads(direct::SMALLEST_SPREAD);
            directly(request, &problem, &method, &course, monitor)?
        }
        Method::Saem(options) => by_saem(request, &mut problem, options, &course, monitor)?,
        Method::Vem(options) => {
            problem.floor_spreads(SMALLEST_SPREAD);
            by_vem(request, &problem, options, &course, monitor)?
        }
    };
    problem.start_from(&asked);
    let started = Instant::now();
    let workers = request.workers()?;
    if let Some(variational) = &mut found.variational {
        variational.infer(&problem, &mut found.fit, found.seed, &workers);
    }
    let state = found.fit.state.take();
    let mut entries = report(&problem, &given, &method, &found, workers);
    let seconds = [built, found.fit.seconds, started.elapsed().as_secs_f64()];
    let names = ["build", method.name(), "inference"];
    let names = Value::Texts(names.map(String::from).to_vec());
    entries.extend(vec![
        ("ineligible", refusals(&found.ineligible)),
        (
            "timing",
            list(vec![
                ("name", names),
                ("seconds", Value::Numbers(seconds.to_vec())),
            ]),
        ),
        ("n_subjects", count(frame.labels.len())),
        ("n_obs", count(problem.main().records.n_obs())),
        ("seed", Value::Number(found.seed as f64)),
    ]);
    let points = problem.points(found.fit.cond_mean.clone());
    let at = (found.fit.theta.as_slice(), &points);
    let accuracy = hazard::accuracy(request, &problem, panels, at, &make)?;
    entries.extend(accuracy.map(|found| ("hazard", found)));
    let change = precision::change(&problem, &found.fit.theta, &points)?;
    entries.extend(equations(&problem, change).map(|found| ("equations", found)));
    entries.extend(state.map(|state| ("state", Value::Bytes(state))));
    Ok(list(entries))
}

/// Everything that a fit checks before it begins.
///
/// # Errors
/// Everything wrong with model, data or starting values.
pub fn check(request: &Request, columns: Columns) -> Result<Value> {
    let frame = request.frame(columns)?;
    let problem = Joint::new(&request.compiled()?, &frame, &request.given()?)?;
    check_start(&problem)?;
    Ok(Value::Null)
}

fn by_saem(
    request: &Request,
    problem: &mut Joint,
    options: &SaemOptions,
    course: &Course,
    monitor: &dyn Monitor,
) -> Result<Found> {
    let ineligible = saem::choose_routes(problem, options);
    let seed = (course.resume.as_ref()).map_or(request.seed.unwrap_or(1.0) as u64, Saved::seed);
    let threads = request.threads.unwrap_or(1);
    let mut fit = saem::fit_on(problem, options, seed, threads, monitor, course)?;
    let started = Instant::now();
    let workers = request.workers()?;
    keep_errors(problem, options);
    let arrival = arrive(problem, &mut fit, options, (seed, &workers), monitor);
    fit.seconds += started.elapsed().as_secs_f64();
    Ok(Found {
        ineligible,
        judged: arrival.map(|arrival| arrival.look.information.importance),
        ..Found::new(fit, seed)
    })
}

fn by_vem(
    request: &Request,
    problem: &Joint,
    options: &VemOptions,
    course: &Course,
    monitor: &dyn Monitor,
) -> Result<Found> {
    refuse_course(course, "A fit by vem() keeps no checkpoints.")?;
    let seed = request.seed.unwrap_or(1.0) as u64;
    let threads = request.threads.unwrap_or(1);
    let first = course.first.as_ref();
    let found = vem::fit(problem, options, (seed, threads), first, monitor)?;
    let (fit, variational) = Variational::new(found, options);
    Ok(Found {
        variational: Some(variational),
        ..Found::new(fit, seed)
    })
}

fn directly(
    request: &Request,
    problem: &Joint,
    method: &Method,
    course: &Course,
    monitor: &dyn Monitor,
) -> Result<Found> {
    let found = direct::fit(request, problem, method, course, monitor)?;
    Ok(Found {
        exact: Some(found.log_lik),
        ..Found::new(found.fit, request.seed.unwrap_or(1.0) as u64)
    })
}

fn evaluated(request: &Request, problem: &Joint, method: &Method) -> Result<Found> {
    let started = Instant::now();
    let (mut fit, exact) = evaluate(request, problem, method)?;
    fit.seconds = started.elapsed().as_secs_f64();
    Ok(Found {
        exact,
        ..Found::new(fit, request.seed.unwrap_or(1.0) as u64)
    })
}

/// Everything about the estimates, the data given the estimates, and the run.
fn report(
    problem: &Joint,
    given: &Given,
    method: &Method,
    found: &Found,
    workers: crate::parallel::Workers,
) -> Vec<(&'static str, Value)> {
    let fit = &found.fit;
    let finite = fit.theta.iter().all(|x| x.is_finite());
    let theta = if finite {
        &fit.theta
    } else {
        &problem.theta.start
    };
    let of = |part| conditional_effects(part, fit, theta, given);
    let mut report = Report {
        problem,
        fit,
        theta,
        given,
        means: problem.parts.iter().map(of).collect(),
        errors: match method.errors() {
            Errors::Louis | Errors::None => "louis",
            Errors::Linear => "linear",
            Errors::Sandwich => "sandwich",
        },
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
        Some(_) => Wanted::without_effects(method),
        None => Wanted::of(method),
    };
    let modes = report.modes(method, found.seed, wanted.modes());
    let mut log_lik = match wanted.log_lik {
        AroundModes::Nodes(nodes) => report.log_lik(nodes, modes.as_ref(), found.seed),
        AroundModes::Linear => report.linear_log_lik(modes.as_ref()),
        AroundModes::Nothing => found.exact.as_ref().map_or(Value::Null, exact),
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
        ("rejected", Value::Number(fit.not_finite as f64)),
        ("chains", count(fit.chains)),
        ("warnings", Value::Texts(report.warnings.clone())),
    ]);
    entries
}

/// How the differential equations were solved, and how often that failed; nothing without equations.
/// `change`: of the log density with smaller tolerances.
fn equations(joint: &Joint, change: Option<f64>) -> Option<Value> {
    let dynamics = joint.main().form.dynamics.as_ref()?;
    let counts = dynamics.counts();
    let change = change.unwrap_or(0.0);
    let wanted = precision::wanted(&dynamics.system.control, change)
        .map_or(Vec::new(), |(rtol, atol)| vec![rtol, atol]);
    let (reasons, numbers): (Vec<&str>, Vec<u64>) = counts.failed().into_iter().unzip();
    Some(list(vec![
        ("states", Value::Texts(dynamics.system.states.clone())),
        ("solver", Value::Texts(vec![dynamics.solver().to_string()])),
        ("solved", Value::Number(counts.solved() as f64)),
        ("implicit", Value::Number(counts.implicit() as f64)),
        (
            "implicit_steps",
            Value::Number(counts.implicit_steps() as f64),
        ),
        (
            "implicit_starts",
            Value::Number(counts.implicit_starts() as f64),
        ),
        ("rtol", Value::Number(dynamics.system.control.rtol)),
        ("atol", Value::Number(dynamics.system.control.atol)),
        ("change", Value::Number(change)),
        ("wanted", Value::Numbers(wanted)),
        (
            "failed",
            list(vec![
                (
                    "reason",
                    Value::Texts(reasons.into_iter().map(String::from).collect()),
                ),
                (
                    "count",
                    Value::Numbers(numbers.into_iter().map(|n| n as f64).collect()),
                ),
            ]),
        ),
    ]))
}
