//! Let a running fit report its progress and be asked to stop.

/// One line of progress, sent once an iteration.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    pub iteration: usize,
    pub total: usize,
    pub phase: &'static str,
    /// Step size of the stochastic approximation.
    pub gain: f64,
    /// Complete-data log-likelihood at the current draws.
    pub objective: f64,
}

/// The other end of a running fit.
pub trait Monitor: Sync {
    fn report(&self, progress: &Progress);
    /// True once the user asked to stop; polled once an iteration and inside long evaluations.
    fn interrupted(&self) -> bool;
}

/// Reports to nobody and never stops.
pub struct Silent;

impl Monitor for Silent {
    fn report(&self, _progress: &Progress) {}
    fn interrupted(&self) -> bool {
        false
    }
}
