//! Turn a data frame into subjects, rows and blocks of lanes.

pub mod covariates;
mod derived;
pub mod frame;
pub mod layout;
pub mod records;
mod steps;
mod support;

pub use frame::{Frame, Grouping};
pub use layout::{Block, Lane, Layout};
pub use records::Records;
