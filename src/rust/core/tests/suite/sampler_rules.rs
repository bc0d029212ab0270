//! What every sampler keeps to in an E-step: given values stay, levels that are not asked to move stay, what is forgotten
//! is forgotten, draws without a density are rejected and counted, and the number of threads changes nothing.

use crate::common::groups::joint as joint_of_groups;
use crate::common::samplers::samplers;
use crate::common::{try_joint, Data};
use nlmers_core::data::Layout;
use nlmers_core::monitor::Silent;
use nlmers_core::parallel::Workers;
use nlmers_core::problem::{Evaluator, Given, Joint, Problem};
use nlmers_core::saem::estep::{Chains, EStepTarget, SweepTurn};
use nlmers_core::saem::options::ChainOptions;
use nlmers_core::saem::{fit, Fit, SaemOptions};
use nlmers_core::samplers::{SamplerOptions, SweepPlan, Tally};

const MODEL: &str = "
    fixed m = real(0.3, -0.5)
    fixed w = covariance_matrix(0.3, 0.1, 0.1, 0.2)
    fixed s = positive(0.5)
    random e ~ mvnormal(m, w) | id
    y ~ normal(exp(e[1]) + t * e[2], s)";

/// 100 subjects: two blocks.
fn data() -> Data {
    Data::new(100, |i| 2 + i % 3)
        .with("t", |row, _| 0.4 * (row % 5) as f64)
        .with("y", |row, i| {
            1.2 + (i as f64).sin() - 0.1 * (row % 5) as f64
        })
}

/// Chains of a problem at its starting values.
struct Bench<'a> {
    problem: &'a Problem,
    layout: Layout,
    chains: Option<Chains>,
    options: SamplerOptions,
}

impl<'a> Bench<'a> {
    fn new(problem: &'a Problem, options: SamplerOptions) -> Self {
        Self {
            chains: None,
            layout: problem.layout(1),
            problem,
            options,
        }
    }

    fn step(&mut self, iteration: usize, cold: bool, active: Option<&[bool]>) {
        let start = &self.problem.theta.start;
        let target = EStepTarget {
            at: &Evaluator::new(self.problem, &self.layout, start).unwrap(),
            derivatives: None,
            origin: &vec![0.0; self.problem.n_phi()],
            averages_gradient: false,
            scores: None,
            active,
            turn: SweepTurn {
                iteration,
                number: u32::try_from(iteration).unwrap(),
                first: true,
            },
        };
        let plan = SweepPlan {
            age: if cold { 1 } else { iteration },
            steps: 3,
            smoothing: false,
            brief: false,
            in_turns: false,
            cold,
        };
        let options = self.options;
        self.chains
            .get_or_insert_with(|| Chains::new(&target, 5, options))
            .step(&target, plan, &Workers::new(1).unwrap());
    }

    /// `phi` of every subject, one vector each.
    fn phi(&self) -> Vec<Vec<f64>> {
        let chains = self.chains.as_ref().unwrap();
        let d = self.problem.n_phi();
        let places = self.layout.places();
        let each = places.into_iter();
        each.map(|(b, l)| (0..d).map(|k| chains.phi(b, l, k)).collect())
            .collect()
    }

    fn tally(&self) -> Tally {
        let mut total = Tally::default();
        for (_, tally) in self.chains.as_ref().unwrap().acceptance() {
            total.add(tally);
        }
        total
    }
}

fn joint(text: &str, levels: &[(&str, &str, f64)]) -> Joint {
    let own = |(effect, level, value): &(&str, &str, f64)| {
        (effect.to_string(), level.to_string(), *value)
    };
    let given = Given {
        levels: levels.iter().map(own).collect(),
        ..Given::default()
    };
    try_joint(text, &data(), &given).unwrap()
}

#[test]
fn given_values_stay_and_the_others_move() {
    let joint = joint(
        MODEL,
        &[
            ("e[1]", "s3", 0.25),
            ("e[1]", "s7", -0.5),
            ("e[2]", "s7", 0.75),
        ],
    );
    for (name, options) in samplers(20) {
        let mut bench = Bench::new(joint.main(), options);
        bench.step(1, false, None);
        let before = bench.phi();
        (2..=12).for_each(|k| bench.step(k, false, None));
        let after = bench.phi();
        assert_eq!(after[2][0], 0.25, "{name}");
        assert_eq!(after[6], [-0.5, 0.75], "{name}");
        assert_ne!(after[2][1], before[2][1], "{name}");
        assert_ne!(after[3], before[3], "{name}");
    }
}

#[test]
fn levels_that_are_not_asked_to_move_stay_and_are_not_counted() {
    let joint = joint(MODEL, &[]);
    // Subjects of the first block alone: rows are sorted by their number, and these have the most.
    let active: Vec<bool> = (0..100).map(|i| i % 3 == 2 && i < 50).collect();
    for (name, options) in samplers(20) {
        let mut bench = Bench::new(joint.main(), options);
        bench.step(1, false, None);
        let (before, all) = (bench.phi(), bench.tally());
        for k in 2..=6 {
            bench.step(k, false, Some(&active));
        }
        let mut movers = 0;
        for (i, (before, after)) in before.iter().zip(bench.phi()).enumerate() {
            assert!(active[i] || *before == after, "{name}, subject {i}");
            movers += usize::from(*before != after);
        }
        assert!(movers >= 14, "{name}: {movers} of 16");
        let moved = bench.tally().proposed - all.proposed;
        let share = moved as f64 / (5.0 * all.proposed as f64);
        assert!(share < 0.3, "{name}: {share}");
        let counted = |layout: &Layout| {
            let mut lanes = Vec::new();
            let chains = bench.chains.as_ref().unwrap();
            for (block, m) in chains.moments(layout) {
                let each = block.lanes.iter().enumerate();
                lanes.extend(
                    each.map(|(l, lane)| (lane.subject as usize, m.first[0].0[l] / m.n as f64)),
                );
            }
            lanes
        };
        for (i, mean) in counted(&bench.layout) {
            if !active[i] {
                assert!((mean - before[i][0]).abs() < 1e-12, "{name}, subject {i}");
            }
        }
    }
}

#[test]
fn a_cold_start_forgets_and_a_warm_one_does_not() {
    let joint = joint(MODEL, &[]);
    for (name, options) in samplers(20) {
        let [short, long, warm] = [(1, true), (5, true), (5, false)].map(|(n, cold)| {
            let mut bench = Bench::new(joint.main(), options);
            (1..=n).for_each(|k| bench.step(k, cold, None));
            bench.step(6, cold, None);
            bench.phi()
        });
        assert_eq!(short, long, "{name}");
        assert_ne!(warm, long, "{name}");
    }
}

#[test]
fn draws_without_a_density_are_rejected_and_counted() {
    let text = "fixed o = positive(2)\nfixed s = positive(0.5)
        random e ~ normal(0, o) | id\ny ~ normal(log(e + 1), s)";
    let joint = joint(text, &[]);
    for (name, options) in samplers(20) {
        let mut bench = Bench::new(joint.main(), options);
        (1..=20).for_each(|k| bench.step(k, false, None));
        assert!(bench.phi().iter().all(|phi| phi[0] > -1.0), "{name}");
        assert!(bench.tally().not_finite > 0, "{name}");
    }
}

fn options(sampler: SamplerOptions, warm_start: bool) -> SaemOptions {
    SaemOptions {
        sampler,
        mcmc_steps: 2,
        warm_start,
        chains: ChainOptions {
            auto_small_n_chains: false,
            ..ChainOptions::default()
        },
        ..SaemOptions::two_phases(12, 8)
    }
}

fn bits(fit: &Fit) -> Vec<u64> {
    let numbers = fit.trace.theta.iter().flatten().chain(&fit.trace.objective);
    numbers.map(|x| x.to_bits()).collect()
}

#[test]
fn threads_do_not_change_a_bit_under_any_sampler() {
    let data = data();
    let codes = (0..data.n_rows()).map(|row| row % 7).collect();
    let crossed = "
        fixed m = real(0.3, -0.5)
        fixed w = covariance_matrix(0.3, 0.1, 0.1, 0.2)
        fixed o = positive(0.4)
        fixed s = positive(0.5)
        random e ~ mvnormal(m, w) | id
        random b ~ normal(0, o) | other
        y ~ normal(exp(e[1]) * exp(b) + t * e[2], s)";
    let crossed = joint_of_groups(
        crossed,
        &data,
        &[("id", data.subject.clone()), ("other", codes)],
        &Given::default(),
    );
    for joint in [joint(MODEL, &[]), crossed.unwrap()] {
        for (name, sampler) in samplers(20) {
            for warm in [true, false] {
                let options = options(sampler, warm);
                let run = |threads| fit(&joint, &options, 3, threads, &Silent).unwrap();
                let one = run(1);
                assert!(one.theta.iter().all(|x| x.is_finite()), "{name}");
                for threads in [2, 7] {
                    let same = bits(&run(threads)) == bits(&one);
                    assert!(same, "{name}, {threads} threads, warm {warm}");
                }
            }
        }
    }
}
