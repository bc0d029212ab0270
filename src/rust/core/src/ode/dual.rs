//! Carry a number with its derivatives with respect to the inputs of a dose.

use std::ops::{Add, Div, Mul};

use super::timeline::InputSlopes;

/// Lag, bioavailability, and rate or duration.
const MOST: usize = 3;

/// A number that depends on up to [`MOST`] inputs.
#[derive(Debug, Clone, Copy)]
pub struct Dual {
    pub value: f64,
    slopes: [InputSlopes; MOST],
    n: usize,
}

impl Dual {
    pub fn constant(value: f64) -> Self {
        let none = InputSlopes {
            input: 0,
            slope: 0.0,
        };
        Self {
            value,
            slopes: [none; MOST],
            n: 0,
        }
    }

    pub fn input(input: usize, value: f64) -> Self {
        let mut dual = Self::constant(value);
        dual.slopes[0] = InputSlopes { input, slope: 1.0 };
        dual.n = 1;
        dual
    }

    pub fn slopes(&self) -> &[InputSlopes] {
        &self.slopes[..self.n]
    }

    /// The same derivatives at another value.
    pub fn at(self, value: f64) -> Self {
        Self { value, ..self }
    }

    /// `a self + b other` in the derivatives.
    fn combined(self, other: &Self, value: f64, a: f64, b: f64) -> Self {
        let mut sum = Self {
            value,
            ..Self::constant(0.0)
        };
        for (dual, factor) in [(&self, a), (other, b)] {
            for InputSlopes { input, slope } in dual.slopes() {
                sum.add_slope(*input, factor * slope);
            }
        }
        sum
    }

    fn add_slope(&mut self, input: usize, slope: f64) {
        let known = self.slopes[..self.n].iter_mut().find(|s| s.input == input);
        if let Some(known) = known {
            known.slope += slope;
        } else if let Some(free) = self.slopes.get_mut(self.n) {
            *free = InputSlopes { input, slope };
            self.n += 1;
        }
    }
}

impl Add for Dual {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.combined(&other, self.value + other.value, 1.0, 1.0)
    }
}

impl Mul for Dual {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        self.combined(&other, self.value * other.value, other.value, self.value)
    }
}

impl Div for Dual {
    type Output = Self;

    fn div(self, other: Self) -> Self {
        let value = self.value / other.value;
        self.combined(&other, value, 1.0 / other.value, -value / other.value)
    }
}

impl Add<f64> for Dual {
    type Output = Self;

    fn add(self, other: f64) -> Self {
        self.at(self.value + other)
    }
}

impl Mul<f64> for Dual {
    type Output = Self;

    fn mul(self, other: f64) -> Self {
        self * Self::constant(other)
    }
}
