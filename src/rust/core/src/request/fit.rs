//! Fit a model and report everything a front end shows of it.

use std::time::Instant;

use nalgebra::DMatrix;

use super::history::{acceptance, refusals, trace};
use super::modes::Asked;
use super::predict::{
    columns_matrix, effect_names, individual, outcome_names, predictions, typical,
};
use super::{count, list, log_likelihood, marginal, matrix, modes, parameters, Columns, Request};
use crate::error::{Error, ErrorClass, Result};
use crate::inference::ebe::EbModes;
use crate::model::Transform;
use crate::monitor::Monitor;
use crate::parallel::Workers;
use crate::problem::{effects_of, Given, Joint, Points, Prior, Problem, Route};
use crate::reply::Value;
use crate::saem::{self, Fit, FitStatus, SaemOptions, Saved};

pub fn fit(request: &Request, columns: Columns, monitor: &dyn Monitor) -> Result<Value> {
    let started = Instant::now();
    let model = request.compiled()?;
    let options = options(request)?;
    let mut given = request.given()?;
    let collapsing = options.anneal.anneal_to_fixed.iter();
    given.apart = collapsing.map(|c| c.effect.clone()).collect();
    let mut course = request.course(&columns, &mut given)?;
    let frame = request.frame(columns)?;
    let mut problem = Joint::new(&model, &frame, &given)?;
    course.first = request.first_effects(&problem);
    problem.narrow(&options.mstep.lb, &options.mstep.ub)?;
    options.ebe.check(&problem)?;
    let ineligible = saem::choose_routes(&mut problem, &options);
    let seed = (course.resume.as_ref()).map_or(request.seed.unwrap_or(1.0) as u64, Saved::seed);
    let built = started.elapsed().as_secs_f64();
    let threads = request.threads.unwrap_or(1);
    let mut fit = saem::fit_on(&problem, &options, seed, threads, monitor, &course)?;
    let state = fit.state.take();
    let finite = fit.theta.iter().all(|x| x.is_finite());
    let theta = if finite {
        &fit.theta
    } else {
        &problem.theta.start
    };
    let started = Instant::now();
    let of = |part| conditional_effects(part, &fit, theta, &given);
    let mut report = Report {
        problem: &problem,
        fit: &fit,
        theta,
        given: &given,
        means: problem.parts.iter().map(of).collect(),
        warnings: fit.warnings.clone(),
        workers: request.workers()?,
    };
    report.warn_of_idle();
    let modes = report.modes(&options, seed);
    let log_lik = report.log_lik(&options, modes.as_ref());
    let mut entries = report.conditional(modes.as_ref().filter(|_| options.ebe.store_eb_modes));
    let seconds = [built, fit.seconds, started.elapsed().as_secs_f64()];
    entries.extend(vec![
        ("parameters", report.parameters()),
        (
            "coordinates",
            parameters::coordinates(&problem.theta, theta),
        ),
        ("covariance", report.covariance()),
        ("uncertainty", report.uncertainty()),
        ("log_lik", log_lik),
        ("trace", trace(&problem, &fit.trace)),
        ("status", report.status()),
        ("ineligible", refusals(&ineligible)),
        ("acceptance", acceptance(&fit)),
        ("rejected", Value::Number(fit.not_finite as f64)),
        (
            "timing",
            list(vec![
                (
                    "name",
                    Value::Texts(["build", "saem", "inference"].map(String::from).to_vec()),
                ),
                ("seconds", Value::Numbers(seconds.to_vec())),
            ]),
        ),
        ("chains", count(fit.chains)),
        ("n_subjects", count(frame.labels.len())),
        ("n_obs", count(problem.main().records.n_obs())),
        ("seed", Value::Number(seed as f64)),
        ("warnings", Value::Texts(report.warnings.clone())),
    ]);
    entries.extend(state.map(|state| ("state", Value::Bytes(state))));
    Ok(list(entries))
}

fn options(request: &Request) -> Result<SaemOptions> {
    // Nothing chosen, no options: all by default.
    let method = request.method.clone().filter(|method| !method.is_null());
    serde_json::from_value(method.unwrap_or_else(|| serde_json::json!({}))).map_err(|error| {
        Error::new(
            ErrorClass::Option,
            "method",
            format!("An option of saem() is not valid: {error}."),
        )
    })
}

struct Report<'a> {
    problem: &'a Joint,
    fit: &'a Fit,
    theta: &'a [f64],
    given: &'a Given,
    /// Conditional means and standard deviations of the effects of each grouping.
    means: Vec<(Vec<f64>, Vec<f64>)>,
    warnings: Vec<String>,
    workers: Workers,
}

impl Report<'_> {
    fn parameters(&self) -> Value {
        let (model, theta) = (self.problem.model(), &self.problem.theta);
        parameters::estimated(model, theta, self.theta, &self.problem.roles())
    }

    /// `Omega` on the Gaussian scale, the effects of all groupings one after another; for effects that are Gaussian on
    /// no scale their own variance.
    fn covariance(&self) -> Value {
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
            ("names", Value::Texts(names)),
            ("groups", Value::Texts(groups)),
            (
                "value",
                Value::Matrix {
                    rows: d,
                    cols: d,
                    data: omega.as_slice().to_vec(),
                },
            ),
        ])
    }

    /// Covariance matrices of the estimates: `transformed` of the free coordinates, `natural` of the free elements (delta
    /// method), `name` and `coordinates` the names of their rows.
    fn uncertainty(&self) -> Value {
        // An estimate that is not finite is replaced by the start, whose covariance this is not.
        let lost = matches!(self.fit.status, FitStatus::NotFinite);
        let Some(transformed) = self.fit.covariance.as_ref().filter(|_| !lost) else {
            return Value::Null;
        };
        let theta = &self.problem.theta;
        let free: Vec<usize> = (0..theta.len())
            .filter(|k| theta.routes[*k] != Route::Fixed)
            .collect();
        let p = free.len();
        let elements = parameters::free_elements(theta);
        let jacobian = self.problem.main().natural_jacobian(self.theta);
        let j = DMatrix::from_fn(elements.len(), p, |a, b| jacobian[elements[a]][free[b]]);
        let natural = &j * transformed * j.transpose();
        let names = elements.iter().map(|e| theta.elements[*e].name.clone());
        let coordinates = free.iter().map(|k| theta.names[*k].clone());
        let matrix = |m: &DMatrix<f64>| Value::Matrix {
            rows: m.nrows(),
            cols: m.ncols(),
            data: m.as_slice().to_vec(),
        };
        list(vec![
            ("name", Value::Texts(names.collect())),
            ("coordinates", Value::Texts(coordinates.collect())),
            ("transformed", matrix(transformed)),
            ("natural", matrix(&natural)),
            ("omega", self.omega_gradients(&free)),
            ("method", Value::Text("louis".into())),
        ])
    }

    /// Gradients of the elements of `Omega` on the transformed scale: what the SDs and correlations need.
    fn omega_gradients(&self, free: &[usize]) -> Value {
        let each = self.problem.parts.iter();
        let mut gradients: Vec<_> = each
            .flat_map(|part| {
                let first = part.form.offset;
                let own = part.omega_gradients(self.theta).into_iter();
                own.map(move |(a, b, gradient)| (first + a, first + b, gradient))
            })
            .collect();
        gradients.extend(self.problem.law_gradients(self.theta, free));
        let place = |k: usize| k as f64 + 1.0;
        let values: Vec<f64> = gradients
            .iter()
            .flat_map(|(_, _, gradient)| free.iter().map(|k| gradient[*k]))
            .collect();
        let rows = gradients.iter().map(|(a, _, _)| place(*a)).collect();
        let cols = gradients.iter().map(|(_, b, _)| place(*b)).collect();
        list(vec![
            ("row", Value::Numbers(rows)),
            ("col", Value::Numbers(cols)),
            ("gradient", matrix(gradients.len(), free.len(), &values)),
        ])
    }

    fn is_finished(&self) -> bool {
        !matches!(
            self.fit.status,
            FitStatus::NotFinite | FitStatus::Interrupted
        )
    }

    fn log_lik(&mut self, options: &SaemOptions, modes: Option<&EbModes>) -> Value {
        if !options.log_lik || !self.is_finished() {
            return Value::Null;
        }
        // Without a population distribution there are no modes, and no likelihood.
        let Some(modes) = modes else {
            return Value::Null;
        };
        match marginal(
            self.problem,
            self.theta,
            options.nodes,
            &modes.points,
            &self.workers,
        ) {
            Ok(result) => {
                if !result.log_lik.is_finite() {
                    self.warnings
                        .push("The log-likelihood is not finite at the estimate.".into());
                    return Value::Null;
                }
                log_likelihood(&result)
            }
            Err(error) => {
                self.warnings
                    .push(format!("The log-likelihood was not computed. {error}"));
                Value::Null
            }
        }
    }

    /// What the model names but the likelihood does not read.
    fn warn_of_idle(&mut self) {
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
    }

    /// The modes, when they are to be held or the log-likelihood needs them.
    fn modes(&mut self, options: &SaemOptions, seed: u64) -> Option<EbModes> {
        if !options.ebe.store_eb_modes && !options.log_lik {
            return None;
        }
        let finished = self.is_finished();
        let means: Vec<Vec<f64>> = self.means.iter().map(|(mean, _)| mean.clone()).collect();
        let collapsed = &options.anneal.anneal_to_fixed;
        let asked = Asked::new(self.problem, options.ebe, collapsed, seed)
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
    fn conditional(&mut self, modes: Option<&EbModes>) -> Vec<(&'static str, Value)> {
        let joint = self.problem;
        let typical = typical(joint, self.theta);
        if let Some(modes) = modes.filter(|_| self.fit.status != FitStatus::Stalled) {
            let still = modes::still(joint, self.theta, &modes.points, &typical);
            self.warnings.extend(still);
        }
        let fitted = modes.map(|modes| predictions(joint, self.theta, &modes.points));
        let population = predictions(joint, self.theta, &typical);
        let mut groups = Vec::new();
        for part in &joint.parts {
            let effects = self.effects(part, modes, &typical);
            let values = fitted.as_ref();
            let values = values.map(|at| individual(part, &at.individual[part.group]));
            groups.push((effects, values.unwrap_or(Value::Null)));
        }
        let others = groups.split_off(1).into_iter().zip(&joint.parts[1..]);
        let others = others.map(|((effects, individual), part)| {
            let other = list(vec![
                ("group", Value::Text(part.records.group.clone())),
                ("labels", Value::Texts(part.records.labels.clone())),
                ("effects", effects),
                ("individual", individual),
            ]);
            (String::new(), other)
        });
        let others = Value::List(others.collect());
        let n_rows = joint.main().records.codes.len();
        let outcomes = outcome_names(joint.main());
        let population = columns_matrix(n_rows, outcomes.len(), &population.values);
        let mut rows = vec![
            ("outcome", Value::Texts(outcomes)),
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
    fn effects(&self, part: &Problem, modes: Option<&EbModes>, typical: &Points) -> Value {
        let g = part.group;
        let (n, d) = (part.n_subjects(), part.n_phi());
        let table = |phi: &[f64]| matrix(n, d, &effects_of(part, self.theta, phi));
        let (cond_mean, cond_sd) = &self.means[g];
        let mut entries = vec![
            ("group", Value::Text(part.records.group.clone())),
            ("labels", Value::Texts(part.records.labels.clone())),
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

    fn status(&self) -> Value {
        list(vec![
            ("code", Value::Text(self.fit.status.code().into())),
            ("evidence", Value::Texts(self.fit.evidence.clone())),
        ])
    }
}

/// Conditional means and standard deviations of the effects as the user wrote them. For effects that are exponentials
/// they are those of the lognormal distribution with the conditional moments of `phi`; for those between 0 and 1 they are
/// found by the delta method.
fn conditional_effects(
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
