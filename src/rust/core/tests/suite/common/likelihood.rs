//! Evaluate a problem subject by subject: log-likelihoods, gradients, expected information.

use nlmers_core::data::Layout;
use nlmers_core::ir::column::Column;
use nlmers_core::ir::program::DerivativeProgram;
use nlmers_core::ir::vmath::Isa;
use nlmers_core::problem::{BoundProgram, DerivativeScratch, Derivatives, Problem};

use super::lanes;

/// `visit(subject, lane)` for the lanes in use of a block.
fn each_lane(layout: &Layout, b: usize, mut visit: impl FnMut(usize, usize)) {
    for (l, lane) in layout.blocks[b].lanes.iter().enumerate() {
        visit(lane.subject as usize, l);
    }
}

/// Log-likelihood of every subject by the value program; `phi`: `n_subjects x d`, row-major.
pub fn values(isa: Isa, problem: &Problem, theta: &[f64], phi: &[f64]) -> Vec<f64> {
    let layout = problem.layout(1);
    let mut values = BoundProgram::on(isa, problem, &layout, &problem.programs.likelihood);
    values.prepare(theta);
    let (mut out, mut work) = (vec![f64::NAN; problem.n_subjects()], Vec::new());
    for b in 0..layout.blocks.len() {
        let column = values.log_lik(b, &lanes(problem, 1, b, phi), &mut work);
        each_lane(&layout, b, |subject, l| out[subject] = column.0[l]);
    }
    out
}

/// Log-likelihood of every subject by a derivative program.
pub fn derived_values(
    isa: Isa,
    problem: &Problem,
    program: &DerivativeProgram,
    theta: &[f64],
    phi: &[f64],
) -> Vec<f64> {
    let layout = problem.layout(1);
    let mut derivatives = Derivatives::on(isa, problem, &layout, program);
    derivatives.prepare(theta);
    let (mut out, mut scratch) = (
        vec![f64::NAN; problem.n_subjects()],
        DerivativeScratch::default(),
    );
    for b in 0..layout.blocks.len() {
        let columns = lanes(problem, 1, b, phi);
        let value = derivatives.gradient_phi(b, &columns, &mut [], &mut scratch);
        each_lane(&layout, b, |subject, l| out[subject] = value.0[l]);
    }
    out
}

/// Gradient in `phi` of every subject, row-major.
pub fn gradient_phi(isa: Isa, problem: &Problem, theta: &[f64], phi: &[f64]) -> Vec<f64> {
    let (layout, d) = (problem.layout(1), problem.n_phi());
    let mut derivatives = Derivatives::on(isa, problem, &layout, &problem.programs.phi);
    derivatives.prepare(theta);
    let (mut out, mut scratch) = (vec![f64::NAN; phi.len()], DerivativeScratch::default());
    for b in 0..layout.blocks.len() {
        let columns = lanes(problem, 1, b, phi);
        let mut gradient = vec![Column::ZERO; d];
        derivatives.gradient_phi(b, &columns, &mut gradient, &mut scratch);
        each_lane(&layout, b, |subject, l| {
            for k in 0..d {
                out[subject * d + k] = gradient[k].0[l];
            }
        });
    }
    out
}

/// Gradient in `theta` of the sum over subjects.
pub fn gradient_theta(isa: Isa, problem: &Problem, theta: &[f64], phi: &[f64]) -> Vec<f64> {
    let layout = problem.layout(1);
    let mut derivatives = Derivatives::on(isa, problem, &layout, &problem.programs.theta);
    derivatives.prepare(theta);
    let mut sums = vec![0.0; derivatives.n_population()];
    let mut scratch = DerivativeScratch::default();
    for b in 0..layout.blocks.len() {
        let columns = lanes(problem, 1, b, phi);
        let (_, adjoints) = derivatives.population_adjoints(b, &columns, &mut scratch);
        for (sum, adjoint) in sums.iter_mut().zip(adjoints) {
            each_lane(&layout, b, |_, l| *sum += adjoint.0[l]);
        }
    }
    derivatives.to_theta(theta, &sums)
}

/// Expected information about `phi` of every subject: lower triangles by rows.
pub fn information(isa: Isa, problem: &Problem, theta: &[f64], phi: &[f64]) -> Vec<Vec<f64>> {
    let layout = problem.layout(1);
    let mut derivatives = Derivatives::on(isa, problem, &layout, &problem.programs.phi);
    derivatives.prepare(theta);
    let (mut out, mut scratch) = (
        vec![Vec::new(); problem.n_subjects()],
        DerivativeScratch::default(),
    );
    for b in 0..layout.blocks.len() {
        let columns = lanes(problem, 1, b, phi);
        let information = derivatives.information(b, &columns, &mut scratch);
        each_lane(&layout, b, |subject, l| {
            out[subject] = information.elements.iter().map(|c| c.0[l]).collect();
        });
    }
    out
}

/// Probabilities of the states behind the first outcome at every row of the data frame: `[state][row]`.
pub fn state_probabilities(
    problem: &Problem,
    theta: &[f64],
    phi: &[f64],
    k: usize,
) -> Vec<Vec<f64>> {
    let layout = problem.layout(1);
    let mut derivatives = Derivatives::new(problem, &layout, &problem.programs.theta);
    derivatives.prepare(theta);
    let mut out = vec![vec![f64::NAN; problem.records.n_rows()]; k];
    let mut scratch = DerivativeScratch::default();
    for b in 0..layout.blocks.len() {
        let columns = lanes(problem, 1, b, phi);
        let lanes = &layout.blocks[b].lanes;
        derivatives.state_probabilities(b, &columns, 0, &mut scratch, |row, state, column| {
            for (l, lane) in lanes.iter().enumerate() {
                if let Some(record) = layout.rows[lane.subject as usize].get(row) {
                    out[state][*record] = column.0[l];
                }
            }
        });
    }
    out
}

/// What is predicted of the first outcome at every row of the data frame.
pub fn predicted(problem: &Problem, theta: &[f64], phi: &[f64]) -> Vec<f64> {
    let layout = problem.full_layout();
    let mut values = BoundProgram::new(problem, &layout, &problem.programs.prediction);
    values.prepare(theta);
    let (mut out, mut work) = (vec![f64::NAN; problem.records.n_rows()], Vec::new());
    for b in 0..layout.blocks.len() {
        let columns = lanes(problem, 1, b, phi);
        let lanes = &layout.blocks[b].lanes;
        values.rows(b, &columns, &mut work, |row, root, column| {
            for (l, lane) in lanes.iter().enumerate().filter(|_| root == 0) {
                if let Some(record) = layout.rows[lane.subject as usize].get(row) {
                    out[*record] = column.0[l];
                }
            }
        });
    }
    out
}
