//! Hold what the data say a subject was given.

/// Doses and resets of one subject.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Schedule {
    /// Time at which the initial values hold: that of the subject's first record.
    pub start: f64,
    /// In the order of time, then of `order`; additional doses written out.
    pub events: Vec<Event>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub time: f64,
    /// Position of the record among the subject's records, which decides between events and observations of one time.
    pub order: f64,
    pub kind: EventKind,
}

#[derive(Debug, Clone, PartialEq)]
pub enum EventKind {
    /// All states return to their initial values; what was still to come of earlier doses is lost.
    Reset,
    /// `amount` into `state`, in units of the state.
    Dose {
        state: usize,
        amount: f64,
        course: Course,
        /// The dose is the last of infinitely many.
        steady: Option<Steady>,
    },
}

/// How an amount comes in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Course {
    Bolus,
    /// Infusion at this rate.
    Rate(f64),
    /// Infusion at the rate of the model (`RATE = -1`).
    ModeledRate,
    /// Infusion over the duration of the model (`RATE = -2`).
    ModeledDuration,
    /// Constant infusion at this rate without end, at steady state (`AMT = 0, SS = 1`).
    Endless(f64),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Steady {
    /// Time between the doses.
    pub interval: f64,
    /// Added to what is there (`SS = 2`) instead of taking its place (`SS = 1`).
    pub adds: bool,
}
