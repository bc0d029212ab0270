//! Options of the samplers.

use serde::{Deserialize, Serialize};

use super::{AdaptiveMh, Mala, Mh, MixtureSampler, Nuts, SaemixMh, Sampler};

/// A sampler and its options.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum SamplerOptions {
    /// Draws around the conditional modes, with sweeps of other kernels; see [`KernelSweeps`].
    Independence(KernelSweeps),
    /// Random walk of all coordinates of a level together, steps of `scale` standard normal numbers.
    Mh { scale: f64 },
    /// The kernels of saemix: population draws, coordinate-wise walks, walks of random blocks.
    SaemixMh {
        n_kern1: usize,
        n_kern2: usize,
        n_kern3: usize,
        target_accept: f64,
        adapt_rate: f64,
    },
    /// Adaptive Metropolis (Haario, Saksman & Tamminen 2001).
    AdaptiveMh {
        adapt_start: usize,
        init_scale: f64,
        eps_reg: f64,
    },
    /// No-U-turn sampler (Hoffman & Gelman 2014).
    Nuts {
        target_accept: f64,
        max_depth: usize,
        /// Iterations of the run in which step sizes and metric adapt.
        n_adapt: usize,
    },
    /// Langevin proposals (Roberts & Tweedie 1996).
    Mala { target_accept: f64, n_adapt: usize },
}

/// Sweeps of each kernel in an iteration of the exploration. While smoothing, where every draw lowers the Monte-Carlo
/// error of the estimate, the independence kernel sweeps eight times as often, twice where importance draws finish the
/// estimate; the prior kernel, which serves to find the mass of the distribution, has done its work.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct KernelSweeps {
    pub prior: usize,
    pub random_walk: usize,
    pub block: usize,
    pub independence: usize,
    /// Acceptance rate to which the walks adapt.
    pub target_accept: f64,
}

impl Default for KernelSweeps {
    fn default() -> Self {
        Self {
            prior: 1,
            random_walk: 1,
            block: 1,
            independence: 2,
            target_accept: 0.4,
        }
    }
}

impl SamplerOptions {
    /// A sampler that has learned nothing yet, for a grouping with `d` random effects.
    pub fn sampler(&self, d: usize) -> Box<dyn Sampler> {
        match *self {
            Self::Independence(mixture) => Box::new(MixtureSampler::new(mixture, d)),
            Self::Mh { scale } => Box::new(Mh::new(scale, d)),
            Self::SaemixMh {
                n_kern1,
                n_kern2,
                n_kern3,
                target_accept,
                adapt_rate,
            } => {
                let sweeps = [n_kern1, n_kern2, n_kern3];
                Box::new(SaemixMh::new(sweeps, target_accept, adapt_rate, d))
            }
            Self::AdaptiveMh {
                adapt_start,
                init_scale,
                eps_reg,
            } => Box::new(AdaptiveMh::new(adapt_start, init_scale, eps_reg, d)),
            Self::Nuts {
                target_accept,
                max_depth,
                n_adapt,
            } => Box::new(Nuts {
                target_accept,
                max_depth,
                n_adapt,
            }),
            Self::Mala {
                target_accept,
                n_adapt,
            } => Box::new(Mala {
                target_accept,
                n_adapt,
            }),
        }
    }
}

impl Default for SamplerOptions {
    fn default() -> Self {
        Self::Independence(KernelSweeps::default())
    }
}

impl KernelSweeps {
    /// Sweeps in an iteration of the smoothing; `brief`: where few draws will do.
    pub fn smoothing(self, brief: bool) -> Self {
        let often = if brief { 2 } else { 8 };
        Self {
            prior: if self.independence > 0 { 0 } else { self.prior },
            independence: often * self.independence,
            ..self
        }
    }

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
}
