//! Turn a data frame into subjects, rows and blocks of lanes.

pub mod covariates;
pub mod frame;
pub mod interpolate;
pub mod layout;
pub mod records;

pub use frame::Frame;
pub use layout::{Block, Lane, Layout};
pub use records::Records;
