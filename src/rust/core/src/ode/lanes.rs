//! Say what the lanes of one block meet.

use std::sync::Arc;

use super::agenda::{Agenda, Observation};
use super::difference::{intervals, Intervals};
use super::dynamics::{Dynamics, Engine};
use super::linear::StepPlan;
use super::task::{Failure, LaneTask};
use super::timeline::Stops;
use super::Planner;

/// What the lanes of one block meet; lanes of one subject at the same rows share it.
#[derive(Debug, Clone, Default)]
pub struct Lanes {
    /// For each lane in use its entry in `met`.
    pub(super) which: Vec<usize>,
    pub(super) met: Vec<Met>,
    /// Whether the stops are those of `met` whatever the inputs are.
    pub(super) constant: bool,
    /// The same in steps of all lanes, for equations in closed form.
    pub(super) plan: Option<StepPlan>,
}

/// One subject.
#[derive(Debug, Clone, Default)]
pub(super) struct Met {
    pub subject: usize,
    observations: Vec<Observation>,
    pub intervals: Arc<Intervals>,
    /// Made once where they do not depend on inputs.
    pub stops: Stops,
    pub failure: Option<Failure>,
}

impl Lanes {
    /// Each lane is a subject with the rows (of the data frame) at which it is observed, in the order of the block.
    pub(super) fn new(dynamics: &Dynamics, lanes: &[(usize, &[usize])]) -> Self {
        let mut all = Self::default();
        let mut found: Vec<(usize, &[usize])> = Vec::new();
        for lane in lanes {
            let (subject, rows) = lane;
            let known = found.iter().position(|own| own == lane);
            let which = known.unwrap_or_else(|| {
                found.push(*lane);
                all.met.push(Met {
                    subject: *subject,
                    observations: observations(dynamics, rows),
                    intervals: Arc::new(intervals(dynamics, rows)),
                    ..Met::default()
                });
                all.met.len() - 1
            });
            all.which.push(which);
        }
        let agendas = all.met.iter().map(|met| met.agenda(dynamics));
        all.constant = agendas.into_iter().all(|agenda| agenda.is_constant());
        if all.constant {
            let mut planner = Planner::default();
            for met in &mut all.met {
                let mut stops = Stops::new();
                // No input is read.
                let planned = planner.plan(&met.agenda(dynamics), |_| f64::NAN, &mut stops);
                met.failure = planned.err();
                met.stops = stops;
            }
        }
        if all.constant && dynamics.engine() == Engine::March {
            let each = all.which.iter();
            let tasks = each.map(|which| all.met[*which].task(dynamics, &all.met[*which].stops));
            all.plan = Some(StepPlan::new(&tasks.collect::<Vec<_>>()));
        }
        all
    }
}

impl Met {
    pub fn task<'a>(&self, dynamics: &'a Dynamics, stops: &'a Stops) -> LaneTask<'a> {
        let subject = &dynamics.subjects[self.subject];
        LaneTask {
            start: subject.schedule.start,
            stops,
            signals: &subject.signals,
        }
    }

    pub fn agenda<'a>(&'a self, dynamics: &'a Dynamics) -> Agenda<'a> {
        let subject = &dynamics.subjects[self.subject];
        Agenda {
            schedule: &subject.schedule,
            observations: &self.observations,
            lines: &subject.lines,
            dosing: &dynamics.system.dosing,
            variants: &subject.variants,
        }
    }
}

fn observations(dynamics: &Dynamics, rows: &[usize]) -> Vec<Observation> {
    let each = rows.iter().enumerate();
    each.map(|(row, at)| Observation {
        time: dynamics.records[*at].time,
        record: dynamics.records[*at].position,
        row,
    })
    .collect()
}
