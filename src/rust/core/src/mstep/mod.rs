//! Maximize over the population parameters: routes, statistics they read, scores and information of the complete data.

mod bare;
mod complete;
mod means;
mod newton;
mod score;
mod statistics;
mod step;
mod trust;

pub use complete::add_complete;
pub use newton::{Preconditioner, ScoreMoments, MAX_PARAMETERS};
pub use score::{LanePoint, Scores};
pub use statistics::Statistics;
pub use step::{Annealing, MStep, Step};
pub use trust::{Promise, Trust};
