//! Give values of the language their shape: scalar, vector or matrix of program nodes.

use crate::ir::graph::Node;

/// A value with a static shape.
#[derive(Debug, Clone, PartialEq)]
pub enum ShapedValue {
    Scalar(Node),
    Vector(Vec<Node>),
    /// Row-major.
    Matrix {
        rows: usize,
        cols: usize,
        nodes: Vec<Node>,
    },
    Text(String),
}

impl ShapedValue {
    /// `a scalar`, `a vector of length 3`, `a 3 x 3 matrix`.
    pub fn shape(&self) -> String {
        match self {
            Self::Scalar(_) => "a scalar".into(),
            Self::Vector(nodes) => format!("a vector of length {}", nodes.len()),
            Self::Matrix { rows, cols, .. } => format!("a {rows} x {cols} matrix"),
            Self::Text(_) => "a text".into(),
        }
    }

    /// All nodes, row-major.
    pub fn nodes(&self) -> &[Node] {
        match self {
            Self::Scalar(node) => std::slice::from_ref(node),
            Self::Vector(nodes) | Self::Matrix { nodes, .. } => nodes,
            Self::Text(_) => &[],
        }
    }

    /// A scalar for one node, else a vector.
    pub fn from_nodes(nodes: Vec<Node>) -> Self {
        match nodes.as_slice() {
            [only] => Self::Scalar(*only),
            _ => Self::Vector(nodes),
        }
    }
}
