//! Describe learned functions: networks, soft trees, splines, planar flows.

use serde::Deserialize;

/// The form of a learned function. Its weights are the elements of the parameter that declares it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum LearnedForm {
    /// A dense feed-forward network.
    Network {
        inputs: usize,
        /// Widths of the hidden layers; none: a linear map.
        hidden: Vec<usize>,
        outputs: usize,
        activation: Activation,
        output_activation: Activation,
        bias: bool,
    },
    /// A complete binary tree of this depth with probabilities at its splits.
    SoftTree {
        inputs: usize,
        depth: usize,
        outputs: usize,
    },
    /// A sum of B-splines of this degree over all of the knots.
    Spline { knots: Vec<f64>, degree: usize },
    /// A chain of planar maps of a vector, for the distribution of random effects.
    PlanarFlow { dimension: usize, layers: usize },
}

/// What a layer does to its sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    Identity,
    Tanh,
    Relu,
    Softplus,
    /// `1 / (1 + exp(-x))`
    Sigmoid,
    /// `x / (1 + exp(-x))`
    Swish,
    /// `x Phi(x)`, Phi the distribution function of the standard normal
    Gelu,
    /// `exp(x_k) / sum_j exp(x_j)`
    Softmax,
}

impl LearnedForm {
    /// Number of its weights; `None` where that does not fit a number.
    pub fn n_weights(&self) -> Option<usize> {
        match self {
            Self::Network {
                inputs,
                hidden,
                outputs,
                bias,
                ..
            } => {
                let mut total = 0usize;
                let mut from = *inputs;
                for to in hidden.iter().chain([outputs]) {
                    let each = from.checked_add(usize::from(*bias))?;
                    total = total.checked_add(each.checked_mul(*to)?)?;
                    from = *to;
                }
                Some(total)
            }
            Self::SoftTree {
                inputs,
                depth,
                outputs,
            } => {
                let leaves = 1usize.checked_shl(u32::try_from(*depth).ok()?)?;
                let splits = leaves.checked_sub(1)?;
                let each = inputs.checked_add(1)?;
                (splits.checked_mul(each)?).checked_add(leaves.checked_mul(*outputs)?)
            }
            Self::Spline { knots, degree } => knots.len().checked_sub(degree.checked_add(1)?),
            Self::PlanarFlow { dimension, layers } => dimension
                .checked_mul(2)?
                .checked_add(1)?
                .checked_mul(*layers),
        }
    }

    /// Number of values that a call takes.
    pub fn n_inputs(&self) -> usize {
        match self {
            Self::Network { inputs, .. } | Self::SoftTree { inputs, .. } => *inputs,
            Self::Spline { .. } => 1,
            Self::PlanarFlow { dimension, .. } => *dimension,
        }
    }
}
