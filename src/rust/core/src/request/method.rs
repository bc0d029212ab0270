//! Read which estimator a request asks for, and its options.

use super::Request;
use crate::error::{Error, ErrorClass, Result};
use crate::inference::ebe::EbeOptions;
use crate::saem::SaemOptions;
use crate::vem::options::Errors;
use crate::vem::VemOptions;

/// An estimator and its options.
pub enum Method {
    Saem(Box<SaemOptions>),
    Vem(Box<VemOptions>),
}

/// Bounds by parameter, one value a coordinate.
type Bounds = Vec<(String, Vec<Option<f64>>)>;

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

    /// How the covariance of the estimates is computed.
    pub fn errors(&self) -> Errors {
        match self {
            Self::Saem(_) => Errors::Louis,
            Self::Vem(options) => options.se,
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

    pub fn bounds(&self) -> (&Bounds, &Bounds) {
        match self {
            Self::Saem(options) => (&options.mstep.lb, &options.mstep.ub),
            Self::Vem(options) => (&options.lb, &options.ub),
        }
    }
}

impl Request {
    /// # Errors
    /// An option that is not valid.
    pub fn estimator(&self) -> Result<Method> {
        // Nothing chosen, no options: SAEM, all by default.
        let method = self.method.clone().filter(|method| !method.is_null());
        let method = method.unwrap_or_else(|| serde_json::json!({}));
        let is_vem = method.get("name").is_some_and(|name| name == "vem");
        let read = if is_vem {
            serde_json::from_value(method).map(|options| Method::Vem(Box::new(options)))
        } else {
            serde_json::from_value(method).map(|options| Method::Saem(Box::new(options)))
        };
        read.map_err(|error| {
            let name = if is_vem { "vem" } else { "saem" };
            Error::new(
                ErrorClass::Option,
                "method",
                format!("An option of {name}() is not valid: {error}."),
            )
        })
    }
}
