//! Read the declaration of a parameter: its shape, its starting values as elements, its bounds.

use super::covariance::triangle;
use super::parameter::ParameterShape;
use crate::error::{Error, Result};
use crate::language::specification::{DeclaredParameter, ParameterType};

/// Largest matrix of a parameter: its map takes operations in the cube of this.
const MAX_DIM: usize = 200;

pub fn shape_of(spec: &DeclaredParameter) -> Result<ParameterShape> {
    let n = spec.value.len();
    match spec.kind {
        ParameterType::Real if n == 1 && !spec.vector => Ok(ParameterShape::Scalar(spec.scale)),
        ParameterType::Real => Ok(ParameterShape::Vector(spec.scale)),
        ParameterType::DiagonalMatrix => Ok(ParameterShape::Diagonal),
        ParameterType::CovarianceMatrix => {
            let dim = side(spec, "covariance matrix", 1)?;
            match spec.parameterization.as_deref().unwrap_or("cholesky") {
                "cholesky" => Ok(ParameterShape::Covariance { dim }),
                "matrix_log" => Ok(ParameterShape::MatrixLog { dim }),
                other => Err(Error::model(
                    "parameterization",
                    format!("`{}` has no parameterization \"{other}\".", spec.name),
                )
                .hint("There are \"cholesky\" and \"matrix_log\".")),
            }
        }
        ParameterType::Simplex if n < 2 => Err(Error::model(
            "empty_parameter",
            format!(
                "The simplex `{}` needs at least two probabilities.",
                spec.name
            ),
        )
        .hint("Use probability(x) for a single one.")),
        ParameterType::Simplex => Ok(ParameterShape::Simplex),
        ParameterType::TransitionMatrix => Ok(ParameterShape::Transition {
            dim: side(spec, "transition matrix", 2)?,
        }),
        ParameterType::RateMatrix => Ok(ParameterShape::Rate {
            dim: side(spec, "rate matrix", 2)?,
        }),
    }
}

/// Number of rows of a square matrix.
fn side(spec: &DeclaredParameter, what: &str, least: usize) -> Result<usize> {
    let n = spec.value.len();
    let dim = (0..=n).find(|dim| dim * dim >= n).unwrap_or(0);
    let fail = |reason, problem: &str| {
        let problem = format!("The {what} `{}` {problem}.", spec.name);
        Err(Error::model(reason, problem))
    };
    if dim * dim != n || dim == 0 {
        return fail("not_square", "is not square");
    }
    if dim < least {
        return fail("not_square", &format!("needs at least {least} rows"));
    }
    if dim > MAX_DIM {
        return fail("too_large", &format!("has more than {MAX_DIM} rows"));
    }
    Ok(dim)
}

pub fn elements_of(spec: &DeclaredParameter, shape: ParameterShape) -> Result<Vec<f64>> {
    if spec.value.is_empty() {
        return Err(Error::model(
            "empty_parameter",
            format!("The parameter `{}` has no starting value.", spec.name),
        ));
    }
    let (ParameterShape::Covariance { dim } | ParameterShape::MatrixLog { dim }) = shape else {
        return Ok(spec.value.clone());
    };
    let at = |i: usize, j: usize| spec.value[i * dim + j];
    let symmetric = triangle(dim).all(|(i, j)| {
        let size = at(i, j).abs().max(at(j, i).abs());
        (at(i, j) - at(j, i)).abs() <= 1e-10 * size
    });
    if !symmetric {
        return Err(Error::model(
            "not_symmetric",
            format!("The covariance matrix `{}` is not symmetric.", spec.name),
        ));
    }
    Ok(triangle(dim).map(|(i, j)| at(i, j)).collect())
}

/// One bound for each element; `default` where none is given.
pub fn bounds(
    spec: &DeclaredParameter,
    given: Option<&Vec<f64>>,
    n: usize,
    default: f64,
) -> Result<Vec<f64>> {
    let elementwise = matches!(
        spec.kind,
        ParameterType::Real | ParameterType::DiagonalMatrix
    );
    let values = match given {
        None => vec![default; n],
        Some(_) if !elementwise => {
            return Err(Error::model(
                "bounds",
                format!("The {} `{}` takes no bounds.", spec.kind.words(), spec.name),
            ))
        }
        Some(values) if values.len() == 1 => vec![values[0]; n],
        Some(values) if values.len() == n => values.clone(),
        Some(values) => {
            return Err(Error::model(
                "bounds",
                format!(
                    "`{}` has {n} values but {} bounds.",
                    spec.name,
                    values.len()
                ),
            ))
        }
    };
    let known = values
        .into_iter()
        .map(|v| if v.is_nan() { default } else { v });
    Ok(known.collect())
}
