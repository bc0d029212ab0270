//! Acceptance case 23: every sampler leaves its exact target invariant at fixed parameters, and a Jacobian with the wrong
//! sign is seen.
//!
//! 64 chains of two subjects that are alike give at least 200,000 draws after the adaptation. Means and variances of the effects on their
//! natural scale are compared with closed forms or quadrature on that scale. The error is that of the means of the
//! chains, which are independent: autocorrelation is in it.

use crate::common::posteriors::{line, plane, Exact, Target, FAMILIES, INFORMATIVE, WEAK};
use crate::common::samplers::samplers;
use nlmers_core::inference::modes::{ModeOptions, Modes};
use nlmers_core::ir::column::{Column, LANES};
use nlmers_core::ir::vmath::Isa;
use nlmers_core::parallel::Workers;
use nlmers_core::problem::{BoundProgram, Derivatives, Evaluator, Means, Prior, Problem};
use nlmers_core::random::{Purpose, Stream};
use nlmers_core::samplers::{
    Context, LaneDraws, LanePosterior, SamplerOptions, SweepPlan, SweepReport,
};

/// Draws of a chain: 64 of them give 200,000.
const DRAWS: usize = 3200;
/// In standard errors; some 130 moments are compared.
const LIMIT: f64 = 4.0;
/// Iterations in which samplers adapt.
const ADAPT: usize = 200;

/// Sums over the draws of each chain: deviations from `about`, then their products.
struct Sums {
    about: Exact,
    natural: fn(f64) -> f64,
    n: usize,
    chains: Vec<Vec<f64>>,
}

impl Sums {
    fn new(target: &Target) -> Self {
        let d = target.exact.mean.len();
        Self {
            about: target.exact.clone(),
            natural: target.natural,
            n: 0,
            chains: vec![vec![0.0; d + d * d]; LANES],
        }
    }

    fn add(&mut self, state: &LaneDraws) {
        let d = state.phi.len();
        self.n += 1;
        for (l, sums) in self.chains.iter_mut().enumerate() {
            let x: Vec<f64> = (0..d)
                .map(|k| (self.natural)(state.phi[k].0[l]) - self.about.mean[k])
                .collect();
            for i in 0..d {
                sums[i] += x[i];
                for j in 0..d {
                    sums[d + i * d + j] += x[i] * x[j];
                }
            }
        }
    }

    /// Largest deviation of a moment from an exact one, in standard errors.
    fn deviation(&self, exact: &Exact) -> f64 {
        let d = exact.mean.len();
        let (n, draws) = (LANES as f64, self.n as f64);
        let shift = &exact.mean - &self.about.mean;
        let moment = |k: usize| match k.checked_sub(d) {
            None => shift[k],
            Some(k) => exact.covariance[(k / d, k % d)] + shift[k / d] * shift[k % d],
        };
        let deviations = (0..d + d * d).map(|k| {
            let means = self.chains.iter().map(|sums| sums[k] / draws);
            let mean = means.clone().sum::<f64>() / n;
            let variance = means.map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
            (mean - moment(k)).abs() / (variance / n).sqrt()
        });
        deviations.fold(0.0, f64::max)
    }
}

/// Laplace posteriors moved and widened, so that a proposal is never the target itself.
fn posterior(problem: &Problem, prior: &Prior) -> LanePosterior {
    let theta = &problem.theta.start;
    let layout = problem.layout(LANES / 2);
    let target = Evaluator::of((problem, &layout), theta, prior.clone());
    let modes = Modes::find(&target, None, ModeOptions::exact(), &Workers::single());
    let map = |columns: &[Column], f: fn(f64) -> f64| -> Vec<Column> {
        columns.iter().map(|c| Column(c.0.map(f))).collect()
    };
    LanePosterior::new(
        map(&modes.phi[0], |x| x + 0.2),
        map(&modes.factor[0], |x| 0.8 * x),
    )
}

/// Let a sampler adapt, and sum up what it draws afterward, with what its kernels did.
fn run(target: &Target, options: SamplerOptions) -> (Sums, Vec<SweepReport>) {
    let problem = &target.problem;
    let theta = &problem.theta.start;
    let layout = problem.layout(LANES / 2);
    let mut values = BoundProgram::new(problem, &layout, &problem.programs.likelihood);
    let mut slopes = Derivatives::new(problem, &layout, &problem.programs.phi);
    values.prepare(theta);
    slopes.prepare(theta);
    let prior = Prior::new(problem, theta).unwrap();
    let means = Means::new(problem, &layout, theta);
    let mut state = LaneDraws::new(&layout, 0, means.columns(&layout, 0), 0);
    let mut sampler = options.sampler(problem.n_phi());
    let mut plan = SweepPlan {
        age: 0,
        steps: 5,
        smoothing: false,
        brief: false,
        in_turns: false,
        cold: false,
    };
    state.posterior = sampler
        .wants_posterior(&plan)
        .then(|| posterior(problem, &prior));
    let (mut sums, mut reports) = (Sums::new(target), Vec::new());
    while sums.n < DRAWS {
        plan.age += 1;
        plan.smoothing = plan.age > ADAPT;
        let context = Context {
            values: &values,
            slopes: Some(&slopes),
            prior: &prior,
            stream: Stream {
                seed: 42,
                purpose: Purpose::Sampler,
            },
            iteration: u32::try_from(plan.age).unwrap(),
            isa: Isa::detect(),
        };
        state.begin(&context, &means, &layout);
        let report = sampler.run(&context, &plan, &mut state, &mut |state, _| {
            if plan.age > ADAPT {
                sums.add(state);
            }
        });
        sampler.learn(&report.evidence);
        if plan.age > ADAPT {
            reports.push(report);
        }
    }
    (sums, reports)
}

fn check(target: &Target) {
    for (name, options) in samplers(ADAPT) {
        let (sums, reports) = run(target, options);
        let deviation = sums.deviation(&target.exact);
        println!("{name}, {}: {deviation:.2} errors", target.name);
        assert!(
            deviation < LIMIT,
            "{name}, {}: off by {deviation:.1} errors",
            target.name
        );
        let tallies = reports.iter().flat_map(|report| &report.tallies);
        assert_eq!(tallies.map(|tally| tally.not_finite).sum::<u64>(), 0);
    }
}

#[test]
fn case_23_samplers_leave_gaussian_posteriors_invariant() {
    check(&line());
    check(&plane());
}

#[test]
fn case_23_samplers_leave_lognormal_effects_invariant() {
    check(&FAMILIES[0].target(INFORMATIVE, 0, false));
    check(&FAMILIES[0].target(WEAK, 0, false));
}

#[test]
fn case_23_samplers_leave_exponential_effects_invariant() {
    check(&FAMILIES[1].target(INFORMATIVE, 0, false));
    check(&FAMILIES[1].target(WEAK, 0, false));
}

#[test]
fn case_23_samplers_leave_beta_effects_invariant() {
    check(&FAMILIES[2].target(INFORMATIVE, 0, false));
    check(&FAMILIES[2].target(WEAK, 0, false));
}

/// The same draws judged against a target in which the Jacobian has the wrong sign, or is left out.
#[test]
fn case_23_a_wrong_jacobian_in_the_target_is_detected() {
    for family in &FAMILIES {
        let right = family.target(INFORMATIVE, 0, false);
        let wrong = [-1, -2].map(|power| family.target(INFORMATIVE, power, false).exact);
        for (name, options) in samplers(ADAPT) {
            let (sums, _) = run(&right, options);
            for wrong in &wrong {
                let deviation = sums.deviation(wrong);
                let what = format!("{name}, {}", right.name);
                assert!(deviation > 2.0 * LIMIT, "{what}: {deviation:.1} errors");
            }
        }
    }
}

/// Draws whose acceptance ratio has the wrong sign of the Jacobian, judged against the right target.
#[test]
fn case_23_a_wrong_jacobian_in_the_acceptance_ratio_is_detected() {
    for family in [&FAMILIES[0], &FAMILIES[2]] {
        let target = family.target(INFORMATIVE, 0, true);
        let same = family.target(INFORMATIVE, -2, true);
        for (name, options) in samplers(ADAPT) {
            let (sums, _) = run(&target, options);
            let what = format!("{name}, {}", target.name);
            let deviation = sums.deviation(&target.exact);
            assert!(deviation > 2.0 * LIMIT, "{what}: {deviation:.1} errors");
            let deviation = sums.deviation(&same.exact);
            assert!(deviation < LIMIT, "{what}: {deviation:.1} errors");
        }
    }
}

/// Rates after the adaptation are those asked for. The mean of the steps that dual averaging tried is somewhat shorter
/// than the one that would give the rate, the more so for trajectories, whose number of steps jumps.
#[test]
fn case_23_adaptation_reaches_its_target_and_lasts() {
    let target = plane();
    for (name, kernel, wanted, close) in [
        ("saemix_mh", 1, 0.44, 0.1),
        ("nuts", 0, 0.8, 0.13),
        ("mala", 0, 0.57, 0.08),
    ] {
        let options = samplers(ADAPT).into_iter().find(|s| s.0 == name).unwrap().1;
        let (_, reports) = run(&target, options);
        let counts = |f: fn(&nlmers_core::samplers::Tally) -> u64| {
            reports.iter().map(|r| f(&r.tallies[kernel])).sum::<u64>() as f64
        };
        let rate = counts(|t| t.accepted) / counts(|t| t.proposed);
        assert!((rate - wanted).abs() < close, "{name}: {rate}");
    }
}
