//! Let a running fit report its progress, be asked to stop, and ask functions of the user.

use crate::error::{Error, ErrorClass, Result};
use crate::reply::ReplyValue;

/// One line of progress, sent once an iteration.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    pub iteration: usize,
    pub total: usize,
    pub phase: &'static str,
    /// Step size of the stochastic approximation.
    pub gain: f64,
    /// `Q` as the gain averages it over the draws, or what else the estimator maximizes.
    pub objective: f64,
}

/// What a fit asks a function of the user.
#[derive(Debug, Clone, PartialEq)]
pub struct HookQuestion {
    /// Name of the function.
    pub hook: &'static str,
    pub arguments: Vec<(String, ReplyValue)>,
}

/// The other end of a running fit.
pub trait Monitor: Sync {
    fn report(&self, progress: &Progress);
    /// True once the user asked to stop; polled once an iteration and inside long evaluations.
    fn interrupted(&self) -> bool;

    /// Wait for the answer to a question.
    ///
    /// # Errors
    /// The function failed or gave what it must not, the user asked to stop, or there is nobody to ask.
    fn ask(&self, question: HookQuestion) -> Result<Vec<f64>> {
        Err(nobody(&question))
    }
}

/// The error of a question that nobody hears.
pub fn nobody(question: &HookQuestion) -> Error {
    Error::new(
        ErrorClass::Internal,
        "no_front_end",
        format!("There is nobody to ask for `{}`.", question.hook),
    )
    .field("hook", question.hook)
}

/// Reports to nobody and never stops.
pub struct Silent;

impl Monitor for Silent {
    fn report(&self, _progress: &Progress) {}
    fn interrupted(&self) -> bool {
        false
    }
}
