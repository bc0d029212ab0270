//! Connect the worker, which reports and asks whether to stop, with the main thread, which talks to R.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use extendr_api::prelude::*;
use nlmers_core::monitor::{Monitor, Progress};

/// What the worker and the main thread share. Only the newest report is kept: a fast fit never waits for R.
#[derive(Default)]
pub struct Line {
    stop: AtomicBool,
    newest: Mutex<Option<Progress>>,
}

impl Monitor for Line {
    fn report(&self, progress: &Progress) {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(progress.clone());
    }

    fn interrupted(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

impl Line {
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Call R with the newest report. An interrupt inside the callback, or `FALSE` from it, stops the task.
    pub fn tell(&self, callback: Option<&Function>) {
        let newest = self
            .newest
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let (Some(report), Some(callback)) = (newest, callback) {
            let answer = callback.call(pairlist!(
                report.iteration as f64,
                report.total as f64,
                report.phase,
                report.gain,
                report.objective
            ));
            if !answer.is_ok_and(|answer| answer.as_bool() != Some(false)) {
                self.stop();
            }
        }
    }
}
