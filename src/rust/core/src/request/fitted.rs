//! What every task after a fit knows of it: model, data, estimates, and by which options they were found.

use serde::{Deserialize, Serialize};

use super::grouping::RowGrouping;
use super::method::Method;
use super::modes::ModesAsked;
use super::values::{Effects, ValuesAt};
use super::{one, FrameColumns};
use crate::error::Result;
use crate::inference::importance::{ImportanceSampling, REPLICATES};
use crate::inference::options::Inference;
use crate::language::specification::Specification;
use crate::parallel::Workers;
use crate::problem::{EffectValues, Joint};

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Fitted {
    #[serde(skip_serializing)]
    pub model: Specification,
    pub data: RowGrouping,
    #[serde(default)]
    pub at: ValuesAt,
    /// Where the fit began, on the transformed scale.
    #[serde(default)]
    pub began: Option<Vec<f64>>,
    /// Conditional means of the random effects, where they are known.
    #[serde(default)]
    pub random: Option<Effects>,
    #[serde(default)]
    pub method: Method,
    #[serde(default = "one")]
    pub seed: u64,
    #[serde(default = "one")]
    pub threads: usize,
}

/// A fit ready to be asked.
pub struct Ready {
    pub joint: Joint,
    pub theta: Vec<f64>,
    pub workers: Workers,
    pub seed: u64,
}

impl Fitted {
    /// # Errors
    /// Everything wrong with the model or the data, threads that cannot be started.
    pub fn ready(&self, columns: FrameColumns) -> Result<Ready> {
        let frame = self.data.frame(&self.model, columns)?;
        let apart = self.method.collapsed();
        let (joint, theta) = self
            .at
            .problem(&self.model, &frame, apart, Joint::at_values)?;
        Ok(Ready {
            joint,
            theta,
            workers: Workers::new(self.threads)?,
            seed: self.seed,
        })
    }

    /// Modes at the estimates.
    ///
    /// # Errors
    /// As for the search.
    pub fn modes(&self, ready: &Ready) -> Result<EffectValues> {
        let asked = ModesAsked::of_fit(self, &ready.joint, &ready.theta)?;
        Ok(asked
            .find(&ready.joint, &ready.theta, &ready.workers)?
            .points)
    }
}

impl Ready {
    /// Draws as they are asked for.
    pub fn sampling(&self, asked: &Inference) -> ImportanceSampling<'_> {
        sampling(&self.joint, &self.theta, (self.seed, &self.workers), asked)
    }
}

/// Draws at `theta` as they are asked for.
pub fn sampling<'a>(
    joint: &'a Joint,
    theta: &'a [f64],
    (seed, workers): (u64, &'a Workers),
    asked: &Inference,
) -> ImportanceSampling<'a> {
    ImportanceSampling {
        trusts: false,
        joint,
        theta,
        workers,
        seed,
        // Without effects one draw is as good as many.
        draws: if super::direct::is_direct(joint) {
            REPLICATES
        } else {
            asked.draws_or_usual()
        },
    }
}
