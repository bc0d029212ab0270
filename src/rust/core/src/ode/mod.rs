//! Solve the differential equations of a model for 64 lanes at a time, with doses and derivatives.
//!
//! `dx/dt = rhs(x, t, inputs, signals) + rates`, from `x(start) = initial`. *Inputs* are values of the subject (clearance
//! over volume, say) that the outer program computes before; derivatives are taken with respect to them. *Signals*
//! are data that change with time. A lane meets a list of [`Stop`]s in order: observations, doses, starts and ends of
//! infusions, resets. Between two of them the equations run undisturbed.

pub mod agenda;
mod block;
mod counts;
mod difference;
mod dual;
mod dynamics;
pub mod explicit;
mod fallback;
mod implicit;
mod inflow;
pub mod interpolate;
mod lanes;
pub mod linear;
pub mod program;
pub mod pull;
pub mod schedule;
pub mod signals;
mod steady;
pub mod stiff;
pub mod system;
mod tangent;
pub mod task;
pub mod timeline;

pub use agenda::{Agenda, Observation, Planner, Variant};
pub use block::{BlockSolver, Recorded};
pub use counts::Counts;
pub use dynamics::{Dynamics, RecordTime, Since, Subject};
pub use explicit::{Adjoint, Explicit, LanesOutcome};
pub use lanes::Lanes;
pub use linear::March;
pub use schedule::{Administration, DosingSchedule, Event, EventKind, Steady};
pub use signals::{Line, Signals};
pub use stiff::Stiff;
pub use system::{Accrual, Control, Dosing, Solver, System};
pub use task::{Deliveries, Failure, LaneTask, Task};
pub use timeline::{Act, InputSlopes, Stop, Stops};
