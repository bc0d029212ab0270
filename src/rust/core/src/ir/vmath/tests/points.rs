//! Place test points: log-uniform in size, uniform in a range, or crowding around a number.

/// Where points are placed.
#[derive(Clone, Copy, Debug)]
pub enum Band {
    /// Uniform between two numbers.
    Uniform(f64, f64),
    /// Size log-uniform between two positive numbers.
    Positive(f64, f64),
    /// The opposite of `Positive`.
    Negative(f64, f64),
    /// Both signs of `Positive`.
    Both(f64, f64),
    /// `center (1 + e)`, `e` of either sign and log-uniform from one ulp to `width`.
    Near(f64, f64),
    /// `center (1 - e)`, as above.
    Below(f64, f64),
    /// Doubles nearest to multiples of `pi/2`, up to this multiple.
    QuarterTurns(f64),
    /// Integers and halves up to a number, and their neighbors.
    Halves(f64),
}

/// A reproducible sequence of random words (splitmix64, Steele et al. 2014).
pub struct Words(pub u64);

impl Words {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 * (0.5 * f64::EPSILON)
    }

    fn sign(&mut self) -> f64 {
        if self.next() >> 63 == 0 {
            1.0
        } else {
            -1.0
        }
    }

    /// Bit patterns of positive doubles are nearly logarithms: uniform bits are log-uniform numbers.
    fn log_uniform(&mut self, low: f64, high: f64) -> f64 {
        let span = high.to_bits() - low.to_bits() + 1;
        f64::from_bits(low.to_bits() + ((u128::from(self.next()) * u128::from(span)) >> 64) as u64)
    }

    /// A point of the band.
    pub fn point(&mut self, band: Band) -> f64 {
        match band {
            Band::Uniform(low, high) => low + (high - low) * self.unit(),
            Band::Positive(low, high) => self.log_uniform(low, high),
            Band::Negative(low, high) => -self.log_uniform(low, high),
            Band::Both(low, high) => self.sign() * self.log_uniform(low, high),
            Band::Near(center, width) => {
                center * (1.0 + self.sign() * self.log_uniform(f64::EPSILON, width))
            }
            Band::Below(center, width) => center * (1.0 - self.log_uniform(f64::EPSILON, width)),
            Band::QuarterTurns(most) => {
                (self.unit() * most).round().max(1.0) * std::f64::consts::FRAC_PI_2
            }
            Band::Halves(most) => {
                let x = (2.0 * most * self.unit()).round().max(1.0) * 0.5;
                f64::from_bits(x.to_bits() + self.next() % 5 - 2)
            }
        }
    }
}
