//! Apply a function to every element of a column.

use super::per_isa;

macro_rules! functions {
    ($($variant:ident => $function:ident),* $(,)?) => {
        /// A function of one argument.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Function { $(#[doc = concat!("[`super::", stringify!($function), "`]")] $variant),* }

        impl Function {
            /// Every function.
            pub const ALL: &[Function] = &[$(Function::$variant),*];
        }

        #[inline(always)]
        fn map_body<const FMA: bool>(function: Function, x: &[f64], out: &mut [f64]) {
            // Called by name: through a function value the call would not be inlined nor the loop vectorized.
            match function {
                $(Function::$variant => {
                    for (x, out) in x.iter().zip(out) {
                        *out = super::$function::<FMA>(*x);
                    }
                }),*
            }
        }
    };
}

functions! {
    Exp => exp, Expm1 => expm1, Ln => ln, Log1p => log1p, Log10 => log10, Log2 => log2, Sqrt => sqrt, Tanh => tanh,
    Sin => sin, Cos => cos, Tan => tan, Atan => atan, Lgamma => lgamma, Gamma => gamma, Digamma => digamma,
    Trigamma => trigamma, Pnorm => pnorm, LogPnorm => log_pnorm, Qnorm => qnorm, Dnorm => dnorm, Plogis => plogis,
    Qlogis => qlogis, Log1pexp => log1pexp,
}

#[inline(always)]
fn power_body<const FMA: bool>(x: &[f64], y: &[f64], out: &mut [f64]) {
    for ((x, y), out) in x.iter().zip(y).zip(out) {
        *out = super::pow::<FMA>(*x, *y);
    }
}

per_isa! {
    /// `out[i] = function(x[i])`, with fused multiply-add where the instruction set has it; lengths are equal.
    pub fn map(function: Function, x: &[f64], out: &mut [f64]) = map_body, fused;
}
per_isa! {
    /// `out[i] = function(x[i])`, the same bits on every processor; lengths are equal.
    pub fn map_plain(function: Function, x: &[f64], out: &mut [f64]) = map_body, plain;
}
per_isa! {
    /// `out[i] = x[i]^y[i]`, with fused multiply-add where the instruction set has it; lengths are equal.
    pub fn map_power(x: &[f64], y: &[f64], out: &mut [f64]) = power_body, fused;
}
per_isa! {
    /// `out[i] = x[i]^y[i]`, the same bits on every processor; lengths are equal.
    pub fn map_power_plain(x: &[f64], y: &[f64], out: &mut [f64]) = power_body, plain;
}
