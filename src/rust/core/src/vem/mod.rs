//! Fit by variational EM: the bound, the best distribution of every batch, the population, the polish.
//!
//! Sources: Opper & Archambeau (2009); Blei, Kucukelbir & McAuliffe (2017).

mod ascent;
mod bound;
mod check;
mod fit;
mod inner;
mod mixing;
pub mod options;
mod penalty;
mod polish;
mod population;
mod profile;
mod rule;
mod start;
mod verdict;

pub use check::{bound, Elbo};
pub use fit::{fit, VemFit};
pub use options::VemOptions;
pub use rule::Rule;
