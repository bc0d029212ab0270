//! Options of the optimizers of the M-step.

use serde::{Deserialize, Serialize};

/// How the parameters without a closed form move.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum OptimizerOptions {
    /// One step of stochastic approximation on score and information; nothing is maximized.
    #[default]
    Score,
    /// Limited-memory BFGS with backtracking.
    Lbfgs {
        maxiters: usize,
        /// Largest element of the gradient at which it stops.
        g_tol: f64,
        memory: usize,
        adtype: Derivative,
    },
    NelderMead {
        maxiters: usize,
        /// Standard deviation of the objective over the simplex at which it stops.
        f_tol: f64,
    },
    /// Adam (Kingma & Ba 2015).
    Adam {
        rate: f64,
        maxiters: usize,
        adtype: Derivative,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Derivative {
    /// Exact, by the reverse pass.
    #[default]
    Reverse,
    /// Central differences.
    Finite,
}
