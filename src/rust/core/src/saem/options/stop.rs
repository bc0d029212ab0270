//! Options of the convergence test.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ConvergenceTest {
    /// All iterations are run; the last windows of them are compared.
    #[default]
    Windowed,
    /// The run ends when parameters and objective have hardly moved for some iterations in a row.
    Consecutive,
}

#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct StopOptions {
    pub convergence_test: ConvergenceTest,
    /// Largest change of a coordinate, relative to the largest coordinate if that exceeds one, and absolute.
    #[serde(deserialize_with = "tolerance")]
    pub rtol_theta: f64,
    #[serde(deserialize_with = "tolerance")]
    pub atol_theta: f64,
    /// The same for the objective.
    #[serde(rename = "rtol_Q", deserialize_with = "tolerance")]
    pub rtol_q: f64,
    #[serde(rename = "atol_Q", deserialize_with = "tolerance")]
    pub atol_q: f64,
    /// Iterations in a row.
    pub consecutive_params: usize,
}

impl Default for StopOptions {
    fn default() -> Self {
        Self {
            convergence_test: ConvergenceTest::Windowed,
            rtol_theta: 5e-5,
            atol_theta: 5e-7,
            rtol_q: 5e-5,
            atol_q: 5e-7,
            consecutive_params: 4,
        }
    }
}

/// JSON has no infinity: null stands for it.
fn tolerance<'de, D: serde::Deserializer<'de>>(source: D) -> Result<f64, D::Error> {
    Ok(Option::<f64>::deserialize(source)?.unwrap_or(f64::INFINITY))
}
