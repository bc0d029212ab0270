//! Options of the final empirical Bayes modes.

use serde::Deserialize;

/// How a mode is searched from one start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EbeOptimizer {
    /// Damped Gauss-Newton, then Newton, all levels in lanes.
    #[default]
    Newton,
    Lbfgs,
    NelderMead,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sampling {
    /// Latin hypercube.
    #[default]
    Lhs,
    Random,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default)]
pub struct EbeOptions {
    pub ebe_optimizer: EbeOptimizer,
    pub ebe_maxiters: usize,
    /// Largest element of the gradient in `phi` at a mode.
    pub ebe_grad_tol: f64,
    /// Starts of a round, how many of the best are followed, rounds.
    pub ebe_multistart_n: usize,
    pub ebe_multistart_k: usize,
    pub ebe_multistart_max_rounds: usize,
    pub ebe_multistart_sampling: Sampling,
    pub ebe_rescue_on_high_grad: bool,
    pub ebe_rescue_multistart_n: usize,
    pub ebe_rescue_multistart_k: usize,
    pub ebe_rescue_max_rounds: usize,
    pub ebe_rescue_grad_tol: f64,
    pub ebe_rescue_multistart_sampling: Sampling,
    /// Whether the fit holds the modes; else they are computed when asked for.
    pub store_eb_modes: bool,
}

impl Default for EbeOptions {
    fn default() -> Self {
        Self {
            ebe_optimizer: EbeOptimizer::Newton,
            ebe_maxiters: 200,
            ebe_grad_tol: 1e-4,
            ebe_multistart_n: 50,
            ebe_multistart_k: 10,
            ebe_multistart_max_rounds: 5,
            ebe_multistart_sampling: Sampling::Lhs,
            ebe_rescue_on_high_grad: true,
            ebe_rescue_multistart_n: 128,
            ebe_rescue_multistart_k: 32,
            ebe_rescue_max_rounds: 8,
            ebe_rescue_grad_tol: 1e-4,
            ebe_rescue_multistart_sampling: Sampling::Lhs,
            store_eb_modes: true,
        }
    }
}
