//! Random effects that are not Gaussian: each is a function of a coordinate `phi` of the individual vector.
//!
//! | family | effect | log density of `phi` |
//! |---|---|---|
//! | `exponential(scale)` | `e^phi` | `w - e^w`, `w = phi - ln(scale)` |
//! | `gamma(shape, scale)` | `e^phi` | `shape w - e^w - lnGamma(shape)` |
//! | `beta(a, b)` | `plogis(phi)` | `a ln(x) + b ln(1 - x) - lnB(a, b)`, `x = plogis(phi)` |
//! | `student_t(df, mean, sd)` | `phi` | that of `student_t.rs` |
//! | `normal(mean, sd)` | `phi` | that of [`super::normal`]: only where the SD differs between levels |
//! | `lognormal(mean, sd)` | `e^phi` | the same, its SD being that of `phi` |
//!
//! The Jacobian of the transform is part of the density. The information is expected, as in the module above: about
//! `phi` and the arguments together.

use crate::ir::graph::{Graph, Node};
use crate::ir::op::Unary;

/// What a family is as a distribution of random effects.
pub struct EffectFamily {
    pub transform: Transform,
    /// At `phi`, with the arguments of one effect.
    pub density: fn(&mut Graph, Node, &[Node]) -> EffectDensity,
    /// Mean and standard deviation of `phi` at given arguments.
    pub reference: fn(&[f64]) -> (f64, f64),
}

/// The distribution of one effect.
#[derive(Debug, Clone)]
pub struct EffectDensity {
    /// Of `phi`.
    pub log_density: Node,
    /// Expected information about `phi` and the arguments: argument and weight.
    pub information: Vec<(Node, Node)>,
    /// Standard deviation of the effect on its natural scale.
    pub sd: Node,
    /// Mean of the effect on its natural scale.
    pub mean: Node,
}

/// From the unbounded coordinate `phi` to the effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transform {
    Identity,
    /// `exp(phi)`
    Exp,
    /// `1 / (1 + exp(-phi))`
    Logistic,
}

impl Transform {
    pub fn node(self, g: &mut Graph, phi: Node) -> Node {
        match self {
            Self::Identity => phi,
            Self::Exp => g.exp(phi),
            Self::Logistic => g.unary(Unary::Logistic, phi),
        }
    }

    /// The effect at `phi`.
    pub fn forward(self, phi: f64) -> f64 {
        match self {
            Self::Identity => phi,
            Self::Exp => phi.exp(),
            Self::Logistic => Unary::Logistic.value::<false>(phi),
        }
    }

    /// `phi` of an effect.
    pub fn backward(self, effect: f64) -> f64 {
        match self {
            Self::Identity => effect,
            Self::Exp => effect.ln(),
            Self::Logistic => effect.ln() - (-effect).ln_1p(),
        }
    }

    /// `d effect / d phi` and the derivative of its logarithm.
    pub fn slopes(self, phi: f64) -> (f64, f64) {
        match self {
            Self::Identity => (1.0, 0.0),
            Self::Exp => (phi.exp(), 1.0),
            Self::Logistic => {
                let x = self.forward(phi);
                (x * (1.0 - x), 1.0 - 2.0 * x)
            }
        }
    }

    /// `ln |d effect / d phi|`
    pub fn log_slope(self, phi: f64) -> f64 {
        match self {
            Self::Identity => 0.0,
            Self::Exp => phi,
            Self::Logistic => {
                -(Unary::Log1pExp.value::<false>(phi) + Unary::Log1pExp.value::<false>(-phi))
            }
        }
    }
}
