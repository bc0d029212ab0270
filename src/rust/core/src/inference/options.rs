//! Say how likelihood and standard errors are computed: for an estimator at its end, and for every task after a fit.

use serde::{Deserialize, Serialize};

/// How the random effects are integrated out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLik {
    Importance,
    #[default]
    Quadrature,
    Laplace,
    Linear,
    None,
}

/// What the covariance of the estimates is the inverse of, or made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Errors {
    #[default]
    Louis,
    Linear,
    Sandwich,
    None,
}

impl Errors {
    pub fn words(self) -> &'static str {
        match self {
            Self::Louis | Self::None => "louis",
            Self::Linear => "linear",
            Self::Sandwich => "sandwich",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Inference {
    pub log_lik: LogLik,
    pub se: Errors,
    /// Importance draws of each batch; absent: as many as are usual.
    pub draws: Option<usize>,
    /// Quadrature nodes a dimension; absent: as many as it takes.
    pub nodes: Option<usize>,
}

/// Draws of each batch where nobody says.
const DRAWS: usize = 1_000;

impl Inference {
    pub fn draws_or_usual(&self) -> usize {
        self.draws.unwrap_or(DRAWS)
    }
}
