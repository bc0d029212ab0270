//! Maximize the bound over flows: quasi-Newton steps of all batches side by side.
//!
//! Every batch takes steps of BFGS with backtracking (Nocedal & Wright 2006, algorithms 6.1, 7.4 and 3.1) in
//! coordinates whitened by where it started; one evaluation of the model at the trials of all that still move is one
//! step. The bound is
//! `sum_k w_k [log p(y | phi_k) + log N(phi_k; m, Omega) + ln |det dT/dz|] + ln det L + D/2 (1 + ln 2 pi)`, while the
//! steps are taken less a weak ridge on the layers.

use nalgebra::{DMatrix, DVector};

use super::bent::{Bent, BentSlope};
use super::bound::Expected;
use super::flow::{bend, FlowLayers, Layer, Planar};
use super::inner::{Solved, StepLimits};
use super::rule::BatchPoints;
use crate::inference::cloud::{Cloud, DrawSlopes};
use crate::inference::posterior::{factor, BatchGaussian, BatchPosteriors};
use crate::maximum::Metric;
use crate::parallel::Workers;

/// Steps that are remembered, where a matrix of the coordinates would be larger than this many rows.
const MEMORY: usize = 20;
const ROWS: usize = 60;

/// Precision of the ridge for one point and one effect. The fewer the points, the more a layer may find between them.
const RIDGE: f64 = 0.1;

/// Largest change of a coordinate in one step.
const LONGEST: f64 = 1.0;

/// Parts of a direction shorter than this change nothing any more.
const SHORTEST: f64 = 1e-6;

/// A gain below this is none, whatever the tolerance: values differ by rounding.
const LEAST: f64 = 1e-9;

/// A gain below this is no failure where no step gains it.
const BLURRED: f64 = 1e-6;

/// Relative rounding error of a bound.
const ROUNDING: f64 = 1e-12;

/// Steps for one of the Newton steps of a Gaussian.
const SLOWER: usize = 4;

/// The density of the effects near a Gaussian, whitened by it: `value + pull'e - e' spring e / 2`.
struct Near {
    value: f64,
    pull: DVector<f64>,
    spring: DMatrix<f64>,
    l: DMatrix<f64>,
}

impl Near {
    fn new(cloud: &Cloud, batch: usize, q: &BatchGaussian) -> Self {
        let expected = Expected::of(cloud, batch, q);
        let l = factor(q);
        let spring = l.transpose() * &expected.precision * &l;
        Self {
            value: expected.value + 0.5 * spring.trace(),
            pull: l.transpose() * &expected.slope,
            spring,
            l,
        }
    }
}

/// A batch on its way.
struct BendingBatch {
    batch: usize,
    origin: BatchGaussian,
    near: Near,
    x: DVector<f64>,
    /// Bound and slope there; none before they were computed.
    here: Option<(f64, DVector<f64>)>,
    metric: Metric,
    direction: DVector<f64>,
    /// Part of the direction that is tried.
    part: f64,
    gain: f64,
    trial: Bent,
    /// Whether no further step would gain anything, and whether none could be made.
    settled: bool,
    stuck: bool,
    /// Whether the direction is the slope itself.
    fresh: bool,
}

/// Maximize over the distributions of all batches, from `q` bent by `flows`, at the `theta` of `cloud`.
pub fn solve(
    cloud: &mut Cloud,
    points: &BatchPoints,
    (q, flows): (&BatchPosteriors, &[FlowLayers]),
    (limits, workers): (StepLimits, &Workers),
) -> Solved {
    let each = q.iter().zip(flows).enumerate();
    let mut members: Vec<BendingBatch> = each
        .map(|(b, (q, flow))| BendingBatch::new(b, q, flow, Near::new(cloud, b, q)))
        .collect();
    let mut draws = vec![0.0; cloud.n_effects()];
    for _ in 0..SLOWER * limits.steps.max(1) {
        let active: Vec<bool> = members.iter().map(BendingBatch::moves).collect();
        if !active.contains(&true) {
            break;
        }
        for member in members.iter().filter(|m| m.moves()) {
            place(
                cloud,
                points,
                (&member.origin, &member.trial),
                member.batch,
                &mut draws,
            );
        }
        cloud.set(&draws);
        let slopes = cloud.slopes(&active, workers);
        let shared: &Cloud = cloud;
        let ridge = |member: &BendingBatch| {
            let d = member.origin.dim().max(1) as f64;
            RIDGE * d * d / shared.copies as f64
        };
        workers.map(&mut members, |member| {
            if member.moves() {
                let (value, slope) = member.evaluate(shared, points, &slopes);
                let (ridge, pull) = member.trial.ridge(ridge(member));
                let there = (value - ridge, slope - DVector::from_vec(pull));
                member.judge(there, limits.tolerance.max(LEAST));
            }
        });
    }
    // The draws stand where `q` ended.
    let ends: Vec<Bent> = members.iter().map(|m| m.trial.at(m.x.as_slice())).collect();
    for (member, end) in members.iter().zip(&ends) {
        place(
            cloud,
            points,
            (&member.origin, end),
            member.batch,
            &mut draws,
        );
    }
    cloud.set(&draws);
    let value = |m: &BendingBatch| m.here.as_ref().map_or(f64::NAN, |here| here.0);
    Solved {
        values: members.iter().map(value).collect(),
        settled: members.iter().map(|m| m.settled).collect(),
        moments: cloud.moments(&draws, &points.weights),
        q: members
            .iter()
            .zip(&ends)
            .map(|(m, end)| end.around(&m.origin))
            .collect(),
        flows: ends.into_iter().map(|end| end.flow).collect(),
    }
}

/// The bound of every batch at some points.
pub fn bound_at(
    cloud: &mut Cloud,
    (q, flows): (&BatchPosteriors, &[FlowLayers]),
    points: &BatchPoints,
    workers: &Workers,
) -> Vec<f64> {
    let mut draws = vec![0.0; cloud.n_effects()];
    let each = q.iter().zip(flows).enumerate();
    let members: Vec<BendingBatch> = each
        .map(|(b, (q, flow))| BendingBatch::new(b, q, flow, Near::new(cloud, b, q)))
        .collect();
    for member in &members {
        place(
            cloud,
            points,
            (&member.origin, &member.trial),
            member.batch,
            &mut draws,
        );
    }
    cloud.set(&draws);
    let slopes = DrawSlopes {
        log_lik: cloud.log_lik(workers),
        gradient: vec![0.0; draws.len()],
    };
    let value = |member: &BendingBatch| member.evaluate(cloud, points, &slopes).0;
    members.iter().map(value).collect()
}

/// Put the points of a batch among the draws.
fn place(
    cloud: &Cloud,
    points: &BatchPoints,
    (origin, bent): (&BatchGaussian, &Bent),
    batch: usize,
    draws: &mut [f64],
) {
    let d = origin.dim();
    let layers: Vec<Planar> = bent.flow.iter().map(Layer::planar).collect();
    for c in 0..cloud.copies {
        let first = cloud.first(batch, c);
        let mut t = points.z[first..first + d].to_vec();
        bend(&layers, &mut t);
        origin.place(&bent.shift(&t), &mut draws[first..first + d]);
    }
}

/// Where nothing was learned yet a step is the slope itself: the coordinates are whitened.
fn unlearned(n: usize) -> Metric {
    if n <= ROWS {
        Metric::Dense(DMatrix::identity(n, n))
    } else {
        Metric::limited(DVector::from_element(n, 1.0), MEMORY)
    }
}

impl BendingBatch {
    fn new(batch: usize, q: &BatchGaussian, flow: &FlowLayers, near: Near) -> Self {
        let trial = Bent::new(flow, q.dim());
        let x = DVector::from_vec(trial.coordinates());
        Self {
            batch,
            origin: q.clone(),
            near,
            metric: unlearned(x.len()),
            direction: DVector::zeros(x.len()),
            x,
            here: None,
            part: 0.0,
            gain: f64::INFINITY,
            trial,
            settled: false,
            stuck: false,
            fresh: true,
        }
    }

    fn moves(&self) -> bool {
        !self.settled && !self.stuck
    }

    /// Bound and slope at the trial.
    fn evaluate(
        &self,
        cloud: &Cloud,
        points: &BatchPoints,
        slopes: &DrawSlopes,
    ) -> (f64, DVector<f64>) {
        let d = self.origin.dim();
        let near = &self.near;
        let layers: Vec<Planar> = self.trial.flow.iter().map(Layer::planar).collect();
        let mut value = self.trial.entropy(&self.origin) + near.value;
        let mut slope = BentSlope::new(&self.trial);
        for c in 0..cloud.copies {
            let draw = self.batch * cloud.copies + c;
            let weight = points.weights[draw];
            if weight == 0.0 {
                continue;
            }
            let first = cloud.first(self.batch, c);
            let z = &points.z[first..first + d];
            let mut t = z.to_vec();
            bend(&layers, &mut t);
            let e = DVector::from_vec(self.trial.shift(&t));
            let gradient = DVector::from_column_slice(&slopes.gradient[first..first + d]);
            let spring = &near.spring * &e;
            let by = (near.l.tr_mul(&gradient) + &near.pull - &spring) * weight;
            let log_prior = near.pull.dot(&e) - 0.5 * e.dot(&spring);
            let log_det = slope.add(z, by.as_slice(), weight);
            value += weight * (slopes.log_lik[draw] + log_prior + log_det);
        }
        (value, DVector::from_vec(slope.finish()))
    }

    /// Take the trial or not, and make the next one.
    fn judge(&mut self, (value, slope): (f64, DVector<f64>), tolerance: f64) {
        if self.is_better(value, &slope) {
            let step = &self.direction * self.part;
            if let Some((_, old)) = &self.here {
                self.metric.update(step.clone(), old - &slope);
            }
            self.fresh = self.here.is_none();
            self.x += step;
            self.direction = self.metric.times(&slope);
            self.gain = 0.5 * self.direction.dot(&slope);
            let longest = self.direction.amax();
            self.part = (LONGEST / longest).min(1.0);
            self.settled = self.gain < tolerance && (!self.fresh || self.gain == 0.0);
            self.here = Some((value, slope));
        } else {
            self.part *= 0.5;
            if self.part < SHORTEST || self.here.is_none() {
                self.begin_again();
            }
        }
        self.trial = self
            .trial
            .at((&self.x + &self.direction * self.part).as_slice());
    }

    /// Forget what was learned; without anything learned there is no way on.
    fn begin_again(&mut self) {
        self.stuck = self.here.is_none() || self.fresh;
        self.fresh = true;
        self.settled = self.stuck && self.gain < BLURRED;
        if let Some((_, slope)) = &self.here {
            self.metric = unlearned(slope.len());
            self.direction = slope.clone();
            self.gain = 0.5 * slope.norm_squared();
            self.part = (LONGEST / slope.amax()).min(1.0);
        }
    }

    fn is_better(&self, value: f64, slope: &DVector<f64>) -> bool {
        if !value.is_finite() || !slope.iter().all(|s| s.is_finite()) {
            return false;
        }
        let Some((here, _)) = &self.here else {
            return true;
        };
        let rounding = ROUNDING * (1.0 + here.abs());
        value >= here + 1e-4 * self.part * 2.0 * self.gain - rounding
    }
}
