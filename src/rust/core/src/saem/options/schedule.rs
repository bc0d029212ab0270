//! Options of the gain sequence, the chains and the batches that are updated.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleKind {
    /// 1 for `exploration` iterations, then `1/k` for `smoothing`.
    #[default]
    Saemix,
    /// 1 for `t0` iterations, then a polynomial cool-down to 0 at `maxiters`.
    RobbinsMonro,
    /// 1 for `sa_phase1_iters` iterations, then `k^sa_phase2_kappa`.
    TwoPhase,
    /// 1 for `t0` iterations, then `k^-kappa`.
    Power,
    /// The gains given.
    Custom,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScheduleOptions {
    pub sa_schedule: ScheduleKind,
    /// Whether exploration and smoothing, of `Saemix`, end when they have done their work.
    pub adaptive: bool,
    pub exploration: usize,
    pub smoothing: usize,
    /// Iterations of all schedules but `Saemix`.
    pub maxiters: usize,
    /// Iterations with gain 0 before all others.
    pub sa_burnin_iters: usize,
    pub t0: usize,
    pub kappa: f64,
    pub sa_phase1_iters: usize,
    pub sa_phase2_kappa: f64,
    /// Gains of a custom schedule, one an iteration.
    pub gains: Vec<f64>,
}

impl Default for ScheduleOptions {
    fn default() -> Self {
        Self {
            sa_schedule: ScheduleKind::Saemix,
            adaptive: false,
            exploration: 300,
            smoothing: 100,
            maxiters: 300,
            sa_burnin_iters: 0,
            t0: 150,
            kappa: 0.65,
            sa_phase1_iters: 200,
            sa_phase2_kappa: -1.0,
            gains: Vec::new(),
        }
    }
}

#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChainOptions {
    pub n_chains: usize,
    /// Whether few batches get more chains.
    pub auto_small_n_chains: bool,
    /// Batches times chains that few batches are brought to.
    pub small_n_chain_target: usize,
}

impl Default for ChainOptions {
    fn default() -> Self {
        Self {
            n_chains: 1,
            auto_small_n_chains: true,
            small_n_chain_target: 50,
        }
    }
}

impl ChainOptions {
    /// Chains used for `n` independent batches of levels (subjects, with one grouping).
    pub fn used_for(&self, n: usize) -> usize {
        let target = self.small_n_chain_target;
        if self.auto_small_n_chains && n < target {
            self.n_chains.max(target.div_ceil(n.max(1)))
        } else {
            self.n_chains.max(1)
        }
    }
}

/// Which batches an iteration draws for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(try_from = "UpdateField", into = "UpdateField")]
pub enum UpdateSchedule {
    #[default]
    All,
    /// So many, drawn without replacement.
    Minibatch(usize),
    /// Those a function of the user names.
    Function,
}

#[derive(Deserialize, Serialize)]
#[serde(untagged)]
enum UpdateField {
    Count(usize),
    Word(String),
}

impl TryFrom<UpdateField> for UpdateSchedule {
    type Error = String;

    fn try_from(field: UpdateField) -> Result<Self, String> {
        match field {
            UpdateField::Count(n) => Ok(Self::Minibatch(n)),
            UpdateField::Word(word) => match word.as_str() {
                "all" => Ok(Self::All),
                "function" => Ok(Self::Function),
                _ => Err(format!("there is no update schedule `{word}`")),
            },
        }
    }
}

impl From<UpdateSchedule> for UpdateField {
    fn from(schedule: UpdateSchedule) -> Self {
        match schedule {
            UpdateSchedule::All => Self::Word("all".into()),
            UpdateSchedule::Minibatch(n) => Self::Count(n),
            UpdateSchedule::Function => Self::Word("function".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_5_few_batches_get_more_chains() {
        let auto = ChainOptions::default();
        let used = [5, 25, 50, 3, 12, 0].map(|n| auto.used_for(n));
        assert_eq!(used, [10, 2, 1, 17, 5, 50]);
        let more = ChainOptions {
            n_chains: 8,
            ..auto
        };
        assert_eq!(more.used_for(12), 8);
        let off = ChainOptions {
            auto_small_n_chains: false,
            ..more
        };
        assert_eq!((off.used_for(3), off.used_for(500)), (8, 8));
    }
}
