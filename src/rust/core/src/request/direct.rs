//! Fit a model without random effects: its likelihood is maximized, whichever estimator was asked.

use std::time::Instant;

use super::course::refuse_course;
use super::method::Method;
use super::uncertainty::of_arrival;
use crate::error::{Error, ErrorClass, Result};
use crate::fitted::{Fit, Trace};
use crate::inference::importance::{Importance, ImportanceSampling, REPLICATES};
use crate::inference::information::{estimated, free};
use crate::inference::penalty;
use crate::inference::posterior::BatchGaussian;
use crate::maximum::{MaximumSearch, Patience, Watch};
use crate::monitor::{Monitor, Progress};
use crate::parallel::Workers;
use crate::problem::Joint;
use crate::saem::options::Hook;
use crate::saem::RunEnds;

/// Part of its starting value below which no residual error is taken: data that a model meets exactly know none.
pub const SMALLEST_SPREAD: f64 = 1e-10;

/// Steps of a climb, the gain in twice the value at which it ends, steps that it remembers, and climbs.
const STEPS: usize = 2_000;
const FLAT: f64 = 1e-8;
const MEMORY: usize = 20;
const ROUNDS: usize = 4;

/// Estimates, and the log-likelihood at them.
pub struct Direct {
    pub fit: Fit,
    pub log_lik: Importance,
}

/// Whether a model has random effects at all.
pub fn is_direct(joint: &Joint) -> bool {
    joint.model().effects.is_empty()
}

/// # Errors
/// A course of iterations that was asked for, a start without a density, too many parameters.
pub fn fit(
    joint: &Joint,
    (method, course): (&Method, &RunEnds),
    (seed, workers): (u64, &Workers),
    monitor: &dyn Monitor,
) -> Result<Direct> {
    refuse_course(
        course,
        "A model without random effects takes no iterations: its fit keeps no checkpoints.",
    )?;
    if let Method::Saem(options) = method {
        refuse_hooks(&options.mstep.hooks)?;
    }
    let started = Instant::now();
    let free = free(joint);
    let penalty = match method {
        Method::Saem(options) => {
            penalty::expect_trained(joint, &options.penalty)?;
            vec![0.0; free.len()]
        }
        Method::Vem(options) => penalty::of(joint, &options.penalty, &free)?,
    };
    let search = MaximumSearch {
        joint,
        workers,
        seed,
        draws: REPLICATES,
        climbing: 1,
        unsettled: f64::INFINITY,
        hurries: false,
        trains: false,
        rounds: ROUNDS,
        penalty: &penalty,
        absent: &[],
        patience: Patience {
            steps: STEPS,
            tolerance: FLAT,
            memory: Some(MEMORY),
        },
    };
    let mut trace = Trace::default();
    let mut watch = |theta: &[f64], value: f64| {
        trace.push(theta, 0.0, "newton", value);
        monitor.report(&Progress {
            iteration: trace.len(),
            total: trace.len(),
            phase: "newton",
            gain: 0.0,
            objective: value,
        });
        !monitor.interrupted()
    };
    let start = trained(&search, method, &mut watch)?;
    let arrival = search.direct(&start, &mut watch)?;
    trace.push(&arrival.theta, 0.0, "newton", arrival.look.log_lik());
    let covariance = of_arrival(&arrival, method.inference().se);
    Ok(Direct {
        log_lik: arrival.look.information.importance.clone(),
        fit: Fit {
            theta: arrival.theta,
            status: arrival.status,
            evidence: arrival.evidence,
            trace,
            chains: 0,
            acceptance: Vec::new(),
            not_finite: 0,
            cond_mean: vec![Vec::new(); joint.parts.len()],
            cond_sd: vec![Vec::new(); joint.parts.len()],
            covariance,
            seconds: started.elapsed().as_secs_f64(),
            state: None,
            warnings: Vec::new(),
        },
    })
}

/// The start with weights of learned functions that climb together with all other parameters.
///
/// # Errors
/// A penalty on what is no parameter.
fn trained(search: &MaximumSearch, method: &Method, watch: &mut Watch) -> Result<Vec<f64>> {
    let (joint, all) = (search.joint, estimated(search.joint));
    let start = joint.theta.start.clone();
    if all.len() == search.penalty.len() {
        return Ok(start);
    }
    let penalty = match method {
        Method::Saem(options) => penalty::of(joint, &options.penalty, &all)?,
        Method::Vem(options) => penalty::of(joint, &options.penalty, &all)?,
    };
    let training = MaximumSearch {
        trains: true,
        rounds: 1,
        penalty: &penalty,
        ..*search
    };
    let nothing = vec![BatchGaussian::nothing(); joint.n_batches];
    let summit = training.climb((&start, &nothing), &joint.theta, 1, watch);
    Ok(summit.map_or(start, |summit| summit.theta))
}

fn refuse_hooks(hooks: &[Hook]) -> Result<()> {
    if hooks.is_empty() {
        return Ok(());
    }
    Err(Error::new(
        ErrorClass::Option,
        "idle_hooks",
        "A model without random effects takes no iterations in which functions of your own could take part.",
    )
    .hint("Leave them out of saem()."))
}

/// The log-likelihood of a model without random effects.
///
/// # Errors
/// None: there is no population distribution that might not exist.
pub fn log_lik(joint: &Joint, theta: &[f64], workers: &Workers) -> Result<Importance> {
    let sampling = ImportanceSampling {
        trusts: false,
        joint,
        theta,
        workers,
        seed: 1,
        draws: REPLICATES,
    };
    sampling.run(&vec![BatchGaussian::nothing(); joint.n_batches])
}
