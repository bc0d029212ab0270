//! Take SAEM through its iterations.

use super::averaged::Averaged;
use super::batches;
use super::collapse::Collapses;
use super::convergence::stationary;
use super::estep::EStepReport;
use super::floors::Floors;
use super::follow::Follower;
use super::hooks::Hooks;
use super::numeric::{Material, NumericStep};
use super::options::{AnnealSchedule, Hook, SaemOptions};
use super::part::{score_at, stand, total_gradient, GroupingRun};
use super::schedule::{Phase, RunSchedule};
use super::smoother::{LaneScores, Smoother};
use super::store::{ChainSnapshot, Store};
use super::streaks::Streaks;
use super::train::trainer;
use super::turns::{plan, turns};
use crate::data::Layout;
use crate::error::Result;
use crate::fitted::Trace;
use crate::inference::information::free;
use crate::keep::keeps;
use crate::monitor::Progress;
use crate::mstep::{
    complete_information, curvature, shorten, total_score, Annealing, StepInput, Trainer,
    MAX_PARAMETERS,
};
use crate::parallel::Workers;
use crate::problem::Joint;

/// Iterations between two looks at second derivatives.
const INFORMATION_EVERY: usize = 5;

/// Everything that lives through the iterations.
pub struct SaemRun<'a> {
    pub(super) joint: &'a Joint,
    pub(super) options: &'a SaemOptions,
    pub schedule: RunSchedule,
    /// One a grouping; the first holds the outcomes' dependence on `theta` and takes its turn last.
    pub(super) parts: Vec<GroupingRun<'a>>,
    pub(super) smoother: Option<Smoother>,
    /// Functions of the user.
    pub(super) hooks: Hooks<'a>,
    pub(super) numeric: NumericStep<'a>,
    /// Draws of the last iterations, where the M-step is numerical.
    pub(super) store: Store,
    pub(super) free: Vec<usize>,
    pub(super) seed: u64,
    pub(super) theta: Vec<f64>,
    pub(super) trace: Trace,
    /// Points of the numerical M-step whose objective was not finite.
    pub(super) not_finite: u64,
    pub(super) floors: Floors,
    pub(super) collapses: Collapses,
    pub(super) streaks: Streaks,
    pub(super) follower: Follower,
    pub(super) trainer: Trainer,
    /// The objective, where the M-step does not compute it.
    pub(super) average: Averaged,
    /// Levels of each grouping that this iteration draws for; `None` stands for all.
    pub(super) active: Option<Vec<Vec<bool>>>,
    /// Whether the test for an early end has been passed.
    pub settled: bool,
}

keeps!(SaemRun<'_>:
    values { theta, trace, not_finite, streaks, average, settled }
    parts { schedule, parts, smoother, store, follower, trainer }
    rebuilt { joint, options, hooks, numeric, free, seed, floors, collapses, active });

impl<'a> SaemRun<'a> {
    /// # Errors
    /// Options that name what is not there.
    pub fn new(
        joint: &'a Joint,
        options: &'a SaemOptions,
        layouts: &'a [Layout],
        seed: u64,
        hooks: Hooks<'a>,
    ) -> Result<Self> {
        let theta = joint.theta.start.clone();
        let free = free(joint);
        let smoother = || {
            let plan = plan(options, joint, Phase::Smoothing, 1);
            let sampler = options.sampler.sampler(joint.main().n_phi());
            let draws = sampler.draws(&plan) * turns(joint, Phase::Smoothing) as f64;
            Smoother::new(joint.n_batches, free.len(), layouts[0].copies, draws)
        };
        let parts = joint.parts.iter().zip(layouts);
        let parts: Result<Vec<GroupingRun>> = parts
            .map(|(problem, layout)| GroupingRun::new(problem, layout, &theta))
            .collect();
        Ok(Self {
            parts: parts?,
            // The scores of the built-in M-step say nothing of what functions of the user maximize.
            smoother: (!hooks.has(Hook::Suffstats) && free.len() <= MAX_PARAMETERS).then(smoother),
            hooks,
            numeric: NumericStep::new(joint, options),
            store: Store::new(options.mstep.max_store),
            schedule: RunSchedule::new(options),
            floors: Floors::new(joint, &options.anneal)?,
            collapses: Collapses::new(joint, &options.anneal)?,
            streaks: Streaks::default(),
            follower: Follower::default(),
            trainer: trainer(joint, options)?,
            average: Averaged::default(),
            active: None,
            settled: false,
            joint,
            options,
            free,
            seed,
            theta,
            trace: Trace::default(),
            not_finite: 0,
        })
    }

    /// One iteration, counted from one; `None` when numbers failed, `theta` then being the last good one.
    ///
    /// # Errors
    /// A function of the user fails.
    pub fn iterate(&mut self, k: usize, workers: &Workers) -> Result<Option<Progress>> {
        let before = self.theta.clone();
        let outcome = self.attempt(k, workers);
        if outcome.is_err() {
            // Whoever stops here leaves with the parameters of the last whole iteration.
            self.theta = before;
        }
        outcome
    }

    fn attempt(&mut self, k: usize, workers: &Workers) -> Result<Option<Progress>> {
        let (phase, gain) = self.schedule.at(k);
        self.collapses
            .set(self.joint, &self.schedule, k, &mut self.theta);
        let update = self.options.update_schedule;
        let n = self.joint.n_batches;
        let chosen = batches::choose(update, n, (k, self.seed), || self.hooks.batches(k, n))?;
        self.active = chosen
            .as_deref()
            .map(|chosen| batches::levels(self.joint, chosen));
        let old = self.theta.clone();
        if stand(&mut self.parts, self.joint, &old).is_none() {
            return Ok(None);
        }
        (self.collapses).follow(&mut self.parts, &self.schedule, k);
        let before = self.accepted();
        let reports = self.draw(k, workers);
        if self.hooks.has(Hook::Suffstats) {
            self.hooks.statistics(&self.parts, &old, gain)?;
        }
        let numeric = if phase == Phase::Burnin {
            None
        } else {
            self.learn(k, &reports, workers)?
        };
        self.floors
            .raise(self.joint, &self.schedule, k, &mut self.theta);
        let sound = self.shorten(&old);
        let mut objective = self.averaged(k, &old, &reports, numeric, workers);
        if self.hooks.has(Hook::QFromStats) {
            objective = self.hooks.objective(&self.theta)?;
        }
        objective -= self.trainer.cost(&self.theta);
        let label = self.schedule.label(k);
        self.trace.push(&self.theta, gain, label, objective);
        self.trace.updated.extend(chosen);
        if gain > 0.0 && self.moved(before) {
            self.test(phase, &old, objective);
        }
        if self.schedule.is_adaptive() && phase == Phase::Exploration && stationary(&self.trace, k)
        {
            self.schedule.smooth_from(k);
        }
        Ok(sound.then(|| Progress {
            iteration: k,
            total: self.schedule.total(),
            phase: label,
            gain,
            objective,
        }))
    }

    /// Statistics, scores and the M-step of an iteration. Gives the objective at the new `theta` over the stored draws,
    /// where the M-step is numerical.
    fn learn(
        &mut self,
        k: usize,
        reports: &[EStepReport],
        workers: &Workers,
    ) -> Result<Option<f64>> {
        let (phase, gain) = self.schedule.at(k);
        for part in &mut self.parts {
            if let Some(chains) = &part.chains {
                let layout = part.population.at.layout;
                let statistics = &mut part.population.statistics;
                statistics.update(chains.moments(layout), layout.copies, gain);
                (part.now).update(chains.moments(layout), layout.copies, 1.0);
            }
        }
        if self.hooks.has(Hook::MstepClosedForm) {
            self.theta = self.hooks.mstep(&self.theta)?;
            return Ok(None);
        }
        let gradient = total_gradient(reports);
        let numeric =
            !self.parts[0].population.mstep.scored.is_empty() && self.schedule.keeps_scores(k);
        if numeric && k.is_multiple_of(INFORMATION_EVERY) {
            self.learn_information(workers);
        }
        self.smooth(k, reports, &gradient);
        let old = self.theta.clone();
        self.train(gain, &gradient, workers);
        let moved = match &self.smoother {
            Some(smoother) if phase == Phase::Smoothing && self.options.accelerates() => {
                let gain = self.schedule.preconditioned(k);
                smoother.advance(&self.joint.theta, &self.free, gain, &mut self.theta)
            }
            _ => false,
        };
        if moved {
            return Ok(None);
        }
        let own = self.maximize_means(gain, workers);
        self.follow_scores((k, gain), (reports, &gradient), workers);
        self.update(k, &old, &gradient);
        self.maximize(gain, own, workers)
    }

    /// M-step from `old` by the routes of the exploration.
    fn update(&mut self, k: usize, old: &[f64], gradient: &[f64]) {
        let (_, gain) = self.schedule.at(k);
        let anneal = &self.options.anneal;
        let by_rate = anneal.sa_anneal_schedule == AnnealSchedule::Rate;
        let rate = if by_rate && self.schedule.anneals(k) {
            anneal.sa_anneal_alpha
        } else {
            0.0
        };
        let step = StepInput {
            gradient,
            gain,
            annealing: Annealing { rate },
        };
        // What looked at other parameters has left the population there.
        if stand(&mut self.parts, self.joint, old).is_some() {
            for part in &mut self.parts {
                part.population.update(&step, &mut self.theta);
            }
        }
    }

    /// Store the draws, and maximize over the parameters of the outcomes' means before anything else has moved.
    fn maximize_means(&mut self, gain: f64, workers: &Workers) -> Vec<(usize, f64)> {
        if self.numeric.is_idle() || self.hooks.has(Hook::QFromStats) {
            return Vec::new();
        }
        if let Some(snapshot) = ChainSnapshot::take(&self.parts) {
            self.store.push(gain, || snapshot);
        }
        let mut material = Material {
            parts: &mut self.parts,
            store: &self.store,
            workers,
        };
        self.numeric.means(&mut material, &self.theta)
    }

    /// Maximize over the other parameters without closed form.
    fn maximize(
        &mut self,
        gain: f64,
        means: Vec<(usize, f64)>,
        workers: &Workers,
    ) -> Result<Option<f64>> {
        if self.numeric.is_idle() {
            return Ok(None);
        }
        if self.hooks.has(Hook::QFromStats) {
            let asked = (self.numeric).run_asking(&self.hooks, gain, &mut self.theta);
            return asked.map(|_| None);
        }
        for (k, value) in means {
            self.theta[k] = value;
        }
        let mut material = Material {
            parts: &mut self.parts,
            store: &self.store,
            workers,
        };
        let report = self.numeric.run(&mut material, gain, &mut self.theta);
        self.not_finite += report.not_finite as u64;
        Ok(Some(report.objective).filter(|q| q.is_finite()))
    }

    /// Look at the second derivatives of what has no closed form: minus the derivative of the score of every free
    /// coordinate in each such one, by central differences at fixed draws.
    pub(super) fn learn_information(&mut self, workers: &Workers) {
        let scored = self.parts[0].population.mstep.scored.clone();
        let (joint, parts, follower) = (self.joint, &mut self.parts, &self.follower);
        let at = (self.theta.as_slice(), scored.as_slice());
        let found = curvature(
            &joint.theta,
            at,
            |b| follower.square(b),
            |theta| score_at(parts, joint, (&self.free, theta), workers),
        );
        let stands = stand(parts, joint, &self.theta).is_some();
        if let Some(information) = found.filter(|_| stands) {
            (parts[0].population.mstep).learn_information(information, 1.0);
        }
    }

    /// Let the scores of the draws enter the smoother, and while smoothing their total.
    fn smooth(&mut self, k: usize, reports: &[EStepReport], gradient: &[f64]) {
        let Some(smoother) = self
            .smoother
            .as_mut()
            .filter(|_| self.schedule.keeps_scores(k))
        else {
            return;
        };
        let lanes: Vec<LaneScores> = (self.parts.iter().zip(reports).zip(&self.joint.batches))
            .map(|((part, report), batches)| LaneScores {
                layout: part.layout(),
                batches,
                scores: &report.scores,
            })
            .collect();
        smoother.learn(&lanes);
        if self.schedule.at(k).0 != Phase::Smoothing {
            return;
        }
        let seen = self.parts.iter().map(|part| part.population.by(&part.now));
        let total = total_score(seen, &self.free, gradient);
        if k.is_multiple_of(INFORMATION_EVERY) || !smoother.ready() {
            let groups = self.parts.iter().map(|part| &part.population);
            smoother.precondition(complete_information(groups, &self.free));
        }
        smoother.observe(total);
    }

    /// Halve the step from `old` until the population distribution exists; false when it never does.
    fn shorten(&mut self, old: &[f64]) -> bool {
        let (joint, parts) = (self.joint, &mut self.parts);
        shorten(old, &mut self.theta, |theta| {
            let finite = theta.iter().all(|x| x.is_finite());
            let finite_means =
                |part: &GroupingRun| part.population.means().values.iter().all(|m| m.is_finite());
            finite && stand(parts, joint, theta).is_some() && parts.iter().all(finite_means)
        })
    }
}
