//! Sample the random effects of every batch by importance: what likelihood and standard errors are made of.

use serde::{Deserialize, Serialize};

use super::fitted::Fitted;
use super::{count, list, FrameColumns};
use crate::error::Result;
use crate::inference::importance::{Importance, ImportanceSampling};
use crate::inference::options::Inference;
use crate::inference::posterior::BatchPosteriors;
use crate::inference::proposal::around;
use crate::problem::EffectValues;
use crate::reply::ReplyValue;

/// Draws at the estimates of a fit.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ImportanceTask {
    pub fit: Fitted,
    #[serde(default)]
    pub inference: Inference,
}

/// The weights of every batch in numbers.
///
/// # Errors
/// Everything wrong with model, data or options.
pub fn importance(task: &ImportanceTask, columns: FrameColumns) -> Result<ReplyValue> {
    let ready = task.fit.ready(columns)?;
    let modes = task.fit.modes(&ready)?;
    let sampling = ready.sampling(&task.inference);
    Ok(weights(&sampling.run(&proposal(&sampling, &modes)?)?))
}

/// Around conditional modes, moved to the conditional means and covariances.
///
/// # Errors
/// Too many effects that hang together, or a population distribution that does not exist.
pub fn proposal(sampling: &ImportanceSampling, modes: &EffectValues) -> Result<BatchPosteriors> {
    sampling.moved(&around(sampling.joint, sampling.theta, modes)?)
}

/// What the weights say, one entry a batch.
pub fn weights(found: &Importance) -> ReplyValue {
    list(vec![
        ("log_lik", ReplyValue::Numbers(found.log_lik.clone())),
        ("mc_error", ReplyValue::Numbers(found.mc_error.clone())),
        ("ess", ReplyValue::Numbers(found.ess.clone())),
        ("khat", ReplyValue::Numbers(found.khat.clone())),
        ("draws", count(found.draws)),
    ])
}
