//! Maximize over the population parameters: routes, statistics they read, scores and information of the complete data.

mod bare;
mod complete;
mod means;
mod newton;
mod population;
mod score;
mod statistics;
mod step;
mod train;
mod trust;

pub use newton::{Preconditioner, ScoreMoments, MAX_PARAMETERS};
pub use population::{
    add, complete_information, curvature, shorten, total_score, Population, SeenMoments,
};
pub use score::{LanePoint, Scores};
pub use statistics::Statistics;
pub use step::{Annealing, MStep, StepInput};
pub use train::Trainer;
pub use trust::{Trust, TrustedStep};
