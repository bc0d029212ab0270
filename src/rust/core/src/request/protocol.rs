//! Read a request: the number of the protocol first, then the task and its fields.

use serde::{Deserialize, Serialize};

use super::{
    density, describe, fit_task, importance, likelihood, modes, predict, samples, simulate,
    uncertainty,
};
use crate::error::{Error, ErrorClass, Result};

/// To be raised with every change of what a request says: a front end of another number is refused.
pub const PROTOCOL: u64 = 1;

/// What a front end asks. Each task stands in the file of its name; a field or a word that it does not know is refused.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(tag = "task", rename_all = "snake_case")]
pub enum Request {
    Describe(describe::DescribeTask),
    Check(fit_task::CheckTask),
    Fit(Box<fit_task::FitTask>),
    Predict(predict::PredictTask),
    Simulate(simulate::SimulateTask),
    LogDensity(density::DensityTask),
    LogLikelihood(likelihood::LikelihoodTask),
    Uncertainty(uncertainty::UncertaintyTask),
    Importance(importance::ImportanceTask),
    Modes(modes::ModesTask),
    Classes(likelihood::ClassesTask),
    ConditionalSamples(samples::SamplesTask),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    #[serde(rename = "protocol")]
    _protocol: Protocol,
    request: Request,
}

/// The number of this program, whatever else it was made of.
#[derive(Deserialize)]
#[serde(try_from = "u64")]
struct Protocol;

impl TryFrom<u64> for Protocol {
    type Error = String;

    fn try_from(number: u64) -> std::result::Result<Self, String> {
        if number == PROTOCOL {
            return Ok(Self);
        }
        Err(format!(
            "the front end speaks protocol {number}, this program protocol {PROTOCOL}: install the package again"
        ))
    }
}

impl Request {
    /// # Errors
    /// The text is not a request.
    pub fn parse(text: &str) -> Result<Self> {
        if nesting(text) > MAX_NESTING {
            return Err(Error::model(
                "too_deep",
                "An expression of the model has too many operations inside each other.",
            )
            .hint("Assign parts of it to variables, or write a long sum as sum(c(...))."));
        }
        let mut source = serde_json::Deserializer::from_str(text);
        // The nesting is bounded above.
        source.disable_recursion_limit();
        let envelope = Envelope::deserialize(&mut source).map_err(|error| {
            Error::new(
                ErrorClass::Internal,
                "request",
                format!("Malformed request: {error}."),
            )
        })?;
        Ok(envelope.request)
    }
}

/// Levels of arrays and objects; each operation of an expression is two. The worker's stack holds several times this.
const MAX_NESTING: usize = 2_000;

/// Deepest nesting of a JSON text.
fn nesting(text: &str) -> usize {
    let (mut depth, mut deepest) = (0usize, 0);
    let (mut inside, mut escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if inside => escaped = true,
            b'"' => inside = !inside,
            b'[' | b'{' if !inside => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !inside => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}
