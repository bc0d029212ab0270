//! Keep R responsive while a task runs: worker thread, interrupts, progress.

use std::ffi::c_int;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::mpsc::{channel, RecvTimeoutError};
use std::thread::{self, Builder};
use std::time::Duration;

use extendr_api::prelude::*;
use nlmers_core::error::Result;
use nlmers_core::monitor::Monitor;
use nlmers_core::reply::Value;

use crate::error;
use crate::line::Line;

/// How often the main thread looks for Ctrl-C and tells the progress.
const TICK: Duration = Duration::from_millis(20);

/// Stack of the worker in bytes: deep expressions are walked recursively. Untouched pages cost nothing.
const STACK: usize = 64 << 20;

extern "C" {
    fn nlmers_user_interrupted() -> c_int;
}

/// Run `task` on a worker thread; the main thread stays with R until it is done.
pub fn run<T>(callback: Option<Function>, task: T) -> Result<Value>
where
    T: FnOnce(&dyn Monitor) -> Result<Value> + Send,
{
    error::note_panics();
    let line = Line::default();
    let (done, answer) = channel();
    thread::scope(|scope| {
        let worker = Builder::new().stack_size(STACK).spawn_scoped(scope, || {
            // The receiver outlives the worker, so the send cannot fail.
            let _ = done.send(catch_unwind(AssertUnwindSafe(|| task(&line))));
        });
        if let Err(problem) = worker {
            return Err(error::no_answer(&format!(
                "cannot start a thread: {problem}"
            )));
        }
        loop {
            let answer = answer.recv_timeout(TICK);
            line.tell(callback.as_ref());
            match answer {
                Ok(answer) => {
                    return answer.unwrap_or_else(|payload| Err(error::from_panic(&*payload)))
                }
                Err(RecvTimeoutError::Timeout) => {
                    // SAFETY: this is R's main thread, and the jump of an interrupt stays inside the C function.
                    if unsafe { nlmers_user_interrupted() } != 0 {
                        line.stop();
                    }
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(error::no_answer("the worker gave no answer"))
                }
            }
        }
    })
}
