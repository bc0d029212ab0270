//! Run SAEM on a problem.

use std::time::Instant;

use super::checkpoint::{bytes, CheckpointPlan, Header, Identity, SavedRun};
use super::hooks::Hooks;
use super::options::SaemOptions;
use super::run::SaemRun;
use crate::inference::start::check_start;

use crate::data::Layout;
use crate::error::{Error, ErrorClass, Result};
use crate::fitted::{Fit, FitStatus};
use crate::monitor::Monitor;
use crate::parallel::Workers;
use crate::problem::{EffectValues, Joint};

/// Where a run starts and where it leaves its state, beyond the problem and the options.
#[derive(Debug, Clone, Default)]
pub struct RunEnds {
    pub identity: Identity,
    /// Effects at which the chains start: `phi` of each grouping, NaN for the mean.
    pub first: Option<EffectValues>,
    /// The run that is continued.
    pub resume: Option<SavedRun>,
    pub checkpoint: Option<CheckpointPlan>,
}

/// Fit by SAEM from the start of the problem.
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
    fit_on(joint, options, seed, threads, monitor, &RunEnds::default())
}

/// Fit by SAEM on a given course.
///
/// # Errors
/// As [`fit`]; a state that does not fit the problem; checkpoints with functions of the user.
pub fn fit_on(
    joint: &Joint,
    options: &SaemOptions,
    seed: u64,
    threads: usize,
    monitor: &dyn Monitor,
    course: &RunEnds,
) -> Result<Fit> {
    let started = Instant::now();
    check_start(joint)?;
    let workers = Workers::new(threads)?;
    let copies = options.chains.used_for(joint.n_batches);
    let layouts: Vec<Layout> = joint.parts.iter().map(|part| part.layout(copies)).collect();
    let seed = course.resume.as_ref().map_or(seed, SavedRun::seed);
    let hooks = Hooks::new(joint, &options.mstep.hooks, monitor);
    let mut run = SaemRun::new(joint, options, &layouts, seed, hooks)?;
    let mut log = Log::new(course, options, seed, started)?;
    match (&course.resume, &course.first) {
        (Some(saved), _) => saved.restore(&mut run)?,
        (None, Some(points)) => run.start_at(points),
        (None, None) => {}
    }
    let mut status = FitStatus::MaxIterations;
    let mut k = log.header.iteration;
    // The run that is continued may have passed the test for an early end. The plan may change on the way.
    while k < run.schedule.total() && !run.settled {
        k += 1;
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
        let interrupted = monitor.interrupted();
        log.note(&run, k, interrupted);
        if interrupted {
            status = FitStatus::Interrupted;
            break;
        }
    }
    let mut fit = run.finish(status);
    fit.seconds = log.seconds();
    fit.state = log.state;
    fit.warnings.extend(log.failure);
    Ok(fit)
}

/// Leaves the state of a run where the course wants it.
struct Log<'a> {
    checkpoint: Option<&'a CheckpointPlan>,
    header: Header,
    /// Whether the whole state is in the run.
    complete: bool,
    started: Instant,
    /// Time spent before this run.
    before: f64,
    /// The state at an interrupt.
    state: Option<Vec<u8>>,
    failure: Option<String>,
}

impl<'a> Log<'a> {
    fn new(
        course: &'a RunEnds,
        options: &SaemOptions,
        seed: u64,
        started: Instant,
    ) -> Result<Self> {
        let hook = options.mstep.hooks.first();
        if let (Some(hook), true) = (hook, course.checkpoint.is_some() || course.resume.is_some()) {
            return Err(Error::new(
                ErrorClass::Option,
                "checkpoint_hooks",
                format!(
                    "A fit with the function `{}` cannot be kept and continued: what the function remembers is not in \
                     the checkpoint.",
                    hook.name()
                ),
            )
            .hint("Leave `checkpoint` and `start_from` out, or fit without the function."));
        }
        let header = match &course.resume {
            Some(saved) => saved.header.clone(),
            None => Header::new(course.identity.clone(), seed),
        };
        Ok(Self {
            checkpoint: course.checkpoint.as_ref(),
            complete: hook.is_none(),
            before: header.seconds,
            header,
            started,
            state: None,
            failure: None,
        })
    }

    fn seconds(&self) -> f64 {
        self.before + self.started.elapsed().as_secs_f64()
    }

    /// Keep the state after iteration `k` when it is time, and in any case at an interrupt. A file that cannot be
    /// written does not end the run, which may have taken days; it is told at the end.
    fn note(&mut self, run: &SaemRun, k: usize, interrupted: bool) {
        let due = |checkpoint: &&CheckpointPlan| interrupted || k.is_multiple_of(checkpoint.every);
        let checkpoint = self.checkpoint.filter(due);
        if !self.complete || (checkpoint.is_none() && !interrupted) {
            return;
        }
        self.header.iteration = k;
        self.header.seconds = self.seconds();
        let bytes = bytes(run, &self.header);
        if let Some(checkpoint) = checkpoint {
            if let Err(reason) = checkpoint.write(&bytes) {
                let path = checkpoint.path.display();
                let failure = format!(
                    "The checkpoint `{path}` could not be written after iteration {k}: {reason}."
                );
                self.failure.get_or_insert(failure);
            }
        }
        self.state = interrupted.then_some(bytes);
    }
}
