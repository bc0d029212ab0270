//! Hold the values of one quantity for the 64 lanes of a block.

/// Lanes of a block; a lane is one subject in one chain, or at one node of a rule.
pub const LANES: usize = 64;

/// One value for each lane, aligned to a cache line.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C, align(64))]
pub struct Column(pub [f64; LANES]);

impl Column {
    pub const ZERO: Column = Column([0.0; LANES]);

    pub fn splat(value: f64) -> Self {
        Self([value; LANES])
    }
}

impl Default for Column {
    fn default() -> Self {
        Self::ZERO
    }
}
