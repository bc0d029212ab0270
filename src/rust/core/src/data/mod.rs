//! Turn a data frame into subjects, rows and blocks of lanes.

mod cells;
pub mod covariates;
pub mod derived;
mod dose_clock;
mod event_check;
mod event_record;
pub mod event_use;
pub mod events;
pub mod frame;
pub mod layout;
pub mod records;
mod steps;
mod support;

pub use cells::{CellLayout, Cells};
pub use dose_clock::DoseClock;
pub use events::Events;
pub use frame::{Frame, GroupingColumn};
pub use layout::{Block, Lane, Layout};
pub use records::Records;
