//! Report the log-likelihood, with the random effects integrated out in the way that is asked for.

use super::decode::Likelihood;
use super::importance::{proposal, sampling};
use super::{count, list, modes, Columns, Request};
use crate::error::{Error, ErrorClass, Result};
use crate::inference::importance::Importance;
use crate::inference::joint::laplace;
use crate::inference::linear::Linearized;
use crate::inference::quadrature::{default_nodes, quadrature_by, Quadrature};
use crate::parallel::Workers;
use crate::problem::{Joint, Points};
use crate::reply::Value;

/// What is there for outcomes that are not normal.
const INSTEAD: &str = "Ask for the log-likelihood by \"importance\" or \"quadrature\".";

/// # Errors
/// Everything wrong with model, data or options.
pub fn log_likelihood(request: &Request, columns: Columns) -> Result<Value> {
    let (joint, theta) = request.evaluated(columns)?;
    let workers = request.workers()?;
    let modes = modes::points(request, &joint, &theta, &workers)?;
    match request.likelihood {
        Likelihood::Quadrature => {
            let found = marginal(&joint, &theta, request.nodes, &modes, &workers)?;
            Ok(by_nodes("quadrature", &found))
        }
        Likelihood::Laplace => {
            let found = marginal(&joint, &theta, Some(1), &modes, &workers)?;
            Ok(by_nodes("laplace", &found))
        }
        Likelihood::Importance => {
            let sampling = sampling(request, &joint, &theta, &workers);
            Ok(by_draws(&sampling.run(&proposal(&sampling, &modes)?)?))
        }
        Likelihood::Linear => linearized(&joint, &theta, &modes),
    }
}

/// By quadrature or Laplace's approximation.
pub fn by_nodes(method: &str, found: &Quadrature) -> Value {
    list(vec![
        ("value", Value::Number(found.log_lik)),
        ("subjects", Value::Numbers(found.subjects.clone())),
        ("method", Value::Text(method.into())),
        ("nodes", count(found.nodes)),
        ("converged", Value::Flags(found.converged.clone())),
    ])
}

/// By importance sampling; `converged` where the weights can be relied on.
pub fn by_draws(found: &Importance) -> Value {
    list(vec![
        ("value", Value::Number(found.total())),
        ("subjects", Value::Numbers(found.log_lik.clone())),
        ("method", Value::Text("importance".into())),
        ("draws", count(found.draws)),
        ("mc_error", Value::Number(found.total_error())),
        ("converged", Value::Flags(found.sound())),
    ])
}

/// That of the model linearized about the conditional modes.
///
/// # Errors
/// Outcomes that are not normal, or what else has no linearization.
pub fn linearized(joint: &Joint, theta: &[f64], modes: &Points) -> Result<Value> {
    let subjects = Linearized::new(joint, theta, modes, INSTEAD)?.log_lik()?;
    let converged = subjects.iter().map(|x| x.is_finite()).collect();
    Ok(list(vec![
        ("value", Value::Number(subjects.iter().sum())),
        ("subjects", Value::Numbers(subjects)),
        ("method", Value::Text("linear".into())),
        ("converged", Value::Flags(converged)),
    ]))
}

/// The log-likelihood: by quadrature around the conditional `modes` with one grouping, else by Laplace's approximation.
///
/// # Errors
/// Too many nodes, too many effects, or a population distribution that does not exist.
pub fn marginal(
    joint: &Joint,
    theta: &[f64],
    nodes: Option<usize>,
    modes: &Points,
    workers: &Workers,
) -> Result<Quadrature> {
    if joint.is_simple() {
        let problem = joint.main();
        let nodes = nodes.unwrap_or_else(|| default_nodes(problem.n_phi(), problem.n_subjects()));
        return quadrature_by(workers, problem, theta, nodes, Some(&modes.values[0]));
    }
    if nodes.is_some_and(|n| n > 1) {
        return Err(Error::new(
            ErrorClass::Option,
            "one_grouping_only",
            "Quadrature needs random effects of one grouping, none of them fixed.",
        )
        .hint("Use nodes = 1, Laplace's approximation."));
    }
    laplace(joint, theta, Some(modes))
}
