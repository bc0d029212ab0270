//! Map a parameter between its natural scale and the unbounded scale on which it is estimated.

use super::covariance::{
    cholesky_coordinates, covariance_elements, covariance_nodes, full_matrix, triangle,
};
use crate::error::{Error, Result};
use crate::ir::graph::{Graph, Node};
use crate::ir::op::Unary;
use crate::language::specification::{self, ParameterType, Scale};

/// A parameter: its elements on the natural scale, its coordinates in `theta`.
#[derive(Debug, Clone)]
pub struct Parameter {
    pub name: String,
    pub shape: Shape,
    /// First coordinate in `theta`; there are as many coordinates as elements.
    pub first: usize,
    /// Starting values of the elements, natural scale.
    pub start: Vec<f64>,
    /// Natural-scale bounds, one for each element.
    pub lower: Vec<f64>,
    pub upper: Vec<f64>,
    /// The elements as nodes of the program.
    pub nodes: Vec<Node>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Scalar(Scale),
    Vector(Scale),
    /// Variances on the diagonal, estimated on the log scale.
    Diagonal,
    /// Elements: the lower triangle by rows; coordinates: its Cholesky factor with logarithmic diagonal.
    Covariance {
        dim: usize,
    },
}

impl Parameter {
    /// Read, check, and write the natural elements into the program.
    ///
    /// # Errors
    /// Start outside its scale or bounds, a matrix that is not symmetric positive definite.
    pub fn new(spec: &specification::Parameter, first: usize, g: &mut Graph) -> Result<Self> {
        let shape = shape_of(spec)?;
        let mut parameter = Self {
            name: spec.name.clone(),
            shape,
            first,
            start: elements_of(spec, shape)?,
            lower: Vec::new(),
            upper: Vec::new(),
            nodes: Vec::new(),
        };
        let n = parameter.start.len();
        parameter.lower = bounds(spec, spec.lower.as_ref(), n, f64::NEG_INFINITY)?;
        parameter.upper = bounds(spec, spec.upper.as_ref(), n, f64::INFINITY)?;
        parameter.check(&parameter.start)?;
        parameter.nodes = parameter.natural_nodes(g);
        Ok(parameter)
    }

    pub fn len(&self) -> usize {
        self.start.len()
    }

    pub fn is_empty(&self) -> bool {
        self.start.is_empty()
    }

    /// Scale of element-wise parameters; covariance matrices have their own map.
    pub fn scale(&self) -> Option<Scale> {
        match self.shape {
            Shape::Scalar(scale) | Shape::Vector(scale) => Some(scale),
            Shape::Diagonal => Some(Scale::Log),
            Shape::Covariance { .. } => None,
        }
    }

    /// `ka`, `omega[2]`, `omega[2,1]`.
    pub fn element_names(&self) -> Vec<String> {
        let name = &self.name;
        match self.shape {
            Shape::Scalar(_) => vec![name.clone()],
            Shape::Vector(_) => (1..=self.len()).map(|i| format!("{name}[{i}]")).collect(),
            Shape::Diagonal => (1..=self.len())
                .map(|i| format!("{name}[{i},{i}]"))
                .collect(),
            Shape::Covariance { dim } => triangle(dim)
                .map(|(i, j)| format!("{name}[{},{}]", i + 1, j + 1))
                .collect(),
        }
    }

    /// Natural elements to coordinates.
    pub fn transform(&self, natural: &[f64]) -> Vec<f64> {
        match self.shape {
            Shape::Covariance { dim } => cholesky_coordinates(natural, dim),
            _ => {
                let scale = self.scale().unwrap_or_default();
                natural.iter().map(|x| to_coordinate(scale, *x)).collect()
            }
        }
    }

    /// Coordinates to natural elements.
    pub fn natural(&self, coordinates: &[f64]) -> Vec<f64> {
        match self.shape {
            Shape::Covariance { dim } => covariance_elements(coordinates, dim),
            _ => {
                let scale = self.scale().unwrap_or_default();
                coordinates
                    .iter()
                    .map(|x| from_coordinate(scale, *x))
                    .collect()
            }
        }
    }

    /// Bounds of the coordinates; covariance matrices have none.
    pub fn coordinate_bounds(&self) -> Vec<(f64, f64)> {
        match self.scale() {
            None => vec![(f64::NEG_INFINITY, f64::INFINITY); self.len()],
            Some(scale) => self
                .lower
                .iter()
                .zip(&self.upper)
                .map(|(low, high)| (to_coordinate(scale, *low), to_coordinate(scale, *high)))
                .map(|(low, high)| {
                    (
                        if low.is_nan() { f64::NEG_INFINITY } else { low },
                        if high.is_nan() { f64::INFINITY } else { high },
                    )
                })
                .collect(),
        }
    }

    /// Check values given by the user, natural scale.
    ///
    /// # Errors
    /// Not finite, outside the scale, outside the bounds, not positive definite.
    pub fn check(&self, natural: &[f64]) -> Result<()> {
        if natural.len() != self.len() {
            return Err(Error::new(
                crate::error::ErrorClass::Start,
                "start_length",
                format!(
                    "`{}` has {} values, not {}.",
                    self.name,
                    self.len(),
                    natural.len()
                ),
            )
            .field("name", &self.name));
        }
        for (i, (value, name)) in natural.iter().zip(self.element_names()).enumerate() {
            let (low, high) = (
                self.lower.get(i).copied().unwrap_or(f64::NEG_INFINITY),
                self.upper.get(i).copied().unwrap_or(f64::INFINITY),
            );
            self.check_value(&name, *value, low, high)?;
        }
        if let Shape::Covariance { dim } = self.shape {
            if full_matrix(natural, dim).cholesky().is_none() {
                return Err(self
                    .start_error(&self.name, "start_not_positive_definite")
                    .hint("A covariance matrix needs positive variances and correlations between -1 and 1."));
            }
        }
        Ok(())
    }

    fn check_value(&self, name: &str, value: f64, low: f64, high: f64) -> Result<()> {
        let needs = match self.scale() {
            _ if !value.is_finite() => Some("a finite number".to_string()),
            Some(Scale::Log) if value <= 0.0 => Some("a positive number".into()),
            Some(Scale::Logit | Scale::Probit) if value <= 0.0 || value >= 1.0 => {
                Some("a number between 0 and 1".into())
            }
            _ if value < low || value > high => Some(format!("between {low} and {high}")),
            _ => None,
        };
        match needs {
            None => Ok(()),
            Some(needs) => Err(self
                .start_error(name, "start_outside_bounds")
                .field("value", value)
                .hint(format!("The value given is {value}; it must be {needs}."))),
        }
    }

    fn start_error(&self, name: &str, reason: &'static str) -> Error {
        let problem = match reason {
            "start_not_positive_definite" => {
                format!("The starting value of `{name}` is not a positive definite matrix.")
            }
            _ => format!("The starting value of `{name}` is outside its bounds."),
        };
        Error::new(crate::error::ErrorClass::Start, reason, problem).field("name", name)
    }

    fn natural_nodes(&self, g: &mut Graph) -> Vec<Node> {
        let coordinates: Vec<Node> = (self.first..self.first + self.len())
            .map(|k| g.theta(index(k)))
            .collect();
        match self.shape {
            Shape::Covariance { dim } => covariance_nodes(g, &coordinates, dim),
            _ => {
                let scale = self.scale().unwrap_or_default();
                coordinates
                    .into_iter()
                    .map(|x| natural_node(g, scale, x))
                    .collect()
            }
        }
    }
}

/// A count as an index of the program; larger models than `u32::MAX` do not exist.
pub fn index(k: usize) -> u32 {
    u32::try_from(k).unwrap_or(u32::MAX)
}

fn shape_of(spec: &specification::Parameter) -> Result<Shape> {
    match spec.kind {
        ParameterType::Real if spec.value.len() == 1 && !spec.vector => {
            Ok(Shape::Scalar(spec.scale))
        }
        ParameterType::Real => Ok(Shape::Vector(spec.scale)),
        ParameterType::DiagonalMatrix => Ok(Shape::Diagonal),
        ParameterType::CovarianceMatrix => {
            let dim = (1..=spec.value.len())
                .find(|n| n * n >= spec.value.len())
                .unwrap_or(0);
            if spec.parameterization.as_deref().unwrap_or("cholesky") != "cholesky" {
                return Err(Error::model(
                    "parameterization",
                    format!(
                        "`{}` asks for a parameterization other than \"cholesky\".",
                        spec.name
                    ),
                )
                .hint("Use covariance_matrix(M, parameterization = \"cholesky\")."));
            }
            if dim * dim != spec.value.len() || dim == 0 {
                return Err(Error::model(
                    "not_square",
                    format!("The covariance matrix `{}` is not square.", spec.name),
                ));
            }
            Ok(Shape::Covariance { dim })
        }
    }
}

fn elements_of(spec: &specification::Parameter, shape: Shape) -> Result<Vec<f64>> {
    if spec.value.is_empty() {
        return Err(Error::model(
            "empty_parameter",
            format!("The parameter `{}` has no starting value.", spec.name),
        ));
    }
    let Shape::Covariance { dim } = shape else {
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

fn bounds(
    spec: &specification::Parameter,
    given: Option<&Vec<f64>>,
    n: usize,
    default: f64,
) -> Result<Vec<f64>> {
    match given {
        None => Ok(vec![default; n]),
        Some(_) if spec.kind == ParameterType::CovarianceMatrix => Err(Error::model(
            "bounds",
            format!("The covariance matrix `{}` takes no bounds.", spec.name),
        )),
        Some(values) if values.len() == 1 => Ok(vec![values[0]; n]),
        Some(values) if values.len() == n => Ok(values.clone()),
        Some(values) => Err(Error::model(
            "bounds",
            format!(
                "`{}` has {n} values but {} bounds.",
                spec.name,
                values.len()
            ),
        )),
    }
    .map(|values| {
        values
            .into_iter()
            .map(|v| if v.is_nan() { default } else { v })
            .collect()
    })
}

fn to_coordinate(scale: Scale, x: f64) -> f64 {
    match scale {
        Scale::Identity => x,
        Scale::Log => x.ln(),
        Scale::Logit => x.ln() - (-x).ln_1p(),
        Scale::Probit => Unary::QNorm.value::<false>(x),
    }
}

fn from_coordinate(scale: Scale, x: f64) -> f64 {
    match scale {
        Scale::Identity => x,
        Scale::Log => x.exp(),
        Scale::Logit => Unary::Logistic.value::<false>(x),
        Scale::Probit => Unary::PNorm.value::<false>(x),
    }
}

fn natural_node(g: &mut Graph, scale: Scale, x: Node) -> Node {
    match scale {
        Scale::Identity => x,
        Scale::Log => g.exp(x),
        Scale::Logit => g.unary(Unary::Logistic, x),
        Scale::Probit => g.unary(Unary::PNorm, x),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covariance(value: Vec<f64>) -> specification::Parameter {
        specification::Parameter {
            name: "omega".into(),
            kind: ParameterType::CovarianceMatrix,
            scale: Scale::Identity,
            value,
            lower: None,
            upper: None,
            parameterization: None,
            vector: false,
        }
    }

    #[test]
    fn a_covariance_matrix_returns_from_its_coordinates() {
        let mut g = Graph::new();
        let spec = covariance(vec![4.0, 1.2, -0.5, 1.2, 2.0, 0.3, -0.5, 0.3, 1.0]);
        let p = Parameter::new(&spec, 0, &mut g).unwrap();
        let back = p.natural(&p.transform(&p.start));
        for (a, b) in back.iter().zip(&p.start) {
            assert!((a - b).abs() < 1e-14, "{a} {b}");
        }
        assert_eq!(p.element_names()[1], "omega[2,1]");
    }

    #[test]
    fn an_indefinite_matrix_is_refused() {
        let mut g = Graph::new();
        let error = Parameter::new(&covariance(vec![1.0, 2.0, 2.0, 1.0]), 0, &mut g).unwrap_err();
        assert_eq!(error.reason, "start_not_positive_definite");
    }
}
