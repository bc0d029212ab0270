//! Let a run start where another one stood: at its state, or at effects that are known.

use super::part::stand;
use super::run::SaemRun;
use crate::keep::{Keep, Unreadable};
use crate::problem::EffectValues;

impl SaemRun<'_> {
    /// Put the state of an earlier run in place of the start.
    ///
    /// # Errors
    /// Bytes of another kind of run.
    pub fn restore(&mut self, mut bytes: &[u8]) -> Result<(), Unreadable> {
        // The chains must be there before their states are read.
        self.start_all();
        self.load(&mut bytes)?;
        self.trace.phase = (1..=self.trace.len())
            .map(|k| self.schedule.label(k))
            .collect();
        if bytes.is_empty() {
            Ok(())
        } else {
            Err(Unreadable)
        }
    }

    /// Start the chains at these values of `phi`, where they are numbers and free, instead of the means.
    pub fn start_at(&mut self, points: &EffectValues) {
        self.start_all();
        for (part, values) in self.parts.iter_mut().zip(&points.values) {
            part.start_at(values);
        }
    }

    /// Start all chains at the means; not where no population distribution exists.
    fn start_all(&mut self) {
        if stand(&mut self.parts, self.joint, &self.theta).is_some() {
            self.start_chains();
        }
    }
}
