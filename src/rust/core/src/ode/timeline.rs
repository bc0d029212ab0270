//! Put observations and doses of a lane in the order in which it meets them.

/// Something that happens to a lane at a time.
#[derive(Debug, Clone, PartialEq)]
pub struct Stop {
    pub time: f64,
    pub act: Act,
    /// Derivatives of `time` with respect to inputs: a lag, the end of an infusion.
    pub moves: Vec<InputSlopes>,
}

/// `d value / d input`
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InputSlopes {
    pub input: usize,
    pub slope: f64,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// Deliver the states at this row of the block.
    Observe(usize),
    /// `x[state] += amount * inputs[fraction]`; without a fraction `x[state] += amount`.
    Bolus {
        state: usize,
        amount: f64,
        /// The input that holds the bioavailability.
        fraction: Option<usize>,
    },
    /// `rate[state] += change`
    Rate {
        state: usize,
        change: f64,
        slopes: Vec<InputSlopes>,
    },
    /// States to their initial values, rates to zero.
    Reset,
    /// From here on signals are read from this line of the subject's table.
    Signals(usize),
    /// Run `cycle` (times from 0 to `interval`, both included) from the initial values, or from zero if it adds, again
    /// and again until nothing changes any more; then go on from there, or add it to what was there. The clock stands
    /// still. Each cycle begins with all rates at zero and takes off what it put on; afterwards the rates are those of
    /// before if it adds, else zero. Infusions that are under way follow as stops of their own.
    Steady {
        /// Infinite for an infusion that never ends: the cycle is one `Rate` at time 0, and what is sought is the
        /// state in which nothing moves.
        interval: f64,
        cycle: Vec<Stop>,
        adds: bool,
    },
}

/// Stops of one lane, in order.
pub type Stops = Vec<Stop>;
