//! Report the log-likelihood, with the random effects integrated out in the way that is asked for.

use serde::{Deserialize, Serialize};

use super::direct::{self, is_direct};
use super::fitted::{Fitted, Ready};
use super::importance::proposal;
use super::{count, list, matrix, FrameColumns};
use crate::error::{Error, ErrorClass, Result};
use crate::inference::classes::shares;
use crate::inference::importance::Importance;
use crate::inference::joint::laplace;
use crate::inference::linear::Linearized;
use crate::inference::marginal::{self, Integral, Marginal};
use crate::inference::options::{Inference, LogLik};
use crate::inference::quadrature::quadrature_by;
use crate::parallel::Workers;
use crate::problem::{EffectValues, Joint};
use crate::reply::ReplyValue;

/// What is there for outcomes that are not normal.
const INSTEAD: &str = "Ask for the log-likelihood by \"importance\" or \"quadrature\".";

/// How the likelihood at the estimates of a fit is computed.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LikelihoodTask {
    pub fit: Fitted,
    #[serde(default)]
    pub inference: Inference,
}

/// The classes of the subjects at the estimates of a fit.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ClassesTask {
    pub fit: Fitted,
}

/// # Errors
/// Everything wrong with model, data or options.
pub fn log_likelihood(task: &LikelihoodTask, columns: FrameColumns) -> Result<ReplyValue> {
    let ready = task.fit.ready(columns)?;
    if is_direct(&ready.joint) {
        let found = direct::log_lik(&ready.joint, &ready.theta, &ready.workers)?;
        return Ok(exact(&found));
    }
    let modes = task.fit.modes(&ready)?;
    let by_rule = |method, nodes| {
        Ok(by_nodes(
            method,
            &integrated(&wanted(&ready, &modes), nodes)?,
        ))
    };
    match task.inference.log_lik {
        LogLik::Quadrature => by_rule("quadrature", task.inference.nodes),
        LogLik::Laplace => by_rule("laplace", Some(1)),
        LogLik::Importance => {
            let sampling = ready.sampling(&task.inference);
            Ok(by_draws(&sampling.run(&proposal(&sampling, &modes)?)?))
        }
        LogLik::Linear => linearized(&ready.joint, &ready.theta, &modes),
        LogLik::None => Ok(ReplyValue::Null),
    }
}

fn wanted<'w>(ready: &'w Ready, modes: &'w EffectValues) -> Integral<'w> {
    Integral {
        joint: &ready.joint,
        theta: &ready.theta,
        modes,
        workers: &ready.workers,
        seed: ready.seed,
        judged: None,
    }
}

/// By quadrature or Laplace's approximation; terms that these could not settle are sampled, and counted.
pub fn by_nodes(method: &str, found: &Marginal) -> ReplyValue {
    let sampled = found.n_sampled();
    let method = match sampled {
        0 => method,
        n if n == found.subjects.len() => "importance",
        _ => "quadrature+importance",
    };
    let mut entries = vec![
        ("value", ReplyValue::Number(found.log_lik())),
        ("subjects", ReplyValue::Numbers(found.subjects.clone())),
        ("method", ReplyValue::Text(method.into())),
    ];
    if method != "importance" {
        entries.push(("nodes", count(found.nodes)));
    }
    if sampled > 0 {
        entries.extend([("draws", count(found.draws)), ("sampled", count(sampled))]);
    }
    let error = found.error();
    if error.is_finite() {
        let name = if method == "importance" {
            "mc_error"
        } else {
            "error"
        };
        entries.push((name, ReplyValue::Number(error)));
    }
    entries.push(("converged", ReplyValue::Flags(found.converged.clone())));
    entries.extend(by_class(&found.classes));
    list(entries)
}

/// Probabilities of the classes, `subjects x classes`; nothing without classes.
pub fn by_class(shares: &[Vec<f64>]) -> Option<(&'static str, ReplyValue)> {
    let k = shares.first()?.len();
    Some(("classes", matrix(shares.len(), k, &shares.concat())))
}

/// Report the probabilities of the classes of every subject, given its outcomes.
///
/// # Errors
/// Everything wrong with model, data or options.
pub fn classes(task: &ClassesTask, columns: FrameColumns) -> Result<ReplyValue> {
    let ready = task.fit.ready(columns)?;
    let shares = if is_direct(&ready.joint) {
        exact_classes(&ready.joint, &ready.theta, &ready.workers)?
    } else {
        let modes = task.fit.modes(&ready)?;
        integrated(&wanted(&ready, &modes), None)?.classes
    };
    Ok(list(by_class(&shares).into_iter().collect()))
}

/// Those of a model without random effects.
pub fn exact_classes(joint: &Joint, theta: &[f64], workers: &Workers) -> Result<Vec<Vec<f64>>> {
    let logs: Result<Vec<Vec<f64>>> = (1..=joint.n_classes())
        .map(|k| {
            let own = direct::log_lik(&joint.in_class(k), theta, workers)?.log_lik;
            Ok(joint.batches[0].iter().map(|batch| own[*batch]).collect())
        })
        .collect();
    Ok(shares(&logs?))
}

/// That of a model without random effects.
pub fn exact(found: &Importance) -> ReplyValue {
    list(vec![
        ("value", ReplyValue::Number(found.total())),
        ("subjects", ReplyValue::Numbers(found.log_lik.clone())),
        ("method", ReplyValue::Text("exact".into())),
        (
            "converged",
            ReplyValue::Flags(found.log_lik.iter().map(|x| x.is_finite()).collect()),
        ),
    ])
}

/// By importance sampling; `converged` where the weights can be relied on.
pub fn by_draws(found: &Importance) -> ReplyValue {
    list(vec![
        ("value", ReplyValue::Number(found.total())),
        ("subjects", ReplyValue::Numbers(found.log_lik.clone())),
        ("method", ReplyValue::Text("importance".into())),
        ("draws", count(found.draws)),
        ("mc_error", ReplyValue::Number(found.total_error())),
        ("converged", ReplyValue::Flags(found.sound())),
    ])
}

/// That of the model linearized about the conditional modes.
///
/// # Errors
/// Outcomes that are not normal, or what else has no linearization.
pub fn linearized(joint: &Joint, theta: &[f64], modes: &EffectValues) -> Result<ReplyValue> {
    let subjects = Linearized::new(joint, theta, modes, INSTEAD)?.log_lik()?;
    let converged = subjects.iter().map(|x| x.is_finite()).collect();
    Ok(list(vec![
        ("value", ReplyValue::Number(subjects.iter().sum())),
        ("subjects", ReplyValue::Numbers(subjects)),
        ("method", ReplyValue::Text("linear".into())),
        ("converged", ReplyValue::Flags(converged)),
    ]))
}

/// The log-likelihood with the random effects integrated out: by so many `nodes` around the conditional modes where they
/// are given, else by as many as it takes.
///
/// # Errors
/// Too many nodes, too many effects, or a population distribution that does not exist.
pub fn integrated(wanted: &Integral, nodes: Option<usize>) -> Result<Marginal> {
    let Some(nodes) = nodes else {
        return marginal::marginal(wanted);
    };
    if wanted.joint.n_classes() > 0 {
        return marginal::by_class(wanted, |of_class| by_rule(of_class, nodes));
    }
    by_rule(wanted, nodes)
}

fn by_rule(wanted: &Integral, nodes: usize) -> Result<Marginal> {
    let Integral {
        joint,
        theta,
        modes,
        workers,
        ..
    } = *wanted;
    if joint.is_simple() {
        let start = Some(modes.values[0].as_slice());
        return quadrature_by(workers, joint.main(), theta, nodes, start).map(Marginal::of);
    }
    if nodes > 1 {
        return Err(Error::new(
            ErrorClass::Option,
            "one_grouping_only",
            "Quadrature needs random effects of one grouping, none of them fixed.",
        )
        .hint("Use nodes = 1, Laplace's approximation."));
    }
    laplace(joint, theta, Some(modes)).map(Marginal::of)
}
