//! Lay out the covariance of the estimates on both scales.

use nalgebra::DMatrix;

use super::{list, matrix, parameters};
use crate::problem::{Joint, Route};
use crate::reply::Value;

/// Covariance matrices of the estimates: `transformed` of the free coordinates, `natural` of the free elements (delta
/// method), `name` and `coordinates` the names of their rows; `method` says how it was computed.
pub fn covariances(
    joint: &Joint,
    theta: &[f64],
    transformed: &DMatrix<f64>,
    method: &str,
) -> Value {
    let names = &joint.theta;
    let free: Vec<usize> = (0..names.len())
        .filter(|k| names.routes[*k] != Route::Fixed)
        .collect();
    let p = free.len();
    let elements = parameters::free_elements(names);
    let jacobian = joint.main().natural_jacobian(theta);
    let j = DMatrix::from_fn(elements.len(), p, |a, b| jacobian[elements[a]][free[b]]);
    let natural = &j * transformed * j.transpose();
    let rows = elements.iter().map(|e| names.elements[*e].name.clone());
    let coordinates = free.iter().map(|k| names.names[*k].clone());
    let square = |m: &DMatrix<f64>| Value::Matrix {
        rows: m.nrows(),
        cols: m.ncols(),
        data: m.as_slice().to_vec(),
    };
    list(vec![
        ("name", Value::Texts(rows.collect())),
        ("coordinates", Value::Texts(coordinates.collect())),
        ("transformed", square(transformed)),
        ("natural", square(&natural)),
        ("omega", omega_gradients(joint, theta, &free)),
        ("method", Value::Text(method.into())),
    ])
}

/// Gradients of the elements of `Omega` on the transformed scale: what the SDs and correlations need.
fn omega_gradients(joint: &Joint, theta: &[f64], free: &[usize]) -> Value {
    let each = joint.parts.iter();
    let mut gradients: Vec<_> = each
        .flat_map(|part| {
            let first = part.form.offset;
            let own = part.omega_gradients(theta).into_iter();
            own.map(move |(a, b, gradient)| (first + a, first + b, gradient))
        })
        .collect();
    gradients.extend(joint.law_gradients(theta, free));
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
