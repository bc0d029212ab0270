//! Draw the random effects of every level given the data, at the estimates of a fit.

use serde::{Deserialize, Serialize};

use super::fitted::{Fitted, Ready};
use super::modes::{put_given, ModesAsked};
use super::predict::effect_names;
use super::{count, list, one, FrameColumns};
use crate::error::Result;
use crate::problem::{effects_of, Given, Problem};
use crate::reply::ReplyValue;
use crate::saem::{conditional_samples, ConditionalSampling, Samples};

/// How many draws at the estimates of a fit.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SamplesTask {
    pub fit: Fitted,
    #[serde(default = "one")]
    pub nsim: usize,
}

/// Draws of the effects of each grouping, as the user wrote them.
///
/// # Errors
/// Everything wrong with model, data or options, and estimates at which there is nothing to draw from.
pub fn samples(task: &SamplesTask, columns: FrameColumns) -> Result<ReplyValue> {
    let Ready {
        joint,
        theta,
        workers,
        seed,
    } = task.fit.ready(columns)?;
    let given = task.fit.at.given();
    let asked = ModesAsked::of_fit(&task.fit, &joint, &theta)?;
    let joint = asked.settled(&joint, &theta);
    let sampling = ConditionalSampling {
        draws: task.nsim.max(1),
        seed,
        first: asked.candidate(),
    };
    let samples = conditional_samples(&joint, &theta, &sampling, &workers)?;
    let groups = joint.parts.iter().map(|part| {
        let group = list(vec![
            ("group", ReplyValue::Text(part.records.group.clone())),
            ("labels", ReplyValue::Texts(part.records.labels.clone())),
            ("name", effect_names(part)),
            ("values", values(part, &theta, &given, &samples)),
        ]);
        (String::new(), group)
    });
    Ok(list(vec![
        ("groups", ReplyValue::List(groups.collect())),
        ("chains", count(samples.chains)),
        ("thinning", count(samples.thinning)),
        (
            "autocorrelation",
            ReplyValue::Number(samples.autocorrelation),
        ),
    ]))
}

/// `draws x levels x effects`, draws running fastest, as a matrix with a column an effect.
fn values(part: &Problem, theta: &[f64], given: &Given, samples: &Samples) -> ReplyValue {
    let draws = &samples.phi[part.group];
    let (n, d, size) = (part.n_subjects(), part.n_phi(), draws.len());
    let mut data = vec![f64::NAN; size * n * d];
    for (s, phi) in draws.iter().enumerate() {
        let mut effects = effects_of(part, theta, phi);
        put_given(part, given, &mut effects);
        for (at, effect) in effects.iter().enumerate() {
            data[s + size * (at / d + n * (at % d))] = *effect;
        }
    }
    ReplyValue::Matrix {
        rows: size * n,
        cols: d,
        data,
    }
}
