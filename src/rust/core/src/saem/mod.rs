//! Fit by stochastic approximation EM: schedule, E-step, statistics, M-step, convergence.
//!
//! Sources: Delyon, Lavielle & Moulines (1999); Kuhn & Lavielle (2005).

mod averaged;
mod batches;
mod checkpoint;
mod collapse;
mod conditional;
mod convergence;
mod drawing;
pub mod estep;
mod exchange;
mod finish;
mod fit;
mod floors;
mod follow;
mod gradient;
mod hooks;
mod numeric;
mod objective;
pub mod options;
mod part;
mod resume;
mod routes;
mod run;
mod schedule;
mod smoother;
mod stall;
mod store;
mod streaks;
mod train;
mod turns;

pub use crate::fitted::{Fit, FitStatus, Trace};
use crate::optimizer;
pub use crate::optimizer::{Derivative, OptimizerOptions};
pub use checkpoint::{CheckpointPlan, Checksum, Identity, SavedRun};
pub use conditional::{conditional_samples, ConditionalSampling, Samples};
pub use fit::{fit, fit_on, RunEnds};
pub use options::SaemOptions;
pub use routes::choose_routes;
pub use schedule::{Phase, RunSchedule};
