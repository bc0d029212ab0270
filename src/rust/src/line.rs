//! Connect the worker, which reports, asks, and looks whether to stop, with the main thread, which talks to R.

use std::any::Any;
use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Mutex, PoisonError};

use extendr_api::prelude::*;
use nlmers_core::error::{Error, ErrorClass, Result};
use nlmers_core::monitor::{HookQuestion, Monitor, Progress};
use nlmers_core::reply::ReplyValue;

use crate::error::no_answer;

extern "C" {
    /// Evaluate a call; 0 when it returns `FALSE` or jumps out.
    fn nlmers_go_on(call: *mut c_void) -> c_int;
}

/// What the worker sends: all in one channel, so that the main thread waits for whatever comes first.
pub enum Message {
    /// The answer of the task, or the panic that ended it.
    Done(std::result::Result<Result<ReplyValue>, Box<dyn Any + Send>>),
    Asked(HookQuestion),
}

/// What the worker and the main thread share. Only the newest report is kept: a fast fit never waits for R.
pub struct Line {
    stop: AtomicBool,
    newest: Mutex<Option<Progress>>,
    questions: Sender<Message>,
    answers: Mutex<Receiver<Result<Vec<f64>>>>,
}

impl Monitor for Line {
    fn report(&self, progress: &Progress) {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(progress.clone());
    }

    fn interrupted(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn ask(&self, question: HookQuestion) -> Result<Vec<f64>> {
        // One thread at a time: the next answer is to its question.
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if self.interrupted() {
            return Err(stopped());
        }
        let gone = || no_answer("the main thread gave no answer");
        self.questions
            .send(Message::Asked(question))
            .map_err(|_| gone())?;
        answers.recv().unwrap_or_else(|_| Err(gone()))
    }
}

/// The answer of one who asked to stop.
pub fn stopped() -> Error {
    Error::new(ErrorClass::Option, "interrupted", "The user asked to stop.")
}

impl Line {
    pub fn new(questions: Sender<Message>, answers: Receiver<Result<Vec<f64>>>) -> Self {
        Self {
            stop: AtomicBool::new(false),
            newest: Mutex::new(None),
            questions,
            answers: Mutex::new(answers),
        }
    }

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
