//! Bring the residual errors of a start to the scale of the residuals.
//!
//! With residuals `r` about the predictions of typical subjects and residual standard deviations `s` at the start,
//! `c^2 = mean (r / s)^2` is what the data say of `s`. A start above it makes the likelihood flat, and no effect moves; one
//! far below it ties every subject to its data before anything is known. Units of an outcome would decide which.

use std::sync::Arc;

use crate::ir::column::{Column, LANES};
use crate::language::specification::ParameterScale;
use crate::problem::{BoundProgram, Joint, Predicted};

/// A residual error this part of what residuals about typical predictions say is too small to start from.
const SMALLEST: f64 = 1e-3;

/// The starting values with the scale of every residual error in reach of the residuals, transformed scale.
///
/// Parameters of an outcome's standard deviation alone, on the logarithmic scale, move together: a combined error keeps
/// its shape. Everything else stays.
pub fn matched_start(joint: &Joint) -> Vec<f64> {
    let mut theta = joint.theta.start.clone();
    let roles = joint.roles();
    let logs: Vec<usize> = (joint.model().parameters.iter())
        .filter(|p| p.scale() == Some(ParameterScale::Log))
        .flat_map(|p| p.coordinates())
        .filter(|k| roles[*k] == "residual" && joint.theta.free[*k])
        .collect();
    if logs.is_empty() {
        return theta;
    }
    let mut shifts: Vec<Option<f64>> = vec![None; theta.len()];
    let form = &joint.main().form;
    for (density, ratio) in form.densities.iter().zip(ratios(joint)) {
        let Some(ratio) = ratio.filter(|c| c.is_finite() && *c > 0.0) else {
            continue;
        };
        let shift = ratio.ln().min(0.0).max((SMALLEST * ratio).ln());
        let own = form.thetas_of(density.sd.into_iter().collect());
        for k in own.into_iter().filter(|k| logs.contains(k)) {
            // A parameter of several outcomes serves the one with the largest residuals.
            shifts[k] = Some(shifts[k].map_or(shift, |known| known.max(shift)));
        }
    }
    for (k, shift) in shifts.into_iter().enumerate() {
        if let Some(shift) = shift {
            theta[k] = joint.theta.clamp(k, theta[k] + shift);
        }
    }
    theta
}

/// `c` of each outcome that is normal on some scale.
fn ratios(joint: &Joint) -> Vec<Option<f64>> {
    let theta = &joint.theta.start;
    let points = joint.typical(theta);
    let problem = joint.main();
    let layout = problem.layout(1);
    let mut values = BoundProgram::new(problem, &layout, &problem.programs.prediction);
    values.set_known(Arc::new(joint.known(problem, &layout, &points)));
    values.prepare(theta);
    let places = places(&problem.programs.predicted);
    let mut sums = vec![(0.0, 0.0f64); places.len()];
    let mut work = Vec::new();
    for (b, block) in layout.blocks.iter().enumerate() {
        let phi = layout.columns(b, &points.values[0], problem.n_phi());
        let mut rows: Vec<Vec<Column>> = Vec::new();
        values.rows(b, &phi, &mut work, |row, root, column| {
            rows.resize(rows.len().max(row + 1), Vec::new());
            let own = &mut rows[row];
            own.resize(own.len().max(root + 1), Column([f64::NAN; LANES]));
            own[root] = *column;
        });
        for (o, outcome) in problem.model.outcomes.iter().enumerate() {
            let (Some(place), false) = (places[o], outcome.censored) else {
                continue;
            };
            if place.weighted.is_none() && outcome.family.name != "normal" {
                continue;
            }
            let column = &problem.records.columns[outcome.column as usize];
            for (l, lane) in block.lanes.iter().enumerate() {
                let records = &layout.rows[lane.subject as usize];
                for (row, record) in rows.iter().zip(records) {
                    let plain = || (column[*record] - row[place.mean].0[l]) / row[place.sd].0[l];
                    let r = place.weighted.map_or_else(plain, |root| row[root].0[l]);
                    let square = r * r;
                    if square.is_finite() {
                        sums[o].0 += square;
                        sums[o].1 += 1.0;
                    }
                }
            }
        }
    }
    let mean = |(sum, n): (f64, f64)| (n > 0.0).then(|| (sum / n).sqrt());
    sums.into_iter().map(mean).collect()
}

/// For each outcome with both the roots of its prediction and of its residual standard deviation.
fn places(predicted: &[Predicted]) -> Vec<Option<MomentColumns>> {
    let mut next = 0;
    let mut found = Vec::new();
    for has in predicted {
        found.push((has.value && has.sd).then_some(MomentColumns {
            mean: next,
            sd: next + 1,
            weighted: has.weighted.then_some(next + 2),
        }));
        next += has.count();
    }
    found
}

#[derive(Debug, Clone, Copy)]
struct MomentColumns {
    mean: usize,
    sd: usize,
    /// Of the residual itself where the outcome is normal on another scale.
    weighted: Option<usize>,
}
