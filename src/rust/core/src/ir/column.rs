//! Hold the values of one quantity for the 64 lanes of a block.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

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

/// `sums[j] += weights[l] * columns[j][l]` over the first `n` lanes, added one after another: the bits are those of a
/// plain loop over lanes, the sums only take turns.
pub fn add_products<'a>(
    sums: &mut [f64],
    weights: &[f64; LANES],
    columns: impl ExactSizeIterator<Item = &'a Column> + Clone,
    n: usize,
) {
    const TURNS: usize = 4;
    for first in (0..sums.len()).step_by(TURNS) {
        let mut taken = columns.clone().skip(first);
        let mut four = [&Column::ZERO; TURNS];
        let mut own = [0.0; TURNS];
        for j in 0..TURNS.min(sums.len() - first) {
            four[j] = taken.next().unwrap_or(&Column::ZERO);
            own[j] = sums[first + j];
        }
        for l in 0..n.min(LANES) {
            for j in 0..TURNS {
                own[j] += weights[l] * four[j].0[l];
            }
        }
        for (sum, own) in sums[first..].iter_mut().zip(own) {
            *sum = own;
        }
    }
}

impl Serialize for Column {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.as_slice().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Column {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let values = Vec::<f64>::deserialize(deserializer)?;
        let wrong = |values: Vec<f64>| D::Error::invalid_length(values.len(), &"64 lanes");
        values.try_into().map(Self).map_err(wrong)
    }
}

impl Default for Column {
    fn default() -> Self {
        Self::ZERO
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_products_have_the_bits_of_a_plain_loop() {
        let column = |k: usize| {
            Column(std::array::from_fn(|l| {
                ((l * 7 + k * 3) as f64).sin() * 1e3
            }))
        };
        let columns: Vec<Column> = (0..6).map(column).collect();
        let weights: [f64; LANES] = std::array::from_fn(|l| (l as f64).cos());
        for n in [0, 1, 63, 64] {
            let mut sums = [0.1; 6];
            add_products(&mut sums, &weights, columns.iter(), n);
            for (sum, column) in sums.iter().zip(&columns) {
                let plain = (0..n).fold(0.1, |sum, l| sum + weights[l] * column.0[l]);
                assert_eq!(sum.to_bits(), plain.to_bits());
            }
        }
    }
}
