//! Keep the population parameters: names, starting values, what is free, who updates what.

use super::Given;
use crate::error::{Error, ErrorClass, Result};
use crate::language::specification::ParameterScale;
use crate::language::words;
use crate::model::parameter::ModelParameter;
use crate::model::Model;

/// Which route of the M-step updates a coordinate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    Fixed,
    /// Closed form: mean of `phi` by generalised least squares.
    Mean,
    /// Closed form: covariance of `phi`.
    Covariance,
    /// Closed form: residual standard deviation.
    Residual,
    /// Closed form: scale of effects with an exponential distribution.
    Law,
    /// Closed form: parameter of an outcome on which nothing else bears; the data alone give it.
    Outcome,
    /// Stochastic approximation on score and information.
    Score,
    /// Numerical maximization.
    Numeric,
    /// Steps along the gradient of the complete data: weights of learned functions, held where information is taken.
    Gradient,
}

impl Route {
    pub fn words(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Mean | Self::Covariance | Self::Residual | Self::Law | Self::Outcome => {
                "closed form"
            }
            Self::Score => "score",
            Self::Numeric => "numeric",
            Self::Gradient => "gradient",
        }
    }

    /// Whether programs are asked for derivatives in the coordinate: moments of draws do not tell them.
    pub fn is_read(self) -> bool {
        !matches!(
            self,
            Self::Fixed | Self::Mean | Self::Covariance | Self::Residual
        )
    }

    /// Whether the coordinate moves along derivatives of the program.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Score | Self::Numeric | Self::Gradient)
    }

    /// Whether information is taken about the coordinate.
    pub fn is_informed(self) -> bool {
        !matches!(self, Self::Fixed | Self::Gradient)
    }
}

/// Part of the size of a coordinate by which differences are taken where nothing else is known.
const SMALL: f64 = 1e-4;

/// The coordinates of `theta`, all on the transformed scale: `names` to `routes` have one entry a coordinate.
#[derive(Debug, Clone)]
pub struct Theta {
    pub names: Vec<String>,
    /// Name of the parameter each coordinate belongs to.
    pub base: Vec<String>,
    pub start: Vec<f64>,
    pub free: Vec<bool>,
    pub lower: Vec<f64>,
    pub upper: Vec<f64>,
    pub routes: Vec<Route>,
    /// Whether the grouping that holds this copy moves the coordinate; all of them before groupings are told apart.
    pub mine: Vec<bool>,
    /// Coordinates that were free but on which nothing depends.
    pub idle: Vec<usize>,
    /// The natural-scale elements of all parameters, in the order of [`natural`].
    pub elements: Vec<Element>,
    /// Whether the coordinate is the natural value itself.
    identity: Vec<bool>,
}

/// One value of a parameter on the natural scale.
#[derive(Debug, Clone)]
pub struct Element {
    pub name: String,
    /// Name of its parameter.
    pub base: String,
    /// The coordinate that says whether it is free and how it is updated.
    pub coordinate: usize,
    /// Whether elements and coordinates of its parameter correspond one to one.
    pub paired: bool,
}

impl Theta {
    /// Whether a coordinate is a transformed value, as the logarithm of a positive one.
    pub fn is_transformed(&self, k: usize) -> bool {
        !self.identity[k]
    }

    /// # Errors
    /// Unknown names, wrong lengths, values outside bounds, nothing left to estimate.
    pub fn new(model: &Model, given: &Given) -> Result<Self> {
        let mut theta = Self {
            names: Vec::new(),
            base: Vec::new(),
            start: Vec::new(),
            free: Vec::new(),
            lower: Vec::new(),
            upper: Vec::new(),
            routes: vec![Route::Score; model.n_theta],
            mine: vec![true; model.n_theta],
            idle: Vec::new(),
            elements: Vec::new(),
            identity: Vec::new(),
        };
        check_names(model, given)?;
        for parameter in &model.parameters {
            let named = |(name, _): &&(String, Vec<f64>)| *name == parameter.name;
            let mut natural = parameter.start.clone();
            if let Some((_, values)) = given.start.iter().find(named) {
                natural.clone_from(values);
            }
            let fixed = given.fix.iter().find(|(name, _)| *name == parameter.name);
            if let Some((_, Some(values))) = fixed {
                natural.clone_from(values);
            }
            parameter.check(&natural)?;
            theta.start.extend(parameter.transform(&natural));
            theta.name_parts(parameter);
            let n = parameter.n_coordinates();
            let identity = parameter.scale() == Some(ParameterScale::Identity);
            theta.identity.extend(vec![identity; n]);
            theta.free.extend(vec![fixed.is_none(); n]);
            for (low, high) in parameter.coordinate_bounds() {
                theta.lower.push(low);
                theta.upper.push(high);
            }
        }
        if !theta.free.contains(&true) {
            return Err(Error::new(
                ErrorClass::Start,
                "no_free_parameter",
                "Every parameter is fixed: there is nothing to estimate.",
            )
            .hint("Leave at least one parameter out of `fix`."));
        }
        Ok(theta)
    }

    /// Names of the coordinates and elements of a parameter.
    fn name_parts(&mut self, parameter: &ModelParameter) {
        let names = parameter.element_names();
        let n = parameter.n_coordinates();
        for k in 0..n {
            self.names.push(names[parameter.element_of(k)].clone());
            self.base.push(parameter.name.clone());
        }
        for (e, name) in names.into_iter().enumerate() {
            self.elements.push(Element {
                name,
                base: parameter.name.clone(),
                coordinate: parameter.first + parameter.coordinate_of(e),
                paired: n == parameter.n_elements(),
            });
        }
    }

    /// So many free coordinates of the identity scale that start at 0.
    #[cfg(test)]
    pub fn unbounded(n: usize) -> Self {
        Self {
            names: (0..n).map(|k| format!("x{k}")).collect(),
            base: (0..n).map(|k| format!("x{k}")).collect(),
            start: vec![0.0; n],
            free: vec![true; n],
            lower: vec![f64::NEG_INFINITY; n],
            upper: vec![f64::INFINITY; n],
            routes: vec![Route::Score; n],
            mine: vec![true; n],
            idle: Vec::new(),
            elements: Vec::new(),
            identity: vec![true; n],
        }
    }

    pub fn len(&self) -> usize {
        self.start.len()
    }

    pub fn is_empty(&self) -> bool {
        self.start.is_empty()
    }

    /// Move a value into the bounds of its coordinate.
    pub fn clamp(&self, k: usize, value: f64) -> f64 {
        value.max(self.lower[k]).min(self.upper[k])
    }

    /// Whether a bound holds a coordinate against its score.
    pub fn presses(&self, k: usize, value: f64, score: f64) -> bool {
        let (low, high) = (value <= self.lower[k], value >= self.upper[k]);
        low && (high || score < 0.0) || high && score > 0.0
    }

    /// Whether a coordinate is a value as the user writes it, in a unit of his.
    pub fn is_identity(&self, k: usize) -> bool {
        self.identity[k]
    }

    /// The size of a coordinate, by which steps are measured: one on a transformed scale; on the identity scale the
    /// larger of its value and its start, one if both are zero.
    pub fn size(&self, k: usize, value: f64) -> f64 {
        // Weights of one function are of one size, that of their initial values.
        if !self.identity[k] || self.routes[k] == Route::Gradient {
            return 1.0;
        }
        let size = value.abs().max(self.start[k].abs());
        if size > 0.0 {
            size
        } else {
            1.0
        }
    }

    /// Step of central differences in a coordinate: a part of the change that moves a log density by about one, whatever
    /// its unit; `square`: the squared score of that density. Where it says nothing, a small part of its size.
    pub fn step(&self, k: usize, value: f64, square: f64, part: f64) -> f64 {
        let size = value.abs().max(self.start[k].abs());
        let unit = 1.0 / square.sqrt();
        if !unit.is_finite() {
            return SMALL * self.size(k, value);
        }
        let step = part * unit;
        match (self.identity[k], size > 0.0) {
            // Digits are lost below, curvature is missed above.
            (true, true) => step.clamp(1e-7 * size, 1e-2 * size),
            (true, false) => step,
            (false, _) => step.clamp(1e-6, 1e-2),
        }
    }

    /// Coordinates of one route that are moved here.
    pub fn on_route(&self, route: Route) -> Vec<usize> {
        (0..self.len())
            .filter(|k| self.routes[*k] == route && self.mine[*k])
            .collect()
    }
}

/// Natural-scale elements of all parameters, in the order of `Theta::elements`.
pub fn natural(model: &Model, theta: &[f64]) -> Vec<f64> {
    model
        .parameters
        .iter()
        .flat_map(|p| p.natural(&theta[p.coordinates()]))
        .collect()
}

/// Natural value of the element that coordinate `k` stands for.
pub fn natural_at(model: &Model, k: usize, theta: &[f64]) -> f64 {
    let own = model
        .parameters
        .iter()
        .filter(|p| p.coordinates().contains(&k));
    own.map(|p| p.natural(&theta[p.coordinates()])[p.element_of(k - p.first)])
        .sum()
}

/// The value of coordinate `k` that gives its element a natural value, the others being those of `theta`.
pub fn coordinate_at(model: &Model, k: usize, value: f64, theta: &[f64]) -> f64 {
    let own = model
        .parameters
        .iter()
        .filter(|p| p.coordinates().contains(&k));
    own.map(|p| {
        let mut values = p.natural(&theta[p.coordinates()]);
        values[p.element_of(k - p.first)] = value;
        p.transform(&values)[k - p.first]
    })
    .sum()
}

fn check_names(model: &Model, given: &Given) -> Result<()> {
    let starts = given.start.iter().map(|(name, _)| (name, "start"));
    let fixes = given.fix.iter().map(|(name, _)| (name, "fix"));
    for (name, place) in starts.chain(fixes) {
        if !model.parameters.iter().any(|p| p.name == *name) {
            let known: Vec<&str> = model.parameters.iter().map(|p| p.name.as_str()).collect();
            return Err(Error::new(
                ErrorClass::Start,
                "unknown_parameter",
                format!("The model has no parameter `{name}`."),
            )
            .at(format!("`{place}`"))
            .field("name", name)
            .hint(words::suggestion(name, "Its parameters are", known)));
        }
    }
    Ok(())
}
