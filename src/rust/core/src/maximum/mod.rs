//! Go to the maximum of the likelihood that importance draws give, and say whether it was reached.
//!
//! Both estimators end here: what they found is judged at draws that no step has seen, and a run that falls short goes on.

mod arrival;
mod arrive;
mod ascent;
mod direct;
mod findings;
mod look;
mod maximizer;
mod metric;
mod newton;
mod sampled;
mod sense;
mod spectrum;
mod stance;
mod zero;

pub use arrive::{MaximumSearch, Watch};
pub use ascent::{climb, sizes, Patience, Summit, Surface};
pub use findings::Arrival;
pub use look::Look;
pub use maximizer::{moved, Maximizer, Maximizing};
pub use metric::Metric;
pub use sampled::{normalize, Sampled, StudentProposal};
pub use zero::spreads;
