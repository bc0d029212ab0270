//! Maximize the bound by visits to some of the batches at a time, their draws fresh where the rule is Monte-Carlo.
//!
//! A visit moves the `q` of its batches, then the population. Closed forms read what all batches said when they were
//! last visited (incremental EM: Neal & Hinton 1998); noisy sums of squares and noisy `q` move by a gain that falls in the
//! second half of the run. Coordinates without a closed form, and penalized ones, follow Adam (Kingma & Ba 2015) on the
//! gradient of the visited batches times the number of groups. The estimate is the mean of the second half (Polyak &
//! Juditsky 1992). There the `q` are found once more at points that stay: what one more step would gain is compared with
//! what the noise of the gradients leaves open, and below that noise nothing is called converged.

use std::sync::Arc;

use super::course::{BoundAscent, BoundMaximum};
use super::flow::FlowLayers;
use super::options::{slow, OuterMethod, PosteriorFamily, RuleKind, VemOptions};
use super::plan::{VisitPlan, VisitStage, Window};
use super::profile::Profile;
use super::promise::SurfacePoint;
use super::rule::PointRule;
use super::visits::{residual_gradient, split, stream, Minibatch, Move, VisitResult};
use crate::data::Layout;
use crate::error::{Error, ErrorClass, Result};
use crate::inference::cloud::{layouts, layouts_of, BatchMoments};
use crate::inference::posterior::{BatchPosteriors, Batches};
use crate::maximum::{moved, sizes, Maximizer, Summit, Surface};
use crate::optimizer::Steps;
use crate::problem::{Joint, Route};

/// Length of a step of `q` along a noisy gradient before the gain falls.
const STEP: f64 = 0.5;

/// Fewest epochs from whose gradients noise can be told.
const FEWEST: usize = 5;

/// Whether the options ask for visits.
pub fn is_wanted(options: &VemOptions) -> bool {
    options.rule == RuleKind::MonteCarlo || matches!(options.optimizer, OuterMethod::Adam { .. })
}

/// Maximize the bound from the start of the problem and these `q`.
///
/// # Errors
/// Points that are too few.
pub fn run(
    course: &mut BoundAscent,
    batches: &Batches,
    q: BatchPosteriors,
) -> Result<BoundMaximum> {
    let (joint, options) = (course.joint, course.options);
    if options.family == PosteriorFamily::PlanarFlow && options.rule == RuleKind::MonteCarlo {
        return Err(Error::new(
            ErrorClass::Option,
            "flow_of_fresh_points",
            "A planar flow is fitted to points that stay, those of `rule = \"monte_carlo\"` are always fresh.",
        )
        .at("`rule`")
        .hint("Use rule = \"qmc\"."));
    }
    let rule = PointRule::new(options, batches, course.seed);
    let size = options.batch_size.unwrap_or(batches.len());
    let members = split(batches.len(), size, stream(course.seed));
    let each = members
        .iter()
        .map(|own| layouts_of(joint, own, rule.copies));
    let each: Vec<Vec<Arc<Layout>>> = each.collect();
    let whole = layouts(joint, 1);
    let groups = members.into_iter().zip(&each);
    let groups = groups.map(|(own, layouts)| Minibatch::new(joint, layouts, own, rule));
    let groups: Result<Vec<Minibatch>> = groups.collect();
    let mut walk = StochasticAscent::new(
        (rule, batches),
        groups?,
        Maximizer::training(joint, &whole, &joint.theta.start, &course.penalty)?,
        course,
        q,
    );
    let end = walk.run(course)?;
    let is_noisy = walk.is_noisy();
    let StochasticAscent {
        q, flows, window, ..
    } = walk;
    let mut noise = None;
    let mut found = course.within(rule.staying(batches), q, |course, profile| {
        let Some((theta, stopped)) = end else {
            return (joint.theta.start.clone(), None);
        };
        profile.flows = flows;
        let found = settle(course, profile, (&theta, stopped), &window);
        let (summit, left) = found.unzip();
        noise = left.filter(|_| is_noisy);
        (theta, summit)
    })?;
    found.noise = noise;
    Ok(found)
}

/// The population, all `q`, and what is known of them.
struct StochasticAscent<'w, 'a> {
    joint: &'a Joint,
    rule: PointRule,
    batches: &'w Batches,
    groups: Vec<Minibatch<'a>>,
    maximizer: Maximizer<'a>,
    adam: Steps,
    /// Whether closed forms move a free coordinate.
    closed: Vec<bool>,
    q: BatchPosteriors,
    /// Layers that bend it; none while `q` is Gaussian.
    flows: Vec<FlowLayers>,
    moments: Vec<BatchMoments>,
    /// The bound of each batch when it was last visited.
    values: Vec<f64>,
    theta: Vec<f64>,
    window: Window,
}

impl<'w, 'a> StochasticAscent<'w, 'a> {
    fn new(
        (rule, batches): (PointRule, &'w Batches),
        groups: Vec<Minibatch<'a>>,
        maximizer: Maximizer<'a>,
        course: &BoundAscent<'a>,
        q: BatchPosteriors,
    ) -> Self {
        let joint = course.joint;
        Self {
            adam: Steps::new(maximizer.moving.len()),
            closed: closed(joint, &maximizer.moving, &course.penalty),
            moments: q.iter().map(BatchMoments::from).collect(),
            values: vec![f64::NAN; q.len()],
            theta: joint.theta.start.clone(),
            window: Window::default(),
            joint,
            rule,
            batches,
            groups,
            maximizer,
            q,
            flows: Vec::new(),
        }
    }

    fn is_noisy(&self) -> bool {
        self.rule.kind == RuleKind::MonteCarlo || self.groups.len() > 1
    }

    /// The estimate, and whether the user stopped the run; `None` where the population left all distributions.
    fn run(&mut self, course: &mut BoundAscent) -> Result<Option<(Vec<f64>, bool)>> {
        let plan = VisitPlan {
            groups: self.groups.len(),
            sweeps: course.options.sweeps,
            steps: course.options.maxiters,
        };
        let order = stream(course.seed);
        let mut turns = Vec::new();
        for visit in 0..plan.total() {
            if visit % plan.groups == 0 {
                let epoch = u32::try_from(visit / plan.groups + 1).unwrap_or(u32::MAX);
                turns = order.order(plan.groups, epoch);
            }
            let bends =
                course.options.family == PosteriorFamily::PlanarFlow && self.flows.is_empty();
            if bends && plan.stage(visit) == VisitStage::Free {
                self.flows = course.flows(&self.q);
            }
            let g = turns[visit % plan.groups];
            if !self.visit(g, (visit, &plan), course)? {
                return Ok(None);
            }
            if course.monitor.interrupted() {
                return Ok(Some((self.theta.clone(), true)));
            }
        }
        let averaged = self.is_noisy() && self.window.visits > 0.0;
        let theta = if averaged {
            &self.window.theta
        } else {
            &self.theta
        };
        Ok(Some((theta.clone(), false)))
    }

    /// Move the `q` of a group, then the population; false where its distributions do not exist.
    fn visit(
        &mut self,
        g: usize,
        (visit, plan): (usize, &VisitPlan),
        course: &mut BoundAscent,
    ) -> Result<bool> {
        let gain = plan.gain(visit);
        let group = &mut self.groups[g];
        if moved(&mut group.cloud, &self.theta).is_none() {
            return Ok(false);
        }
        self.maximizer.stand(&group.cloud);
        let q: BatchPosteriors = group.members.iter().map(|b| self.q[*b].clone()).collect();
        let how = Move {
            rule: self.rule,
            family: course.options.family,
            limits: course.limits(),
            visit: u32::try_from(visit).unwrap_or(u32::MAX),
            rate: STEP * gain,
            workers: course.workers,
        };
        let bent = group.members.iter().filter_map(|b| self.flows.get(*b));
        let flows: Vec<FlowLayers> = bent.cloned().collect();
        let found = group.move_q((&q, &flows), &how)?;
        let gradient = group.cloud.theta_gradient(&found.weights, course.workers);
        let noisy = self.rule.kind == RuleKind::MonteCarlo;
        let kept = if noisy { gain } else { 1.0 };
        group.learn(self.joint.main(), &self.theta, &gradient, kept);
        let members = group.members.clone();
        self.keep(&members, found);
        let stage = plan.stage(visit);
        if stage == VisitStage::Listening {
            return Ok(true);
        }
        let score = self.advance(&gradient, (stage, gain), course);
        if let Some(score) = score.filter(|_| plan.late(visit).is_some()) {
            self.window.add(&self.theta, &score, plan.groups);
        }
        let phase = if stage == VisitStage::Free {
            "adam"
        } else {
            "sweep"
        };
        if plan.groups > 1 {
            course.trace.updated.push(members);
        }
        course.note(&self.theta, self.values.iter().sum(), phase);
        Ok(true)
    }

    /// What a visit found of its batches.
    fn keep(&mut self, members: &[usize], found: VisitResult) {
        for (b, flow) in members.iter().zip(found.flows) {
            self.flows[*b] = flow;
        }
        let each = members.iter().zip(found.q).zip(found.moments);
        for (((b, q), moments), value) in each.zip(found.values) {
            self.moments[*b] = moments;
            self.q[*b] = q;
            self.values[*b] = value;
        }
    }

    /// Move the population by the gradient of the programs of one group; the gradient of all, where it is finite.
    fn advance(
        &mut self,
        gradient: &[f64],
        (stage, gain): (VisitStage, f64),
        course: &BoundAscent,
    ) -> Option<Vec<f64>> {
        self.maximizer.learn(self.batches, &self.moments);
        let groups = self.groups.len() as f64;
        let scaled: Vec<f64> = gradient.iter().map(|g| groups * g).collect();
        let score = (0.0, self.maximizer.total(&scaled));
        let (_, score) = (self.maximizer).penalized(&course.penalty, &self.theta, score);
        let read = residual_gradient(self.joint.main(), &self.groups, &self.theta);
        let next = (self.maximizer).maximize(self.theta.clone(), &read);
        let sound = score.iter().all(|s| s.is_finite());
        let steps =
            (stage == VisitStage::Free && sound).then(|| self.open_steps(&score, gain, course));
        for (i, k) in self.maximizer.moving.iter().enumerate() {
            if self.closed[i] {
                self.theta[*k] = next[*k];
            } else if let Some(steps) = &steps {
                self.theta[*k] = self.joint.theta.clamp(*k, self.theta[*k] + steps[i]);
            }
        }
        sound.then_some(score)
    }

    /// Steps of Adam; none of the coordinates with a closed form.
    fn open_steps(&mut self, score: &[f64], gain: f64, course: &BoundAscent) -> Vec<f64> {
        let rate = match course.options.optimizer {
            OuterMethod::Adam { rate } => rate,
            _ => slow(),
        };
        let main = self.joint.main();
        let outcomes = 0..main.model.outcomes.len();
        let n = outcomes.map(|o| main.n_obs_of(o)).sum::<usize>().max(1) as f64;
        let sizes = sizes(&self.joint.theta, &self.maximizer.moving, &self.theta);
        let each = score.iter().zip(&sizes).zip(&self.closed);
        let seen = each.map(|((s, size), closed)| if *closed { 0.0 } else { s * size / n });
        let direction = self.adam.next(&seen.collect::<Vec<f64>>());
        let each = direction.iter().zip(sizes);
        each.map(|(direction, size)| rate * gain * size * direction)
            .collect()
    }
}

/// Whether closed forms move each free coordinate: all of a route, or none where one of them is penalized.
fn closed(joint: &Joint, free: &[usize], penalty: &[f64]) -> Vec<bool> {
    let routes = &joint.theta.routes;
    let bent: Vec<Route> = (free.iter().zip(penalty))
        .filter(|(_, lambda)| **lambda != 0.0)
        .map(|(k, _)| routes[*k])
        .collect();
    let forms = [
        Route::Mean,
        Route::Covariance,
        Route::Residual,
        Route::Outcome,
    ];
    let is_closed = |k: &usize| forms.contains(&routes[*k]) && !bent.contains(&routes[*k]);
    free.iter().map(is_closed).collect()
}

/// The best `q` at the end, what one more step would gain there, and what noise leaves open of it.
fn settle(
    course: &mut BoundAscent,
    profile: &mut Profile,
    (theta, stopped): (&[f64], bool),
    window: &Window,
) -> Option<(Summit, f64)> {
    let (value, gradient) = profile.at(theta)?;
    profile.take();
    let moving = profile.maximizer.moving.clone();
    let mut promise = SurfacePoint::new(profile, (&course.joint.theta, &moving), theta, gradient);
    let gain = promise.here();
    let deviations = window.deviations();
    let spread: f64 = deviations.iter().map(|g| promise.of(g)).sum();
    let noise = spread / deviations.len() as f64 / (window.gradients.len() as f64 - 1.0);
    // Curvatures may have been asked for elsewhere.
    profile.at(theta)?;
    profile.take();
    let summit = Summit {
        theta: theta.to_vec(),
        value,
        gain,
        stuck: false,
        stopped,
    };
    Some((
        summit,
        if window.gradients.len() >= FEWEST {
            noise
        } else {
            f64::INFINITY
        },
    ))
}
