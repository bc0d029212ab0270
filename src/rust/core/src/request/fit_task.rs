//! Say what a request for a fit holds.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::grouping::RowGrouping;
use super::method::Method;
use super::values::{given, Fixed, HeldLevels, Named};
use super::{one, FrameColumns};
use crate::data::Frame;
use crate::error::Result;
use crate::language::specification::Specification;
use crate::model::{compile, Model};
use crate::problem::Given;

/// Model, data, where to start, and how to go on.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FitTask {
    #[serde(skip_serializing)]
    pub model: Specification,
    pub data: RowGrouping,
    #[serde(default)]
    pub start: Named,
    #[serde(default)]
    pub fix: Fixed,
    #[serde(default)]
    pub levels: HeldLevels,
    #[serde(default)]
    pub method: Method,
    /// Absent: that of the run which goes on.
    #[serde(default)]
    pub seed: Option<u64>,
    #[serde(default = "one")]
    pub threads: usize,
    /// Effects at which the chains start.
    #[serde(default)]
    pub first: Vec<FirstEffect>,
    /// The run that the fit continues.
    #[serde(default)]
    pub resume: Option<Resume>,
    /// Where the fit leaves its state.
    #[serde(default)]
    pub checkpoint: Option<CheckpointFile>,
    /// Whether the values given are taken for the estimates.
    #[serde(default)]
    pub evaluate: bool,
}

/// Values of a random effect by level.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FirstEffect {
    pub effect: String,
    pub labels: Vec<Json>,
    pub values: Vec<Option<f64>>,
}

/// A state in a file, and what a message calls it.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Resume {
    pub path: PathBuf,
    pub name: String,
}

/// A file for the state, written every so many iterations.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointFile {
    pub path: PathBuf,
    pub every: usize,
}

/// A model and data that might be fitted.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CheckTask {
    #[serde(skip_serializing)]
    pub model: Specification,
    pub data: RowGrouping,
}

impl FitTask {
    /// Starting values and fixed values.
    pub fn given(&self) -> Given {
        given(&self.start, &self.fix, &self.levels)
    }

    /// # Errors
    /// As for `RowGrouping::frame`.
    pub fn frame(&self, columns: FrameColumns) -> Result<Frame> {
        self.data.frame(&self.model, columns)
    }

    /// # Errors
    /// Everything wrong with the model itself.
    pub fn compiled(&self) -> Result<Model> {
        compile(&self.model)
    }

    pub fn seed(&self) -> u64 {
        self.seed.unwrap_or(1)
    }

    /// Whether the user has said how precisely equations are solved.
    pub fn gives_tolerances(&self) -> bool {
        self.model.ode.rtol.is_some() || self.model.ode.atol.is_some()
    }
}
