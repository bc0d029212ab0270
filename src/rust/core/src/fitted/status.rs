//! Name the ways in which a run ends.

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FitStatus {
    Converged,
    MaxIterations,
    /// Nothing pulls the parameters on, but not because they are at a maximum that the data determine.
    Stalled,
    NotFinite,
    Interrupted,
    /// Nothing ran: the values are those that were given.
    Evaluated,
}

impl FitStatus {
    pub fn code(self) -> &'static str {
        match self {
            Self::Converged => "converged",
            Self::MaxIterations => "max_iterations",
            Self::Stalled => "stalled",
            Self::NotFinite => "not_finite",
            Self::Interrupted => "interrupted",
            Self::Evaluated => "evaluated",
        }
    }
}
