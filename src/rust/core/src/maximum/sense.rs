//! Ask of an estimate what anybody would: does it describe the outcomes better than a constant?

use super::arrive::MaximumSearch;
use super::look::Look;
use crate::inference::cloud::{layouts, Cloud, LevelMoments};
use crate::inference::points::{LatticePoints, PointSource};
use crate::inference::posterior::Batches;
use crate::inference::precision;
use crate::problem::Joint;
use crate::random::{Purpose, Stream};

/// Log-likelihood that an estimate may be short of.
const SLACK: f64 = 0.05;

/// Change on a logarithmic scale with which a parameter has run away.
const AWAY: f64 = 6.9;

/// Draws of each batch among which those without a solution are counted.
const COUNTED: usize = 128;

/// What speaks against an estimate although nothing pulls it on, in words.
///
/// An outcome's own mean and standard deviation, or its own rate, need no model: a fit below their log-likelihood sits
/// on a plateau, where predictions answer to no parameter.
pub fn objections(joint: &Joint, look: &Look) -> Vec<String> {
    let Some(constant) = constant_log_lik(joint) else {
        return Vec::new();
    };
    let value = look.log_lik();
    // A model that is a constant at its maximum is as good.
    if value >= constant - SLACK - 3.0 * look.error() {
        return Vec::new();
    }
    vec![format!(
        "A constant describes the outcomes better (log-likelihood {constant:.1}) than these estimates ({value:.1})."
    )]
}

/// Parameters that have run away to where the data say nothing of them, in words: on the way there the likelihood rose,
/// but what it rises to is no maximum. `unknown`: positions of free coordinates.
pub fn runaways(joint: &Joint, look: &Look, unknown: impl Iterator<Item = usize>) -> Vec<String> {
    let theta = &joint.theta;
    let each = unknown.map(|i| look.information.free[i]);
    let gone = each
        .filter(|k| theta.is_transformed(*k) && (look.theta[*k] - theta.start[*k]).abs() > AWAY);
    gone.map(|k| {
        format!(
            "`{}` has gone more than a thousandfold from its start, where the data no longer depend on it.",
            theta.names[k]
        )
    })
    .collect()
}

/// Whether differential equations are solved too roughly for the likelihood: what rises and falls is not it alone.
/// `search`: in the form of the model in which the look was taken.
pub fn is_rough(search: &MaximumSearch, look: &Look) -> bool {
    let joint = search.joint;
    if joint.main().solution_error() <= 0.0 {
        return false;
    }
    let levels = LevelMoments {
        joint,
        batches: &Batches::new(joint),
        moments: &look.information.moments,
    };
    let means = (0..joint.parts.len()).map(|group| levels.conditional(group).0);
    let change = precision::change(joint, &look.theta, &joint.points(means.collect()));
    change.ok().flatten().is_some_and(precision::matters)
}

/// What solutions that failed hide of the likelihood, in words: chains and draws saw the rest of the distribution of the
/// effects alone, and estimates that avoid what is hard to solve are likely for no other reason. `search`: in the form of
/// the model in which the look was taken.
pub fn hidden(search: &MaximumSearch, look: &Look) -> Option<String> {
    let joint = search.joint;
    let counts = joint.main().form.dynamics.as_ref()?.counts();
    if counts.failed().iter().all(|(_, n)| *n == 0) {
        return None;
    }
    let layouts = layouts(joint, COUNTED);
    let mut cloud = Cloud::new(joint, &layouts, &look.theta).ok()?;
    let source = PointSource {
        stream: Stream {
            seed: search.seed,
            purpose: Purpose::Importance,
        },
        replicate: 0,
    };
    let points = LatticePoints::new(source, COUNTED, cloud.batches.max_dim());
    let mut draws = vec![0.0; cloud.n_effects()];
    for (b, q) in look.proposal.iter().enumerate() {
        let d = q.dim();
        let z = points.normals(b, d);
        for c in 0..COUNTED {
            let first = cloud.first(b, c);
            q.place(&z[c * d..(c + 1) * d], &mut draws[first..first + d]);
        }
    }
    cloud.set(&draws);
    let logs = cloud.log_lik(search.workers);
    let lost = |own: &[f64]| {
        own.iter().filter(|x| !x.is_finite()).count() as f64 / own.len().max(1) as f64
    };
    let parts: Vec<f64> = logs.chunks(COUNTED).map(lost).collect();
    let missing: f64 = parts.iter().map(|part| -(-part).ln_1p()).sum();
    let (most, part) = parts.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1))?;
    let records = &joint.main().records;
    let level = joint.batches[0].iter().position(|b| *b == most)?;
    (missing > SLACK).then(|| {
        format!(
            "The equations have no solution for about {:.0} % of the likely random effects of `{}` {}: the likelihood is \
             that of the others.",
            (100.0 * part).max(1.0),
            records.group,
            records.labels[level]
        )
    })
}

/// Log-likelihood of all observations under one constant distribution an outcome; `None` where some outcome has none.
fn constant_log_lik(joint: &Joint) -> Option<f64> {
    let problem = joint.main();
    let records = &problem.records;
    let mut total = 0.0;
    for outcome in &problem.model.outcomes {
        let highest = outcome.family.constant.filter(|_| outcome.is_plain())?;
        let column = &records.columns[outcome.column as usize];
        let values: Vec<f64> = column.iter().copied().filter(|y| !y.is_nan()).collect();
        total += highest(&values);
    }
    total.is_finite().then_some(total)
}
