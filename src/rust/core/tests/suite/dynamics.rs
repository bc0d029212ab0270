//! Models written as differential equations give what their closed form gives: likelihood, gradients, information,
//! stored values. Whoever solves the equations, and whichever way the derivatives go.

use crate::common;
use crate::common::data::{Data, Generator};
use crate::common::numeric::{gradient, relative};
use crate::common::{pharmacokinetics, problem, try_problem};
use nlmers_core::data::Layout;
use nlmers_core::ir::column::{Column, LANES};
use nlmers_core::parallel::Workers;
use nlmers_core::problem::{
    BoundProgram, DerivativeScratch, Derivatives, Given, Means, Problem, Stored,
};

const COPIES: usize = 6;

/// The model of `pharmacokinetics::MODEL` with equations; `options` are lines for the solver.
fn equations(options: &str) -> String {
    format!(
        "
        fixed lka = 0.46
        fixed lv = 3.45
        fixed lcl = 1.01
        fixed o = positive(0.3844, 0.0169, 0.0676)
        fixed s = positive(0.74)
        random e ~ mvnormal(c(lka, lv, lcl), diag(o)) | id
        {options}
        ka <- exp(e[1])
        v <- exp(e[2])
        d/dt(depot) <- -ka * depot
        d/dt(center) <- ka * depot - exp(e[3]) / v * center
        depot(0) <- dose
        y ~ normal(center / v, s)"
    )
}

const STEPS: &str = "ode linear = false
        ode rtol = 1e-10
        ode atol = 1e-10";

/// Draws about the means, other ones in every lane.
fn draws(problem: &Problem, layout: &Layout) -> Vec<Vec<Column>> {
    let means = Means::new(problem, layout, &problem.theta.start);
    let mut draw = Generator(11);
    let blocks = layout.blocks.iter();
    let each = blocks.map(|block| {
        let mut column = |k: usize| {
            Column(std::array::from_fn::<f64, LANES, _>(|l| {
                let lane = block.lanes.get(l).unwrap_or(&block.lanes[0]);
                means.of(lane.subject as usize)[k] + 0.3 * draw.normal()
            }))
        };
        (0..problem.n_phi()).map(&mut column).collect()
    });
    each.collect()
}

/// All that is asked of a program, lane after lane.
#[derive(Default)]
struct Answers {
    log_lik: Vec<f64>,
    slopes: Vec<f64>,
    information: Vec<f64>,
    /// Gradient of the sum over the lanes in `theta`.
    theta: Vec<f64>,
}

fn answers(problem: &Problem) -> Answers {
    let layout = problem.layout(COPIES);
    let theta = &problem.theta.start;
    let phi = draws(problem, &layout);
    let mut values = BoundProgram::new(problem, &layout, &problem.programs.likelihood);
    values.prepare(theta);
    let mut by_phi = Derivatives::new(problem, &layout, &problem.programs.phi);
    by_phi.prepare(theta);
    let mut by_theta = Derivatives::new(problem, &layout, &problem.programs.theta);
    by_theta.prepare(theta);
    let (mut scratch, mut found) = (DerivativeScratch::default(), Answers::default());
    let mut adjoints = vec![0.0; by_theta.n_population()];
    for (b, block) in layout.blocks.iter().enumerate() {
        let used = 0..block.lanes.len();
        let log_lik = values.log_lik(b, &phi[b], &mut Vec::new());
        found.log_lik.extend_from_slice(&log_lik.0[used.clone()]);
        let mut slopes = vec![Column::ZERO; problem.n_phi()];
        let same = by_phi.gradient_phi(b, &phi[b], &mut slopes, &mut scratch);
        for l in used.clone() {
            assert!(
                relative(same.0[l], log_lik.0[l], 1.0) < 1e-12,
                "value of the sweep"
            );
            found.slopes.extend(slopes.iter().map(|s| s.0[l]));
        }
        let information = by_phi.information(b, &phi[b], &mut scratch);
        for l in used.clone() {
            let elements = information.elements.iter();
            found.information.extend(elements.map(|e| e.0[l]));
        }
        let (_, own) = by_theta.population_adjoints(b, &phi[b], &mut scratch);
        for (sum, column) in adjoints.iter_mut().zip(own) {
            *sum += used.clone().map(|l| column.0[l]).sum::<f64>();
        }
    }
    found.theta = by_theta.to_theta(theta, &adjoints);
    found
}

fn assert_same(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let scale = expected.iter().fold(1.0f64, |s, x| s.max(x.abs()));
    let error = found.iter().zip(expected);
    let error = error.fold(0.0f64, |e, (a, b)| e.max((a - b).abs() / scale));
    assert!(error <= tolerance, "{what}: {error:.2e} of {scale:.3}");
    assert!(found.iter().all(|x| x.is_finite()), "{what} is finite");
}

fn check(options: &str, tolerance: f64) {
    let data = pharmacokinetics::data().timed("t");
    let expected = answers(&problem(pharmacokinetics::MODEL, &data));
    let found = answers(&problem(&equations(options), &data));
    let pairs = [
        (&found.log_lik, &expected.log_lik, "log-likelihood"),
        (&found.slopes, &expected.slopes, "gradient in phi"),
        (&found.information, &expected.information, "information"),
        (&found.theta, &expected.theta, "gradient in theta"),
    ];
    for (found, expected, what) in pairs {
        assert_same(found, expected, tolerance, &format!("{options}: {what}"));
    }
}

#[test]
fn linear_equations_are_their_closed_form() {
    check("", 1e-9);
    check("ode max_forward = 0", 1e-9);
}

#[test]
fn integrated_equations_are_their_closed_form() {
    check(STEPS, 1e-7);
}

#[test]
fn adjoints_through_the_equations_are_those_of_the_closed_form() {
    check(&format!("{STEPS}\node max_forward = 0"), 1e-7);
}

#[test]
fn implicit_steps_are_the_closed_form_within_their_tolerance() {
    check(
        "ode solver = \"stiff\"\node rtol = 1e-8\node atol = 1e-9",
        1e-4,
    );
}

#[test]
fn predictions_that_stay_are_not_solved_again() {
    let data = pharmacokinetics::data().timed("t");
    let original = problem(&equations(STEPS), &data);
    let stored = Stored::new(&original).expect("stored predictions");
    assert!(!stored.problem.programs.likelihood.solution.is_read());
    let layout = original.layout(COPIES);
    let phi = draws(&original, &layout);
    let workers = Workers::new(1).unwrap();
    let columns = stored.columns(&layout, &original.theta.start, &phi, &workers);
    let theta: Vec<f64> = original.theta.start.iter().map(|x| x + 0.1).collect();
    let mut full = BoundProgram::new(&original, &layout, &original.programs.likelihood);
    full.prepare(&theta);
    let mut rest = BoundProgram::new(
        &stored.problem,
        &layout,
        &stored.problem.programs.likelihood,
    );
    rest.set_known(std::sync::Arc::new(columns));
    rest.prepare(&theta);
    for b in 0..layout.blocks.len() {
        let a = full.log_lik(b, &phi[b], &mut Vec::new());
        let b = rest.log_lik(b, &phi[b], &mut Vec::new());
        assert_same(&b.0, &a.0, 1e-12, "stored");
    }
}

/// A parameter without random effect in the equations: the score goes through them.
const FIXED_RATE: &str = "
    fixed lka = 0.4
    fixed lv = 3.4
    fixed lcl = 1.0
    fixed o = positive(0.02, 0.06)
    fixed s = positive(0.7)
    random e ~ mvnormal(c(lv, lcl), diag(o)) | id
    v <- exp(e[1])
    d/dt(depot) <- -exp(lka) * depot
    d/dt(center) <- exp(lka) * depot - exp(e[2]) / v * center
    depot(0) <- dose
    y ~ normal(center / v, s)";

#[test]
fn parameters_in_the_equations_have_scores() {
    let data = pharmacokinetics::data().timed("t");
    for options in ["", STEPS, &format!("{STEPS}\node max_forward = 0")] {
        let problem = problem(&format!("{FIXED_RATE}\n{options}"), &data);
        let found = answers(&problem).theta;
        let layout = problem.layout(COPIES);
        let phi = draws(&problem, &layout);
        let total = |theta: &[f64]| {
            let mut values = BoundProgram::new(&problem, &layout, &problem.programs.likelihood);
            values.prepare(theta);
            let mut sum = 0.0;
            for (b, block) in layout.blocks.iter().enumerate() {
                let log_lik = values.log_lik(b, &phi[b], &mut Vec::new());
                sum += log_lik.0[..block.lanes.len()].iter().sum::<f64>();
            }
            sum
        };
        let mut expected = gradient(&problem.theta.start, 1e-4, total);
        // The density of the effects is not part of the likelihood.
        let rate = common::position(&problem, "lka");
        let sigma = common::position(&problem, "s");
        expected = vec![expected[rate], expected[sigma]];
        assert_same(&[found[rate], found[sigma]], &expected, 1e-6, options);
    }
}

/// A dose a record, a second one after six hours, fed or fasted.
fn dosed() -> Data {
    let times = [0.0, 1.0, 2.0, 4.0, 6.0, 7.0, 9.0, 14.0];
    let dose = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0];
    Data::new(5, |_| 8)
        .with("time", |row, _| times[row % 8])
        .with(".amt", |row, i| dose[row % 8] * (100.0 + 10.0 * i as f64))
        .with("fed", |row, _| f64::from(u8::from(row % 8 >= 4)))
        .with("y", |row, i| {
            if dose[row % 8] > 0.0 {
                f64::NAN
            } else {
                3.0 + 0.1 * (i + row) as f64
            }
        })
}

#[test]
fn a_property_of_doses_may_differ_between_records() {
    let model = |part: &str| {
        format!(
            "
            fixed lcl = 1
            fixed lv = 3
            fixed part = probability(0.6)
            fixed o = positive(0.1, 0.1)
            fixed s = positive(1)
            random e ~ mvnormal(c(lcl, lv), diag(o)) | id
            d/dt(x) <- -exp(e[1] - e[2]) * x
            {part}
            y ~ normal(x / exp(e[2]), s)"
        )
    };
    let data = dosed().timed("time");
    let found = answers(&problem(&model("f(x) <- ifelse(fed == 1, part, 1)"), &data));
    // The same with the amounts written out: what is lost does not come in.
    let written = dosed().timed("time");
    let amounts = (written.column(".amt").iter().zip(written.column("fed")))
        .map(|(amount, fed)| if *fed == 1.0 { 0.6 * amount } else { *amount })
        .collect::<Vec<f64>>();
    let written = written.with(".amt", |row, _| amounts[row]);
    let expected = answers(&problem(&model(""), &written));
    assert_same(&found.log_lik, &expected.log_lik, 1e-12, "log-likelihood");
    assert_same(&found.slopes, &expected.slopes, 1e-10, "gradient");
    let refused = try_problem(&model("x(0) <- fed"), &data, &Given::default());
    assert_eq!(refused.unwrap_err().reason, "varying_covariate");
}
