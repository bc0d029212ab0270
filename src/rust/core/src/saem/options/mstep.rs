//! Options of the M-step.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BuiltinStats {
    /// Every parameter with a closed form takes it.
    #[default]
    Auto,
    /// Those named do.
    ClosedForm,
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BuiltinMean {
    #[default]
    None,
    /// The parameters of the outcomes' means are maximized by themselves before the other parameters.
    Glm,
}

/// Where a run asks the user's own functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Hook {
    UpdateSchedule,
    Suffstats,
    QFromStats,
    MstepClosedForm,
}

impl Hook {
    /// Its name as an option.
    pub fn name(self) -> &'static str {
        match self {
            Self::UpdateSchedule => "update_schedule",
            Self::Suffstats => "suffstats",
            Self::QFromStats => "q_from_stats",
            Self::MstepClosedForm => "mstep_closed_form",
        }
    }
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct MStepOptions {
    pub builtin_stats: BuiltinStats,
    pub builtin_mean: BuiltinMean,
    /// Parameters named as targets of closed forms: of residual errors, of the effects' covariances and means.
    pub resid_var_param: Vec<String>,
    pub re_cov_params: Vec<String>,
    pub re_mean_params: Vec<String>,
    /// Whether parameters maximized numerically move by the gain toward the maximum at the current draws.
    pub mstep_sa_on_params: bool,
    /// Iterations whose draws are kept for the numerical objective.
    pub max_store: usize,
    /// Bounds on the transformed scale by parameter, one value a coordinate.
    pub lb: Vec<(String, Vec<Option<f64>>)>,
    pub ub: Vec<(String, Vec<Option<f64>>)>,
    /// Functions of the user that take part.
    pub hooks: Vec<Hook>,
}

impl Default for MStepOptions {
    fn default() -> Self {
        Self {
            builtin_stats: BuiltinStats::Auto,
            builtin_mean: BuiltinMean::None,
            resid_var_param: Vec::new(),
            re_cov_params: Vec::new(),
            re_mean_params: Vec::new(),
            mstep_sa_on_params: false,
            max_store: 50,
            lb: Vec::new(),
            ub: Vec::new(),
            hooks: Vec::new(),
        }
    }
}

impl MStepOptions {
    pub fn has(&self, hook: Hook) -> bool {
        self.hooks.contains(&hook)
    }

    /// Whether an optimizer maximizes the objective of the user.
    pub fn maximizes_users(&self) -> bool {
        self.has(Hook::QFromStats) && !self.has(Hook::MstepClosedForm)
    }
}
