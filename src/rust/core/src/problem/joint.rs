//! Hold the problems of all groupings together: what they share and how their levels hang together.

use std::sync::Arc;

use super::equations::BoundEquations;
use super::exchange::{exchanges, Exchange};
use super::known::EffectValues;
use super::normal_form::{NormalForm, Standing};
use super::theta::{Route, Theta};
use super::{Given, Means, Problem};
use crate::data::{Frame, Records};
use crate::error::{Error, ErrorClass, Result};
use crate::ir::graph::Graph;
use crate::language::words;
use crate::model::Model;

/// A model bound to data.
#[derive(Debug, Clone)]
pub struct Joint {
    /// One problem for each grouping, in the order of the model's groups.
    pub parts: Vec<Problem>,
    pub theta: Theta,
    /// Effects of two groupings that enter as a sum.
    pub exchanges: Vec<Exchange>,
    /// For each grouping the batch of every level: levels that share a row, directly or through others, share a batch.
    pub batches: Vec<Vec<usize>>,
    pub n_batches: usize,
    /// Effects of the model on which no outcome depends.
    pub idle_effects: Vec<usize>,
    /// The model before groupings are told apart.
    pub(super) form: NormalForm,
    /// Of which the form was made.
    pub(super) source: Arc<FormSource>,
}

/// What a form is made of.
#[derive(Debug)]
pub(super) struct FormSource {
    pub(super) graph: Graph,
    pub(super) standings: Vec<Standing>,
}

/// Levels of random effects with given values: effect of the model, level, value of `phi`.
pub type Held = Vec<(usize, usize, f64)>;

impl Joint {
    /// Bind a model to data for estimation.
    ///
    /// # Errors
    /// Everything wrong with the data, or with the model against the data, in the user's names.
    pub fn new(model: &Model, frame: &Frame, given: &Given) -> Result<Self> {
        let (theta, records) = Self::observed(model, frame, given)?;
        if !model.effects.is_empty() {
            records.iter().try_for_each(Records::check_levels)?;
        }
        let bound = BoundEquations::new(model, Some(frame), &records)?;
        Self::join(model, &bound, records, theta, given)
    }

    /// Bind a model whose values are known to data, which may be those of one subject.
    ///
    /// # Errors
    /// As [`Joint::new`], but for too few levels.
    pub fn at_values(model: &Model, frame: &Frame, given: &Given) -> Result<Self> {
        let (theta, records) = Self::observed(model, frame, given)?;
        let bound = BoundEquations::new(model, Some(frame), &records)?;
        Self::join(model, &bound, records, theta, given)
    }

    fn observed(model: &Model, frame: &Frame, given: &Given) -> Result<(Theta, Vec<Records>)> {
        let theta = Theta::new(model, given)?;
        Ok((theta, Records::all(model, frame, true)?))
    }

    /// Bind a model to data in which outcomes may be absent.
    ///
    /// # Errors
    /// As [`Joint::new`], but for outcomes.
    pub fn for_prediction(model: &Model, frame: &Frame, given: &Given) -> Result<Self> {
        let theta = Theta::new(model, given)?;
        let records = Records::all(model, frame, false)?;
        let bound = BoundEquations::new(model, Some(frame), &records)?;
        Self::join(model, &bound, records, theta, given)
    }

    /// The problem of one imagined subject, whose covariates are constant and positive wherever that matters: what
    /// can be recognised in the model before data are known.
    ///
    /// # Errors
    /// As [`Joint::new`], but for data.
    pub fn preview(model: &Model, given: &Given) -> Result<Self> {
        let theta = Theta::new(model, given)?;
        let records = vec![Records::imagined(model); model.groups.len()];
        let bound = BoundEquations::new(model, None, &records)?;
        Self::join(model, &bound, records, theta, given)
    }

    fn join(
        model: &Model,
        bound: &BoundEquations,
        records: Vec<Records>,
        mut theta: Theta,
        given: &Given,
    ) -> Result<Self> {
        let held = held_levels(model, &records, given)?;
        let standings: Vec<Standing> = (model.effects.iter().enumerate())
            .map(|(k, effect)| {
                if held.iter().any(|(held, _, _)| *held == k) {
                    Standing::Held
                } else if given.apart.contains(&effect.name) {
                    Standing::Apart
                } else {
                    Standing::Free
                }
            })
            .collect();
        let source = FormSource {
            graph: bound.graph.clone(),
            standings,
        };
        let mut form = NormalForm::new(model, &source.graph, &records, &theta, &source.standings)?;
        form.dynamics = bound.dynamics.clone();
        theta.routes = form.routes(model, &theta.free);
        theta.idle = (0..theta.len())
            .filter(|k| theta.free[*k] && theta.routes[*k] == Route::Fixed)
            .collect();
        theta.free = (theta.routes.iter())
            .map(|route| *route != Route::Fixed)
            .collect();
        let mut parts: Vec<Problem> = (0..records.len())
            .map(|group| Problem::new(model, &form, &records, &theta, group))
            .collect();
        for (effect, level, phi) in held {
            parts[model.effects[effect].group].hold(effect, level, phi);
        }
        let (batches, n_batches) = batches(&records);
        Ok(Self {
            exchanges: exchanges(model, &form, &records),
            idle_effects: form.idle_effects(model.effects.len()),
            parts,
            theta,
            batches,
            n_batches,
            form,
            source: Arc::new(source),
        })
    }

    /// Whether `phi` of an effect of the model holds its mean.
    pub fn is_centered(&self, effect: usize) -> bool {
        self.source.standings[effect] == Standing::Free
    }

    /// Coordinates of `theta` on which the outcomes' predictions depend.
    pub fn in_predictions(&self) -> Vec<usize> {
        let densities = self.form.densities.iter();
        let mut list = (self.form).thetas_of(densities.filter_map(|d| d.prediction).collect());
        list.sort_unstable();
        list
    }

    /// The first problem, whose program holds the outcomes' dependence on `theta`.
    pub fn main(&self) -> &Problem {
        &self.parts[0]
    }

    pub fn model(&self) -> &Model {
        &self.parts[0].model
    }

    /// All groupings with some effects at their means; see [`Problem::pinned`].
    pub fn pinned(&self, effects: &[usize], theta: &[f64]) -> Self {
        let mut pinned = self.clone();
        for part in &mut pinned.parts {
            *part = part.pinned(effects, theta);
        }
        pinned
    }

    /// True when all levels of the one grouping are independent and free: the case of most models.
    pub fn is_simple(&self) -> bool {
        self.parts.len() == 1 && self.parts[0].held.is_none()
    }

    /// Values of `phi` for all groupings, from one vector a grouping.
    pub fn points(&self, values: Vec<Vec<f64>>) -> EffectValues {
        EffectValues {
            values,
            dims: self.parts.iter().map(Problem::n_phi).collect(),
        }
    }

    /// What each coordinate of `theta` is to a statistician: fixed effect, covariate coefficient, covariance of the
    /// random effects, or residual error.
    pub fn roles(&self) -> Vec<&'static str> {
        let form = &self.main().form;
        let in_covariance = |part: &Problem| {
            let nodes = part.form.covariance.iter().flat_map(|c| c.nodes.clone());
            part.form.thetas_of(nodes.collect())
        };
        let random: Vec<usize> = self.parts.iter().flat_map(in_covariance).collect();
        let spread = form.thetas_of(form.densities.iter().filter_map(|d| d.sd).collect());
        let location = form.thetas_of(form.densities.iter().filter_map(|d| d.prediction).collect());
        let varying: Vec<usize> = (self.parts.iter().flat_map(|part| &part.terms))
            .filter(|term| term.values.windows(2).any(|pair| pair[0] != pair[1]))
            .map(|term| term.theta)
            .collect();
        let role = |k: usize| {
            if random.contains(&k) {
                "random"
            } else if spread.contains(&k) && !location.contains(&k) {
                "residual"
            } else if varying.contains(&k) {
                "covariate"
            } else {
                "fixed"
            }
        };
        (0..self.theta.len()).map(role).collect()
    }
}

impl Problem {
    /// Whether an effect (counted within the grouping) of a level has a given value.
    pub fn is_held(&self, level: usize, k: usize) -> bool {
        let d = self.n_phi();
        (self.held.as_ref()).is_some_and(|held| !held[level * d + k].is_nan())
    }

    /// The problem in which some effects (of the model) of all levels have their means at `theta` for values.
    pub fn pinned(&self, effects: &[usize], theta: &[f64]) -> Self {
        let mut pinned = self.clone();
        let means = Means::new(self, &self.full_layout(), theta);
        let own = self.form.offset..self.form.offset + self.n_phi();
        for effect in effects.iter().filter(|effect| own.contains(effect)) {
            for level in 0..self.n_subjects() {
                let k = effect - self.form.offset;
                if !self.is_held(level, k) {
                    pinned.hold(*effect, level, means.of(level)[k]);
                }
            }
        }
        pinned
    }

    /// Give `phi` of one effect (of the model) of one level a value.
    pub(super) fn hold(&mut self, effect: usize, level: usize, phi: f64) {
        let (d, n) = (self.n_phi(), self.n_subjects());
        let k = effect - self.form.offset;
        let held = self.held.get_or_insert_with(|| vec![f64::NAN; n * d]);
        held[level * d + k] = phi;
    }
}

/// Find the effects and levels whose values are given.
fn held_levels(model: &Model, records: &[Records], given: &Given) -> Result<Held> {
    let find = |(name, label, value): &(String, String, f64)| {
        let effects = model.effects.iter().map(|e| e.name.as_str());
        let error = |reason, problem: String| {
            Error::new(ErrorClass::Start, reason, problem)
                .at("`fix`")
                .field("name", name)
        };
        let effect = effects
            .clone()
            .position(|known| known == name)
            .ok_or_else(|| {
                error(
                    "unknown_effect",
                    format!("The model has no random effect `{name}`."),
                )
                .hint(words::suggestion(name, "Its effects are", effects.clone()))
            })?;
        let of = &records[model.effects[effect].group];
        let level = of
            .labels
            .iter()
            .position(|known| known == label)
            .ok_or_else(|| {
                let labels: Vec<&str> = of.labels.iter().take(20).map(String::as_str).collect();
                error(
                    "unknown_level",
                    format!(
                        "`{}` has no level `{label}`, for which `{name}` is fixed.",
                        of.group
                    ),
                )
                .hint(words::suggestion(label, "Its levels are", labels))
            })?;
        let phi = model.effects[effect].transform.backward(*value);
        if !phi.is_finite() {
            return Err(error(
                "bad_value",
                format!("The value {value} given for `{name}` is not a value of its distribution."),
            ));
        }
        Ok((effect, level, phi))
    };
    given.levels.iter().map(find).collect()
}

/// The connected components of the levels of all groupings, joined by the rows they share.
fn batches(records: &[Records]) -> (Vec<Vec<usize>>, usize) {
    let offsets: Vec<usize> = (records.iter())
        .scan(0, |total, r| {
            let first = *total;
            *total += r.n_subjects;
            Some(first)
        })
        .collect();
    let total: usize = records.iter().map(|r| r.n_subjects).sum();
    let mut parent: Vec<usize> = (0..total).collect();
    for row in 0..records[0].codes.len() {
        let first = root(&mut parent, records[0].codes[row]);
        for (other, offset) in records.iter().zip(&offsets).skip(1) {
            let joined = root(&mut parent, offset + other.codes[row]);
            parent[joined] = first;
        }
    }
    let mut number = vec![usize::MAX; total];
    let mut n = 0;
    let batches = (records.iter().zip(&offsets))
        .map(|(r, offset)| {
            (*offset..offset + r.n_subjects)
                .map(|level| {
                    let top = root(&mut parent, level);
                    if number[top] == usize::MAX {
                        number[top] = n;
                        n += 1;
                    }
                    number[top]
                })
                .collect()
        })
        .collect();
    (batches, n)
}

/// The representative of a set in a union-find forest, with paths halved.
pub fn root(parent: &mut [usize], mut i: usize) -> usize {
    while parent[i] != i {
        parent[i] = parent[parent[i]];
        i = parent[i];
    }
    i
}
