//! Give the gain of each iteration.
//!
//! `gain = 1` while exploring; then it decreases, by default as `1/k` at iteration `k` of the smoothing (Kuhn &
//! Lavielle 2005).

use super::options::{AnnealSchedule, SaemOptions, ScheduleKind, ScheduleOptions};
use crate::keep::keeps;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Gain 0: the chains run, nothing is learned.
    Burnin,
    /// Gain 1.
    Exploration,
    /// Decreasing gain.
    Smoothing,
}

/// The plan of a run.
#[derive(Debug, Clone)]
pub struct RunSchedule {
    options: ScheduleOptions,
    /// Iterations with annealed variances.
    annealed: usize,
    /// The last iteration of an exploration that ended by itself.
    ended: Option<usize>,
}

keeps!(RunSchedule: values { ended } parts {} rebuilt { options, annealed });

/// Fewest iterations of an exploration that may end by itself.
const FEWEST: usize = 60;

/// Iterations of smoothing after it.
const SMOOTHED: usize = 30;

impl RunSchedule {
    pub fn new(options: &SaemOptions) -> Self {
        let schedule = Self {
            options: options.schedule.clone(),
            annealed: 0,
            ended: None,
        };
        let annealed = match (
            options.anneal.sa_anneal_schedule,
            options.anneal.sa_anneal_iters,
        ) {
            (AnnealSchedule::None, _) => 0,
            (AnnealSchedule::Rate, 0) => schedule.exploration() / 2,
            (_, 0) => (0.3 * schedule.total() as f64).round() as usize,
            (_, n) => n,
        };
        Self {
            annealed,
            ..schedule
        }
    }

    /// Whether phases end when they have done their work.
    pub fn is_adaptive(&self) -> bool {
        self.options.adaptive && self.options.sa_schedule == ScheduleKind::Saemix
    }

    /// Smooth from the iteration after `k` on, unless it is too early.
    pub fn smooth_from(&mut self, k: usize) {
        if k >= self.burnin() + FEWEST && self.ended.is_none() {
            self.ended = Some(k);
        }
    }

    pub fn total(&self) -> usize {
        if let Some(ended) = self.ended {
            return ended + self.options.smoothing.min(SMOOTHED);
        }
        match self.options.sa_schedule {
            ScheduleKind::Saemix => {
                self.burnin() + self.options.exploration + self.options.smoothing
            }
            ScheduleKind::Custom => self.options.gains.len(),
            _ => self.options.maxiters,
        }
    }

    /// Iterations with gain 0.
    pub fn burnin(&self) -> usize {
        match self.options.sa_schedule {
            ScheduleKind::Custom => self.options.gains.iter().take_while(|g| **g == 0.0).count(),
            _ => self.options.sa_burnin_iters,
        }
    }

    /// Iterations before the gain decreases, burn-in included.
    pub fn exploration(&self) -> usize {
        if let Some(ended) = self.ended {
            return ended;
        }
        let full = match self.options.sa_schedule {
            ScheduleKind::Saemix => self.options.exploration,
            ScheduleKind::RobbinsMonro | ScheduleKind::Power => self.options.t0,
            ScheduleKind::TwoPhase => self.options.sa_phase1_iters,
            ScheduleKind::Custom => {
                let gains = self.options.gains.iter().skip(self.burnin());
                gains.take_while(|g| **g >= 1.0).count()
            }
        };
        (self.burnin() + full).min(self.total())
    }

    /// Iterations of the smoothing that are planned; a run may end before them.
    fn smoothing(&self) -> usize {
        self.total() - self.exploration()
    }

    /// Iterations of the smoothing among the first `n` of a run.
    pub fn smoothed(&self, n: usize) -> usize {
        n.saturating_sub(self.exploration())
    }

    /// Phase and gain of iteration `k`, counted from one.
    pub fn at(&self, k: usize) -> (Phase, f64) {
        if k <= self.burnin() {
            return (Phase::Burnin, 0.0);
        }
        if k <= self.exploration() {
            return (Phase::Exploration, 1.0);
        }
        let past = k - self.exploration();
        (Phase::Smoothing, self.decreasing(past))
    }

    /// Gain of the iteration `past` after the last with gain 1.
    fn decreasing(&self, past: usize) -> f64 {
        let k = past as f64;
        match self.options.sa_schedule {
            ScheduleKind::Saemix => 1.0 / k,
            ScheduleKind::RobbinsMonro => {
                let all = self.smoothing();
                if past >= all {
                    0.0
                } else {
                    ((all - past) as f64 / all as f64).powf(self.options.kappa)
                }
            }
            ScheduleKind::TwoPhase => k.powf(self.options.sa_phase2_kappa).clamp(0.0, 1.0),
            ScheduleKind::Power => k.powf(-self.options.kappa),
            ScheduleKind::Custom => {
                let gain = self.options.gains.get(self.exploration() + past - 1);
                gain.copied().unwrap_or(0.0)
            }
        }
    }

    /// Name of the phase of iteration `k` in the words of the schedule.
    pub fn label(&self, k: usize) -> &'static str {
        let (phase, _) = self.at(k);
        match (self.options.sa_schedule, phase) {
            (ScheduleKind::Custom, _) => "custom",
            (_, Phase::Burnin) => "burnin",
            (ScheduleKind::Saemix | ScheduleKind::Power, Phase::Exploration) => "exploration",
            (ScheduleKind::Saemix | ScheduleKind::Power, Phase::Smoothing) => "smoothing",
            (ScheduleKind::RobbinsMonro, Phase::Exploration) => "robbins_monro",
            (ScheduleKind::RobbinsMonro, Phase::Smoothing) => "robbins_monro_decay",
            (ScheduleKind::TwoPhase, Phase::Exploration) => "phase1",
            (ScheduleKind::TwoPhase, Phase::Smoothing) => "phase2",
        }
    }

    /// Gain of the preconditioned smoothing at iteration `k`: `1/(k + 5)`, which keeps the first steps inside the
    /// neighborhood where the information is right.
    pub fn preconditioned(&self, k: usize) -> f64 {
        1.0 / (k.saturating_sub(self.exploration()) + 5) as f64
    }

    /// Whether the scores of the draws are kept: near the end of the exploration and after it.
    pub fn keeps_scores(&self, k: usize) -> bool {
        let exploration = self.exploration();
        let soon = self.is_adaptive() && k > self.burnin() + FEWEST / 3;
        k > self.burnin() && (soon || k + (exploration / 3).min(100) > exploration)
    }

    /// Whether variances are annealed in iteration `k`.
    pub fn anneals(&self, k: usize) -> bool {
        k <= self.annealed
    }

    /// How far the annealing has come at iteration `k`: 0 at the first, 1 at the last.
    pub fn annealing(&self, k: usize) -> f64 {
        fraction(k, self.annealed)
    }

    /// How far the exploration has come at iteration `k`: 0 at the first, 1 at its last, more after it. It is the whole
    /// run where nothing is smoothed.
    pub fn exploring(&self, k: usize) -> f64 {
        let n = self.exploration();
        if k > n {
            f64::INFINITY
        } else {
            fraction(k, n)
        }
    }

    /// The classical sequence: 1 for `t0` iterations, then `k^-kappa`; also between iterations.
    pub fn classical(&self, k: f64) -> f64 {
        let past = k - self.options.t0 as f64;
        if past <= 1.0 {
            1.0
        } else {
            past.powf(-self.options.kappa)
        }
    }
}

fn fraction(k: usize, n: usize) -> f64 {
    if n <= 1 {
        0.0
    } else {
        (k as f64 - 1.0) / (n as f64 - 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(options: ScheduleOptions) -> RunSchedule {
        RunSchedule::new(&SaemOptions {
            schedule: options,
            ..SaemOptions::default()
        })
    }

    fn gains(schedule: &RunSchedule, at: &[usize]) -> Vec<f64> {
        at.iter().map(|k| schedule.at(*k).1).collect()
    }

    #[test]
    fn the_gain_is_one_then_one_over_k() {
        let schedule = RunSchedule::new(&SaemOptions::two_phases(3, 4));
        let found = gains(&schedule, &[1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(found, [1.0, 1.0, 1.0, 1.0, 0.5, 1.0 / 3.0, 0.25]);
    }

    #[test]
    fn case_1_two_phase() {
        let options = ScheduleOptions {
            sa_schedule: ScheduleKind::TwoPhase,
            sa_burnin_iters: 3,
            sa_phase1_iters: 5,
            ..ScheduleOptions::default()
        };
        let plan = schedule(options.clone());
        let found = gains(&plan, &[1, 3, 4, 8, 9, 10, 11, 18]);
        assert_eq!(found, [0.0, 0.0, 1.0, 1.0, 1.0, 0.5, 1.0 / 3.0, 0.1]);
        assert_eq!(
            [3, 8, 9].map(|k| plan.label(k)),
            ["burnin", "phase1", "phase2"]
        );
        let squared = schedule(ScheduleOptions {
            sa_phase2_kappa: -2.0,
            ..options
        });
        assert_eq!(gains(&squared, &[10]), [0.25]);
        assert!((squared.at(11).1 - 1.0 / 9.0).abs() < 1e-15);
    }

    #[test]
    fn case_2_robbins_monro() {
        let options = ScheduleOptions {
            sa_schedule: ScheduleKind::RobbinsMonro,
            maxiters: 2,
            t0: 1,
            ..ScheduleOptions::default()
        };
        assert_eq!(gains(&schedule(options.clone()), &[1, 2]), [1.0, 0.0]);
        let long = schedule(ScheduleOptions {
            maxiters: 300,
            t0: 150,
            ..options.clone()
        });
        let found = gains(&long, &[150, 225, 299, 300]);
        let expected = [1.0, 0.5f64.powf(0.65), (1.0f64 / 150.0).powf(0.65), 0.0];
        assert_eq!(found, expected);
        assert!((found[1] - 0.6373).abs() < 5e-5 && (found[2] - 0.0385).abs() < 5e-5);
        let short = schedule(ScheduleOptions {
            maxiters: 40,
            t0: 150,
            ..options
        });
        assert!((1..=40).all(|k| short.at(k).1 == 1.0));
    }

    #[test]
    fn a_power_of_the_iteration() {
        let plan = schedule(ScheduleOptions {
            sa_schedule: ScheduleKind::Power,
            t0: 2,
            kappa: 1.0,
            ..ScheduleOptions::default()
        });
        assert_eq!(gains(&plan, &[2, 3, 4, 6]), [1.0, 1.0, 0.5, 0.25]);
    }

    #[test]
    fn given_gains_are_used_as_they_are() {
        let plan = schedule(ScheduleOptions {
            sa_schedule: ScheduleKind::Custom,
            gains: vec![0.0, 1.0, 1.0, 0.5, 0.7],
            ..ScheduleOptions::default()
        });
        assert_eq!(gains(&plan, &[1, 2, 3, 4, 5]), [0.0, 1.0, 1.0, 0.5, 0.7]);
        assert_eq!((plan.burnin(), plan.exploration(), plan.total()), (1, 3, 5));
    }
}
