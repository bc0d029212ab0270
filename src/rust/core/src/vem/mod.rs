//! Fit by variational EM: the bound, the best distribution of every batch, the population, the polish.
//!
//! Sources: Opper & Archambeau (2009); Blei, Kucukelbir & McAuliffe (2017).

mod bending;
mod bent;
mod bound;
mod check;
mod course;
mod fit;
mod flow;
mod inner;

mod mixing;
mod noisy;
pub mod options;
mod plan;

mod independent;
mod profile;
mod promise;
mod rule;
mod stochastic;
mod verdict;
mod visits;

pub use check::{bound, Elbo};
pub use fit::{bring, fit, VemFit};
pub use flow::{FlowLayers, Layer};
pub use options::VemOptions;
pub use rule::PointRule;
