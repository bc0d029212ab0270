//! Describe a whole model as plain data, the one form every door builds.

use serde::{Deserialize, Deserializer};

use super::expression::Expression;
use super::learned::LearnedForm;

/// A model before it is compiled.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Specification {
    pub parameters: Vec<DeclaredParameter>,
    #[serde(default)]
    pub covariates: Vec<DeclaredCovariate>,
    #[serde(default)]
    pub random: Vec<Random>,
    #[serde(default)]
    pub statements: Vec<Statement>,
    #[serde(default)]
    pub ode: OdeControl,
    /// True when the data have the columns `.cens` and `.limit`, which say what values are censored.
    #[serde(default)]
    pub censoring: bool,
    /// The most doses a subject of the data gets, for input functions that count them.
    #[serde(default)]
    pub n_doses: usize,
    /// How finely intervals are divided over which a hazard without a closed form is integrated; 0 is as 1.
    #[serde(default)]
    pub hazard_panels: usize,
    /// Which of `tad`, `tsld` and `tafd` are no columns of the data, so that they are times since doses.
    #[serde(default, deserialize_with = "texts")]
    pub clocks: Vec<String>,
}

impl Specification {
    /// Number of groupings that the random effects name; one when none is named.
    pub fn n_groups(&self) -> usize {
        let mut names: Vec<&String> = self
            .random
            .iter()
            .filter_map(|r| r.group.as_ref())
            .collect();
        names.sort();
        names.dedup();
        names.len().max(1)
    }
}

/// How a parameter is free to move: the estimators work on the transformed scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ParameterScale {
    #[default]
    Identity,
    Log,
    Logit,
    Probit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParameterType {
    Real,
    CovarianceMatrix,
    DiagonalMatrix,
    Simplex,
    TransitionMatrix,
    RateMatrix,
}

impl ParameterType {
    pub fn words(self) -> &'static str {
        match self {
            Self::Real => "parameter",
            Self::CovarianceMatrix => "covariance matrix",
            Self::DiagonalMatrix => "diagonal matrix",
            Self::Simplex => "simplex",
            Self::TransitionMatrix => "transition matrix",
            Self::RateMatrix => "rate matrix",
        }
    }
}

/// A parameter to estimate, with its starting value on the natural scale.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeclaredParameter {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: ParameterType,
    #[serde(default)]
    pub scale: ParameterScale,
    #[serde(deserialize_with = "one_or_many")]
    pub value: Vec<f64>,
    #[serde(default, deserialize_with = "maybe_one_or_many")]
    pub lower: Option<Vec<f64>>,
    #[serde(default, deserialize_with = "maybe_one_or_many")]
    pub upper: Option<Vec<f64>>,
    #[serde(default)]
    pub parameterization: Option<String>,
    /// True when the user gave a vector, even of length one.
    #[serde(default)]
    pub vector: bool,
    /// The function whose weights these are.
    #[serde(default)]
    pub learned: Option<LearnedForm>,
    /// Whether standard errors of its weights are wanted.
    #[serde(default)]
    pub se: Option<bool>,
}

impl DeclaredParameter {
    /// Whether these are weights that follow gradients: those of functions that are not linear in them, unless their
    /// standard errors are wanted.
    pub fn is_trained(&self) -> bool {
        let bent = |form: &LearnedForm| !matches!(form, LearnedForm::Spline { .. });
        self.learned.as_ref().is_some_and(bent) && self.se != Some(true)
    }
}

/// `names ~ dist | group`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Random {
    #[serde(deserialize_with = "texts")]
    pub names: Vec<String>,
    pub dist: Expression,
    #[serde(default)]
    pub group: Option<String>,
    pub text: String,
}

/// What `covariates()` says of a name.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeclaredCovariate {
    pub name: String,
    pub kind: CovariateType,
    /// Of a constant: the group within which it is; absent: that of the random effects.
    #[serde(default)]
    pub on: Option<String>,
    #[serde(default)]
    pub interpolation: Interpolation,
    /// Of a vector: its data columns.
    #[serde(default, deserialize_with = "texts")]
    pub columns: Vec<String>,
    /// Of a factor: its levels; the data column holds their positions, from one.
    #[serde(default, deserialize_with = "texts")]
    pub levels: Vec<String>,
    /// Of a factor: the level without an indicator; absent: the first.
    #[serde(default)]
    pub reference: Option<String>,
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CovariateType {
    Constant,
    TimeVarying,
    Vector,
    Factor,
}

/// The value of a covariate between its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Interpolation {
    /// The last value carried forward.
    #[default]
    Constant,
    /// The value of the record that ends an interval governs it, as in NONMEM.
    Next,
    Linear,
    CubicSpline,
    Akima,
}

/// One statement of the code block.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Statement {
    /// `target <- value`, or `target[index] <- value`.
    Assign {
        target: String,
        #[serde(default)]
        index: Vec<Expression>,
        value: Expression,
        text: String,
    },
    /// `column ~ dist`, or `c(column, more) ~ dist`.
    Outcome {
        column: String,
        #[serde(default)]
        more: Vec<String>,
        dist: Expression,
        text: String,
    },
    If {
        condition: Expression,
        yes: Vec<Statement>,
        #[serde(default)]
        no: Vec<Statement>,
        text: String,
    },
    For {
        variable: String,
        values: Expression,
        body: Vec<Statement>,
        text: String,
    },
    /// `d/dt(state) <- value`
    Derivative {
        state: String,
        value: Expression,
        text: String,
    },
    /// `state(0) <- value`
    Initial {
        state: String,
        value: Expression,
        text: String,
    },
    /// `f(state) <- value` and its relatives.
    Dosing {
        property: DosingProperty,
        state: String,
        value: Expression,
        text: String,
    },
}

/// What the model can say of doses into a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DosingProperty {
    /// Bioavailability: `f(state)`.
    F,
    /// Lag: `alag(state)`.
    Alag,
    /// Modeled rate: `rate(state)`.
    Rate,
    /// Modeled duration: `dur(state)`.
    Dur,
}

/// Options of the differential equations; those left out have their defaults.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OdeControl {
    /// `"auto"`, `"explicit"` or `"stiff"`.
    pub solver: Option<String>,
    pub rtol: Option<f64>,
    pub atol: Option<f64>,
    pub max_steps: Option<usize>,
    pub stiff_after: Option<usize>,
    pub linear: Option<bool>,
    pub max_forward: Option<usize>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    fn many(self) -> Vec<T> {
        match self {
            Self::One(value) => vec![value],
            Self::Many(values) => values,
        }
    }
}

/// Accept a number where an array of one is meant.
pub fn one_or_many<'de, D: Deserializer<'de>>(source: D) -> Result<Vec<f64>, D::Error> {
    let values = OneOrMany::<Option<f64>>::deserialize(source)?.many();
    Ok(values.into_iter().map(|v| v.unwrap_or(f64::NAN)).collect())
}

fn maybe_one_or_many<'de, D: Deserializer<'de>>(source: D) -> Result<Option<Vec<f64>>, D::Error> {
    let values = Option::<OneOrMany<Option<f64>>>::deserialize(source)?;
    Ok(values.map(|values| {
        let values = values.many().into_iter();
        values.map(|v| v.unwrap_or(f64::NAN)).collect()
    }))
}

fn texts<'de, D: Deserializer<'de>>(source: D) -> Result<Vec<String>, D::Error> {
    Ok(OneOrMany::<String>::deserialize(source)?.many())
}
