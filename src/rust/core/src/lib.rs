//! Nonlinear mixed effects models: the language, the program over columns, and its estimators.

pub mod data;
pub mod distributions;
pub mod error;
pub mod fitted;
pub mod inference;
pub mod ir;
pub mod keep;
pub mod language;
pub mod maximum;
pub mod model;
pub mod monitor;
pub mod mstep;
pub mod ode;
pub mod optimizer;
pub mod parallel;
pub mod problem;
pub mod random;
pub mod reply;
pub mod request;
pub mod saem;
pub mod samplers;
pub mod vem;
