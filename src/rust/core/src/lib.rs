//! Nonlinear mixed effects models: the language, the program over columns, and its estimators.

pub mod error;
pub mod monitor;
pub mod reply;
pub mod request;
