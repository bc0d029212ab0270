//! Sample the random effects of every batch by importance: what likelihood and standard errors are made of.

use super::direct::is_direct;
use super::{count, list, modes, Columns, Request};
use crate::error::Result;
use crate::inference::importance::{Importance, Sampling, REPLICATES};
use crate::inference::posterior::Posterior;
use crate::inference::proposal::around;
use crate::parallel::Workers;
use crate::problem::{Joint, Points};
use crate::reply::Value;

/// Draws of each batch where a request does not say.
const DRAWS: usize = 1_000;

/// The weights of every batch in numbers.
///
/// # Errors
/// Everything wrong with model, data or options.
pub fn importance(request: &Request, columns: Columns) -> Result<Value> {
    let (joint, theta) = request.evaluated(columns)?;
    let workers = request.workers()?;
    let modes = modes::points(request, &joint, &theta, &workers)?;
    let sampling = sampling(request, &joint, &theta, &workers);
    Ok(weights(&sampling.run(&proposal(&sampling, &modes)?)?))
}

impl Request {
    /// Importance draws of each batch.
    pub fn draws(&self) -> usize {
        self.draws.unwrap_or(DRAWS)
    }
}

/// As the request says.
pub fn sampling<'a>(
    request: &Request,
    joint: &'a Joint,
    theta: &'a [f64],
    workers: &'a Workers,
) -> Sampling<'a> {
    Sampling {
        trusts: false,
        joint,
        theta,
        workers,
        seed: request.seed.unwrap_or(1.0) as u64,
        // Without effects one draw is as good as many.
        draws: if is_direct(joint) {
            REPLICATES
        } else {
            request.draws()
        },
    }
}

/// Around conditional modes, moved to the conditional means and covariances.
///
/// # Errors
/// Too many effects that hang together, or a population distribution that does not exist.
pub fn proposal(sampling: &Sampling, modes: &Points) -> Result<Posterior> {
    sampling.moved(&around(sampling.joint, sampling.theta, modes)?)
}

/// What the weights say, one entry a batch.
pub fn weights(found: &Importance) -> Value {
    list(vec![
        ("log_lik", Value::Numbers(found.log_lik.clone())),
        ("mc_error", Value::Numbers(found.mc_error.clone())),
        ("ess", Value::Numbers(found.ess.clone())),
        ("khat", Value::Numbers(found.khat.clone())),
        ("draws", count(found.draws)),
    ])
}
