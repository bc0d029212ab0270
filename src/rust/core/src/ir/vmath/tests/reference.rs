//! Evaluate elementary functions with about 30 digits, by other means than the kernels.
//!
//! The exponential by Taylor's series after halving the argument four times, logarithm and arc tangent by one Newton
//! step from the standard library's value.

use super::super::double::{two_prod, Double};
use std::ops::{Add, Div, Mul, Neg, Sub};

/// A number of about 106 bits.
#[derive(Clone, Copy, Debug)]
pub struct Wide<const FMA: bool>(pub Double);

/// A value `number * 2^exponent`, so that subnormal results keep their digits.
#[derive(Clone, Copy, Debug)]
pub struct Exact {
    pub number: Double,
    pub exponent: i32,
}

pub const LN2: [f64; 2] = [std::f64::consts::LN_2, 2.3190468138462996e-17];
pub const PI: [f64; 2] = [std::f64::consts::PI, 1.2246467991473532e-16];
/// `pi/2` in pieces of 26 bits, so that their multiples by less than 2^27 are exact; the last of 53.
const HALF_PI: [f64; 6] = [
    1.5707963109016418,
    1.5893254712295857e-08,
    6.123233932053594e-17,
    6.368317055225283e-25,
    1.0828566716053562e-32,
    2.316557725048044e-41,
];
/// `1 / k!`.
const INVERSE_FACTORIAL: [[f64; 2]; 28] = [
    [1.0, 0.0],
    [1.0, 0.0],
    [0.5, 0.0],
    [0.16666666666666666, 9.25185853854297e-18],
    [0.041666666666666664, 2.3129646346357427e-18],
    [0.008333333333333333, 1.1564823173178714e-19],
    [0.001388888888888889, -5.300543954373577e-20],
    [0.0001984126984126984, 1.7209558293420705e-22],
    [2.48015873015873e-05, 2.1511947866775882e-23],
    [2.7557319223985893e-06, -1.858393274046472e-22],
    [2.755731922398589e-07, 2.3767714622250297e-23],
    [2.505210838544172e-08, -1.448814070935912e-24],
    [2.08767569878681e-09, -1.20734505911326e-25],
    [1.6059043836821613e-10, 1.2585294588752098e-26],
    [1.1470745597729725e-11, 2.0655512752830745e-28],
    [7.647163731819816e-13, 7.03872877733453e-30],
    [4.779477332387385e-14, 4.399205485834081e-31],
    [2.8114572543455206e-15, 1.6508842730861433e-31],
    [1.5619206968586225e-16, 1.1910679660273754e-32],
    [8.22063524662433e-18, 2.2141894119604265e-34],
    [4.110317623312165e-19, 1.4412973378659527e-36],
    [1.9572941063391263e-20, -1.3643503830087908e-36],
    [8.896791392450574e-22, -7.911402614872376e-38],
    [3.868170170630684e-23, -8.843177655482344e-40],
    [1.6117375710961184e-24, -3.6846573564509766e-41],
    [6.446950284384474e-26, -1.9330404233703465e-42],
    [2.4795962632247976e-27, -1.2953730964765229e-43],
    [9.183689863795546e-29, 1.4303150396787322e-45],
];

/// A constant of two parts.
#[inline(always)]
pub fn wide<const FMA: bool>(parts: [f64; 2]) -> Wide<FMA> {
    Wide(Double {
        hi: parts[0],
        lo: parts[1],
    })
}

/// The number `x`.
#[inline(always)]
pub fn w<const FMA: bool>(x: f64) -> Wide<FMA> {
    Wide(Double::from(x))
}

impl<const FMA: bool> Add for Wide<FMA> {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Wide(self.0.plus(other.0))
    }
}

impl<const FMA: bool> Neg for Wide<FMA> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Wide(self.0.negative())
    }
}

impl<const FMA: bool> Sub for Wide<FMA> {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

impl<const FMA: bool> Mul for Wide<FMA> {
    type Output = Self;
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Wide(self.0.times::<FMA>(other.0))
    }
}

impl<const FMA: bool> Div for Wide<FMA> {
    type Output = Self;
    #[inline(always)]
    fn div(self, other: Self) -> Self {
        Wide(self.0.over::<FMA>(other.0))
    }
}

impl<const FMA: bool> Wide<FMA> {
    /// The value as a result without a scale.
    #[inline(always)]
    pub fn exact(self) -> Exact {
        Exact {
            number: self.0,
            exponent: 0,
        }
    }
}

/// `2^n`, for any `n` where it is a normal number.
#[inline(always)]
pub fn two_to(n: i32) -> f64 {
    f64::from_bits(((1023 + n) as u64) << 52)
}

/// `e^x = 2^n (1 + m)`.
#[inline(always)]
pub fn split<const FMA: bool>(x: Wide<FMA>) -> (Wide<FMA>, i32) {
    let n = (x.0.hi / LN2[0]).round();
    let r = (x - w(n) * wide(LN2)) * w(1.0 / 16.0);
    let mut sum = wide(INVERSE_FACTORIAL[12]);
    for k in (1..12).rev() {
        sum = sum * r + wide(INVERSE_FACTORIAL[k]);
    }
    let mut m = sum * r;
    for _ in 0..4 {
        m = m * (m + w(2.0));
    }
    (m, n as i32)
}

/// `e^x`.
#[inline(always)]
pub fn exp<const FMA: bool>(x: Wide<FMA>) -> Exact {
    let (m, n) = split(x);
    Exact {
        number: (m + w(1.0)).0,
        exponent: n,
    }
}

/// `e^x - 1`, for `x < 700`.
#[inline(always)]
pub fn expm1<const FMA: bool>(x: Wide<FMA>) -> Wide<FMA> {
    let (m, n) = split(x);
    let power = w(two_to(n.max(-1000)));
    power * m + (power - w(1.0))
}

/// `ln(1 + u)`.
#[inline(always)]
pub fn log1p<const FMA: bool>(u: Wide<FMA>) -> Wide<FMA> {
    let start = u.0.hi.ln_1p();
    let m = expm1(w::<FMA>(start));
    let d = (u - m) / (m + w(1.0));
    w(start) + (d - d * d * w(0.5))
}

/// `ln x` for positive `x`.
#[inline(always)]
pub fn ln<const FMA: bool>(x: Wide<FMA>) -> Wide<FMA> {
    let (lift, shift) = if x.0.hi < f64::MIN_POSITIVE {
        (two_to(54), 54)
    } else {
        (1.0, 0)
    };
    let bits =
        (x.0.hi * lift).to_bits() + (1.0f64.to_bits() - std::f64::consts::FRAC_1_SQRT_2.to_bits());
    let k = (bits >> 52) as i32 - 1023;
    let half = two_to(-(k / 2));
    let rest = two_to(-(k - k / 2));
    let m = Wide::<FMA>(Double {
        hi: x.0.hi * lift * half * rest,
        lo: x.0.lo * lift * half * rest,
    });
    log1p(m - w(1.0)) + w(f64::from(k - shift)) * wide(LN2)
}

/// `x^y` for positive `x`.
#[inline(always)]
pub fn pow<const FMA: bool>(x: f64, y: f64) -> Exact {
    exp(ln(w::<FMA>(x)) * w(y))
}

/// `sin r` and `cos r` by Taylor's series, for `|r| < 1`.
#[inline(always)]
pub fn sin_cos_small<const FMA: bool>(r: Wide<FMA>) -> (Wide<FMA>, Wide<FMA>) {
    let square = -(r * r);
    let mut sine = wide(INVERSE_FACTORIAL[27]);
    let mut cosine = wide(INVERSE_FACTORIAL[26]);
    for k in (0..13).rev() {
        sine = sine * square + wide(INVERSE_FACTORIAL[2 * k + 1]);
        cosine = cosine * square + wide(INVERSE_FACTORIAL[2 * k]);
    }
    (sine * r, cosine)
}

/// `sin x` and `cos x` for `|x| < 1e9`.
#[inline(always)]
pub fn sin_cos<const FMA: bool>(x: f64) -> (Wide<FMA>, Wide<FMA>) {
    let n = (x / std::f64::consts::FRAC_PI_2).round();
    let mut r = w::<FMA>(x);
    for piece in HALF_PI {
        r = r - Wide(two_prod::<FMA>(n, piece));
    }
    let (sine, cosine) = sin_cos_small(r);
    match n.rem_euclid(4.0) as u8 {
        0 => (sine, cosine),
        1 => (cosine, -sine),
        2 => (-sine, -cosine),
        _ => (-cosine, sine),
    }
}

/// The arc tangent.
#[inline(always)]
pub fn atan<const FMA: bool>(x: f64) -> Wide<FMA> {
    let start = x.atan();
    let (sine, cosine) = sin_cos::<FMA>(start);
    w(start) + (w(x) * cosine - sine) / (cosine + w(x) * sine)
}
