//! Hold the options of VEM under the names they have in R; the front end validates them and documents their effect.

use serde::{Deserialize, Serialize};

use crate::inference::ebe::EbeOptions;
use crate::inference::options::{Inference, LogLik};

/// What `q` may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PosteriorFamily {
    #[default]
    FullRank,
    MeanField,
    PlanarFlow,
}

/// How expectations under `q` are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleKind {
    #[default]
    Cubature,
    Qmc,
    MonteCarlo,
}

/// How the population parameters move.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum OuterMethod {
    /// Quasi-Newton steps preconditioned by the information, L-BFGS where there are too many parameters for it.
    #[default]
    Auto,
    /// Quasi-Newton steps that remember the last `memory` of them alone.
    Lbfgs {
        #[serde(default = "few")]
        memory: usize,
    },
    /// Adam on some of the batches, closed forms where there are any.
    Adam {
        #[serde(default = "slow")]
        rate: f64,
    },
}

/// Steps that L-BFGS remembers unless said otherwise.
pub const fn few() -> usize {
    10
}

/// Length of the steps of Adam, in sizes of the coordinates, unless said otherwise.
pub const fn slow() -> f64 {
    0.05
}

/// Options of a run.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct VemOptions {
    pub family: PosteriorFamily,
    pub rule: RuleKind,
    /// Points of each batch; absent: by dimension.
    pub points: Option<usize>,
    /// Layers of a planar flow.
    pub flows: usize,
    /// EM sweeps before all parameters move together.
    pub sweeps: usize,
    pub maxiters: usize,
    /// Gain in `-2 ELBO` that a further step may promise of a converged run.
    pub tolerance: f64,
    /// Steps of `q` between two moves of `theta`, and the gain in the bound at which they end.
    pub inner_maxiters: usize,
    pub inner_tolerance: f64,
    pub optimizer: OuterMethod,
    /// Batches of a step of Adam.
    pub batch_size: Option<usize>,
    /// Precision of a normal prior around zero by parameter, on the transformed scale.
    pub penalty: Vec<(String, f64)>,
    pub polish: bool,
    pub polish_draws: usize,
    pub polish_rounds: usize,
    /// Bounds on the transformed scale by parameter, one value a coordinate.
    pub lb: Vec<(String, Vec<Option<f64>>)>,
    pub ub: Vec<(String, Vec<Option<f64>>)>,
    pub ebe: EbeOptions,
    /// What is computed at the estimates.
    pub inference: Inference,
}

impl Default for VemOptions {
    fn default() -> Self {
        Self {
            family: PosteriorFamily::FullRank,
            rule: RuleKind::Cubature,
            points: None,
            flows: 2,
            sweeps: 10,
            maxiters: 200,
            tolerance: 1e-6,
            inner_maxiters: 50,
            inner_tolerance: 1e-10,
            optimizer: OuterMethod::Auto,
            batch_size: None,
            penalty: Vec::new(),
            polish: true,
            polish_draws: 512,
            polish_rounds: 5,
            lb: Vec::new(),
            ub: Vec::new(),
            ebe: EbeOptions::default(),
            inference: Inference {
                log_lik: LogLik::Importance,
                ..Inference::default()
            },
        }
    }
}
