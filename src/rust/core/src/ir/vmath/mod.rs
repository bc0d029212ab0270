//! Evaluate elementary functions one lane at a time, without branches, so that loops over lanes vectorize.
//!
//! Every function is `#[inline(always)] fn f<const FMA: bool>(x: f64) -> f64`. Called in a loop over `[f64; 8]` inside
//! a function compiled for an instruction set, it becomes vector code. `FMA = true` uses fused multiply-add and belongs
//! only where the instruction set has it (elsewhere `mul_add` is a slow library call); `FMA = false` never does and
//! returns the same bits on every processor. [`per_isa!`] compiles one generic body for all instruction sets and
//! dispatches at run time.
//!
//! Arguments outside a domain give NaN, as in R; accuracy is stated at each function.

mod digamma;
pub mod double;
mod exp;
mod hyperbolic;
mod isa;
mod lgamma;
mod log;
mod logistic;
mod map;
mod normal;
mod power;
mod trig;

#[cfg(test)]
mod tests;

pub use digamma::{digamma, tetragamma, trigamma};
pub use exp::{exp, expm1};
pub use hyperbolic::tanh;
pub(crate) use isa::per_isa;
pub use isa::Isa;
pub use lgamma::{gamma, lgamma};
pub use log::{ln, ln_normal, log10, log1p, log2};
pub use logistic::{log1pexp, plogis, qlogis};
pub use map::{map, map_plain, map_power, map_power_plain, Function};
pub use normal::{dnorm, log_pnorm, mills, pnorm, qnorm};
pub use power::{pow, sqrt};
pub use trig::{atan, cos, sin, sin_cos_turn, tan};
