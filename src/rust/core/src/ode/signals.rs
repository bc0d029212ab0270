//! Hold the data of one subject that change while its equations are solved.

use super::interpolate::Interpolant;

/// Values of all signals at the records, and the courses of those that do not jump.
#[derive(Debug, Clone, Default)]
pub struct Signals {
    /// `[line][signal]`; a stop [`super::Act::Signals`] says from when on a line holds. The first line holds from the
    /// start.
    pub lines: Vec<Vec<f64>>,
    /// Signals with a smooth course, by their index: evaluated at every time instead of read from a line.
    pub courses: Vec<(usize, Interpolant)>,
}
