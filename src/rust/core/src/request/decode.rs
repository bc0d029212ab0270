//! Decode a request: the model, the grouping of the data, values by name, options.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value as Json;

use super::Columns;
use crate::data::{self, Frame};
use crate::error::{Error, ErrorClass, Result};
use crate::language::specification::Specification;
use crate::model::{compile, Model};
use crate::parallel::Workers;
use crate::problem::{Given, Joint};

/// What a front end asks.
#[derive(Debug, Clone, Deserialize)]
pub struct Request {
    pub task: String,
    pub model: Specification,
    #[serde(default)]
    pub data: Option<Grouping>,
    #[serde(default)]
    start: BTreeMap<String, Json>,
    #[serde(default)]
    pub fix: BTreeMap<String, Json>,
    #[serde(default)]
    pub method: Option<Json>,
    #[serde(default)]
    pub seed: Option<f64>,
    #[serde(default)]
    pub threads: Option<usize>,
    #[serde(default)]
    parameters: BTreeMap<String, Json>,
    /// The same on the transformed scale, to the last bit.
    #[serde(default)]
    coordinates: Option<Vec<f64>>,
    /// Where the fit of these parameters began, on the transformed scale.
    #[serde(default)]
    pub began: Option<Vec<f64>>,
    /// Values of random effects held fixed: effect to level to value.
    #[serde(default)]
    pub levels: BTreeMap<String, BTreeMap<String, f64>>,
    /// Random effects of each grouping, one list a level; absent: typical ones.
    #[serde(default)]
    pub random: Option<Vec<Vec<Vec<f64>>>>,
    #[serde(default)]
    pub nodes: Option<usize>,
    /// How the log-likelihood is computed.
    #[serde(default)]
    pub likelihood: Likelihood,
    /// How the covariance of the estimates is computed.
    #[serde(default)]
    pub covariance: Covariance,
    /// Importance draws of each batch.
    #[serde(default)]
    pub draws: Option<usize>,
    /// Effects at which the chains of a fit start.
    #[serde(default)]
    pub first: Vec<FirstEffect>,
    /// The run that a fit continues.
    #[serde(default)]
    pub resume: Option<Resume>,
    /// Where a fit leaves its state.
    #[serde(default)]
    pub checkpoint: Option<Kept>,
    /// Whether a fit takes the values it is given for its estimates.
    #[serde(default)]
    pub evaluate: bool,
    /// Number of simulations.
    #[serde(default)]
    pub nsim: Option<usize>,
}

/// How the random effects are integrated out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Likelihood {
    #[default]
    Quadrature,
    Laplace,
    Importance,
    Linear,
}

/// What the covariance of the estimates is the inverse of, or made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Covariance {
    #[default]
    Louis,
    Linear,
    Sandwich,
}

impl Covariance {
    pub fn words(self) -> &'static str {
        match self {
            Self::Louis => "louis",
            Self::Linear => "linear",
            Self::Sandwich => "sandwich",
        }
    }
}

/// How the rows are grouped.
#[derive(Debug, Clone, Deserialize)]
pub struct Grouping {
    pub group: String,
    pub labels: Json,
    #[serde(default)]
    pub time: Option<String>,
    pub n_rows: usize,
    /// The groupings of the random effects in the order of the model's groups, where they are not just the subjects;
    /// their codes are the columns `.group1`, `.group2`, ...
    #[serde(default)]
    pub groups: Vec<Levels>,
    /// The user's names of the columns `.amt`, `.evid`, ..., by item.
    #[serde(default)]
    pub events: BTreeMap<String, String>,
    #[serde(default)]
    pub from_first_record: bool,
}

/// A grouping and the names of its levels.
#[derive(Debug, Clone, Deserialize)]
pub struct Levels {
    pub name: String,
    pub labels: Json,
}

/// Values of a random effect by level.
#[derive(Debug, Clone, Deserialize)]
pub struct FirstEffect {
    pub effect: String,
    pub labels: Vec<Json>,
    pub values: Vec<Option<f64>>,
}

/// A state in a file, and what a message calls it.
#[derive(Debug, Clone, Deserialize)]
pub struct Resume {
    pub path: PathBuf,
    pub name: String,
}

/// A file for the state, written every so many iterations.
#[derive(Debug, Clone, Deserialize)]
pub struct Kept {
    pub path: PathBuf,
    pub every: usize,
}

impl Request {
    /// # Errors
    /// The text is not a request.
    pub fn parse(text: &str) -> Result<Self> {
        if nesting(text) > MAX_NESTING {
            return Err(Error::model(
                "too_deep",
                "An expression of the model has too many operations inside each other.",
            )
            .hint("Assign parts of it to variables, or write a long sum as sum(c(...))."));
        }
        let mut source = serde_json::Deserializer::from_str(text);
        // The nesting is bounded above.
        source.disable_recursion_limit();
        Self::deserialize(&mut source).map_err(|error| {
            Error::new(
                ErrorClass::Internal,
                "request",
                format!("Malformed request: {error}."),
            )
        })
    }

    /// The threads that the request asks for.
    ///
    /// # Errors
    /// Threads that cannot be started.
    pub fn workers(&self) -> Result<Workers> {
        Workers::new(self.threads.unwrap_or(1))
    }

    /// # Errors
    /// Everything wrong with the model itself.
    pub fn compiled(&self) -> Result<Model> {
        compile(&self.model)
    }

    /// The model with intervals divided so finely over which hazards without a closed form are integrated.
    ///
    /// # Errors
    /// As for [`Request::compiled`].
    pub fn divided(&self, panels: usize) -> Result<Model> {
        let mut model = self.model.clone();
        model.hazard_panels = panels;
        compile(&model)
    }

    /// How finely they are divided at first.
    pub fn panels(&self) -> usize {
        self.model.hazard_panels.max(1)
    }

    /// Whether the user has said how precisely equations are solved.
    pub fn gives_tolerances(&self) -> bool {
        self.model.ode.rtol.is_some() || self.model.ode.atol.is_some()
    }

    /// Starting values and fixed values.
    ///
    /// # Errors
    /// A value that is not a number.
    pub fn given(&self) -> Result<Given> {
        let mut given = Given::default();
        for (name, value) in &self.start {
            given.start.push((name.clone(), numbers(name, value)?));
        }
        for (name, value) in &self.fix {
            let values = if value.is_null() {
                None
            } else {
                Some(numbers(name, value)?)
            };
            given.fix.push((name.clone(), values));
        }
        for (effect, levels) in &self.levels {
            let entries = levels.iter();
            given
                .levels
                .extend(entries.map(|(level, value)| (effect.clone(), level.clone(), *value)));
        }
        Ok(given)
    }

    /// The data as a frame.
    ///
    /// # Errors
    /// No data, or rows without a group.
    pub fn frame(&self, mut columns: Columns) -> Result<Frame> {
        let missing = |what: &str| {
            Error::new(
                ErrorClass::Internal,
                "request",
                format!("The request has no {what}."),
            )
        };
        let data = self.data.as_ref().ok_or_else(|| missing("data"))?;
        let mut grouping = |column: &str, levels: &Levels| {
            let position = columns.iter().position(|(name, _)| name == column);
            let position = position.ok_or_else(|| missing("grouping column"))?;
            let (_, codes) = columns.remove(position);
            grouping(levels, &codes)
        };
        let subjects = Levels {
            name: data.group.clone(),
            labels: data.labels.clone(),
        };
        let subjects = grouping(".group", &subjects)?;
        let mut groupings = Vec::new();
        for (i, levels) in data.groups.iter().enumerate() {
            groupings.push(grouping(&format!(".group{}", i + 1), levels)?);
        }
        let n_groups = self.model.n_groups();
        if groupings.len().max(1) != n_groups {
            return Err(missing(&format!("{n_groups} groupings")));
        }
        Ok(Frame {
            n_rows: data.n_rows,
            columns,
            group: subjects.name,
            labels: subjects.labels,
            codes: subjects.codes,
            time: data.time.clone(),
            groupings,
            events: data.events.clone().into_iter().collect(),
            from_first_record: data.from_first_record,
        })
    }

    /// Effects whose standard deviation the method takes to zero.
    fn collapsed(&self) -> Vec<String> {
        let method = self.method.as_ref();
        let list = method.and_then(|method| method.get("anneal_to_fixed")?.as_array());
        let effects = list.into_iter().flatten();
        effects
            .filter_map(|one| Some(one.get("effect")?.as_str()?.to_string()))
            .collect()
    }

    /// The problem and the `theta` of the request's `parameters`, or its `coordinates` where it has them.
    ///
    /// # Errors
    /// As for a fit, and parameters that are not given.
    pub fn evaluated(&self, columns: Columns) -> Result<(Joint, Vec<f64>)> {
        let (model, given) = self.at_parameters()?;
        let frame = self.frame(columns)?;
        let joint = Joint::at_values(&model, &frame, &given)?;
        let exact = self.coordinates.as_ref();
        let theta = exact.filter(|theta| theta.len() == joint.theta.len());
        let theta = theta.unwrap_or(&joint.theta.start).clone();
        Ok((joint, theta))
    }

    /// The same, for data without outcomes.
    ///
    /// # Errors
    /// As [`Request::evaluated`].
    pub fn predicted(&self, columns: Columns) -> Result<(Joint, Vec<f64>)> {
        let (model, given) = self.at_parameters()?;
        let frame = self.frame(columns)?;
        let joint = Joint::for_prediction(&model, &frame, &given)?;
        let theta = joint.theta.start.clone();
        Ok((joint, theta))
    }

    /// The model, with the given parameters as its start; what a fit held is held.
    fn at_parameters(&self) -> Result<(Model, Given)> {
        let model = self.compiled()?;
        let mut given = Given {
            start: Vec::new(),
            apart: self.collapsed(),
            ..self.given()?
        };
        for (name, value) in &self.parameters {
            given.start.push((name.clone(), numbers(name, value)?));
        }
        Ok((model, given))
    }
}

/// Levels of arrays and objects; each operation of an expression is two. The worker's stack holds several times this.
const MAX_NESTING: usize = 2_000;

/// Deepest nesting of a JSON text.
fn nesting(text: &str) -> usize {
    let (mut depth, mut deepest) = (0usize, 0);
    let (mut inside, mut escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if inside => escaped = true,
            b'"' => inside = !inside,
            b'[' | b'{' if !inside => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !inside => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Levels of the rows from codes that count from one.
fn grouping(levels: &Levels, codes: &[f64]) -> Result<data::Grouping> {
    let labels: Vec<String> = match &levels.labels {
        Json::Array(list) => list.iter().map(label).collect(),
        one => vec![label(one)],
    };
    let valid = |code: f64| code >= 1.0 && code <= labels.len() as f64;
    if let Some(row) = codes.iter().position(|code| !valid(*code)) {
        return Err(
            Error::data("missing_group", format!("`{}` is missing.", levels.name))
                .at(format!("row {}", row + 1))
                .field("row", row + 1)
                .hint("Every row needs its group."),
        );
    }
    Ok(data::Grouping {
        name: levels.name.clone(),
        labels,
        codes: codes.iter().map(|code| *code as usize - 1).collect(),
    })
}

pub fn label(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn numbers(name: &str, value: &Json) -> Result<Vec<f64>> {
    let list = match value {
        Json::Array(list) => list.clone(),
        one => vec![one.clone()],
    };
    list.iter()
        .map(|x| {
            x.as_f64().ok_or_else(|| {
                Error::new(
                    ErrorClass::Start,
                    "not_a_number",
                    format!("The value given for `{name}` is not a number."),
                )
                .field("name", name)
            })
        })
        .collect()
}
