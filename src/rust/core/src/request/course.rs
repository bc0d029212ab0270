//! Say where a fit starts, which earlier run it continues, and where it leaves its state.

use std::collections::HashMap;

use super::fit_task::FitTask;
use super::grouping::label;
use super::method::Method;
use super::FrameColumns;
use crate::error::{Error, ErrorClass, Result};
use crate::inference::ebe::EbeOptions;
use crate::inference::options::LogLik;
use crate::problem::phi_of;
use crate::problem::{EffectValues, Given, Joint, Problem};
use crate::saem::{CheckpointPlan, Checksum, Identity, RunEnds, SavedRun};

impl FitTask {
    /// The course of a fit, without first effects; the starting values of the run it continues are put into `given`.
    ///
    /// # Errors
    /// A state that cannot be read, or is that of another fit.
    pub fn course(&self, columns: &FrameColumns, given: &mut Given) -> Result<RunEnds> {
        let mut identity = self.identity(columns, given);
        let resume = match &self.resume {
            None => None,
            Some(resume) => Some(SavedRun::read(&resume.path, &resume.name)?),
        };
        if let Some(saved) = &resume {
            saved.check(&identity, self.seed)?;
            identity = saved.header.identity.clone();
            given.start = identity.start.clone();
        }
        let checkpoint = self.checkpoint.as_ref().map(|kept| CheckpointPlan {
            path: kept.path.clone(),
            every: kept.every,
        });
        Ok(RunEnds {
            identity,
            first: None,
            resume,
            checkpoint,
        })
    }

    /// What makes this fit the same as another one, bit for bit.
    fn identity(&self, columns: &FrameColumns, given: &Given) -> Identity {
        let mut data = Checksum::default();
        data.show(&self.data);
        for (name, values) in columns {
            data.show(name);
            for value in values {
                data.add(&value.to_bits().to_le_bytes());
            }
        }
        // Options by which a fit is reported, not found.
        let mut method = self.method.clone();
        let (ebe, inference) = match &mut method {
            Method::Saem(options) => (&mut options.ebe, &mut options.inference),
            Method::Vem(options) => (&mut options.ebe, &mut options.inference),
        };
        *ebe = EbeOptions::default();
        (inference.log_lik, inference.nodes) = (LogLik::default(), None);
        Identity {
            model: checksum(&self.model),
            data: data.value(),
            fixed: checksum(&(&self.fix, &self.levels)),
            method: checksum(&method),
            start: given.start.clone(),
        }
    }

    /// `phi` at which the chains start: NaN where the request says nothing.
    pub fn first_effects(&self, joint: &Joint) -> Option<EffectValues> {
        if self.first.is_empty() {
            return None;
        }
        let each = joint.parts.iter();
        let values = each.map(|part| {
            let effects = self.first_effects_of(part);
            phi_of(part, &joint.theta.start, &effects)
        });
        Some(joint.points(values.collect()))
    }

    fn first_effects_of(&self, part: &Problem) -> Vec<f64> {
        let d = part.n_phi();
        let mut effects = vec![f64::NAN; part.n_subjects() * d];
        let labels = part.records.labels.iter();
        let levels: HashMap<&str, usize> = labels.enumerate().map(|(i, l)| (&**l, i)).collect();
        for first in &self.first {
            let names = part.effects();
            let Some(k) = names.iter().position(|effect| effect.name == first.effect) else {
                continue;
            };
            for (level, value) in first.labels.iter().zip(&first.values) {
                if let (Some(i), Some(value)) = (levels.get(&*label(level)), value) {
                    effects[i * d + k] = *value;
                }
            }
        }
        effects
    }
}

/// What an interrupted run leaves is that of SAEM; `why`: the fit has none.
///
/// # Errors
/// A checkpoint or a run to go on with.
pub fn refuse_course(course: &RunEnds, why: &str) -> Result<()> {
    if course.checkpoint.is_none() && course.resume.is_none() {
        return Ok(());
    }
    Err(Error::new(ErrorClass::Option, "checkpoint_vem", why)
        .hint("Leave `checkpoint` out; `start_from` takes the estimates of a finished fit."))
}

fn checksum(value: &impl std::fmt::Debug) -> u64 {
    let mut checksum = Checksum::default();
    checksum.show(value);
    checksum.value()
}
