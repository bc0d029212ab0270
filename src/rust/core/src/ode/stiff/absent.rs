//! Stand in for the solver in a build without the feature `stiff`.

use super::field::Setting;
use super::walk::{Budget, Deliver, Point, Segment};
use crate::ode::task::Failure;

/// Whether this build holds the solver.
pub const AVAILABLE: bool = false;

pub fn integrate(
    _setting: &mut Setting,
    _point: &mut Point,
    _segment: &Segment,
    _budget: &mut Budget,
    _deliver: Deliver,
) -> Result<(), Failure> {
    Err(Failure::LooksStiff)
}
