//! Solve stiff equations for one lane at a time by an implicit method.
//!
//! Between two stops that change something the equations run undisturbed (`bdf`); `walk` does what the stops say, and
//! `steady` finds what repeated doses lead to. Derivatives by inputs are carried along as
//! `dS/dt = J S + df/dinput`; at a stop whose time moves with an input, `S+ = S- + (f before - f after) dtime/dinput`.

#[cfg(not(feature = "stiff"))]
mod absent;
#[cfg(feature = "stiff")]
mod bdf;
#[cfg(feature = "stiff")]
mod equations;
#[cfg(feature = "stiff")]
mod field;
#[cfg(feature = "stiff")]
mod formula;
#[cfg(feature = "stiff")]
mod lane;
#[cfg(feature = "stiff")]
mod steady;
#[cfg(feature = "stiff")]
mod walk;

#[cfg(not(feature = "stiff"))]
pub use absent::Stiff;
#[cfg(feature = "stiff")]
pub use lane::Stiff;

/// Whether this build holds the solver.
pub const AVAILABLE: bool = cfg!(feature = "stiff");

/// Work of one solution.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    pub steps: usize,
    /// Steps tried in vain.
    pub rejected: usize,
    /// Times that the method began anew.
    pub starts: usize,
}
