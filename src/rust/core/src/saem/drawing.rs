//! Draw the random effects of all groupings: the E-step of an iteration.

use super::estep::{Chains, EStepReport, EStepTarget, SweepTurn};
use super::exchange::exchange;
use super::part::know;
use super::run::SaemRun;
use super::schedule::Phase;
use super::turns::{plan, turns};
use crate::mstep::Scores;
use crate::parallel::Workers;

impl SaemRun<'_> {
    /// E-step at the current `theta`: every grouping in turn, given the others; the first one last.
    pub(super) fn draw(&mut self, k: usize, workers: &Workers) -> Vec<EStepReport> {
        let (phase, _) = self.schedule.at(k);
        let (turns, most) = (
            turns(self.joint, phase),
            turns(self.joint, Phase::Smoothing),
        );
        let mut reports: Vec<EStepReport> = Vec::new();
        for turn in 0..turns {
            let number = u32::try_from((k - 1) * most + turn + 1).unwrap_or(u32::MAX);
            let place = SweepTurn {
                iteration: k,
                number,
                first: turn == 0,
            };
            // A trade moves all levels: it would move those that are to keep their draws.
            if number > 1 && self.active.is_none() {
                let exchanges = &self.joint.exchanges;
                exchange(&mut self.parts, exchanges, self.seed, number);
            }
            let mut all: Vec<EStepReport> = (0..self.parts.len())
                .rev()
                .map(|group| self.draw_part(group, place, workers))
                .collect();
            all.reverse();
            reports = all;
        }
        reports
    }

    fn draw_part(&mut self, group: usize, turn: SweepTurn, workers: &Workers) -> EStepReport {
        let (phase, _) = self.schedule.at(turn.iteration);
        self.start_chains();
        know(&mut self.parts, self.joint, group);
        let scored = !self.parts[0].population.mstep.scored.is_empty();
        let asked = group == 0 && self.follower.asks_for_scores(turn.iteration);
        let keeps = self.smoother.is_some() && self.schedule.keeps_scores(turn.iteration);
        let keeps = keeps || asked && scored;
        let chains = self.parts[group].chains.take();
        let part = &self.parts[group];
        let at = &part.population.at;
        let derivatives = part.needs_derivatives().then(|| at.by_theta());
        let scores = keeps.then(|| Scores::new(at, &self.free, derivatives));
        let target = EStepTarget {
            derivatives,
            averages_gradient: phase == Phase::Smoothing,
            scores: scores.as_ref(),
            active: self.active.as_ref().map(|levels| levels[group].as_slice()),
            ..part.target(turn)
        };
        let plan = plan(self.options, self.joint, phase, turn.iteration);
        let mut chains =
            chains.unwrap_or_else(|| Chains::new(&target, self.seed, self.options.sampler));
        chains.pace = (self.collapses).pace(part.problem(), &self.schedule, turn.iteration);
        let report = chains.step(&target, plan, workers);
        self.parts[group].chains = Some(chains);
        report
    }

    /// Start the chains of every grouping at the means, so that each can be known to the others.
    pub(super) fn start_chains(&mut self) {
        for part in self.parts.iter_mut().filter(|part| part.chains.is_none()) {
            let chains = Chains::new(
                &part.target(SweepTurn::START),
                self.seed,
                self.options.sampler,
            );
            part.chains = Some(chains);
        }
    }
}
