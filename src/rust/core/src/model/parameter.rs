//! Map a parameter between its natural scale and the unbounded scale on which it is estimated.
//!
//! A parameter has elements (natural scale, what tables show) and coordinates (unbounded, parts of `theta`). Their
//! numbers differ where elements are bound to each other, as probabilities that sum to one.

use super::covariance::{cholesky_coordinates, covariance_elements, covariance_nodes, triangle};
use super::declared::{bounds, elements_of, shape_of};
use super::scale::{from_coordinate, natural_node, to_coordinate};
use super::value::ShapedValue;
use super::{matrix_log, rate, stick};
use crate::error::Result;
use crate::ir::graph::{Graph, Node};
use crate::language::specification::{self, ParameterScale};

/// A parameter: its elements on the natural scale, its coordinates in `theta`.
#[derive(Debug, Clone)]
pub struct ModelParameter {
    pub name: String,
    pub shape: ParameterShape,
    /// First coordinate in `theta`.
    pub first: usize,
    /// Starting values of the elements, natural scale.
    pub start: Vec<f64>,
    /// Natural-scale bounds, one for each element.
    pub lower: Vec<f64>,
    pub upper: Vec<f64>,
    /// The elements as nodes of the program.
    pub nodes: Vec<Node>,
    /// Whether its elements are weights that follow gradients: information is taken with them held.
    pub trained: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterShape {
    Scalar(ParameterScale),
    Vector(ParameterScale),
    /// Variances on the diagonal, estimated on the log scale.
    Diagonal,
    /// Elements: the lower triangle by rows; coordinates: its Cholesky factor with logarithmic diagonal.
    Covariance {
        dim: usize,
    },
    /// Elements: the lower triangle by rows; coordinates: that of its matrix logarithm.
    MatrixLog {
        dim: usize,
    },
    /// Probabilities that sum to one; coordinates: stick-breaking, one fewer.
    Simplex,
    /// Row-major, every row a simplex.
    Transition {
        dim: usize,
    },
    /// Row-major, rows summing to zero; coordinates: logarithms of the rates off the diagonal.
    Rate {
        dim: usize,
    },
}

impl ModelParameter {
    /// Read, check, and write the natural elements into the program.
    ///
    /// # Errors
    /// Start outside its scale or bounds, a matrix that is not what its type says.
    pub fn new(
        spec: &specification::DeclaredParameter,
        first: usize,
        g: &mut Graph,
    ) -> Result<Self> {
        let shape = shape_of(spec)?;
        let mut parameter = Self {
            name: spec.name.clone(),
            shape,
            first,
            start: elements_of(spec, shape)?,
            lower: Vec::new(),
            upper: Vec::new(),
            nodes: Vec::new(),
            trained: spec.is_trained(),
        };
        let n = parameter.start.len();
        parameter.lower = bounds(spec, spec.lower.as_ref(), n, f64::NEG_INFINITY)?;
        parameter.upper = bounds(spec, spec.upper.as_ref(), n, f64::INFINITY)?;
        parameter.check(&parameter.start)?;
        match shape {
            ParameterShape::Simplex => stick::normalize(&mut parameter.start, n),
            ParameterShape::Transition { dim } => stick::normalize(&mut parameter.start, dim),
            _ => {}
        }
        parameter.nodes = parameter.natural_nodes(g);
        Ok(parameter)
    }

    /// Number of values on the natural scale.
    pub fn n_elements(&self) -> usize {
        self.start.len()
    }

    /// Number of coordinates in `theta`.
    pub fn n_coordinates(&self) -> usize {
        match self.shape {
            ParameterShape::Simplex => self.n_elements() - 1,
            ParameterShape::Transition { dim } | ParameterShape::Rate { dim } => dim * (dim - 1),
            _ => self.n_elements(),
        }
    }

    /// Its coordinates in `theta`.
    pub fn coordinates(&self) -> std::ops::Range<usize> {
        self.first..self.first + self.n_coordinates()
    }

    /// Scale of element-wise parameters; matrices and probabilities that sum to one have their own maps.
    pub fn scale(&self) -> Option<ParameterScale> {
        match self.shape {
            ParameterShape::Scalar(scale) | ParameterShape::Vector(scale) => Some(scale),
            ParameterShape::Diagonal => Some(ParameterScale::Log),
            _ => None,
        }
    }

    /// `ka`, `omega[2]`, `omega[2,1]`.
    pub fn element_names(&self) -> Vec<String> {
        let name = &self.name;
        let n = self.n_elements();
        match self.shape {
            ParameterShape::Scalar(_) => vec![name.clone()],
            ParameterShape::Vector(_) | ParameterShape::Simplex => {
                (1..=n).map(|i| format!("{name}[{i}]")).collect()
            }
            ParameterShape::Diagonal => (1..=n).map(|i| format!("{name}[{i},{i}]")).collect(),
            ParameterShape::Covariance { dim } | ParameterShape::MatrixLog { dim } => triangle(dim)
                .map(|(i, j)| format!("{name}[{},{}]", i + 1, j + 1))
                .collect(),
            ParameterShape::Transition { dim } | ParameterShape::Rate { dim } => (0..n)
                .map(|k| format!("{name}[{},{}]", k / dim + 1, k % dim + 1))
                .collect(),
        }
    }

    /// The element whose name a coordinate bears: `p[i]` for `logit(nu_i)`, `Q[i,j]` for `log q_ij`.
    pub fn element_of(&self, coordinate: usize) -> usize {
        match self.shape {
            ParameterShape::Transition { dim } => {
                let rest = (dim - 1).max(1);
                coordinate / rest * dim + coordinate % rest
            }
            ParameterShape::Rate { dim } => {
                let (row, k) = (coordinate / (dim - 1).max(1), coordinate % (dim - 1).max(1));
                row * dim + k + usize::from(k >= row)
            }
            _ => coordinate,
        }
    }

    /// The coordinate that says of an element whether it is free and how it is updated: its own, or one of its row.
    pub fn coordinate_of(&self, element: usize) -> usize {
        let n = self.n_coordinates();
        match self.shape {
            ParameterShape::Simplex => element.min(n - 1),
            ParameterShape::Transition { dim } => {
                element / dim * (dim - 1) + (element % dim).min(dim - 2)
            }
            ParameterShape::Rate { dim } => {
                let (row, col) = (element / dim, element % dim);
                let k = if col > row { col - 1 } else { col };
                row * (dim - 1) + k.min(dim - 2)
            }
            _ => element,
        }
    }

    /// Natural elements to coordinates.
    pub fn transform(&self, natural: &[f64]) -> Vec<f64> {
        match self.shape {
            ParameterShape::Covariance { dim } => cholesky_coordinates(natural, dim),
            ParameterShape::MatrixLog { dim } => matrix_log::coordinates(natural, dim),
            ParameterShape::Simplex => stick::coordinates(natural),
            ParameterShape::Transition { dim } => {
                natural.chunks(dim).flat_map(stick::coordinates).collect()
            }
            ParameterShape::Rate { dim } => rate::coordinates(natural, dim),
            _ => {
                let scale = self.scale().unwrap_or_default();
                natural.iter().map(|x| to_coordinate(scale, *x)).collect()
            }
        }
    }

    /// Coordinates to natural elements.
    pub fn natural(&self, coordinates: &[f64]) -> Vec<f64> {
        match self.shape {
            ParameterShape::Covariance { dim } => covariance_elements(coordinates, dim),
            ParameterShape::MatrixLog { dim } => matrix_log::elements(coordinates, dim),
            ParameterShape::Simplex => stick::elements(coordinates),
            ParameterShape::Transition { dim } => coordinates
                .chunks(dim - 1)
                .flat_map(stick::elements)
                .collect(),
            ParameterShape::Rate { dim } => rate::elements(coordinates, dim),
            _ => {
                let scale = self.scale().unwrap_or_default();
                coordinates
                    .iter()
                    .map(|x| from_coordinate(scale, *x))
                    .collect()
            }
        }
    }

    /// Bounds of the coordinates; only element-wise parameters have some.
    pub fn coordinate_bounds(&self) -> Vec<(f64, f64)> {
        let Some(scale) = self.scale() else {
            return vec![(f64::NEG_INFINITY, f64::INFINITY); self.n_coordinates()];
        };
        let known = |x: f64, default: f64| if x.is_nan() { default } else { x };
        let pairs = self.lower.iter().zip(&self.upper);
        pairs
            .map(|(low, high)| {
                (
                    known(to_coordinate(scale, *low), f64::NEG_INFINITY),
                    known(to_coordinate(scale, *high), f64::INFINITY),
                )
            })
            .collect()
    }

    fn natural_nodes(&self, g: &mut Graph) -> Vec<Node> {
        let coordinates: Vec<Node> = self.coordinates().map(|k| g.theta(index(k))).collect();
        match self.shape {
            ParameterShape::Covariance { dim } => covariance_nodes(g, &coordinates, dim),
            ParameterShape::MatrixLog { dim } => matrix_log::nodes(g, &coordinates, dim),
            ParameterShape::Simplex => stick::nodes(g, &coordinates),
            ParameterShape::Transition { dim } => coordinates
                .chunks(dim - 1)
                .flat_map(|row| stick::nodes(g, row))
                .collect(),
            ParameterShape::Rate { dim } => rate::nodes(g, &coordinates, dim),
            _ => {
                let scale = self.scale().unwrap_or_default();
                coordinates
                    .into_iter()
                    .map(|x| natural_node(g, scale, x))
                    .collect()
            }
        }
    }

    /// What its name stands for in the code.
    pub fn value(&self, g: &mut Graph) -> ShapedValue {
        let nodes = &self.nodes;
        let (dim, places): (usize, Vec<(usize, usize)>) = match self.shape {
            ParameterShape::Scalar(_) => return ShapedValue::Scalar(nodes[0]),
            ParameterShape::Vector(_) | ParameterShape::Simplex => {
                return ShapedValue::Vector(nodes.clone())
            }
            ParameterShape::Diagonal => (nodes.len(), (0..nodes.len()).map(|i| (i, i)).collect()),
            ParameterShape::Covariance { dim } | ParameterShape::MatrixLog { dim } => {
                (dim, triangle(dim).collect())
            }
            ParameterShape::Transition { dim } | ParameterShape::Rate { dim } => {
                return ShapedValue::Matrix {
                    rows: dim,
                    cols: dim,
                    nodes: nodes.clone(),
                }
            }
        };
        let mut full = vec![g.constant(0.0); dim * dim];
        for ((i, j), node) in places.into_iter().zip(nodes) {
            full[i * dim + j] = *node;
            full[j * dim + i] = *node;
        }
        ShapedValue::Matrix {
            rows: dim,
            cols: dim,
            nodes: full,
        }
    }
}

/// A count as an index of the program.
pub use crate::ir::narrow as index;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::specification::ParameterType;

    fn covariance(value: Vec<f64>) -> specification::DeclaredParameter {
        specification::DeclaredParameter {
            name: "omega".into(),
            kind: ParameterType::CovarianceMatrix,
            scale: ParameterScale::Identity,
            value,
            lower: None,
            upper: None,
            parameterization: None,
            vector: false,
            learned: None,
            se: None,
        }
    }

    #[test]
    fn a_covariance_matrix_returns_from_its_coordinates() {
        let mut g = Graph::new();
        let spec = covariance(vec![4.0, 1.2, -0.5, 1.2, 2.0, 0.3, -0.5, 0.3, 1.0]);
        let p = ModelParameter::new(&spec, 0, &mut g).unwrap();
        let back = p.natural(&p.transform(&p.start));
        for (a, b) in back.iter().zip(&p.start) {
            assert!((a - b).abs() < 1e-14, "{a} {b}");
        }
        assert_eq!(p.element_names()[1], "omega[2,1]");
    }

    #[test]
    fn an_indefinite_matrix_is_refused() {
        let mut g = Graph::new();
        let error =
            ModelParameter::new(&covariance(vec![1.0, 2.0, 2.0, 1.0]), 0, &mut g).unwrap_err();
        assert_eq!(error.reason, "start_not_positive_definite");
    }

    fn typed(kind: ParameterType, value: Vec<f64>) -> Result<ModelParameter> {
        let spec = specification::DeclaredParameter {
            kind,
            ..covariance(value)
        };
        ModelParameter::new(&spec, 0, &mut Graph::new())
    }

    #[test]
    fn coordinates_bear_names_of_elements_and_return_to_them() {
        let p = [0.5, 0.3, 0.2, 0.1, 0.8, 0.1, 0.25, 0.25, 0.5].to_vec();
        let q = [-3.0, 1.0, 2.0, 4.0, -9.0, 5.0, 6.0, 7.0, -13.0].to_vec();
        for (kind, value, n) in [
            (ParameterType::Simplex, vec![0.1, 0.2, 0.7], 2),
            (ParameterType::TransitionMatrix, p, 6),
            (ParameterType::RateMatrix, q, 6),
        ] {
            let parameter = typed(kind, value).unwrap();
            assert_eq!(parameter.n_coordinates(), n);
            for k in 0..n {
                assert_eq!(
                    parameter.coordinate_of(parameter.element_of(k)),
                    k,
                    "{kind:?}"
                );
            }
            assert!((0..parameter.n_elements()).all(|e| parameter.coordinate_of(e) < n));
            let coordinates = parameter.transform(&parameter.start);
            assert_eq!(coordinates.len(), n);
            for (a, b) in parameter.natural(&coordinates).iter().zip(&parameter.start) {
                assert!((a - b).abs() < 1e-13, "{kind:?} {a} {b}");
            }
        }
    }

    #[test]
    fn sums_are_checked_and_rounding_is_forgiven() {
        let wrong = typed(ParameterType::Simplex, vec![0.3, 0.3]).unwrap_err();
        assert_eq!(wrong.reason, "start_wrong_sum");
        let thirds = typed(ParameterType::Simplex, vec![0.333_333_3; 3]).unwrap();
        assert_eq!(thirds.start.iter().sum::<f64>(), 1.0);
        let zero = typed(ParameterType::TransitionMatrix, vec![1.0, 0.0, 0.5, 0.5]).unwrap_err();
        assert_eq!(zero.reason, "start_outside_bounds");
        let rates = typed(ParameterType::RateMatrix, vec![-1.0, 2.0, 1.0, -1.0]).unwrap_err();
        assert!(rates.problem.contains("row 1"), "{rates}");
        let odd = typed(ParameterType::RateMatrix, vec![-1.0, 1.0, 1.0]).unwrap_err();
        assert_eq!(odd.reason, "not_square");
    }
}
