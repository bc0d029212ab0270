//! Hold the options of SAEM.

use serde::{Deserialize, Deserializer};

/// Options of a run; the front end validates them and documents their effect.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct SaemOptions {
    /// Iterations with gain 1.
    pub exploration: usize,
    /// Iterations with decreasing gain.
    pub smoothing: usize,
    /// Chains a subject; 0 chooses by the number of subjects.
    #[serde(deserialize_with = "chains")]
    pub chains: usize,
    pub kernels: Kernels,
    /// Whether variances may only shrink by `annealing_rate` an iteration in the first half of the exploration.
    pub annealing: bool,
    pub annealing_rate: f64,
    /// Whether the smoothing is preconditioned by the observed information.
    pub acceleration: bool,
    /// Acceptance rate to which the random walks are adapted.
    pub target_acceptance: f64,
    /// Whether the log-likelihood is computed at the end.
    pub log_lik: bool,
    /// Quadrature nodes a dimension; absent: by dimension.
    pub nodes: Option<usize>,
}

/// Sweeps of each kernel in an iteration of the exploration. While smoothing, where every draw lowers the Monte-Carlo
/// error of the estimate, the independence kernel sweeps eight times as often; the prior kernel, which serves to find
/// the mass of the distribution, has done its work.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default)]
pub struct Kernels {
    pub prior: usize,
    pub random_walk: usize,
    pub block: usize,
    pub independence: usize,
}

impl Kernels {
    /// Sweeps in an iteration of the smoothing.
    pub fn smoothing(self) -> Self {
        Self {
            prior: if self.independence > 0 { 0 } else { self.prior },
            independence: 8 * self.independence,
            ..self
        }
    }
}

impl Kernels {
    /// Kernels where several groupings take turns. The independence kernel, which knows the conditional distribution
    /// of one grouping at one value of the others only, gives way to the walks.
    pub fn in_turns(self) -> Self {
        Self {
            prior: self.prior.max(1),
            random_walk: self.random_walk + self.independence,
            independence: 0,
            ..self
        }
    }

    /// Draws of a chain in an iteration that are nearly independent of each other: every second of the independence
    /// kernel, and the last.
    pub fn draws(self) -> f64 {
        1.0 + 0.5 * self.independence as f64
    }
}

impl Default for Kernels {
    fn default() -> Self {
        Self {
            prior: 1,
            random_walk: 1,
            block: 1,
            independence: 2,
        }
    }
}

impl Default for SaemOptions {
    fn default() -> Self {
        Self {
            exploration: 300,
            smoothing: 100,
            chains: 0,
            kernels: Kernels::default(),
            annealing: true,
            annealing_rate: 0.95,
            acceleration: true,
            target_acceptance: 0.4,
            log_lik: true,
            nodes: None,
        }
    }
}

impl SaemOptions {
    /// Chains used for `n` independent batches of levels (subjects, with one grouping): by default as many as make 50
    /// batches of fewer.
    pub fn chains_for(&self, n: usize) -> usize {
        match self.chains {
            0 => 50usize.div_ceil(n.max(1)).max(1),
            n => n,
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Chains {
    Count(usize),
    Word(String),
}

fn chains<'de, D: Deserializer<'de>>(source: D) -> Result<usize, D::Error> {
    match Chains::deserialize(source)? {
        Chains::Count(n) if n > 0 => Ok(n),
        Chains::Word(word) if word == "auto" => Ok(0),
        _ => Err(serde::de::Error::custom(
            "`chains` is \"auto\" or a positive number",
        )),
    }
}
