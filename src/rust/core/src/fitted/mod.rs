//! Hold what an estimator hands over: estimates, how the run ended, its course.

mod status;
mod trace;

use nalgebra::DMatrix;

pub use status::FitStatus;
pub use trace::Trace;

/// What a run of an estimator gives.
#[derive(Debug, Clone)]
pub struct Fit {
    /// The estimate, transformed scale.
    pub theta: Vec<f64>,
    pub status: FitStatus,
    pub evidence: Vec<String>,
    pub trace: Trace,
    pub chains: usize,
    /// Kernel and acceptance rate.
    pub acceptance: Vec<(&'static str, f64)>,
    /// Proposals rejected because their density was not finite.
    pub not_finite: u64,
    /// Conditional means and standard deviations of `phi`, for each grouping `levels x d`, row-major.
    pub cond_mean: Vec<Vec<f64>>,
    pub cond_sd: Vec<Vec<f64>>,
    /// Covariance of the estimate of the free coordinates, transformed scale, when it was learned.
    pub covariance: Option<DMatrix<f64>>,
    pub seconds: f64,
    /// What continues an interrupted run.
    pub state: Option<Vec<u8>>,
    /// Trouble beside the estimation.
    pub warnings: Vec<String>,
}
