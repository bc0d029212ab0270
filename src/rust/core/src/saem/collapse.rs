//! Take the standard deviations of chosen random effects to zero over the run.
//!
//! `sd(1)` is that of the model; `exponential`: `sd0 (min/sd0)^frac`, `linear`: `sd0 - (sd0 - min) frac`, with `frac`
//! from 0 to 1 over all iterations; `gamma`: `sd0 g(k)`, `g` the classical gains, which need not come to `min`.

use super::options::{AnnealOptions, CollapseSchedule};
use super::schedule::Schedule;
use crate::error::{Error, ErrorClass, Result};
use crate::problem::{coordinate_at, Joint};

/// The effects that collapse: the coordinate that stands for the standard deviation, and its first value.
#[derive(Debug, Clone)]
pub struct Collapses {
    list: Vec<(usize, f64)>,
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
        let list: Result<Vec<(usize, f64)>> = (options.anneal_to_fixed.iter())
            .map(|collapse| Ok((find(&collapse.parameter)?, collapse.sd)))
            .collect();
        Ok(Self {
            list: list?,
            schedule: options.anneal_schedule,
            min_sd: options.anneal_min_sd,
        })
    }

    /// Set the standard deviations of iteration `k`.
    pub fn set(&self, joint: &Joint, schedule: &Schedule, k: usize, theta: &mut [f64]) {
        for (coordinate, start) in &self.list {
            let sd = self.sd(*start, schedule, k);
            theta[*coordinate] = coordinate_at(joint.model(), *coordinate, sd, theta);
        }
    }

    /// Set them to what they end at, wherever the run ended.
    pub fn finish(&self, joint: &Joint, theta: &mut [f64]) {
        for (coordinate, _) in &self.list {
            theta[*coordinate] = coordinate_at(joint.model(), *coordinate, self.min_sd, theta);
        }
    }

    fn sd(&self, start: f64, schedule: &Schedule, k: usize) -> f64 {
        let fraction = schedule.progress(k);
        let sd = match self.schedule {
            CollapseSchedule::Exponential => start * (self.min_sd / start).powf(fraction),
            CollapseSchedule::Linear => start - (start - self.min_sd) * fraction,
            CollapseSchedule::Gamma => start * schedule.classical(k) / schedule.classical(1),
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
        let plan = Schedule::new(&options);
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
            assert!((sds[299] - 1e-5).abs() < 1e-16, "{}", sds[299]);
            assert!(sds.windows(2).all(|pair| pair[1] < pair[0]));
        }
        let gamma = sds(CollapseSchedule::Gamma);
        assert_eq!((gamma[0], gamma[149]), (0.8, 0.8));
        // t0 = 150, kappa = 0.65.
        assert!((gamma[299] - 0.8 * 150f64.powf(-0.65)).abs() < 1e-15);
        assert!((gamma[299] / 0.8 - 0.0385).abs() < 5e-5);
    }
}
