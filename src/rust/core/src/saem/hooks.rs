//! Ask the functions of the user that take part in the iterations.
//!
//! `suffstats` turns the draws of one chain into statistics `s_new`; those of several chains are averaged, and the front
//! end keeps `s <- s + gain (s_new - s)`. From `s`, `q_from_stats` gives an objective of the M-step and
//! `mstep_closed_form` its solution; `update_schedule` names the batches that an iteration draws for. The functions see
//! parameters on the natural scale and random effects as the user wrote them.

use super::options::Hook;
use super::part::{ChainDraws, GroupingRun};
use crate::error::{Error, ErrorClass, Result};
use crate::model::parameter::ModelParameter;
use crate::monitor::{HookQuestion, Monitor};
use crate::problem::{natural, EffectDraws, Joint, Route};
use crate::reply::ReplyValue;

/// The functions of the user in a fit.
pub struct Hooks<'a> {
    joint: &'a Joint,
    monitor: &'a dyn Monitor,
    used: &'a [Hook],
    /// The free effects: batch by batch, in a batch effect by effect, of an effect level by level.
    places: Vec<LevelEffect>,
    /// Whether the front end knows what the draws belong to.
    introduced: bool,
}

/// A random effect of a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct LevelEffect {
    batch: usize,
    group: usize,
    /// Which effect, counted within its grouping.
    effect: usize,
    level: usize,
}

impl<'a> Hooks<'a> {
    pub fn new(joint: &'a Joint, used: &'a [Hook], monitor: &'a dyn Monitor) -> Self {
        let draws = used.contains(&Hook::Suffstats);
        Self {
            joint,
            monitor,
            used,
            places: if draws { places(joint) } else { Vec::new() },
            introduced: false,
        }
    }

    pub fn has(&self, hook: Hook) -> bool {
        self.used.contains(&hook)
    }

    /// The batches, counted from zero and in order, that iteration `k` of `n` batches draws for.
    ///
    /// # Errors
    /// Those of the function; an answer that names no batch, one twice, or one that does not exist.
    pub fn batches(&self, k: usize, n: usize) -> Result<Vec<usize>> {
        let hook = Hook::UpdateSchedule;
        let arguments = vec![("n_batches", count(n)), ("iteration", count(k))];
        let answer = self.ask(hook, arguments)?;
        let valid = |b: &f64| *b >= 1.0 && *b <= n as f64 && b.fract() == 0.0;
        let mut batches: Vec<usize> = (answer.iter().filter(|b| valid(b)))
            .map(|b| *b as usize - 1)
            .collect();
        batches.sort_unstable();
        batches.dedup();
        if batches.is_empty() || batches.len() < answer.len() {
            return Err(refused(
                hook,
                format!("must name different batches between 1 and {n}"),
            ));
        }
        Ok(batches)
    }

    /// Hand the draws of every chain to the statistics, which move toward theirs by `gain`. `theta` is that of the
    /// E-step.
    ///
    /// # Errors
    /// Those of the function; statistics whose names or shapes change.
    pub fn statistics(&mut self, parts: &[GroupingRun], theta: &[f64], gain: f64) -> Result<()> {
        if !self.introduced {
            self.introduce()?;
            self.introduced = true;
        }
        let arguments = vec![
            ("effects", self.effects(parts, theta)),
            ("parameters", self.parameters(theta)),
            ("gain", ReplyValue::Number(gain)),
        ];
        self.ask(Hook::Suffstats, arguments).map(drop)
    }

    /// The user's objective at any `theta`, the higher the better, given the statistics; it need not be finite.
    ///
    /// # Errors
    /// Those of the function; an answer that is not one number.
    pub fn q(&self, theta: &[f64]) -> Result<f64> {
        let hook = Hook::QFromStats;
        let answer = self.ask(hook, vec![("parameters", self.parameters(theta))])?;
        match answer[..] {
            [value] => Ok(value),
            _ => Err(refused(hook, "must give one number".into())),
        }
    }

    /// The user's objective at an estimate.
    ///
    /// # Errors
    /// Those of [`Hooks::q`]; a value that is not finite.
    pub fn objective(&self, theta: &[f64]) -> Result<f64> {
        let value = self.q(theta)?;
        if value.is_finite() {
            return Ok(value);
        }
        let elements = self.joint.theta.elements.iter().map(|e| &e.name);
        let values = natural(self.joint.model(), theta);
        let shown: Vec<String> = (elements.zip(values))
            .map(|(name, value)| format!("{name} = {value}"))
            .collect();
        let problem = format!("gives {value}, which is not a finite number");
        Err(refused(Hook::QFromStats, problem).at(shown.join(", ")))
    }

    /// The user's M-step, moved into the bounds; what is fixed stays at its value in `theta`.
    ///
    /// # Errors
    /// Those of the function; values that their parameters cannot have.
    pub fn mstep(&self, theta: &[f64]) -> Result<Vec<f64>> {
        let hook = Hook::MstepClosedForm;
        let answer = self.ask(hook, Vec::new())?;
        let parameters = &self.joint.model().parameters;
        let wanted: usize = parameters.iter().map(ModelParameter::n_elements).sum();
        if answer.len() != wanted {
            let problem = format!("must give {wanted} values, not {}", answer.len());
            return Err(refused(hook, problem));
        }
        let mut new = theta.to_vec();
        let mut rest = &answer[..];
        for parameter in parameters {
            let (own, others) = rest.split_at(parameter.n_elements());
            rest = others;
            self.set(parameter, own, &mut new)?;
        }
        Ok(new)
    }

    /// Set the free coordinates of a parameter to those of a natural value.
    fn set(&self, parameter: &ModelParameter, own: &[f64], new: &mut [f64]) -> Result<()> {
        let theta = &self.joint.theta;
        for (k, x) in parameter.coordinates().zip(parameter.transform(own)) {
            if theta.routes[k] == Route::Fixed {
                continue;
            }
            let inside = theta.clamp(k, x);
            if x.is_nan() || !inside.is_finite() {
                let shown: Vec<String> = own.iter().map(f64::to_string).collect();
                let name = &parameter.name;
                let problem = format!("gives `{name}` a value that it cannot have");
                return Err(refused(Hook::MstepClosedForm, problem)
                    .at(format!("{name} = {}", shown.join(", ")))
                    .field("name", name));
            }
            new[k] = inside;
        }
        Ok(())
    }

    /// Tell the front end what the draws belong to.
    fn introduce(&self) -> Result<()> {
        let joint = self.joint;
        let group = |place: &LevelEffect| &joint.parts[place.group];
        let names = self.places.iter().map(|place| {
            let effect = &group(place).effects()[place.effect].name;
            format!("{effect}[{}]", group(place).records.labels[place.level])
        });
        let mut lengths = vec![0; joint.n_batches];
        for place in &self.places {
            lengths[place.batch] += 1;
        }
        let first = &joint.parts[0].records.codes;
        let rows = first.iter().map(|level| joint.batches[0][*level] + 1);
        let levels = joint.parts.iter().zip(&joint.batches);
        let levels = levels.map(|(part, batches)| {
            let entries = vec![
                ("labels", ReplyValue::Texts(part.records.labels.clone())),
                ("batch", counts(batches.iter().map(|b| b + 1))),
            ];
            (part.records.group.clone(), list(entries))
        });
        let arguments = vec![
            ("names", ReplyValue::Texts(names.collect())),
            ("lengths", counts(lengths.into_iter())),
            ("rows", counts(rows)),
            ("levels", ReplyValue::List(levels.collect())),
        ];
        self.put("batches", arguments).map(drop)
    }

    /// The draws as the user wrote the effects: a row a place, a column a chain.
    fn effects(&self, parts: &[GroupingRun], theta: &[f64]) -> ReplyValue {
        let shifts: Vec<Vec<f64>> = (parts.iter())
            .map(|part| part.problem().shifts(part.layout(), theta))
            .collect();
        let draws = ChainDraws { parts };
        let copies = parts.first().map_or(0, |part| part.layout().copies);
        let value = |copy: usize, place: &LevelEffect| {
            let LevelEffect {
                group,
                effect,
                level,
                ..
            } = *place;
            let problem = parts[group].problem();
            let phi = draws.phi(group, effect, level, copy);
            let shift = shifts[group][level * problem.n_phi() + effect];
            problem.effects()[effect].transform.forward(phi - shift)
        };
        let columns = (0..copies).flat_map(|copy| {
            let value = &value;
            self.places.iter().map(move |place| value(copy, place))
        });
        ReplyValue::Matrix {
            rows: self.places.len(),
            cols: copies,
            data: columns.collect(),
        }
    }

    fn parameters(&self, theta: &[f64]) -> ReplyValue {
        ReplyValue::Numbers(natural(self.joint.model(), theta))
    }

    fn ask(&self, hook: Hook, arguments: Vec<(&str, ReplyValue)>) -> Result<Vec<f64>> {
        self.put(hook.name(), arguments)
    }

    fn put(&self, hook: &'static str, arguments: Vec<(&str, ReplyValue)>) -> Result<Vec<f64>> {
        let named = arguments.into_iter();
        let arguments = named.map(|(name, value)| (name.to_string(), value));
        self.monitor.ask(HookQuestion {
            hook,
            arguments: arguments.collect(),
        })
    }
}

/// The free effects of all levels in the order of the draws.
fn places(joint: &Joint) -> Vec<LevelEffect> {
    let mut places = Vec::new();
    for (group, part) in joint.parts.iter().enumerate() {
        for effect in 0..part.n_phi() {
            let free = (0..part.n_subjects()).filter(|level| !part.is_held(*level, effect));
            places.extend(free.map(|level| LevelEffect {
                batch: joint.batches[group][level],
                group,
                effect,
                level,
            }));
        }
    }
    // The sort is stable: within a batch the order stays.
    places.sort_by_key(|place| place.batch);
    places
}

/// An answer that a function must not give; `problem` goes on after its name.
fn refused(hook: Hook, problem: String) -> Error {
    let name = hook.name();
    Error::new(
        ErrorClass::Option,
        "hook_value",
        format!("`{name}` {problem}."),
    )
    .field("hook", name)
}

fn list(entries: Vec<(&str, ReplyValue)>) -> ReplyValue {
    let entries = entries.into_iter();
    ReplyValue::List(
        entries
            .map(|(name, value)| (name.to_string(), value))
            .collect(),
    )
}

fn count(n: usize) -> ReplyValue {
    counts(std::iter::once(n))
}

/// Counts for R; larger ones than `i32::MAX` do not occur.
fn counts(numbers: impl Iterator<Item = usize>) -> ReplyValue {
    ReplyValue::Integers(
        numbers
            .map(|n| i32::try_from(n).unwrap_or(i32::MAX))
            .collect(),
    )
}
