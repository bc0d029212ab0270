//! Report the covariance of the estimates, on the transformed and on the natural scale.

use nalgebra::DMatrix;

use serde::{Deserialize, Serialize};

use super::fitted::{Fitted, Ready};
use super::method::Method;
use super::{list, matrix, parameters, FrameColumns};
use crate::error::Result;
use crate::inference::information::free;
use crate::inference::linear::Linearized;
use crate::inference::options::{Errors, Inference};
use crate::inference::penalty;
use crate::inference::proposal::around;
use crate::inference::sandwich::{inverse, unidentified};
use crate::maximum::{Arrival, MaximumSearch, Patience};
use crate::problem::{EffectValues, Joint};
use crate::reply::ReplyValue;

/// What is there for outcomes that are not normal.
const INSTEAD: &str = "Ask for standard errors by \"louis\" or \"sandwich\".";

/// How the covariance of the estimates of a fit is computed.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct UncertaintyTask {
    pub fit: Fitted,
    #[serde(default)]
    pub inference: Inference,
}

/// # Errors
/// Everything wrong with model, data or options, and estimates about which the data say too little.
pub fn uncertainty(task: &UncertaintyTask, columns: FrameColumns) -> Result<ReplyValue> {
    let mut ready = task.fit.ready(columns)?;
    let modes = task.fit.modes(&ready)?;
    let covariance = match task.inference.se {
        Errors::None => return Ok(ReplyValue::Null),
        Errors::Linear => linearized(&ready.joint, &ready.theta, &modes)?,
        _ => by_draws(task, &mut ready, &modes)?,
    };
    let method = task.inference.se.words();
    Ok(covariances(&ready.joint, &ready.theta, &covariance, method))
}

/// What an arrival says of the covariance, where it is made of draws.
pub fn of_arrival(arrival: &Arrival, asked: Errors) -> Option<DMatrix<f64>> {
    match asked {
        Errors::Louis => arrival.covariance.clone(),
        Errors::Sandwich => arrival.sandwich(),
        Errors::Linear | Errors::None => None,
    }
}

/// As at the end of a fit: variances of 0 are left out, and parameters that the data do not tell apart have no numbers.
///
/// # Errors
/// Bounds or penalties that do not fit the model, estimates without a likelihood, or none that the data know.
fn by_draws(
    task: &UncertaintyTask,
    ready: &mut Ready,
    modes: &EffectValues,
) -> Result<DMatrix<f64>> {
    let method = &task.fit.method;
    let (joint, theta) = (&mut ready.joint, &ready.theta);
    joint.start_from(theta);
    let (lower, upper) = method.bounds();
    joint.narrow(lower, upper)?;
    // Variances are 0 relative to where the fit started.
    let began = task.fit.began.as_ref();
    if let Some(start) = began.filter(|start| start.len() == theta.len()) {
        joint.start_from(start);
    }
    let joint: &Joint = joint;
    let free = free(joint);
    let penalty = match method {
        Method::Vem(options) => penalty::of(joint, &options.penalty, &free)?,
        Method::Saem(_) => vec![0.0; free.len()],
    };
    let draws = task.inference.draws_or_usual();
    let search = MaximumSearch {
        joint,
        workers: &ready.workers,
        seed: ready.seed,
        draws,
        climbing: draws,
        unsettled: f64::INFINITY,
        hurries: false,
        trains: false,
        rounds: 0,
        penalty: &penalty,
        absent: &[],
        patience: Patience {
            steps: 0,
            tolerance: 0.0,
            memory: None,
        },
    };
    let q = around(joint, theta, modes)?;
    let arrival = search.arrive(theta, &q, &mut |_, _| true)?;
    let found = of_arrival(&arrival, task.inference.se);
    let known = |m: &DMatrix<f64>| m.nrows() == 0 || m.diagonal().iter().any(|x| !x.is_nan());
    found.filter(known).ok_or_else(|| {
        let information = &arrival.look.information;
        unidentified(joint, &information.free, &information.observed.all)
    })
}

/// The inverse of the information of the model linearized about the conditional modes.
///
/// # Errors
/// Outcomes that are not normal, or what else has no linearization, and estimates about which the data say too little.
pub fn linearized(joint: &Joint, theta: &[f64], modes: &EffectValues) -> Result<DMatrix<f64>> {
    let (free, information) = Linearized::new(joint, theta, modes, INSTEAD)?.information()?;
    inverse(joint, &free, &information)
}

/// Covariance matrices of the estimates: `transformed` of the free coordinates, `natural` of the free elements (delta
/// method), `name` and `coordinates` the names of their rows.
pub fn covariances(
    joint: &Joint,
    theta: &[f64],
    transformed: &DMatrix<f64>,
    method: &str,
) -> ReplyValue {
    let names = &joint.theta;
    let free = free(joint);
    let elements = parameters::free_elements(names);
    let jacobian = joint.main().natural_jacobian(theta);
    let j = DMatrix::from_fn(elements.len(), free.len(), |a, b| {
        jacobian[elements[a]][free[b]]
    });
    let natural = by_delta_method(&j, transformed);
    let rows = elements.iter().map(|e| names.elements[*e].name.clone());
    let coordinates = free.iter().map(|k| names.names[*k].clone());
    let square = |m: &DMatrix<f64>| ReplyValue::Matrix {
        rows: m.nrows(),
        cols: m.ncols(),
        data: m.as_slice().to_vec(),
    };
    list(vec![
        ("name", ReplyValue::Texts(rows.collect())),
        ("coordinates", ReplyValue::Texts(coordinates.collect())),
        ("transformed", square(transformed)),
        ("natural", square(&natural)),
        ("omega", omega_gradients(joint, theta, &free)),
        ("method", ReplyValue::Text(method.into())),
    ])
}

/// `J V J'`; an element that depends on a coordinate without a variance has none.
fn by_delta_method(j: &DMatrix<f64>, v: &DMatrix<f64>) -> DMatrix<f64> {
    let unknown: Vec<usize> = (0..v.nrows()).filter(|k| v[(*k, *k)].is_nan()).collect();
    let known = v.map(|x| if x.is_nan() { 0.0 } else { x });
    let mut found = j * known * j.transpose();
    for a in 0..j.nrows() {
        if unknown.iter().any(|k| j[(a, *k)] != 0.0) {
            found.row_mut(a).fill(f64::NAN);
            found.column_mut(a).fill(f64::NAN);
        }
    }
    found
}

/// Gradients of the elements of `Omega` on the transformed scale: what the SDs and correlations need.
fn omega_gradients(joint: &Joint, theta: &[f64], free: &[usize]) -> ReplyValue {
    let each = joint.parts.iter();
    let mut gradients: Vec<_> = each
        .flat_map(|part| {
            let first = part.form.offset;
            let own = part.omega_gradients(theta).into_iter();
            own.map(move |(a, b, gradient)| (first + a, first + b, gradient))
        })
        .collect();
    gradients.extend(joint.law_gradients(theta));
    let place = |k: usize| k as f64 + 1.0;
    let values: Vec<f64> = gradients
        .iter()
        .flat_map(|(_, _, gradient)| free.iter().map(|k| gradient[*k]))
        .collect();
    let rows = gradients.iter().map(|(a, _, _)| place(*a)).collect();
    let cols = gradients.iter().map(|(_, b, _)| place(*b)).collect();
    list(vec![
        ("row", ReplyValue::Numbers(rows)),
        ("col", ReplyValue::Numbers(cols)),
        ("gradient", matrix(gradients.len(), free.len(), &values)),
    ])
}
