//! Simulate random effects and outcomes.

use std::sync::Arc;

use rand_distr::{Distribution, StandardNormal};
use rand_philox::Philox;

use serde::{Deserialize, Serialize};

use super::grouping::RowGrouping;
use super::predict::{outcome_names, rows_of, typical};
use super::values::ValuesAt as At;
use super::{list, one, FrameColumns};
use crate::data::Layout;
use crate::distributions::{categorical, joint};
use crate::error::Result;
use crate::language::specification::Specification;
use crate::model::SeriesDraws;
use crate::problem::{BoundProgram, EffectValues, Joint, Prior, Problem};
use crate::reply::ReplyValue;

/// Data without outcomes, and what is drawn for them how often.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SimulateTask {
    #[serde(skip_serializing)]
    pub model: Specification,
    pub data: RowGrouping,
    #[serde(default)]
    pub at: At,
    #[serde(default = "one")]
    pub nsim: usize,
    #[serde(default = "one")]
    pub seed: u64,
}

/// Values of every outcome at every row, simulations one below another; a simulation is a stream of its own.
pub fn simulate(task: &SimulateTask, columns: FrameColumns) -> Result<ReplyValue> {
    let frame = task.data.frame(&task.model, columns)?;
    let (joint, theta) =
        (task.at).problem(&task.model, &frame, Vec::new(), Joint::for_prediction)?;
    let (nsim, seed) = (task.nsim, task.seed);
    let problem = joint.main();
    let n_rows = problem.records.codes.len();
    let n_outcomes = problem.model.outcomes.len();
    let mut values: Vec<Vec<f64>> = vec![Vec::with_capacity(n_rows * nsim); n_outcomes];
    for sim in 0..nsim {
        let mut rng = Philox::from_u64_seed_stream(seed, sim as u64);
        let points = draw_effects(&joint, &theta, &mut rng)?;
        let drawn = if problem.n_classes() == 0 {
            draw_outcomes(&joint, &theta, &points, &mut rng)
        } else {
            let classes = draw_classes(problem, &theta, &points, &mut rng);
            draw_outcomes(&joint.with_classes(&classes), &theta, &points, &mut rng)
        };
        for (all, one) in values.iter_mut().zip(drawn) {
            all.extend(one);
        }
    }
    Ok(list(vec![
        ("outcome", ReplyValue::Texts(outcome_names(problem))),
        (
            "value",
            ReplyValue::Matrix {
                rows: n_rows * nsim,
                cols: n_outcomes,
                data: values.concat(),
            },
        ),
    ]))
}

/// `phi` of every grouping from its distribution; levels with given values keep them.
fn draw_effects(joint: &Joint, theta: &[f64], rng: &mut Philox) -> Result<EffectValues> {
    let mut points = typical(joint, theta);
    for part in &joint.parts {
        let values = &mut points.values[part.group];
        draw_gaussian(part, theta, values, rng)?;
        draw_laws(part, theta, values, rng);
        for (phi, held) in values.iter_mut().zip(part.held.iter().flatten()) {
            if !held.is_nan() {
                *phi = *held;
            }
        }
    }
    Ok(points)
}

fn draw_gaussian(
    part: &Problem,
    theta: &[f64],
    values: &mut [f64],
    rng: &mut Philox,
) -> Result<()> {
    let prior = Prior::new(part, theta)?;
    let d = part.n_phi();
    for phi in values.chunks_mut(d.max(1)) {
        let noise: Vec<f64> = (0..d).map(|_| StandardNormal.sample(rng)).collect();
        for (i, value) in phi.iter_mut().enumerate() {
            let sum: f64 = (0..=i).map(|j| prior.chol[(i, j)] * noise[j]).sum();
            *value += sum;
        }
    }
    Ok(())
}

/// Effects that are Gaussian on no scale.
fn draw_laws(part: &Problem, theta: &[f64], values: &mut [f64], rng: &mut Philox) {
    let d = part.n_phi();
    part.each_law(theta, |level, k, family, arguments| {
        let effect = family.draw(arguments, rng);
        values[level * d + k] = part.effects()[k].transform.backward(effect);
    });
}

/// The class of every subject, from one.
fn draw_classes(
    problem: &Problem,
    theta: &[f64],
    points: &EffectValues,
    rng: &mut Philox,
) -> Vec<usize> {
    let shares = problem.class_probabilities(theta, &points.values[0]);
    let each = shares.iter();
    each.map(|shares| categorical::FAMILY.draw(shares, rng) as usize)
        .collect()
}

/// `[outcome][row]`, drawn in the order of the rows.
fn draw_outcomes(
    joint: &Joint,
    theta: &[f64],
    points: &EffectValues,
    rng: &mut Philox,
) -> Vec<Vec<f64>> {
    let problem = joint.main();
    let layout = problem.full_layout();
    let mut values = BoundProgram::new(problem, &layout, &problem.programs.arguments);
    values.set_known(Arc::new(joint.known(problem, &layout, points)));
    values.prepare(theta);
    let arguments = rows_of(problem, &layout, &values, points);
    let mut first = 0;
    // Standard normal numbers that outcomes distributed together share, `[place][row]`.
    let mut noise: Vec<Vec<f64>> = Vec::new();
    let outcomes = problem.model.outcomes.iter().zip(&problem.form.densities);
    outcomes
        .map(|(outcome, density)| {
            let own = first..first + density.arguments.len();
            first = own.end;
            let at = |row: usize| -> Vec<f64> {
                arguments[own.clone()].iter().map(|a| a[row]).collect()
            };
            if let Some(chain) = &outcome.chain {
                return draw_series(problem, &layout, &chain.draws, &at, rng);
            }
            let rows = 0..problem.records.codes.len();
            if let Some(together) = outcome.together {
                noise.truncate(together.position);
                noise.push(rows.clone().map(|_| StandardNormal.sample(rng)).collect());
                let shared = |row: usize| noise.iter().map(move |e| e[row]);
                return rows.map(|row| joint::draw(&at(row), shared(row))).collect();
            }
            rows.map(|row| outcome.family.draw(&at(row), rng)).collect()
        })
        .collect()
}

/// An outcome at every row of the layout, each subject's rows in the order of time; `at` gives the arguments at a row.
fn draw_series(
    problem: &Problem,
    layout: &Layout,
    draws: &SeriesDraws,
    at: &dyn Fn(usize) -> Vec<f64>,
    rng: &mut Philox,
) -> Vec<f64> {
    let mut values = vec![f64::NAN; problem.records.codes.len()];
    for rows in &layout.rows {
        let arguments: Vec<Vec<f64>> = rows.iter().map(|row| at(*row)).collect();
        let series = match draws {
            SeriesDraws::Chain(chain) => chain.draw(&arguments, rng),
            SeriesDraws::Serial(serial) => serial.draw(&arguments, rng),
        };
        for (row, value) in rows.iter().zip(series) {
            values[*row] = value;
        }
    }
    values
}
