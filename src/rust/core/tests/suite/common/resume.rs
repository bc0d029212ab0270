//! A run of 60 iterations to stop and to go on with, and folders for its checkpoints.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::data::{Data, Generator};
use nlmers_core::monitor::{Monitor, Progress};
use nlmers_core::saem::options::ChainOptions;
use nlmers_core::saem::{CheckpointPlan, Fit, RunEnds, SaemOptions, SavedRun};

pub const MODEL: &str = "
    fixed a = positive(6)
    fixed k = positive(0.6)
    fixed o = positive(0.3)
    fixed u = positive(0.2)
    fixed s = positive(0.5)
    fixed p = 0.1
    random e ~ normal(0, o) | id
    random v ~ normal(0, u) | id
    f <- a * exp(v) * exp(-k * exp(e) * t)
    y ~ normal(f, s)
    n ~ poisson(exp(p + e))";

pub fn data() -> Data {
    let mut draw = Generator(17);
    let time = |row: usize| 0.5 * (1 + row % 7) as f64;
    Data::new(80, |i| 1 + i % 4)
        .with("t", |row, _| time(row))
        .with("y", |row, _| {
            9.0 * (-0.3 * time(row)).exp() + 0.4 * draw.normal()
        })
        .with("n", |row, _| (row % 4) as f64)
        .timed("t")
}

/// 40 iterations of exploration, 20 of smoothing.
pub fn options(chains: usize, acceleration: bool) -> SaemOptions {
    SaemOptions {
        chains: ChainOptions {
            n_chains: chains,
            auto_small_n_chains: false,
            ..ChainOptions::default()
        },
        acceleration,
        ..SaemOptions::two_phases(40, 20)
    }
}

/// Stops the run after some iterations; 0 for never. Counts from what it is told.
#[derive(Default)]
pub struct Stopper {
    after: usize,
    last: AtomicUsize,
}

impl Stopper {
    pub fn after(after: usize) -> Self {
        Self {
            after,
            ..Self::default()
        }
    }
}

impl Monitor for Stopper {
    fn report(&self, progress: &Progress) {
        assert_eq!(progress.total, 60);
        self.last.store(progress.iteration, Ordering::Relaxed);
    }

    fn interrupted(&self) -> bool {
        self.last.load(Ordering::Relaxed) == self.after
    }
}

pub fn resumed(state: &[u8]) -> RunEnds {
    RunEnds {
        resume: Some(SavedRun::parse(state, "The state").unwrap()),
        ..RunEnds::default()
    }
}

/// Everything of a fit but the time it took.
pub fn everything(fit: &Fit) -> String {
    let bits = |x: &[f64]| x.iter().map(|x| x.to_bits()).collect::<Vec<u64>>();
    let numbers: Vec<Vec<u64>> = (fit.trace.theta.iter())
        .chain([&fit.theta, &fit.trace.gain, &fit.trace.objective])
        .chain(&fit.cond_mean)
        .chain(&fit.cond_sd)
        .map(|x| bits(x))
        .collect();
    let covariance = fit.covariance.as_ref().map(|c| bits(c.as_slice()));
    let rest = (
        fit.status,
        &fit.evidence,
        &fit.trace.phase,
        &fit.acceptance,
        fit.not_finite,
        &fit.warnings,
    );
    format!("{numbers:?} {covariance:?} {rest:?}")
}

/// A folder that goes when it is dropped.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("nlmers-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    pub fn checkpoint(&self, every: usize) -> RunEnds {
        RunEnds {
            checkpoint: Some(CheckpointPlan {
                path: self.0.join("state"),
                every,
            }),
            ..RunEnds::default()
        }
    }

    pub fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}
