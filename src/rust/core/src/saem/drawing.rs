//! Draw the random effects of all groupings: the E-step of an iteration.

use super::estep::{Chains, Report, Target, Turn};
use super::exchange::exchange;
use super::part::ChainDraws;
use super::run::Run;
use super::schedule::Phase;
use super::turns::{plan, turns};
use crate::mstep::Scores;
use crate::parallel::Workers;
use crate::problem::{Means, Prior};

impl Run<'_> {
    /// E-step at the current `theta`: every grouping in turn, given the others; the first one last.
    pub(super) fn draw(
        &mut self,
        k: usize,
        priors: &[Prior],
        means: &[Means],
        workers: &Workers,
    ) -> Vec<Report> {
        let (phase, _) = self.schedule.at(k);
        let (turns, most) = (
            turns(self.joint, phase),
            turns(self.joint, Phase::Smoothing),
        );
        let mut reports: Vec<Report> = Vec::new();
        for turn in 0..turns {
            let number = u32::try_from((k - 1) * most + turn + 1).unwrap_or(u32::MAX);
            let place = Turn {
                iteration: k,
                number,
                first: turn == 0,
            };
            // A trade moves all levels: it would move those that are to keep their draws.
            if number > 1 && self.active.is_none() {
                let exchanges = &self.joint.exchanges;
                exchange(&mut self.parts, exchanges, priors, means, self.seed, number);
            }
            let mut all: Vec<Report> = (0..self.parts.len())
                .rev()
                .map(|group| self.draw_part(group, place, priors, means, workers))
                .collect();
            all.reverse();
            reports = all;
        }
        reports
    }

    fn draw_part(
        &mut self,
        group: usize,
        turn: Turn,
        priors: &[Prior],
        means: &[Means],
        workers: &Workers,
    ) -> Report {
        let (phase, _) = self.schedule.at(turn.iteration);
        let theta = self.theta.clone();
        self.start_chains(priors, means);
        let draws = ChainDraws { parts: &self.parts };
        let part = &self.parts[group];
        let known = self.joint.known(part.problem, part.layout, &draws);
        let asked = group == 0 && self.follower.asks_for_scores(turn.iteration);
        let keeps = self.smoother.is_some() && self.schedule.keeps_scores(turn.iteration);
        let keeps = keeps || asked && !self.parts[0].mstep.scored.is_empty();
        let part = &mut self.parts[group];
        part.prepare(known, &theta);
        let derivatives = part.needs_derivatives().then_some(&part.derivatives);
        let prior = &priors[group];
        let scores =
            keeps.then(|| Scores::new(part.problem, &self.free, prior, derivatives, &theta));
        let target = Target {
            problem: part.problem,
            layout: part.layout,
            values: &part.values,
            derivatives,
            prior,
            means: &means[group],
            theta: &theta,
            origin: &part.statistics.origin,
            averages_gradient: phase == Phase::Smoothing,
            scores: scores.as_ref(),
            active: self.active.as_ref().map(|levels| levels[group].as_slice()),
            turn,
        };
        let plan = plan(self.options, self.joint, phase, turn.iteration);
        let chains = part
            .chains
            .get_or_insert_with(|| Chains::new(&target, self.seed, self.options.sampler));
        chains.pace = (self.collapses).pace(part.problem, &self.schedule, turn.iteration);
        chains.step(&target, plan, workers)
    }

    /// Start the chains of every grouping at the means, so that each can be known to the others.
    pub(super) fn start_chains(&mut self, priors: &[Prior], means: &[Means]) {
        if self.parts.iter().all(|part| part.chains.is_some()) {
            return;
        }
        let theta = self.theta.clone();
        for ((part, prior), means) in self.parts.iter_mut().zip(priors).zip(means) {
            let target = Target {
                problem: part.problem,
                layout: part.layout,
                values: &part.values,
                derivatives: None,
                prior,
                means,
                theta: &theta,
                origin: &part.statistics.origin,
                averages_gradient: false,
                scores: None,
                active: None,
                turn: Turn {
                    iteration: 0,
                    number: 0,
                    first: true,
                },
            };
            part.chains
                .get_or_insert_with(|| Chains::new(&target, self.seed, self.options.sampler));
        }
    }
}
