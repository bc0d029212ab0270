//! Maximize the numerical part of the M-step.

mod options;

pub use options::{Derivative, OptimizerOptions};
