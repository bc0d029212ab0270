//! Find conditional modes as the options of a fit say, and report what holds at them.

use serde::{Deserialize, Serialize};

use super::fitted::{Fitted, Ready};
use super::method::Method;
use super::predict::{
    columns_matrix, individual, individual_predictions, outcome_names, points, typical, Predictions,
};
use super::{list, matrix, FrameColumns};
use crate::error::{Error, ErrorClass, Result};
use crate::inference::ebe::{final_modes, EbModes, EbeOptions, EbeSearch};
use crate::language::words;
use crate::parallel::Workers;
use crate::problem::{effects_of, phi_of, EffectValues, Given, Joint, Prior, Problem};
use crate::reply::ReplyValue;

/// The modes at the estimates of a fit.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ModesTask {
    pub fit: Fitted,
}

/// What a search for modes needs beyond the problem and `theta`.
pub struct ModesAsked {
    options: EbeOptions,
    seed: u64,
    pinned: Vec<usize>,
    candidate: Option<EffectValues>,
}

impl ModesAsked {
    /// # Errors
    /// An effect to collapse that the model does not have.
    pub fn new(joint: &Joint, method: &Method, seed: u64) -> Result<Self> {
        let effects = &joint.model().effects;
        let find = |name: &str| {
            let names = effects.iter().map(|e| e.name.as_str());
            names
                .clone()
                .position(|known| known == name)
                .ok_or_else(|| {
                    Error::new(
                        ErrorClass::Option,
                        "unknown_effect",
                        format!("The model has no random effect `{name}`."),
                    )
                    .at("`anneal_to_fixed`")
                    .field("name", name)
                    .hint(words::suggestion(name, "Its effects are", names))
                })
        };
        let pinned: Result<Vec<usize>> = method.collapsed().iter().map(|name| find(name)).collect();
        Ok(Self {
            options: *method.ebe(),
            seed,
            pinned: pinned?,
            candidate: None,
        })
    }

    /// As after a fit: with its options, its seed, and conditional means of the effects.
    ///
    /// # Errors
    /// Effects that do not fit the levels of the data.
    pub fn of_fit(fit: &Fitted, joint: &Joint, theta: &[f64]) -> Result<Self> {
        let mut asked = Self::new(joint, &fit.method, fit.seed)?;
        if fit.random.is_some() {
            asked.candidate = Some(points(fit.random.as_ref(), joint, theta)?);
        }
        Ok(asked)
    }

    /// The problem with the effects that collapsed at their means.
    pub fn settled(&self, joint: &Joint, theta: &[f64]) -> Joint {
        joint.pinned(&self.pinned, theta)
    }

    /// Conditional means of the effects, where they are known.
    pub fn candidate(&self) -> Option<&EffectValues> {
        self.candidate.as_ref()
    }

    /// Start also from these effects, one table a grouping, as the user wrote them.
    pub fn or_from(mut self, joint: &Joint, theta: &[f64], effects: &[Vec<f64>]) -> Self {
        let finite = effects.iter().flatten().all(|x| x.is_finite());
        self.candidate = finite.then(|| {
            let each = joint.parts.iter().zip(effects);
            joint.points(each.map(|(part, own)| phi_of(part, theta, own)).collect())
        });
        self
    }

    /// One climb from the means and no more.
    pub fn once(mut self) -> Self {
        self.options = EbeOptions::once();
        self
    }

    /// # Errors
    /// A population distribution that does not exist.
    pub fn find(&self, joint: &Joint, theta: &[f64], workers: &Workers) -> Result<EbModes> {
        let search = EbeSearch {
            workers,
            options: &self.options,
            seed: self.seed,
            pinned: &self.pinned,
            candidate: self.candidate.as_ref(),
        };
        final_modes(joint, theta, &search)
    }
}

/// What a fit that does not hold its modes lacks.
///
/// # Errors
/// Everything wrong with model, data or options.
pub fn modes(task: &ModesTask, columns: FrameColumns) -> Result<ReplyValue> {
    let Ready {
        joint,
        theta,
        workers,
        ..
    } = task.fit.ready(columns)?;
    let given = task.fit.at.given();
    let modes = ModesAsked::of_fit(&task.fit, &joint, &theta)?.find(&joint, &theta, &workers)?;
    let fitted = individual_predictions(&joint, &theta, &modes.points);
    let groups = joint.parts.iter().map(|part| {
        let group = list(vec![
            ("effects", list(of_level(part, &theta, &given, &modes))),
            (
                "individual",
                individual(part, &fitted.individual[part.group]),
            ),
        ]);
        (String::new(), group)
    });
    let mut warnings = lost(&joint, &modes);
    warnings.extend(still(
        &joint,
        &theta,
        &modes.points,
        &typical(&joint, &theta),
    ));
    Ok(list(vec![
        ("groups", ReplyValue::List(groups.collect())),
        ("fitted", list(at_rows(&joint, Some(&fitted)))),
        ("warnings", ReplyValue::Texts(warnings)),
    ]))
}

/// Modes of the levels of one grouping, and how they were found; nothing without modes.
pub fn of_level(
    part: &Problem,
    theta: &[f64],
    given: &Given,
    modes: &EbModes,
) -> Vec<(&'static str, ReplyValue)> {
    let g = part.group;
    let mut effects = effects_of(part, theta, &modes.points.values[g]);
    put_given(part, given, &mut effects);
    let rounds = modes.rounds[g].iter().map(|n| f64::from(*n));
    vec![
        ("modes", matrix(part.n_subjects(), part.n_phi(), &effects)),
        (
            "mode_converged",
            ReplyValue::Flags(modes.converged[g].clone()),
        ),
        (
            "mode_gradient",
            ReplyValue::Numbers(modes.slopes[g].clone()),
        ),
        ("mode_rounds", ReplyValue::Numbers(rounds.collect())),
    ]
}

/// Fitted values at the modes; null without them.
pub fn at_rows(joint: &Joint, fitted: Option<&Predictions>) -> Vec<(&'static str, ReplyValue)> {
    let n_outcomes = outcome_names(joint.main()).len();
    let n_rows = joint.main().records.codes.len();
    let frame = |columns: &Vec<Vec<f64>>| columns_matrix(n_rows, n_outcomes, columns);
    let individual = fitted.map(|at| frame(&at.values));
    let sd = fitted.map(|at| frame(&at.sd));
    let weighted = fitted.map(|at| frame(&at.weighted));
    let classes = fitted.filter(|at| !at.classes.is_empty()).map(|at| {
        let classes = at.classes.iter().map(|class| *class as f64);
        ("classes", ReplyValue::Numbers(classes.collect()))
    });
    let mut entries = vec![
        ("individual", individual.unwrap_or(ReplyValue::Null)),
        ("sd", sd.unwrap_or(ReplyValue::Null)),
        ("weighted", weighted.unwrap_or(ReplyValue::Null)),
    ];
    entries.extend(classes);
    entries
}

/// Put the values that the user gave effects of some levels: the transform there and back may change a last digit.
pub fn put_given(part: &Problem, given: &Given, effects: &mut [f64]) {
    let d = part.n_phi();
    for (effect, level, value) in &given.levels {
        let k = part.effects().iter().position(|e| e.name == *effect);
        let level = part.records.labels.iter().position(|l| l == level);
        if let (Some(k), Some(level)) = (k, level) {
            effects[level * d + k] = *value;
        }
    }
}

/// Say which modes were not found.
pub fn lost(joint: &Joint, modes: &EbModes) -> Vec<String> {
    let several = joint.parts.len() > 1;
    let each = joint.parts.iter().zip(&modes.converged);
    each.filter_map(|(part, converged)| {
        let labels = part.records.labels.iter().zip(converged);
        let lost: Vec<&str> = labels
            .filter(|(_, converged)| !**converged)
            .map(|(label, _)| label.as_str())
            .collect();
        let shown = lost[..lost.len().min(5)].join(", ");
        let more = if lost.len() > 5 { ", ..." } else { "" };
        let who = if several {
            format!("levels of `{}`", part.records.group)
        } else {
            "subjects".into()
        };
        (!lost.is_empty()).then(|| {
            format!(
                "The conditional modes of {} {who} were not found ({shown}{more}): their random effects and the \
                 log-likelihood are approximate.",
                lost.len()
            )
        })
    })
    .collect()
}

/// A fit in which no random effect moves from its mean may sit far from the maximum.
pub fn still(
    joint: &Joint,
    theta: &[f64],
    phi: &EffectValues,
    typical: &EffectValues,
) -> Option<String> {
    let still = |part: &Problem| {
        let (g, d) = (part.group, part.n_phi());
        let Ok(prior) = Prior::new(part, theta) else {
            return false;
        };
        (0..d).all(|k| {
            let pairs = phi.values[g].iter().zip(&typical.values[g]);
            let moves = pairs.skip(k).step_by(d).map(|(x, m)| x - m);
            let spread = moves.map(|x| x * x).sum::<f64>() / part.n_subjects() as f64;
            spread < 1e-4 * prior.omega[(k, k)]
        })
    };
    // Effects whose distribution is given are where they were put.
    let mut roles = joint.roles().into_iter().zip(&joint.theta.free);
    let spreads = roles.any(|(role, free)| role == "random" && *free);
    (spreads && joint.parts.iter().all(still)).then(|| {
        "No random effect moves from its mean for any subject: the data say nothing about them at these estimates. \
         Try other starting values."
            .into()
    })
}
