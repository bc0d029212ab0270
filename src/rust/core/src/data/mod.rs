//! Turn a data frame into subjects, rows and blocks of lanes.

pub mod derived;
mod frame;
pub mod layout;
pub mod records;
mod support;

pub use frame::Frame;
pub use layout::{Block, Lane, Layout};
pub use records::Records;
