//! Options that keep variances from falling too fast or too far, and that collapse chosen random effects.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AnnealSchedule {
    /// A variance is at least `sa_anneal_alpha` times that of the iteration before.
    Rate,
    /// A floor of `alpha |start| exp(-3 frac)` under standard deviations.
    Exponential,
    /// A floor of `alpha |start| (1 - frac)`.
    Linear,
    /// A start that is too wide would hold variances up while means wander off.
    #[default]
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CollapseSchedule {
    #[default]
    Exponential,
    Linear,
    /// As the sequence 1 for `t0` iterations, then `k^-kappa`.
    Gamma,
}

/// A random effect whose standard deviation is taken to zero.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Collapse {
    /// Name of the effect.
    pub effect: String,
    /// The parameter, on the log scale, that stands for its standard deviation.
    pub parameter: String,
    /// Standard deviation at the first iteration.
    pub sd: f64,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct AnnealOptions {
    pub sa_anneal_schedule: AnnealSchedule,
    /// Iterations; 0: half of the exploration for `Rate`, else 0.3 of all.
    pub sa_anneal_iters: usize,
    pub sa_anneal_alpha: f64,
    /// Parameter and its own alpha; empty: the standard deviations of normal and lognormal effects.
    pub sa_anneal_targets: Vec<(String, f64)>,
    /// Whether variances have a floor for good.
    pub auto_var_lb: bool,
    /// The floor, natural scale; absent: 1e-5 of the start of each standard deviation.
    pub var_lb_value: Option<f64>,
    pub anneal_to_fixed: Vec<Collapse>,
    pub anneal_schedule: CollapseSchedule,
    pub anneal_min_sd: f64,
}

impl Default for AnnealOptions {
    fn default() -> Self {
        Self {
            sa_anneal_schedule: AnnealSchedule::None,
            sa_anneal_iters: 0,
            sa_anneal_alpha: 0.95,
            sa_anneal_targets: Vec::new(),
            auto_var_lb: true,
            var_lb_value: None,
            anneal_to_fixed: Vec::new(),
            anneal_schedule: CollapseSchedule::Exponential,
            anneal_min_sd: 1e-5,
        }
    }
}
