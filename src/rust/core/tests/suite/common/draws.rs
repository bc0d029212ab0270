//! Draw with the generator of the tests, compare draws with a distribution function, evaluate nodes at given leaves.

use std::convert::Infallible;

use nlmers_core::ir::graph::{Graph, Node};
use nlmers_core::ir::scalar::{LeafValues, ScalarProgram};
use rand::TryRng;

use super::data::Generator;

/// The generator of the tests as one of `rand`.
pub struct Bits(pub Generator);

impl TryRng for Bits {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((self.0.bits() >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0.bits())
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        out.fill_with(|| (self.0.bits() >> 56) as u8);
        Ok(())
    }
}

/// `theta` and one coordinate of `phi`; every data column is 1.
pub struct Here<'a> {
    pub theta: &'a [f64],
    pub phi: f64,
}

impl LeafValues for Here<'_> {
    fn data(&self, _column: usize) -> f64 {
        1.0
    }

    fn theta(&self, coordinate: usize) -> f64 {
        self.theta[coordinate]
    }

    fn phi(&self, _coordinate: usize) -> f64 {
        self.phi
    }
}

pub fn evaluate(graph: &Graph, roots: &[Node], leaves: &Here<'_>) -> Vec<f64> {
    ScalarProgram::new(graph, roots).evaluate(graph, leaves, &mut Vec::new())
}

pub const N: usize = 40_000;

/// The largest distance between the share of draws up to a point and `below(point)`, in standard errors.
pub fn distance(draws: &mut [f64], points: &[(f64, f64)]) -> f64 {
    draws.sort_by(f64::total_cmp);
    assert!(!draws[N - 1].is_nan(), "a draw is NaN");
    let points = points.iter().filter(|(_, p)| *p > 0.001 && *p < 0.999);
    let gaps = points.map(|(x, p)| {
        let share = draws.partition_point(|y| y <= x) as f64 / N as f64;
        (share - p).abs() / (p * (1.0 - p) / N as f64).sqrt()
    });
    gaps.fold(0.0, f64::max)
}
