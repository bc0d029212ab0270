//! Say what one block of lanes asks of a solver, and how it can end.

use super::signals::Signals;
use super::timeline::Stops;
use crate::ir::column::{Column, LANES};

/// One block: up to 64 lanes, each with a course of its own.
pub struct Task<'a> {
    /// One column an input.
    pub inputs: &'a [Column],
    /// For each lane in use: when its initial values hold, and what it meets from then on.
    pub lanes: &'a [LaneTask<'a>],
}

#[derive(Debug, Clone, Copy)]
pub struct LaneTask<'a> {
    pub start: f64,
    pub stops: &'a Stops,
    pub signals: &'a Signals,
}

/// What is delivered at every observation.
///
/// One column a state wanted, then for each of them one column an input: `d state / d input`, state after state. Row `r`
/// begins at column `r * width()`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deliveries {
    pub states: Vec<usize>,
    /// Inputs with respect to which derivatives are carried forward; none for values only.
    pub inputs: Vec<usize>,
}

impl Deliveries {
    pub fn width(&self) -> usize {
        self.states.len() * (1 + self.inputs.len())
    }

    /// Column of `d states[s] / d inputs[j]` within a row.
    pub fn slope(&self, s: usize, j: usize) -> usize {
        self.states.len() + s * self.inputs.len() + j
    }
}

/// Why a lane has no solution; its rows are NaN from there on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Failure {
    /// More steps than `Control::max_steps`.
    TooManySteps,
    /// More steps than `Control::stiff_after`: another solver may try ([`super::Solver::Auto`]).
    LooksStiff,
    /// The step size fell below what the time can tell apart.
    StepTooSmall,
    /// The right-hand side, or an input, is not finite.
    NotFinite,
    /// Repeated doses did not come to a steady state.
    NoSteadyState,
    /// A lag below zero, a modeled rate or duration that is not above zero, or an infusion of a negative amount.
    ImpossibleDose,
}

/// Why each lane of a block has no solution.
pub(super) type LaneFailures = [Option<Failure>; LANES];
