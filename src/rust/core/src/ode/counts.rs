//! Count solutions and how they failed: no failure passes unseen.

use std::sync::atomic::{AtomicU64, Ordering};

use super::stiff::Stats;
use super::task::Failure;

/// Counts of one fit or request, from all threads.
#[derive(Debug, Default)]
pub struct Counts {
    solved: AtomicU64,
    implicit: AtomicU64,
    steps: AtomicU64,
    starts: AtomicU64,
    failed: [AtomicU64; FAILURES.len()],
}

/// Why solutions end, and the words for it.
const FAILURES: [(Failure, &str); 6] = [
    (Failure::TooManySteps, "too many steps"),
    (Failure::LooksStiff, "too stiff for the explicit solver"),
    (Failure::StepTooSmall, "steps too small"),
    (Failure::NotFinite, "not finite"),
    (Failure::NoSteadyState, "no steady state"),
    (Failure::ImpossibleDose, "impossible dose"),
];

impl Counts {
    /// Solutions of single subjects that were asked for.
    pub fn solved(&self) -> u64 {
        self.solved.load(Ordering::Relaxed)
    }

    /// Those that went to the solver for stiff equations.
    pub fn implicit(&self) -> u64 {
        self.implicit.load(Ordering::Relaxed)
    }

    /// Steps of the implicit solver, those in vain included.
    pub fn implicit_steps(&self) -> u64 {
        self.steps.load(Ordering::Relaxed)
    }

    /// Times that it began anew.
    pub fn implicit_starts(&self) -> u64 {
        self.starts.load(Ordering::Relaxed)
    }

    /// Reasons and how often each ended a solution; those that never did are left out.
    pub fn failed(&self) -> Vec<(&'static str, u64)> {
        let each = FAILURES.iter().zip(&self.failed);
        each.map(|((_, words), n)| (*words, n.load(Ordering::Relaxed)))
            .filter(|(_, n)| *n > 0)
            .collect()
    }

    pub(super) fn add_solved(&self, n: usize) {
        self.solved.fetch_add(n as u64, Ordering::Relaxed);
    }

    pub(super) fn add_implicit(&self, stats: &Stats) {
        let add = |to: &AtomicU64, n: usize| to.fetch_add(n as u64, Ordering::Relaxed);
        add(&self.implicit, 1);
        add(&self.steps, stats.steps + stats.rejected);
        add(&self.starts, stats.starts);
    }

    pub(super) fn add_failed(&self, failure: Failure) {
        let found = FAILURES.iter().position(|(known, _)| *known == failure);
        if let Some(n) = found.and_then(|i| self.failed.get(i)) {
            n.fetch_add(1, Ordering::Relaxed);
        }
    }
}
