//! Lay out everything that is known of a finished fit.

use nalgebra::DMatrix;

use super::likelihood::{self, by_nodes, integrated};
use super::method::Method;
use super::modes::{self, ModesAsked};
use super::predict::{
    columns_matrix, effect_names, individual, individual_predictions, outcome_names, predictions,
    typical,
};
use super::uncertainty::{self, covariances};
use super::{list, matrix, parameters};
use crate::data::event_use;
use crate::error::Result;
use crate::fitted::{Fit, FitStatus};
use crate::inference::ebe::EbModes;
use crate::inference::importance::{is_sampled, Importance, MOST_EFFECTS};
use crate::inference::joint::log_density;
use crate::inference::marginal::Integral;
use crate::model::Transform;
use crate::parallel::Workers;
use crate::problem::{effects_of, EffectValues, Given, Joint, Prior, Problem};
use crate::reply::ReplyValue;

pub struct FitReport<'a> {
    pub problem: &'a Joint,
    pub fit: &'a Fit,
    pub theta: &'a [f64],
    pub given: &'a Given,
    /// Conditional means and standard deviations of the effects of each grouping.
    pub means: Vec<(Vec<f64>, Vec<f64>)>,
    /// How the covariance of the estimates was computed.
    pub errors: &'static str,
    pub warnings: Vec<String>,
    /// The log-likelihood is not finite at the estimate.
    pub unlikely: bool,
    pub workers: Workers,
    /// What the draws say that judged the estimates.
    pub judged: Option<&'a Importance>,
}

impl FitReport<'_> {
    pub fn parameters(&self) -> ReplyValue {
        let (model, theta) = (self.problem.model(), &self.problem.theta);
        parameters::estimated(model, theta, self.theta, &self.problem.roles())
    }

    /// `Omega` on the Gaussian scale, the effects of all groupings one after another; for effects that are Gaussian on
    /// no scale their own variance.
    pub fn covariance(&self) -> ReplyValue {
        let effects = &self.problem.model().effects;
        let names = effects.iter().map(|e| e.name.clone()).collect();
        let of = |group: usize| self.problem.parts[group].records.group.clone();
        let groups = effects.iter().map(|e| of(e.group)).collect();
        let d = effects.len();
        let mut omega = DMatrix::zeros(d, d);
        for part in &self.problem.parts {
            let (first, n) = (part.form.offset, part.n_phi());
            let own = Prior::new(part, self.theta).map(|prior| prior.omega);
            let own = own.unwrap_or_else(|_| DMatrix::from_element(n, n, f64::NAN));
            omega.view_mut((first, first), (n, n)).copy_from(&own);
            for (k, variance) in part.law_variances(self.theta) {
                omega[(k, k)] = variance;
            }
        }
        list(vec![
            ("names", ReplyValue::Texts(names)),
            ("groups", ReplyValue::Texts(groups)),
            (
                "value",
                ReplyValue::Matrix {
                    rows: d,
                    cols: d,
                    data: omega.as_slice().to_vec(),
                },
            ),
            ("by_level", self.spread()),
        ])
    }

    /// Effects whose SD depends on data: the columns, and the least and greatest SD of a level.
    fn spread(&self) -> ReplyValue {
        let (mut names, mut columns) = (Vec::new(), Vec::new());
        let (mut lowest, mut highest) = (Vec::new(), Vec::new());
        for part in &self.problem.parts {
            for (effect, sds) in part.law_sds(self.theta) {
                let read = part.sd_columns(effect);
                if !read.is_empty() {
                    names.push(part.model.effects[effect].name.clone());
                    columns.push(read.join(", "));
                    lowest.push(sds.iter().copied().fold(f64::INFINITY, f64::min));
                    highest.push(sds.iter().copied().fold(0.0, f64::max));
                }
            }
        }
        list(vec![
            ("effect", ReplyValue::Texts(names)),
            ("columns", ReplyValue::Texts(columns)),
            ("lowest", ReplyValue::Numbers(lowest)),
            ("highest", ReplyValue::Numbers(highest)),
        ])
    }

    pub fn uncertainty(&self) -> ReplyValue {
        // An estimate that is not finite is replaced by the start, whose covariance this is not.
        let lost = self.unlikely || self.fit.status == FitStatus::NotFinite;
        match self.fit.covariance.as_ref().filter(|_| !lost) {
            Some(covariance) => covariances(self.problem, self.theta, covariance, self.errors),
            None => ReplyValue::Null,
        }
    }

    pub fn is_finished(&self) -> bool {
        !matches!(
            self.fit.status,
            FitStatus::NotFinite | FitStatus::Interrupted
        )
    }

    /// The log-likelihood around the modes, by so many nodes or as many as it takes.
    pub fn log_lik(
        &mut self,
        nodes: Option<usize>,
        modes: Option<&EbModes>,
        seed: u64,
    ) -> ReplyValue {
        // Without a population distribution there are no modes, and no likelihood.
        let Some(modes) = modes.filter(|_| self.is_finished()) else {
            return ReplyValue::Null;
        };
        match integrated(&self.wanted(modes, seed), nodes) {
            Ok(result) if result.log_lik().is_finite() => by_nodes("quadrature", &result),
            Ok(_) => {
                self.doubt(&modes.points);
                ReplyValue::Null
            }
            Err(error) => {
                self.warnings
                    .push(format!("The log-likelihood was not computed. {error}"));
                ReplyValue::Null
            }
        }
    }

    /// Probabilities of the classes of every subject; none where they cannot be computed.
    pub fn classes(&self, modes: Option<&EbModes>, seed: u64) -> Option<Vec<Vec<f64>>> {
        let modes = modes.filter(|_| self.is_finished())?;
        let found = integrated(&self.wanted(modes, seed), None);
        found.ok().map(|found| found.classes)
    }

    fn wanted<'w>(&'w self, modes: &'w EbModes, seed: u64) -> Integral<'w> {
        Integral {
            joint: self.problem,
            theta: self.theta,
            modes: &modes.points,
            workers: &self.workers,
            seed,
            judged: self.judged,
        }
    }

    /// The number for the log-likelihood is not finite: either the likelihood is not, no density being finite at effects
    /// where it should be largest, or equations without solution hid a part of it, and then the estimates maximize
    /// nothing; or it could not be computed around these effects.
    pub fn doubt(&mut self, points: &EffectValues) {
        let dynamics = self.problem.main().form.dynamics.as_ref();
        let failed = dynamics.is_some_and(|d| d.counts().failed().iter().any(|(_, n)| *n > 0));
        let found = log_density(self.problem, self.theta, points);
        let finite = found.is_ok_and(|batches| batches.iter().all(|x| x.is_finite()));
        // With many effects some draw always has no solution: that hides nothing.
        let many = !is_sampled(self.problem);
        self.unlikely = !finite || failed && !many;
        if finite && many {
            self.warnings.push(format!(
                "The log-likelihood is left out: with more than {MOST_EFFECTS} random effects importance draws do not \
                 cover their distribution, and at the modes that were found the density does not curve down."
            ));
        } else if !self.unlikely {
            self.warnings.push(
                "The log-likelihood could not be computed, although the densities are finite at the random effects \
                 around which it was tried. Ask for it another way, as by `logLik(fit, method = \"importance\")`."
                    .into(),
            );
        }
    }

    /// The log-likelihood of the model linearized about the modes.
    pub fn linear_log_lik(&mut self, modes: Option<&EbModes>) -> ReplyValue {
        let modes = modes.filter(|_| self.is_finished());
        let found = modes.map(|at| likelihood::linearized(self.problem, self.theta, &at.points));
        self.or_warn(found.transpose()).unwrap_or(ReplyValue::Null)
    }

    /// The covariance of the estimates of the model linearized about the modes.
    pub fn linear_uncertainty(&mut self, modes: Option<&EbModes>) -> ReplyValue {
        let modes = modes.filter(|_| self.is_finished());
        let found = modes.map(|at| uncertainty::linearized(self.problem, self.theta, &at.points));
        let covariance = self.or_warn(found.transpose());
        covariance.map_or(ReplyValue::Null, |covariance| {
            covariances(self.problem, self.theta, &covariance, "linear")
        })
    }

    fn or_warn<T>(&mut self, found: Result<Option<T>>) -> Option<T> {
        found.unwrap_or_else(|error| {
            self.warnings.push(error.to_string());
            None
        })
    }

    /// What the model names but the likelihood does not read.
    pub fn warn_of_idle(&mut self) {
        for k in &self.problem.theta.idle {
            self.warnings.push(format!(
                "The likelihood does not depend on the parameter `{}`: it stays at its starting value.",
                self.problem.theta.names[*k]
            ));
        }
        for k in &self.problem.idle_effects {
            self.warnings.push(format!(
                "No outcome depends on the random effect `{}`: the data say nothing about its distribution.",
                self.problem.model().effects[*k].name
            ));
        }
        if let Some(events) = &self.problem.main().records.events {
            let unused = event_use::unused(self.problem.model(), events);
            self.warnings.extend(unused);
        }
    }

    /// The modes, when they are to be held or are `wanted`.
    pub fn modes(&mut self, method: &Method, seed: u64, wanted: bool) -> Option<EbModes> {
        if !method.ebe().store_eb_modes && !wanted {
            return None;
        }
        let finished = self.is_finished();
        let means: Vec<Vec<f64>> = self.means.iter().map(|(mean, _)| mean.clone()).collect();
        let asked = ModesAsked::new(self.problem, method, seed)
            .map(|asked| asked.or_from(self.problem, self.theta, &means));
        let found = asked.and_then(|asked| {
            let asked = if finished { asked } else { asked.once() };
            asked.find(self.problem, self.theta, &self.workers)
        });
        match found {
            Ok(found) => {
                self.warnings.extend(modes::lost(self.problem, &found));
                Some(found)
            }
            Err(error) => {
                self.warnings.push(error.to_string());
                Some(EbModes::none(
                    self.problem,
                    typical(self.problem, self.theta),
                ))
            }
        }
    }

    /// Everything conditional on the data: modes, conditional moments, individual parameters, fitted values.
    pub fn conditional(&mut self, modes: Option<&EbModes>) -> Vec<(&'static str, ReplyValue)> {
        let joint = self.problem;
        let typical = typical(joint, self.theta);
        // A fit that fresh draws have judged has said so already, or has variances of 0.
        let judged = self.fit.status == FitStatus::Converged && self.fit.covariance.is_some();
        let silent = judged || matches!(self.fit.status, FitStatus::Stalled | FitStatus::Evaluated);
        if let Some(modes) = modes.filter(|_| !silent) {
            let still = modes::still(joint, self.theta, &modes.points, &typical);
            self.warnings.extend(still);
        }
        let at = |modes: &EbModes| individual_predictions(joint, self.theta, &modes.points);
        let fitted = modes.map(at);
        let population = predictions(joint, self.theta, &typical);
        let mut groups = Vec::new();
        for part in &joint.parts {
            let effects = self.effects(part, modes, &typical);
            let values = fitted.as_ref();
            let values = values.map(|at| individual(part, &at.individual[part.group]));
            groups.push((effects, values.unwrap_or(ReplyValue::Null)));
        }
        let others = groups.split_off(1).into_iter().zip(&joint.parts[1..]);
        let others = others.map(|((effects, individual), part)| {
            let other = list(vec![
                ("group", ReplyValue::Text(part.records.group.clone())),
                ("labels", ReplyValue::Texts(part.records.labels.clone())),
                ("effects", effects),
                ("individual", individual),
            ]);
            (String::new(), other)
        });
        let others = ReplyValue::List(others.collect());
        let n_rows = joint.main().records.codes.len();
        let outcomes = outcome_names(joint.main());
        let population = columns_matrix(n_rows, outcomes.len(), &population.values);
        let mut rows = vec![
            ("outcome", ReplyValue::Texts(outcomes)),
            ("population", population),
        ];
        rows.extend(modes::at_rows(joint, fitted.as_ref()));
        let mut entries = vec![("fitted", list(rows))];
        entries.extend(
            groups.into_iter().flat_map(|(effects, individual)| {
                [("effects", effects), ("individual", individual)]
            }),
        );
        entries.push(("others", others));
        entries
    }

    /// What is known of the effects of one grouping.
    fn effects(
        &self,
        part: &Problem,
        modes: Option<&EbModes>,
        typical: &EffectValues,
    ) -> ReplyValue {
        let g = part.group;
        let (n, d) = (part.n_subjects(), part.n_phi());
        let table = |phi: &[f64]| matrix(n, d, &effects_of(part, self.theta, phi));
        let (cond_mean, cond_sd) = &self.means[g];
        let mut entries = vec![
            ("group", ReplyValue::Text(part.records.group.clone())),
            ("labels", ReplyValue::Texts(part.records.labels.clone())),
            ("name", effect_names(part)),
            ("typical", table(&typical.values[g])),
            ("cond_mean", matrix(n, d, cond_mean)),
            ("cond_sd", matrix(n, d, cond_sd)),
        ];
        if let Some(modes) = modes {
            entries.extend(modes::of_level(part, self.theta, self.given, modes));
        }
        list(entries)
    }

    /// How the run ended. Where the likelihood is not finite, as after solutions that failed, chains have seen a part of
    /// the distribution of the effects only, and however still the estimates stand, they maximize nothing.
    pub fn status(&self) -> ReplyValue {
        let (mut status, mut evidence) = (self.fit.status, self.fit.evidence.clone());
        if self.unlikely {
            status = FitStatus::NotFinite;
            evidence.insert(
                0,
                "The log-likelihood is not finite at the estimate.".into(),
            );
        }
        list(vec![
            ("code", ReplyValue::Text(status.code().into())),
            ("evidence", ReplyValue::Texts(evidence)),
        ])
    }
}

/// Conditional means and standard deviations of the effects as the user wrote them. For effects that are exponentials
/// they are those of the lognormal distribution with the conditional moments of `phi`; for those between 0 and 1 they are
/// found by the delta method.
pub fn conditional_effects(
    part: &Problem,
    fit: &Fit,
    theta: &[f64],
    given: &Given,
) -> (Vec<f64>, Vec<f64>) {
    let d = part.n_phi();
    let mut mean = effects_of(part, theta, &fit.cond_mean[part.group]);
    let mut sd = fit.cond_sd[part.group].clone();
    for (k, (mean, sd)) in mean.iter_mut().zip(&mut sd).enumerate() {
        match part.effects()[k % d].transform {
            Transform::Identity => {}
            Transform::Exp => {
                let variance = *sd * *sd;
                *mean *= (0.5 * variance).exp();
                *sd = *mean * variance.exp_m1().sqrt();
            }
            Transform::Logistic => *sd *= *mean * (1.0 - *mean),
        }
    }
    modes::put_given(part, given, &mut mean);
    (mean, sd)
}
