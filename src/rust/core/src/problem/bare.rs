//! Recognize parameters that are an argument of a distribution as they stand, and nothing else.
//!
//! | distribution | parameter | maximum of the complete-data density |
//! |---|---|---|
//! | outcome `exponential(scale)`, `poisson(rate)`, `bernoulli(prob)` | the argument | mean of `y` |
//! | outcome `normal(mean, sd)`, `lognormal(meanlog, sdlog)` | location | mean of `y`, of `ln(y)` |
//! | | and spread | root mean square about the location |
//! | effect `exponential(scale)` | scale | mean of the effects |

use super::evaluate::ThetaProgram;
use super::laws::Correction;
use super::normal_form::NormalForm;
use super::Problem;
use crate::data::Records;
use crate::distributions::Family;
use crate::ir::graph::Node;
use crate::language::specification::ParameterScale;
use crate::model::Model;

/// A coordinate of `theta` and the scale on which it stands for a natural value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BareCoordinate {
    pub theta: usize,
    pub scale: ParameterScale,
}

/// Outcomes of one family that say all there is to say about a parameter: the data alone give its maximum.
#[derive(Debug, Clone, PartialEq)]
pub struct BareOutcome {
    pub family: &'static Family,
    pub outcomes: Vec<usize>,
    /// Location, rate, scale or probability.
    pub location: BareCoordinate,
    /// Standard deviation, where it belongs to these outcomes as well.
    pub spread: Option<BareCoordinate>,
}

/// The scale of effects with an exponential distribution.
#[derive(Debug, Clone, PartialEq)]
pub struct BareLaw {
    pub scale: BareCoordinate,
    /// Levels of all its effects together.
    pub count: usize,
}

impl BareOutcome {
    pub fn coordinates(&self) -> Vec<usize> {
        let both = [Some(self.location), self.spread].into_iter().flatten();
        both.map(|coordinate| coordinate.theta).collect()
    }

    pub fn is_gaussian(&self) -> bool {
        self.family.is_gaussian()
    }

    /// The value whose mean estimates the location.
    pub fn value(&self, y: f64) -> f64 {
        if self.family.is_lognormal() {
            y.ln()
        } else {
            y
        }
    }
}

/// Find bare parameters of outcomes; `taken` are coordinates used by means, covariances and effects' distributions.
/// Residual errors that are found together with their location leave the other list.
pub fn outcomes(
    form: &mut NormalForm,
    model: &Model,
    free: &[bool],
    taken: &[usize],
) -> Vec<BareOutcome> {
    let mut found: Vec<BareOutcome> = Vec::new();
    let mut spreads: Vec<Option<Node>> = Vec::new();
    let mut refused = taken.to_vec();
    for (o, outcome) in model.outcomes.iter().enumerate() {
        let density = &form.densities[o];
        let plain = outcome.is_plain();
        let candidate = plain
            .then(|| location(form, model, o))
            .flatten()
            .filter(|(location, _)| free[location.theta]);
        let used = form.thetas_of(vec![density.log_density]);
        let location = candidate.map(|(location, _)| location.theta);
        refused.extend(used.into_iter().filter(|k| Some(*k) != location));
        let Some((location, spread)) = candidate else {
            continue;
        };
        let same = found.iter().position(|bare| bare.location == location);
        match same {
            Some(i) if spreads[i] == spread && found[i].family == outcome.family => {
                found[i].outcomes.push(o);
            }
            Some(_) => refused.push(location.theta),
            None => {
                spreads.push(spread);
                found.push(BareOutcome {
                    family: outcome.family,
                    outcomes: vec![o],
                    location,
                    spread: None,
                });
            }
        }
    }
    found.retain(|bare| !refused.contains(&bare.location.theta));
    for bare in &mut found {
        bare.spread = take_spread(form, model, bare);
    }
    found
}

/// The location of an outcome if it is a parameter as it stands, and the standard deviation if the family has one,
/// which must be the same at every row.
fn location(form: &NormalForm, model: &Model, o: usize) -> Option<(BareCoordinate, Option<Node>)> {
    let density = &form.densities[o];
    let family = model.outcomes[o].family;
    match density.arguments[..] {
        [argument] if family.variance.is_some() => Some((coordinate(form, model, argument)?, None)),
        [location, sd] if family.is_gaussian() => {
            let location = coordinate(form, model, location)?;
            let steady = form.graph.as_constant(sd).is_some()
                || coordinate(form, model, sd).is_some_and(|sd| sd.theta != location.theta);
            steady.then_some((location, Some(sd)))
        }
        _ => None,
    }
}

impl Problem {
    /// The standard deviation of Gaussian outcomes with a bare location; NaN for other families.
    pub fn bare_sd(&self, bare: &BareOutcome, theta: &[f64]) -> f64 {
        let sd = self.form.densities[bare.outcomes[0]].sd;
        sd.filter(|_| bare.is_gaussian()).map_or(f64::NAN, |sd| {
            ThetaProgram::new(&self.form.graph, &[sd]).values(&self.form.graph, theta)[0]
        })
    }
}

/// Take the residual error of exactly these outcomes from the list of residual errors.
fn take_spread(form: &mut NormalForm, model: &Model, bare: &BareOutcome) -> Option<BareCoordinate> {
    let place = form
        .residuals
        .iter()
        .position(|residual| residual.constant && residual.outcomes == bare.outcomes)?;
    let sd = form.densities[bare.outcomes[0]].sd?;
    let spread = coordinate(form, model, sd)?;
    form.residuals.remove(place);
    Some(spread)
}

/// Find bare scales of exponential effects; `taken` are coordinates used by anything else.
pub fn laws(
    form: &NormalForm,
    model: &Model,
    records: &[Records],
    free: &[bool],
    taken: &[usize],
) -> Vec<BareLaw> {
    let mut found: Vec<BareLaw> = Vec::new();
    let mut refused = taken.to_vec();
    for correction in &form.corrections {
        let candidate = law(form, model, correction).filter(|scale| free[scale.theta]);
        let used = form.thetas_of(vec![correction.term]);
        let own = candidate.map(|scale| scale.theta);
        refused.extend(used.into_iter().filter(|k| Some(*k) != own));
        let Some(scale) = candidate else { continue };
        let count = records[model.effects[correction.effect].group].n_subjects;
        match found.iter_mut().find(|law| law.scale == scale) {
            Some(law) => law.count += count,
            None => found.push(BareLaw { scale, count }),
        }
    }
    found.retain(|law| !refused.contains(&law.scale.theta));
    found
}

fn law(form: &NormalForm, model: &Model, correction: &Correction) -> Option<BareCoordinate> {
    match (correction.family.name, &correction.arguments[..]) {
        ("exponential", [scale]) => coordinate(form, model, *scale),
        _ => None,
    }
}

/// The coordinate of an element-wise parameter, if the node is one.
fn coordinate(form: &NormalForm, model: &Model, node: Node) -> Option<BareCoordinate> {
    let each = model.parameters.iter().zip(&form.parameters);
    each.filter_map(|(parameter, (first, nodes))| {
        let scale = parameter
            .scale()
            .filter(|scale| *scale != ParameterScale::Probit)?;
        let element = nodes.iter().position(|known| *known == node)?;
        Some(BareCoordinate {
            theta: first + element,
            scale,
        })
    })
    .next()
}

impl BareCoordinate {
    /// The natural value at a value of the coordinate.
    pub fn natural(&self, x: f64) -> f64 {
        match self.scale {
            ParameterScale::Log => x.exp(),
            ParameterScale::Logit => 1.0 / (1.0 + (-x).exp()),
            ParameterScale::Identity | ParameterScale::Probit => x,
        }
    }

    /// The coordinate of a natural value, which is first moved inside the scale.
    pub fn of(&self, value: f64) -> f64 {
        match self.scale {
            ParameterScale::Log => value.max(f64::EPSILON).ln(),
            ParameterScale::Logit => {
                let inside = value.clamp(f64::EPSILON, 1.0 - f64::EPSILON);
                inside.ln() - (-inside).ln_1p()
            }
            ParameterScale::Identity | ParameterScale::Probit => value,
        }
    }

    /// Derivative of the natural value.
    pub fn slope(&self, x: f64) -> f64 {
        let value = self.natural(x);
        match self.scale {
            ParameterScale::Log => value,
            ParameterScale::Logit => value * (1.0 - value),
            ParameterScale::Identity | ParameterScale::Probit => 1.0,
        }
    }
}
