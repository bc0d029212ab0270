//! Hold what the data say a subject was given.

/// Doses and resets of one subject.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DosingSchedule {
    /// Time at which the initial values hold: 0, or that of the subject's first record if it is earlier.
    pub start: f64,
    /// In the order of time; of one time, additional doses first, then in the order of records. Additional doses are
    /// written out up to the subject's last record.
    pub events: Vec<Event>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Without the lag of the dose.
    pub time: f64,
    /// Position among the subject's records of the record that says so. Events and observations of one time take their
    /// turns by it, and a reset cancels what earlier records still have to give.
    pub record: usize,
    /// An additional dose (`ADDL`). Like a lagged dose it has no record at its time and comes before all that have.
    pub additional: bool,
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
        course: Administration,
        /// The dose is the last of infinitely many.
        steady: Option<Steady>,
    },
}

/// How an amount comes in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Administration {
    Bolus,
    /// Infusion at this rate.
    Rate(f64),
    /// Infusion over this time, whatever part of the amount is available.
    Duration(f64),
    /// Infusion at the rate of the model (`RATE = -1`).
    ModeledRate,
    /// Infusion over the duration of the model (`RATE = -2`).
    ModeledDuration,
    /// Infusion at this rate since ever, which ends at the time of the record (`AMT = 0`, `SS = 1`). It has no lag.
    Endless(f64),
    /// The same at the rate of the model (`RATE = -1`).
    EndlessModeled,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Steady {
    /// Time between the doses; infinite for an endless infusion.
    pub interval: f64,
    /// Added to what is there (`SS = 2`) instead of taking its place (`SS = 1`).
    pub adds: bool,
}

impl EventKind {
    /// Whether it ends infusions and takes back additional and lagged doses of earlier records.
    pub fn cancels(&self) -> bool {
        match self {
            Self::Reset => true,
            Self::Dose { steady, .. } => steady.is_some_and(|s| !s.adds),
        }
    }
}
