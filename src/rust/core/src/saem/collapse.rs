//! Take the standard deviations of chosen random effects to zero while the run explores.
//!
//! `sd(1)` is that of the model; `exponential`: `sd0 (min/sd0)^frac`, `linear`: `sd0 - (sd0 - min) frac`, with `frac`
//! from 0 to 1 over the exploration; `gamma`: `sd0 g(k)`, `g` the classical gains, gone through in the exploration as they
//! else are in the whole run, so that they need not come to `min`. Behind the exploration it is `min`: the smoothing
//! averages over draws of one model only if nothing collapses while it does. Such effects move as deviations from their
//! means, which are parameters of the outcomes and so go on moving when the deviations vanish.

use super::options::{AnnealOptions, CollapseSchedule};
use super::part::GroupingRun;
use super::schedule::RunSchedule;
use crate::error::{Error, ErrorClass, Result};
use crate::problem::{coordinate_at, Joint, Problem};

/// An effect that collapses.
#[derive(Debug, Clone)]
struct Collapsing {
    effect: String,
    /// The coordinate that stands for its standard deviation, and the first value of that.
    coordinate: usize,
    start: f64,
}

/// The effects that collapse.
#[derive(Debug, Clone)]
pub struct Collapses {
    list: Vec<Collapsing>,
    schedule: CollapseSchedule,
    min_sd: f64,
}

impl Collapses {
    /// # Errors
    /// A parameter that the model does not have.
    pub fn new(joint: &Joint, options: &AnnealOptions) -> Result<Self> {
        let parameters = &joint.model().parameters;
        let find = |name: &str| {
            let found = parameters.iter().find(|p| p.name == name);
            found.map(|p| p.first).ok_or_else(|| {
                Error::new(
                    ErrorClass::Internal,
                    "unknown_parameter",
                    format!("`anneal_to_fixed` names `{name}`, which is not a parameter."),
                )
            })
        };
        let list: Result<Vec<Collapsing>> = (options.anneal_to_fixed.iter())
            .map(|collapse| {
                Ok(Collapsing {
                    effect: collapse.effect.clone(),
                    coordinate: find(&collapse.parameter)?,
                    start: collapse.sd,
                })
            })
            .collect();
        Ok(Self {
            list: list?,
            schedule: options.anneal_schedule,
            min_sd: options.anneal_min_sd,
        })
    }

    /// Set the standard deviations of iteration `k`.
    pub fn set(&self, joint: &Joint, schedule: &RunSchedule, k: usize, theta: &mut [f64]) {
        for one in &self.list {
            let sd = self.sd(one.start, schedule, k);
            theta[one.coordinate] = coordinate_at(joint.model(), one.coordinate, sd, theta);
        }
    }

    /// Set them to what they end at, wherever the run ended.
    pub fn finish(&self, joint: &Joint, theta: &mut [f64]) {
        for one in &self.list {
            let k = one.coordinate;
            theta[k] = coordinate_at(joint.model(), k, self.min_sd, theta);
        }
    }

    /// Let the draws of iteration `k` begin as far from their means as the standard deviations have left them: a draw of
    /// the wider distribution would be many deviations away from the narrower one.
    pub fn follow(&self, parts: &mut [GroupingRun], schedule: &RunSchedule, k: usize) {
        for one in self.list.iter().filter(|_| k > 1) {
            let ratio = self.sd(one.start, schedule, k) / self.sd(one.start, schedule, k - 1);
            for part in parts.iter_mut() {
                let effects = part.problem().effects().iter();
                if let Some(d) = effects
                    .map(|e| &e.name)
                    .position(|name| *name == one.effect)
                {
                    part.draw_in(d, ratio);
                }
            }
        }
    }

    /// What is left of the first standard deviation of each effect of a grouping in iteration `k`; empty where none
    /// collapses.
    pub fn pace(&self, problem: &Problem, schedule: &RunSchedule, k: usize) -> Vec<f64> {
        if self.list.is_empty() {
            return Vec::new();
        }
        let left = |name: &str| {
            let found = self.list.iter().find(|one| one.effect == name);
            found.map_or(1.0, |one| self.sd(one.start, schedule, k) / one.start)
        };
        problem.effects().iter().map(|e| left(&e.name)).collect()
    }

    fn sd(&self, start: f64, schedule: &RunSchedule, k: usize) -> f64 {
        let fraction = schedule.exploring(k);
        if fraction > 1.0 {
            return self.min_sd.min(start);
        }
        let sd = match self.schedule {
            CollapseSchedule::Exponential => start * (self.min_sd / start).powf(fraction),
            CollapseSchedule::Linear => start - (start - self.min_sd) * fraction,
            CollapseSchedule::Gamma => {
                let last = schedule.total() as f64;
                start * schedule.classical(1.0 + fraction * (last - 1.0)) / schedule.classical(1.0)
            }
        };
        sd.clamp(self.min_sd.min(start), start)
    }
}

#[cfg(test)]
mod tests {
    use super::super::options::{SaemOptions, ScheduleKind};
    use super::*;

    fn sds(schedule: CollapseSchedule) -> Vec<f64> {
        let mut options = SaemOptions::default();
        options.schedule.sa_schedule = ScheduleKind::RobbinsMonro;
        let plan = RunSchedule::new(&options);
        let collapses = Collapses {
            list: Vec::new(),
            schedule,
            min_sd: 1e-5,
        };
        (1..=300).map(|k| collapses.sd(0.8, &plan, k)).collect()
    }

    #[test]
    fn case_9_standard_deviations_go_down_to_the_smallest() {
        for schedule in [CollapseSchedule::Exponential, CollapseSchedule::Linear] {
            let sds = sds(schedule);
            assert_eq!(sds[0], 0.8);
            // The smoothing begins at iteration 151.
            assert!(sds[..150].windows(2).all(|pair| pair[1] < pair[0]));
            assert!(sds[149..].iter().all(|sd| (sd - 1e-5).abs() < 1e-16));
        }
        let gamma = sds(CollapseSchedule::Gamma);
        assert_eq!((gamma[0], gamma[74]), (0.8, 0.8));
        // t0 = 150, kappa = 0.65, at iteration 300 of 300, which is the last of the exploration.
        assert!((gamma[149] - 0.8 * 150f64.powf(-0.65)).abs() < 1e-15);
        assert!((gamma[149] / 0.8 - 0.0385).abs() < 5e-5);
        assert!(gamma[150..].iter().all(|sd| *sd == 1e-5));
    }
}
