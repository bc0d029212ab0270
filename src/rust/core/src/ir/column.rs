//! Hold the values of one quantity for the 64 lanes of a block.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Lanes of a block; a lane is one subject in one chain, or at one node of a rule.
pub const LANES: usize = 64;

/// One value for each lane, aligned to a cache line.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C, align(64))]
pub struct Column(pub [f64; LANES]);

impl Column {
    pub const ZERO: Column = Column([0.0; LANES]);

    pub fn splat(value: f64) -> Self {
        Self([value; LANES])
    }
}

impl Serialize for Column {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.as_slice().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Column {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let values = Vec::<f64>::deserialize(deserializer)?;
        let wrong = |values: Vec<f64>| D::Error::invalid_length(values.len(), &"64 lanes");
        values.try_into().map(Self).map_err(wrong)
    }
}

impl Default for Column {
    fn default() -> Self {
        Self::ZERO
    }
}
