//! Carry the rounding error of an operation along as a second number.
//!
//! A `Double` stands for the unevaluated sum `hi + lo` with `|lo| <= ulp(hi) / 2`, about 106 bits (Dekker 1971).
//! Without fused multiply-add a product is made exact by cutting both factors after their upper 26 bits.

/// The sum of two numbers, the second of which is small beside the first.
#[derive(Clone, Copy, Debug)]
pub struct Double {
    /// The leading part.
    pub hi: f64,
    /// What the leading part lacks.
    pub lo: f64,
}

/// 1.5 * 2^52: adding it rounds a number below 2^51 to an integer held in the low bits of the sum.
pub const ROUND: f64 = 6755399441055744.0;

/// `condition ? a : b`, never a branch: a branch would keep the loop around it from becoming vector code.
#[inline(always)]
pub fn select(condition: bool, a: f64, b: f64) -> f64 {
    std::hint::select_unpredictable(condition, a, b)
}

/// `a * b + c`, rounded once with FMA and twice without.
#[inline(always)]
pub fn madd<const FMA: bool>(a: f64, b: f64, c: f64) -> f64 {
    if FMA {
        a.mul_add(b, c)
    } else {
        a * b + c
    }
}

/// The polynomial with these coefficients, the highest power first, at `x`.
///
/// A long sum is split into even and odd powers: two short chains of operations overlap where one long chain waits.
#[inline(always)]
pub fn horner<const FMA: bool, const N: usize>(x: f64, coefficients: &[f64; N]) -> f64 {
    if N < 12 {
        return coefficients[1..]
            .iter()
            .fold(coefficients[0], |sum, &c| madd::<FMA>(sum, x, c));
    }
    let square = x * x;
    let mut first = coefficients[0];
    let mut second = coefficients[1];
    for i in (2..N).step_by(2) {
        first = madd::<FMA>(first, square, coefficients[i]);
    }
    for i in (3..N).step_by(2) {
        second = madd::<FMA>(second, square, coefficients[i]);
    }
    if N.is_multiple_of(2) {
        madd::<FMA>(first, x, second)
    } else {
        madd::<FMA>(second, x, first)
    }
}

/// The exact sum of `a` and `b` when `|a| >= |b|` or `a == 0`.
#[inline(always)]
pub fn fast_two_sum(a: f64, b: f64) -> Double {
    let hi = a + b;
    Double {
        hi,
        lo: b - (hi - a),
    }
}

/// The exact sum of `a` and `b`.
#[inline(always)]
pub fn two_sum(a: f64, b: f64) -> Double {
    let hi = a + b;
    let b_part = hi - a;
    Double {
        hi,
        lo: (a - (hi - b_part)) + (b - b_part),
    }
}

/// The upper 26 bits of `x`.
#[inline(always)]
fn upper(x: f64) -> f64 {
    f64::from_bits(x.to_bits() & 0xffff_ffff_f800_0000)
}

/// The exact product of `a` and `b`, to 2^-106 relative.
#[inline(always)]
pub fn two_prod<const FMA: bool>(a: f64, b: f64) -> Double {
    let hi = a * b;
    let lo = if FMA {
        a.mul_add(b, -hi)
    } else {
        let (a_up, b_up) = (upper(a), upper(b));
        let (a_down, b_down) = (a - a_up, b - b_up);
        ((a_up * b_up - hi) + a_up * b_down + a_down * b_up) + a_down * b_down
    };
    Double { hi, lo }
}

impl Double {
    /// The number `x` itself.
    #[inline(always)]
    pub fn from(x: f64) -> Double {
        Double { hi: x, lo: 0.0 }
    }

    /// `select(condition, a, b)`, without a branch.
    #[inline(always)]
    pub fn select(condition: bool, a: Double, b: Double) -> Double {
        Double {
            hi: select(condition, a.hi, b.hi),
            lo: select(condition, a.lo, b.lo),
        }
    }

    /// The nearest double.
    #[inline(always)]
    pub fn value(self) -> f64 {
        self.hi + self.lo
    }

    /// The same sum with its parts no longer overlapping; `|lo| <= |hi|`.
    #[inline(always)]
    pub fn normal(self) -> Double {
        fast_two_sum(self.hi, self.lo)
    }

    /// The opposite number.
    #[inline(always)]
    pub fn negative(self) -> Double {
        Double {
            hi: -self.hi,
            lo: -self.lo,
        }
    }

    /// The sum, whatever the magnitudes.
    #[inline(always)]
    pub fn plus(self, other: Double) -> Double {
        let sum = two_sum(self.hi, other.hi);
        fast_two_sum(sum.hi, sum.lo + (self.lo + other.lo))
    }

    /// The product.
    #[inline(always)]
    pub fn times<const FMA: bool>(self, other: Double) -> Double {
        let p = two_prod::<FMA>(self.hi, other.hi);
        let cross = madd::<FMA>(self.hi, other.lo, self.lo * other.hi);
        fast_two_sum(p.hi, p.lo + cross)
    }

    /// The quotient, to about 2^-100 relative.
    #[inline(always)]
    pub fn over<const FMA: bool>(self, other: Double) -> Double {
        let inverse = 1.0 / other.hi;
        let q = self.hi * inverse;
        let p = two_prod::<FMA>(q, other.hi);
        let rest = ((self.hi - p.hi) - p.lo) + (self.lo - q * other.lo);
        fast_two_sum(q, rest * inverse)
    }
}
