//! Read the values at which a model is looked at.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::data::Frame;
use crate::error::Result;
use crate::language::specification::Specification;
use crate::model::{compile, Model};
use crate::problem::{Given, Joint};

/// Values of parameters by name: their elements on the natural scale.
pub type Named = BTreeMap<String, Vec<f64>>;

/// What is held, by parameter; without numbers at its start.
pub type Fixed = BTreeMap<String, Option<Vec<f64>>>;

/// Values of random effects held fixed: effect to level to value.
pub type HeldLevels = BTreeMap<String, BTreeMap<String, f64>>;

/// Random effects of each grouping, one list a level.
pub type Effects = Vec<Vec<Vec<f64>>>;

/// Values of the parameters, and what the fit they are of held.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ValuesAt {
    pub parameters: Named,
    /// The same on the transformed scale, to the last bit.
    pub coordinates: Option<Vec<f64>>,
    pub fix: Fixed,
    pub levels: HeldLevels,
}

/// A problem with data from a front end; predictions do without outcomes.
pub type Make = fn(&Model, &Frame, &Given) -> Result<Joint>;

impl ValuesAt {
    /// Starting values and fixed values.
    pub fn given(&self) -> Given {
        given(&self.parameters, &self.fix, &self.levels)
    }

    /// The problem and its `theta`; `apart`: effects whose standard deviation a method takes to zero.
    ///
    /// # Errors
    /// As for a fit, and parameters that are not given.
    pub fn problem(
        &self,
        model: &Specification,
        frame: &Frame,
        apart: Vec<String>,
        make: Make,
    ) -> Result<(Joint, Vec<f64>)> {
        let given = Given {
            apart,
            ..self.given()
        };
        let joint = make(&compile(model)?, frame, &given)?;
        let exact = self.coordinates.as_ref();
        let theta = exact.filter(|theta| theta.len() == joint.theta.len());
        let theta = theta.unwrap_or(&joint.theta.start).clone();
        Ok((joint, theta))
    }
}

/// As the problem reads it.
pub fn given(start: &Named, fix: &Fixed, levels: &HeldLevels) -> Given {
    let each = levels.iter().flat_map(|(effect, levels)| {
        let entries = levels.iter();
        entries.map(move |(level, value)| (effect.clone(), level.clone(), *value))
    });
    Given {
        start: start.clone().into_iter().collect(),
        fix: fix.clone().into_iter().collect(),
        levels: each.collect(),
        ..Given::default()
    }
}
