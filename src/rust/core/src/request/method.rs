//! Read which estimator a request asks for, and its options.

use serde::{Deserialize, Serialize};

use crate::inference::ebe::EbeOptions;
use crate::inference::options::Inference;
use crate::saem::SaemOptions;
use crate::vem::VemOptions;

/// An estimator and its options.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum Method {
    Saem(Box<SaemOptions>),
    Vem(Box<VemOptions>),
}

/// Nothing chosen: SAEM, all by default.
impl Default for Method {
    fn default() -> Self {
        Self::Saem(Box::default())
    }
}

/// Bounds by parameter, one value a coordinate.
type GivenBounds = Vec<(String, Vec<Option<f64>>)>;

impl Method {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Saem(_) => "saem",
            Self::Vem(_) => "vem",
        }
    }

    /// How the modes are searched.
    pub fn ebe(&self) -> &EbeOptions {
        match self {
            Self::Saem(options) => &options.ebe,
            Self::Vem(options) => &options.ebe,
        }
    }

    /// How likelihood and standard errors are computed at the estimates.
    pub fn inference(&self) -> &Inference {
        match self {
            Self::Saem(options) => &options.inference,
            Self::Vem(options) => &options.inference,
        }
    }

    /// Effects that become their means.
    pub fn collapsed(&self) -> Vec<String> {
        match self {
            Self::Saem(options) => {
                let collapsed = options.anneal.anneal_to_fixed.iter();
                collapsed.map(|c| c.effect.clone()).collect()
            }
            Self::Vem(_) => Vec::new(),
        }
    }

    pub fn bounds(&self) -> (&GivenBounds, &GivenBounds) {
        match self {
            Self::Saem(options) => (&options.mstep.lb, &options.mstep.ub),
            Self::Vem(options) => (&options.lb, &options.ub),
        }
    }
}
