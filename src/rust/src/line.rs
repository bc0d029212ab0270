//! Connect the worker, which reports and asks whether to stop, with the main thread, which talks to R.

use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use extendr_api::prelude::*;
use nlmers_core::monitor::{Monitor, Progress};

extern "C" {
    /// Evaluate a call; 0 when it returns `FALSE` or jumps out.
    fn nlmers_go_on(call: *mut c_void) -> c_int;
}

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
            let call = Language::from_values([
                callback.into_robj(),
                (report.iteration as f64).into_robj(),
                (report.total as f64).into_robj(),
                report.phase.into_robj(),
                report.gain.into_robj(),
                report.objective.into_robj(),
            ]);
            // SAFETY: this is R's main thread, `call` is protected, and a jump ends inside the C function.
            if unsafe { nlmers_go_on(call.get().cast()) } == 0 {
                self.stop();
            }
        }
    }
}
