//! Fit a model and report everything a front end shows of it.

use std::time::Instant;

use nalgebra::DMatrix;

use super::history::{acceptance, trace};
use super::predict::{
    columns_matrix, effect_names, effects_of, individual, outcome_names, predictions, typical,
};
use super::{
    count, find_modes, list, log_likelihood, marginal, matrix, parameters, Columns, Request,
};
use crate::error::{Error, ErrorClass, Result};
use crate::inference::joint::JointModes;
use crate::model::Transform;
use crate::monitor::Monitor;
use crate::problem::{Joint, Points, Prior, Problem, Route};
use crate::reply::Value;
use crate::saem::{self, Fit, FitStatus, SaemOptions, Saved};

pub fn fit(request: &Request, columns: Columns, monitor: &dyn Monitor) -> Result<Value> {
    let started = Instant::now();
    let model = request.compiled()?;
    let mut given = request.given()?;
    let mut course = request.course(&columns, &mut given)?;
    let frame = request.frame(columns)?;
    let problem = Joint::new(&model, &frame, &given)?;
    course.first = request.first_effects(&problem);
    let options = options(request)?;
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
    let mut report = Report {
        problem: &problem,
        fit: &fit,
        theta,
        warnings: fit.warnings.clone(),
    };
    report.warn_of_idle();
    let log_lik = report.log_lik(&options);
    let mut entries = report.conditional();
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
    let method = request.method.clone().unwrap_or_default();
    serde_json::from_value(method).map_err(|error| {
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
    warnings: Vec<String>,
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

    fn log_lik(&mut self, options: &SaemOptions) -> Value {
        let finished = !matches!(
            self.fit.status,
            FitStatus::NotFinite | FitStatus::Interrupted
        );
        if !options.log_lik || !finished {
            return Value::Null;
        }
        match marginal(self.problem, self.theta, options.nodes) {
            Ok(result) => {
                if self.problem.is_simple() {
                    self.warn_of_modes(&result.converged);
                }
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

    fn warn_of_modes(&mut self, converged: &[bool]) {
        let labels = &self.problem.main().records.labels;
        let lost: Vec<&str> = (labels.iter().zip(converged))
            .filter(|(_, converged)| !**converged)
            .map(|(label, _)| label.as_str())
            .collect();
        if !lost.is_empty() {
            let shown = lost[..lost.len().min(5)].join(", ");
            let more = if lost.len() > 5 { ", ..." } else { "" };
            self.warnings.push(format!(
                "The conditional modes of {} subjects were not found ({shown}{more}): their random effects and the \
                 log-likelihood are approximate.",
                lost.len()
            ));
        }
    }

    /// A fit in which no random effect moves from its mean may sit far from the maximum.
    fn warn_of_shrinkage(&mut self, phi: &Points, typical: &Points) {
        let still = |part: &Problem| {
            let (g, d) = (part.group, part.n_phi());
            let Ok(prior) = Prior::new(part, self.theta) else {
                return false;
            };
            (0..d).all(|k| {
                let pairs = phi.values[g].iter().zip(&typical.values[g]);
                let moves = pairs.skip(k).step_by(d).map(|(x, m)| x - m);
                let spread = moves.map(|x| x * x).sum::<f64>() / part.n_subjects() as f64;
                spread < 1e-4 * prior.omega[(k, k)]
            })
        };
        if self.problem.parts.iter().all(still) {
            self.warnings.push(
                "No random effect moves from its mean for any subject: the data say nothing about them at these \
                 estimates. Try other starting values."
                    .into(),
            );
        }
    }

    /// Everything conditional on the data: modes, conditional moments, individual parameters, fitted values.
    fn conditional(&mut self) -> Vec<(&'static str, Value)> {
        let joint = self.problem;
        let typical = typical(joint, self.theta);
        let modes = find_modes(joint, self.theta).unwrap_or_else(|error| {
            self.warnings.push(error.to_string());
            let none = joint
                .parts
                .iter()
                .map(|part| vec![false; part.n_subjects()]);
            JointModes {
                points: typical.clone(),
                converged: none.collect(),
            }
        });
        self.warn_of_shrinkage(&modes.points, &typical);
        let fitted = predictions(joint, self.theta, &modes.points);
        let population = predictions(joint, self.theta, &typical);
        let mut groups = Vec::new();
        for part in &joint.parts {
            let effects = self.effects(part, &modes, &typical);
            groups.push((effects, individual(part, &fitted.individual[part.group])));
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
        let frame = |columns: &[Vec<f64>]| columns_matrix(n_rows, outcomes.len(), columns);
        let mut entries = vec![(
            "fitted",
            list(vec![
                ("outcome", Value::Texts(outcomes.clone())),
                ("population", frame(&population.values)),
                ("individual", frame(&fitted.values)),
                ("sd", frame(&fitted.sd)),
            ]),
        )];
        entries.extend(
            groups.into_iter().flat_map(|(effects, individual)| {
                [("effects", effects), ("individual", individual)]
            }),
        );
        entries.push(("others", others));
        entries
    }

    /// What is known of the effects of one grouping.
    fn effects(&self, part: &Problem, modes: &JointModes, typical: &Points) -> Value {
        let g = part.group;
        let (n, d) = (part.n_subjects(), part.n_phi());
        let table = |phi: &[f64]| matrix(n, d, &effects_of(part, self.theta, phi));
        let (cond_mean, cond_sd) = self.conditional_effects(part);
        list(vec![
            ("group", Value::Text(part.records.group.clone())),
            ("labels", Value::Texts(part.records.labels.clone())),
            ("name", effect_names(part)),
            ("modes", table(&modes.points.values[g])),
            ("typical", table(&typical.values[g])),
            ("cond_mean", matrix(n, d, &cond_mean)),
            ("cond_sd", matrix(n, d, &cond_sd)),
            ("mode_converged", Value::Flags(modes.converged[g].clone())),
        ])
    }

    /// Conditional means and standard deviations of the effects as the user wrote them. For effects that are
    /// exponentials they are those of the lognormal distribution with the conditional moments of `phi`; for those
    /// between 0 and 1 they are found by the delta method.
    fn conditional_effects(&self, part: &Problem) -> (Vec<f64>, Vec<f64>) {
        let d = part.n_phi();
        let mut mean = effects_of(part, self.theta, &self.fit.cond_mean[part.group]);
        let mut sd = self.fit.cond_sd[part.group].clone();
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
        (mean, sd)
    }

    fn status(&self) -> Value {
        list(vec![
            ("code", Value::Text(self.fit.status.code().into())),
            ("evidence", Value::Texts(self.fit.evidence.clone())),
        ])
    }
}
