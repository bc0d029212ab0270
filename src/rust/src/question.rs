//! Ask a function of the user in R.
//!
//! The function of the front end gets the name of a hook and a named list, and gives `list(ok = TRUE, value =)` or
//! `list(ok = FALSE, hook =, message =, hint =, stopped =)`; `stopped` says that the user's own code raised the message.

use std::ffi::{c_int, c_void};

use extendr_api::prelude::*;
use nlmers_core::error::{Error, ErrorClass, Result};
use nlmers_core::monitor::{nobody, HookQuestion};
use nlmers_core::reply::ReplyValue;

use crate::error::no_answer;
use crate::output::to_robj;

extern "C" {
    /// Evaluate a call and keep its value in the first place of a list; 0 when it jumps out.
    fn nlmers_ask(call: *mut c_void, answer: *mut c_void) -> c_int;
}

/// What became of a question.
pub enum Outcome {
    Answered(Result<Vec<f64>>),
    /// An interrupt, or a restart outside the fit.
    JumpedOut,
}

/// Call R, which is on this thread.
pub fn ask(hooks: Option<&Function>, question: HookQuestion) -> Outcome {
    let Some(hooks) = hooks else {
        return Outcome::Answered(Err(nobody(&question)));
    };
    let call = Language::from_values([
        hooks.into_robj(),
        question.hook.into_robj(),
        to_robj(ReplyValue::List(question.arguments)),
    ]);
    let answer = List::new(1);
    // SAFETY: this is R's main thread, both objects are protected, and a jump ends inside the C function.
    if unsafe { nlmers_ask(call.get().cast(), answer.get().cast()) } == 0 {
        return Outcome::JumpedOut;
    }
    let answer = answer.elt(0).ok().and_then(|answer| answer.as_list());
    Outcome::Answered(answer.map_or_else(|| Err(unreadable()), |answer| read(&answer)))
}

fn read(answer: &List) -> Result<Vec<f64>> {
    let field = |name: &str| answer.iter().find(|(known, _)| *known == name);
    let field = |name: &str| field(name).map(|(_, value)| value);
    let text = |name: &str| field(name).and_then(|value| value.as_str());
    let flag = |name: &str| field(name).and_then(|value| value.as_bool());
    if flag("ok") == Some(true) {
        let value = field("value").and_then(|value| value.as_real_vector());
        return value.ok_or_else(unreadable);
    }
    let (Some(hook), Some(message)) = (text("hook"), text("message")) else {
        return Err(unreadable());
    };
    let (reason, problem) = if flag("stopped") == Some(true) {
        ("hook_failed", format!("`{hook}` stopped: {message}"))
    } else {
        ("hook_value", message.to_string())
    };
    let error = Error::new(ErrorClass::Option, reason, problem).field("hook", hook);
    Err(match text("hint") {
        Some(hint) => error.hint(hint),
        None => error,
    })
}

fn unreadable() -> Error {
    no_answer("R gave no answer that can be read")
}
