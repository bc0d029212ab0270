//! Say what there is to know of a family, in one constant that stands with its formulas.

use std::fmt;

use rand::Rng;

use super::effects::EffectFamily;
use super::transformed::NormalScale;
use super::OutcomeDensity;
use crate::ir::graph::{Graph, Node};

/// The logarithms of both tails at a node, given the arguments.
pub type Tails = fn(&mut Graph, Node, &[Node]) -> (Node, Node);

/// A family of distributions, or a word around one.
pub struct Family {
    pub name: &'static str,
    /// Names of the arguments in their order, those of R's `d*` function where there is one.
    pub arguments: &'static [&'static str],
    /// What the last arguments are where they are left out.
    pub defaults: &'static [f64],
    pub form: FamilyForm,
    pub support: Support,
    /// Draw an outcome from the values of `Density::arguments`; NaN where an argument is outside its domain.
    pub draw: fn(&[f64], &mut dyn Rng) -> f64,
    /// `(ln F(x), ln(1 - F(x)))` at `x` and `Density::arguments`; `None` for a family that is not censored.
    pub tails: Option<Tails>,
    /// The distribution of random effects of this name.
    pub effect: Option<EffectFamily>,
    /// Of a family whose only argument is its mean, which the mean of the outcomes estimates: variance at a mean.
    pub variance: Option<fn(f64) -> f64>,
    /// The highest log-likelihood of outcomes that all have one distribution.
    pub constant: Option<fn(&[f64]) -> f64>,
}

/// How the arguments are read, and the log density written from them.
#[derive(Clone, Copy)]
pub enum FamilyForm {
    /// Scalars.
    Scalars(fn(&mut Graph, Node, &[Node]) -> OutcomeDensity),
    /// Normal on some scale: location, spread, which may be written as an error model, and what the scale depends on.
    Normal(On),
    /// A scalar, where there are two arguments, and a vector, which has so many elements less than there are categories.
    Categories(usize, fn(&mut Graph, Node, Node, &[Node]) -> OutcomeDensity),
    /// A hazard, integrated over the time.
    Event,
    /// A log density of the user.
    Custom,
    /// A Markov chain over the rows of a subject.
    Chain { hidden: bool, continuous: bool },
    /// Residuals that correlate along the rows of a subject, of the distribution inside.
    Serial,
    /// Limits around the distribution inside.
    Censored,
    /// Several outcomes together.
    Joint,
}

/// The scale on which a family is normal.
#[derive(Clone, Copy)]
pub enum On {
    Itself,
    Log,
    /// Another, made of the arguments behind the spread; the location is a median on the scale of the outcome.
    Other(fn(&[Node]) -> NormalScale),
}

/// Values that an outcome may have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Support {
    Real,
    Positive,
    NonNegative,
    /// Between 0 and 1, both excluded.
    Share,
    /// Between two numbers, both excluded.
    Between(f64, f64),
    ZeroOne,
    Count,
    /// One of `1..K`; a family itself leaves `K` open, 0.
    Category(u32),
}

impl Family {
    /// What most families have nothing to say of.
    pub const BLANK: Self = Self {
        name: "",
        arguments: &[],
        defaults: &[],
        form: FamilyForm::Custom,
        support: Support::Real,
        draw: |_, _| f64::NAN,
        tails: None,
        effect: None,
        variance: None,
        constant: None,
    };

    /// Draw one outcome; NaN where an argument is missing or outside its domain, and for a family that cannot be drawn.
    ///
    /// An event is 1 with the probability `1 - e^-H` that one happens between the previous row and this one.
    pub fn draw(&self, arguments: &[f64], rng: &mut dyn Rng) -> f64 {
        if arguments.len() < self.arguments.len() {
            return f64::NAN;
        }
        (self.draw)(arguments, rng)
    }

    /// Mean and standard deviation of `phi` of a random effect at given arguments.
    pub fn reference(&self, arguments: &[f64]) -> (f64, f64) {
        let effect = self.effect.as_ref();
        effect.map_or((f64::NAN, f64::NAN), |effect| (effect.reference)(arguments))
    }

    /// Whether a value has a density by itself, and so a residual SD.
    pub fn is_continuous(&self) -> bool {
        match self.form {
            FamilyForm::Scalars(_) => matches!(
                self.support,
                Support::Real | Support::Positive | Support::NonNegative | Support::Share
            ),
            FamilyForm::Normal(_) | FamilyForm::Serial | FamilyForm::Joint => true,
            _ => false,
        }
    }

    /// Whether it is normal, or its logarithm.
    pub fn is_gaussian(&self) -> bool {
        matches!(self.form, FamilyForm::Normal(On::Itself | On::Log))
    }

    /// Whether its logarithm is normal.
    pub fn is_lognormal(&self) -> bool {
        matches!(self.form, FamilyForm::Normal(On::Log))
    }

    /// Whether it is normal on a scale that is neither its own nor the logarithm's.
    pub fn is_transformed(&self) -> bool {
        matches!(self.form, FamilyForm::Normal(On::Other(_)))
    }

    /// Whether rows of a subject hang together.
    pub fn is_sequential(&self) -> bool {
        matches!(self.form, FamilyForm::Chain { .. } | FamilyForm::Serial)
    }

    /// Whether outcomes can be drawn.
    pub fn is_drawn(&self) -> bool {
        !matches!(self.form, FamilyForm::Custom)
    }

    /// Whether its values are quantities with a unit, whose predictions have the same.
    pub fn has_unit(&self) -> bool {
        self.is_continuous() && self.support != Support::Share && !self.is_transformed()
    }
}

impl fmt::Debug for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Names tell families apart.
impl PartialEq for Family {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Family {}
