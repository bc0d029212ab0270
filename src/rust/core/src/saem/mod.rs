//! Fit by stochastic approximation EM: schedule, E-step, statistics, M-step, convergence.
//!
//! Sources: Delyon, Lavielle & Moulines (1999); Kuhn & Lavielle (2005).

mod adapt;
mod checkpoint;
mod convergence;
mod estep;
mod exchange;
mod fit;
mod gradient;
mod means;
mod mstep;
mod newton;
mod optimizer;
pub mod options;
mod part;
mod resume;
mod run;
mod schedule;
mod score;
mod smoother;
mod start;
mod statistics;
mod trace;
mod turns;

pub use checkpoint::{Checkpoint, Checksum, Identity, Saved};
pub use fit::{fit, fit_on, Course, Fit, FitStatus};
pub use optimizer::{Derivative, OptimizerOptions};
pub use options::SaemOptions;
pub use schedule::{Phase, Schedule};
pub use trace::Trace;
