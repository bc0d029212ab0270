//! Keep R responsive while a task runs: worker thread, interrupts, progress, functions of the user.

use std::ffi::c_int;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::mpsc::{channel, RecvTimeoutError};
use std::thread::{self, Builder};
use std::time::{Duration, Instant};

use extendr_api::prelude::*;
use nlmers_core::error::Result;
use nlmers_core::monitor::Monitor;
use nlmers_core::reply::ReplyValue;

use crate::error;
use crate::line::{stopped, Line, Message};
use crate::question::{ask, Outcome};

/// How often the main thread looks for Ctrl-C and tells the progress.
const TICK: Duration = Duration::from_millis(20);

/// Stack of the worker in bytes: deep expressions are walked recursively. Untouched pages cost nothing.
const STACK: usize = 64 << 20;

extern "C" {
    fn nlmers_user_interrupted() -> c_int;
}

/// Run `task` on a worker thread; the main thread stays with R until it is done, and answers what the task asks.
pub fn run<T>(callback: Option<Function>, hooks: Option<Function>, task: T) -> Result<ReplyValue>
where
    T: FnOnce(&dyn Monitor) -> Result<ReplyValue> + Send,
{
    error::note_panics();
    let (sender, messages) = channel();
    let (replies, answers) = channel();
    let line = Line::new(sender.clone(), answers);
    // `replies` goes into the scope: were it left by a panic, a waiting worker would learn of it.
    thread::scope(|scope| {
        let replies = replies;
        let line = &line;
        let worker = Builder::new()
            .stack_size(STACK)
            .spawn_scoped(scope, move || {
                // The receiver outlives the worker, so the send cannot fail.
                let _ = sender.send(Message::Done(catch_unwind(AssertUnwindSafe(|| task(line)))));
            });
        if let Err(problem) = worker {
            return Err(error::no_answer(&format!(
                "cannot start a thread: {problem}"
            )));
        }
        let mut next = Instant::now() + TICK;
        loop {
            match messages.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(Message::Done(answer)) => {
                    line.tell(callback.as_ref());
                    return answer.unwrap_or_else(|payload| Err(error::from_panic(&*payload)));
                }
                Ok(Message::Asked(question)) => {
                    let answer = match ask(hooks.as_ref(), question) {
                        Outcome::Answered(answer) => answer,
                        Outcome::JumpedOut => {
                            line.stop();
                            Err(stopped())
                        }
                    };
                    // The worker waits for it.
                    let _ = replies.send(answer);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(error::no_answer("the worker gave no answer"))
                }
            }
            if Instant::now() >= next {
                line.tell(callback.as_ref());
                // SAFETY: this is R's main thread, and the jump of an interrupt stays inside the C function.
                if unsafe { nlmers_user_interrupted() } != 0 {
                    line.stop();
                }
                next = Instant::now() + TICK;
            }
        }
    })
}
