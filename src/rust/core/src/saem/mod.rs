//! Fit by stochastic approximation EM: schedule, E-step, statistics, M-step, convergence.
//!
//! Sources: Delyon, Lavielle & Moulines (1999); Kuhn & Lavielle (2005).

mod adapt;
mod batches;
mod collapse;
mod convergence;
mod estep;
mod exchange;
mod finish;
mod fit;
mod floors;
mod gradient;
mod hooks;
mod means;
mod mstep;
mod newton;
mod optimizer;
pub mod options;
mod part;
mod run;
mod schedule;
mod score;
mod smoother;
mod start;
mod statistics;
mod streaks;
mod trace;
mod turns;

pub use fit::{fit, Fit, FitStatus};
pub use optimizer::{Derivative, OptimizerOptions};
pub use options::SaemOptions;
pub use schedule::{Phase, Schedule};
pub use trace::Trace;
