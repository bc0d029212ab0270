//! Turn a data frame into subjects, rows and blocks of lanes.

pub mod covariates;
mod derived;
mod event_check;
mod event_record;
pub mod event_use;
pub mod events;
pub mod frame;
pub mod layout;
pub mod records;
mod steps;
mod support;

pub use events::Events;
pub use frame::{Frame, Grouping};
pub use layout::{Block, Lane, Layout};
pub use records::Records;
