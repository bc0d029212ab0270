//! Put observations and doses of a lane in the order in which it meets them.

/// Something that happens to a lane at a time.
#[derive(Debug, Clone, PartialEq)]
pub struct Stop {
    pub time: f64,
    pub act: Act,
    /// Derivatives of `time` with respect to inputs: a lag, the end of an infusion.
    pub moves: Vec<Slope>,
}

/// `d value / d input`
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slope {
    pub input: usize,
    pub slope: f64,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// Deliver the states at this row of the block.
    Observe(usize),
    /// `x[state] += amount`, with the derivatives of the amount.
    Bolus {
        state: usize,
        amount: f64,
        slopes: Vec<Slope>,
    },
    /// `rate[state] += change`
    Rate {
        state: usize,
        change: f64,
        slopes: Vec<Slope>,
    },
    /// States to their initial values, rates to zero.
    Reset,
    /// From here on signals are read from this line of the subject's table.
    Signals(usize),
    /// Run `cycle` (times from 0 to `interval`) from the initial values, or from zero if it adds, again and again until
    /// nothing changes any more; then go on from there, or add it to what was there. Rates that are still on at the
    /// end of a cycle stay on. The clock stands still.
    Steady {
        interval: f64,
        cycle: Vec<Stop>,
        adds: bool,
    },
}

/// Stops of one lane, in order.
pub type Stops = Vec<Stop>;
