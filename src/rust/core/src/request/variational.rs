//! Lay out what a fit by VEM knows beyond the estimates: bound, distributions, importance weights.

use super::importance::weights;
use super::likelihood::by_draws;
use super::uncertainty::of_arrival;
use super::{count, list};
use crate::fitted::{Fit, FitStatus};
use crate::inference::importance::{Importance, ImportanceSampling};
use crate::inference::options::{Errors, Inference, LogLik};
use crate::inference::posterior::BatchPosteriors;
use crate::maximum::Arrival;
use crate::parallel::Workers;
use crate::problem::Joint;
use crate::reply::ReplyValue;
use crate::vem::VemOptions;
use crate::vem::{Elbo, FlowLayers, Layer, VemFit};

/// Bound and distributions of a fit, and what importance sampling says at its estimates.
pub struct Variational {
    options: VemOptions,
    q: BatchPosteriors,
    flows: Vec<FlowLayers>,
    /// Around which draws are made: moments of the effects at the estimates.
    proposal: BatchPosteriors,
    elbo: Elbo,
    points: usize,
    arrival: Option<Arrival>,
    importance: Option<Importance>,
    /// The importance-sampled likelihood is below its own lower bound.
    refuted: bool,
}

/// Difference of a likelihood from its bound that is rounding.
const ROUNDING: f64 = 1e-3;

const REFUTED: &str = "The log-likelihood by importance sampling came out below its own lower bound, and is left out: the \
                       draws do not cover the conditional distributions of the random effects. See health(); \
                       logLik(method = \"quadrature\") does not draw.";

/// What a method computes around the conditional modes at the end.
pub struct EndWork {
    pub log_lik: AroundModes,
    pub linear_errors: bool,
}

/// The log-likelihood around the modes.
pub enum AroundModes {
    Nodes(Option<usize>),
    Linear,
    Nothing,
}

impl EndWork {
    pub fn of(asked: &Inference) -> Self {
        Self {
            log_lik: match asked.log_lik {
                LogLik::Quadrature => AroundModes::Nodes(asked.nodes),
                LogLik::Laplace => AroundModes::Nodes(Some(1)),
                LogLik::Linear => AroundModes::Linear,
                LogLik::Importance | LogLik::None => AroundModes::Nothing,
            },
            linear_errors: asked.se == Errors::Linear,
        }
    }

    /// The same for a model without random effects, whose log-likelihood is known.
    pub fn without_effects(asked: &Inference) -> Self {
        Self {
            log_lik: AroundModes::Nothing,
            ..Self::of(asked)
        }
    }

    /// Whether the modes are needed.
    pub fn modes(&self) -> bool {
        self.linear_errors || !matches!(self.log_lik, AroundModes::Nothing)
    }
}

impl Variational {
    pub fn new(found: VemFit, options: &VemOptions) -> (Fit, Self) {
        let kept = Self {
            options: options.clone(),
            q: found.q,
            flows: found.flows,
            proposal: found.proposal,
            elbo: found.elbo,
            points: found.fit.chains,
            arrival: found.arrival,
            importance: None,
            refuted: false,
        };
        (found.fit, kept)
    }

    /// Draw around the distributions at the estimates: log-likelihood and covariance of the estimates.
    pub fn infer(&mut self, joint: &Joint, fit: &mut Fit, seed: u64, workers: &Workers) {
        if matches!(fit.status, FitStatus::NotFinite | FitStatus::Interrupted) {
            return;
        }
        let sampling = ImportanceSampling {
            trusts: false,
            joint,
            theta: &fit.theta,
            workers,
            seed,
            draws: self.options.inference.draws_or_usual(),
        };
        if let Some(arrival) = &self.arrival {
            fit.covariance = of_arrival(arrival, self.options.inference.se);
            self.importance = Some(arrival.look.information.importance.clone());
        } else if self.options.inference.log_lik == LogLik::Importance {
            match sampling.run(&self.proposal) {
                Ok(importance) => self.importance = Some(importance),
                Err(error) => fit.warnings.push(error.to_string()),
            }
        }
        let low = self.importance.as_ref().map(|i| below(&self.elbo, i));
        let Some(low) = low.filter(|low| !low.is_empty()) else {
            return;
        };
        // The bound has seen mass where no draw was.
        let mut other = self.proposal.clone();
        low.iter().for_each(|b| other[*b] = self.q[*b].clone());
        if let Ok(importance) = sampling.run(&other) {
            self.refuted = !below(&self.elbo, &importance).is_empty();
            self.importance = Some(importance);
        }
        if self.refuted {
            fit.warnings.push(REFUTED.into());
        }
    }

    /// The log-likelihood by importance sampling, where the options ask for it.
    pub fn log_lik(&self) -> Option<ReplyValue> {
        let importance = self.weighed().filter(|_| !self.refuted)?;
        importance.total().is_finite().then(|| by_draws(importance))
    }

    /// Whether it is asked for and its number is not finite.
    pub fn is_unlikely(&self) -> bool {
        self.weighed()
            .is_some_and(|importance| !importance.total().is_finite())
    }

    fn weighed(&self) -> Option<&Importance> {
        let wanted = self.options.inference.log_lik == LogLik::Importance;
        self.importance.as_ref().filter(|_| wanted)
    }

    pub fn entries(&self) -> Vec<(&'static str, ReplyValue)> {
        let family = match self.options.family {
            crate::vem::options::PosteriorFamily::FullRank => "full_rank",
            crate::vem::options::PosteriorFamily::MeanField => "mean_field",
            crate::vem::options::PosteriorFamily::PlanarFlow => "planar_flow",
        };
        let sizes = self
            .q
            .iter()
            .map(|q| i32::try_from(q.dim()).unwrap_or(i32::MAX));
        let all = |pick: fn(&crate::inference::posterior::BatchGaussian) -> &Vec<f64>| {
            ReplyValue::Numbers(
                self.q
                    .iter()
                    .flat_map(|q| pick(q).iter().copied())
                    .collect(),
            )
        };
        let mut q = vec![
            ("size", ReplyValue::Integers(sizes.collect())),
            ("mean", all(|q| &q.mean)),
            ("chol", all(|q| &q.chol)),
        ];
        if !self.flows.is_empty() {
            let layers = self.flows.iter().flatten();
            q.push((
                "flow",
                ReplyValue::Numbers(layers.flat_map(Layer::numbers).collect()),
            ));
        }
        let elbo = vec![
            ("value", ReplyValue::Number(self.elbo.value())),
            ("subjects", ReplyValue::Numbers(self.elbo.batches.clone())),
            ("mc_error", ReplyValue::Number(self.elbo.error)),
            ("errors", ReplyValue::Numbers(self.elbo.errors.clone())),
            ("fitted", ReplyValue::Number(self.elbo.fitted)),
            ("points", count(self.points)),
            ("family", ReplyValue::Text(family.into())),
        ];
        let mut entries = vec![("elbo", list(elbo)), ("q", list(q))];
        let importance = self.importance.as_ref();
        entries.extend(importance.map(|found| ("importance", weights(found))));
        entries
    }
}

/// Batches whose likelihood is below the bound by more than the errors of both. An error that a few randomizations tell
/// is itself known to a factor: none counts for less than that of the middle batch.
fn below(elbo: &Elbo, found: &Importance) -> Vec<usize> {
    let mut known: Vec<f64> = (found.mc_error.iter().copied())
        .filter(|e| e.is_finite())
        .collect();
    known.sort_by(f64::total_cmp);
    let middle = known.get(known.len() / 2).copied().unwrap_or(0.0);
    let bound = elbo.batches.iter().zip(&elbo.errors);
    let sampled = found.log_lik.iter().zip(&found.mc_error);
    let each = bound.zip(sampled).enumerate();
    let low = each.filter(|(_, ((bound, slack), (value, error)))| {
        // A likelihood without any density has no error.
        let errors = 5.0 * error.max(middle) + 3.0 * *slack;
        **value + errors + ROUNDING < **bound
    });
    low.map(|(b, _)| b).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn likelihoods_below_their_bound_are_found_but_for_the_errors_of_both() {
        let elbo = Elbo {
            batches: vec![-10.0, -20.0, -30.0, -40.0, -50.0],
            errors: vec![0.0, 0.0, 0.1, 0.0, 0.0],
            ..Elbo::default()
        };
        let found = Importance {
            log_lik: vec![-9.9, -20.2, -30.2, f64::NEG_INFINITY, -50.2],
            mc_error: vec![0.01, 0.01, 0.01, f64::NAN, 0.1],
            ..Importance::default()
        };
        assert_eq!(below(&elbo, &found), [1, 3]);
    }
}
