//! Fit by stochastic approximation EM: schedule, E-step, statistics, M-step, convergence.
//!
//! Sources: Delyon, Lavielle & Moulines (1999); Kuhn & Lavielle (2005).

mod adapt;
mod bare;
mod convergence;
mod estep;
mod exchange;
mod fit;
mod gradient;
mod means;
mod mstep;
mod newton;
pub mod options;
mod part;
mod run;
mod schedule;
mod score;
mod smoother;
mod start;
mod statistics;
mod trace;
mod turns;

use crate::optimizer;
pub use crate::optimizer::{Derivative, OptimizerOptions};
pub use fit::{fit, Fit, FitStatus};
pub use options::SaemOptions;
pub use schedule::{Phase, Schedule};
pub use trace::Trace;
