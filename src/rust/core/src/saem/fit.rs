//! Run SAEM on a problem.

use std::time::Instant;

pub use super::convergence::FitStatus;
use super::hooks::Hooks;
use super::options::SaemOptions;
use super::run::Run;
use super::start::check_start;
use super::trace::Trace;
use nalgebra::DMatrix;

use crate::data::Layout;
use crate::error::Result;
use crate::monitor::Monitor;
use crate::parallel::Workers;
use crate::problem::Joint;

/// What a run of SAEM gives.
#[derive(Debug, Clone)]
pub struct Fit {
    /// The estimate, transformed scale.
    pub theta: Vec<f64>,
    pub status: FitStatus,
    pub evidence: Vec<String>,
    pub trace: Trace,
    pub chains: usize,
    /// Kernel and acceptance rate.
    pub acceptance: Vec<(&'static str, f64)>,
    /// Proposals rejected because their density was not finite.
    pub not_finite: u64,
    /// Conditional means and standard deviations of `phi`, for each grouping `levels x d`, row-major.
    pub cond_mean: Vec<Vec<f64>>,
    pub cond_sd: Vec<Vec<f64>>,
    /// Covariance of the estimate of the free coordinates, transformed scale, when it was learned.
    pub covariance: Option<DMatrix<f64>>,
    pub seconds: f64,
}

/// Fit by SAEM.
///
/// # Errors
/// Threads that cannot be started, observations without a density at the starting values, options that name what is
/// not there, functions of the user that fail.
pub fn fit(
    joint: &Joint,
    options: &SaemOptions,
    seed: u64,
    threads: usize,
    monitor: &dyn Monitor,
) -> Result<Fit> {
    let started = Instant::now();
    check_start(joint)?;
    let workers = Workers::new(threads)?;
    let copies = options.chains.used_for(joint.n_batches);
    let layouts: Vec<Layout> = joint.parts.iter().map(|part| part.layout(copies)).collect();
    let hooks = Hooks::new(joint, &options.mstep.hooks, monitor);
    let mut run = Run::new(joint, options, &layouts, seed, hooks)?;
    let mut status = FitStatus::MaxIterations;
    for k in 1..=run.schedule.total() {
        match run.iterate(k, &workers) {
            Ok(Some(progress)) => monitor.report(&progress),
            Ok(None) => {
                status = FitStatus::NotFinite;
                break;
            }
            // The user asked to stop while a function of theirs ran.
            Err(_) if monitor.interrupted() => {}
            Err(error) => return Err(error),
        }
        if monitor.interrupted() {
            status = FitStatus::Interrupted;
            break;
        }
        if run.settled {
            break;
        }
    }
    let mut fit = run.finish(status);
    fit.seconds = started.elapsed().as_secs_f64();
    Ok(fit)
}
