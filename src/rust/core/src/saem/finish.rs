//! End a run: judge where it came to and hand over what it found.

use super::convergence::judge;
use super::options::ConvergenceTest;
use super::run::SaemRun;
use super::smoother::Smoother;
use crate::fitted::{Fit, FitStatus};
use crate::samplers::Tally;

impl SaemRun<'_> {
    /// What the test for an early end says instead, where the user chose it; other evidence is kept.
    fn consecutive(
        &self,
        status: FitStatus,
        mut evidence: Vec<String>,
    ) -> (FitStatus, Vec<String>) {
        let stop = &self.options.stop;
        let judged = matches!(status, FitStatus::Converged | FitStatus::MaxIterations);
        if stop.convergence_test != ConvergenceTest::Consecutive || !judged {
            return (status, evidence);
        }
        let n = stop.consecutive_params;
        let (status, words) = if self.settled {
            (FitStatus::Converged, "within")
        } else {
            (FitStatus::MaxIterations, "not within")
        };
        evidence.insert(
            0,
            format!("The changes of the parameters and of the objective were {words} the tolerances {n} times in a row."),
        );
        (status, evidence)
    }

    /// A chain without a finite density never moves: nothing that was averaged over it means anything.
    fn lost(&self) -> Option<(FitStatus, Vec<String>)> {
        let part = &self.parts[0];
        let subject = part.chains.as_ref()?.lost(part.layout())?;
        let evidence = format!(
            "The likelihood of `{}` {} is not finite at any draw of its random effects.",
            part.problem().records.group,
            part.problem().records.labels[subject]
        );
        Some((FitStatus::NotFinite, vec![evidence]))
    }

    pub fn finish(mut self, status: FitStatus) -> Fit {
        self.collapses.finish(self.joint, &mut self.theta);
        let stalls = self.stalls();
        let conditional = self
            .parts
            .iter()
            .map(|part| part.population.statistics.conditional());
        let (cond_mean, cond_sd) = conditional.unzip();
        let smoother = self.smoother.as_ref();
        let names = &self.joint.theta;
        let verdict = smoother.and_then(|s| s.verdict(names, &self.free, &self.theta));
        let (status, evidence) = match (status, self.lost()) {
            (FitStatus::MaxIterations | FitStatus::NotFinite, Some(lost)) => lost,
            (FitStatus::MaxIterations, None) => {
                let smoothing = self.schedule.smoothed(self.trace.len());
                verdict.unwrap_or_else(|| judge(names, &self.trace, smoothing))
            }
            (other, _) => (other, Vec::new()),
        };
        let (mut status, mut evidence) = self.consecutive(status, evidence);
        if matches!(status, FitStatus::Converged | FitStatus::MaxIterations) {
            if status == FitStatus::Converged && !stalls.is_empty() {
                status = FitStatus::Stalled;
            }
            evidence.extend(stalls);
        }
        let mut tallies: Vec<(&'static str, Tally)> = Vec::new();
        for chains in self.parts.iter().filter_map(|part| part.chains.as_ref()) {
            for (k, (kernel, tally)) in chains.acceptance().enumerate() {
                match tallies.get_mut(k) {
                    Some(known) => known.1.add(tally),
                    None => tallies.push((kernel, tally)),
                }
            }
        }
        let rejected: u64 = tallies.iter().map(|(_, tally)| tally.not_finite).sum();
        Fit {
            theta: self.theta,
            status,
            evidence,
            trace: self.trace,
            chains: self.parts[0].layout().copies,
            acceptance: (tallies.into_iter())
                .map(|(kernel, tally)| (kernel, tally.rate()))
                .collect(),
            not_finite: rejected + self.not_finite,
            cond_mean,
            cond_sd,
            covariance: self.smoother.as_ref().and_then(Smoother::covariance),
            seconds: 0.0,
            state: None,
            warnings: Vec::new(),
        }
    }
}
