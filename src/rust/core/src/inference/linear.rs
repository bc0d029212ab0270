//! Linearize the model in the random effects: a normal likelihood, and the expected information it has.
//!
//! About given values `c_b` of the effects of a batch `f(phi) = f(c) + J (phi - c)`, so that
//! `y_b ~ N(f(c_b) + J_b (m_b - c_b), J_b Omega J_b' + R_b)` with `R_b` the residual variances at `c_b`. With mean `mu` and
//! covariance `V` the expected information is `sum_b dmu_k' V^-1 dmu_l + tr(V^-1 dV_k V^-1 dV_l) / 2`, `c_b` held. `J` and
//! the derivatives in `theta` are central differences. Lognormal outcomes are normal in their logarithms. Sources:
//! Lindstrom & Bates (1990), Nonlinear mixed effects models for repeated measures data; Mentre, Mallet & Baccar (1997),
//! Optimal design in random-effects regression models.

use std::sync::Arc;

use nalgebra::{DMatrix, DVector};

use super::information::free;
use super::linear_population::PopulationMoments;
use super::posterior::{Batches, FreeEffect};
use crate::data::Layout;
use crate::distributions::LN_SQRT_2PI;
use crate::error::{Error, ErrorClass, Result};
use crate::problem::{BoundProgram, EffectValues, Joint, Prior, Route};

/// Most observations of a batch whose covariance is formed.
const MAX_ROWS: usize = 1_000;

/// Step of the differences in `theta`, in units of a coordinate.
const STEP: f64 = 1e-4;

/// The model at values of the random effects of all groupings.
pub struct Linearized<'a> {
    joint: &'a Joint,
    theta: &'a [f64],
    at: &'a EffectValues,
    batches: Batches,
    layout: Layout,
    /// Observed cells, batch by batch.
    cells: Vec<Vec<Cell>>,
    /// What the user can ask for instead.
    way_out: &'a str,
}

/// An observation on the scale on which it is normal.
struct Cell {
    row: usize,
    outcome: usize,
    y: f64,
    /// Logarithm of the derivative of that scale.
    log_slope: f64,
}

/// What the outcomes' program says at one `theta`.
struct Expansion {
    /// Mean and standard deviation of each cell at `c`, batch by batch.
    values: Vec<Vec<(f64, f64)>>,
    /// `cells x effects` of each batch.
    jacobians: Vec<DMatrix<f64>>,
}

impl<'a> Linearized<'a> {
    /// `way_out`: what the user can ask for instead, where this does not exist.
    ///
    /// # Errors
    /// Outcomes or effects that are not normal, effects with given values, or too many observations that hang together.
    pub fn new(
        joint: &'a Joint,
        theta: &'a [f64],
        at: &'a EffectValues,
        way_out: &'a str,
    ) -> Result<Self> {
        refuse(joint).map_err(|error| error.hint(way_out))?;
        let cells = cells(joint);
        let most = cells.iter().map(Vec::len).max().unwrap_or(0);
        if most > MAX_ROWS {
            let problem = format!(
                "{most} observations hang together through their random effects; the model is linearized for at most \
                 {MAX_ROWS}."
            );
            return Err(
                Error::new(ErrorClass::Option, "too_many_observations", problem).hint(way_out),
            );
        }
        Ok(Self {
            joint,
            theta,
            at,
            batches: Batches::new(joint),
            layout: joint.main().full_layout(),
            cells,
            way_out,
        })
    }

    /// Log-likelihood of each batch.
    ///
    /// # Errors
    /// A population distribution that does not exist.
    pub fn log_lik(&self) -> Result<Vec<f64>> {
        let expansion = self.expand(self.theta);
        let population = PopulationMoments::new(self.joint, self.theta)?;
        let batch = |b: usize| {
            let (mean, covariance) = self.moments(b, &expansion, &population);
            let cells = &self.cells[b];
            let y = DVector::from_iterator(cells.len(), cells.iter().map(|cell| cell.y));
            let slopes: f64 = cells.iter().map(|cell| cell.log_slope).sum();
            let Some(factor) = covariance.cholesky().map(|c| c.l()) else {
                return f64::NAN;
            };
            let log_det: f64 = factor.diagonal().iter().map(|x| x.ln()).sum();
            let white = factor.solve_lower_triangular(&(y - mean));
            let square = white.map_or(f64::NAN, |white| white.norm_squared());
            slopes - 0.5 * square - log_det - cells.len() as f64 * LN_SQRT_2PI
        };
        Ok((0..self.batches.len()).map(batch).collect())
    }

    /// The free coordinates and the expected information about them.
    ///
    /// # Errors
    /// A population distribution that does not exist; effects whose SD differs between levels, which are no sums with
    /// their means, so that their values held would say too much of these.
    pub fn information(&self) -> Result<(Vec<usize>, DMatrix<f64>)> {
        if let Some(effect) = (self.joint.model().effects.iter()).find(|e| !e.gaussian) {
            let problem = format!(
                "A linearized model says how well parameters are known where every random effect has one SD for all \
                 levels: that of `{}` depends on a covariate.",
                effect.name
            );
            return Err(Error::new(ErrorClass::Option, "not_normal", problem).hint(self.way_out));
        }
        let free = free(self.joint);
        let here = self.expand(self.theta);
        let population = PopulationMoments::new(self.joint, self.theta)?;
        let mut sides = Vec::new();
        for k in &free {
            let step = STEP * self.joint.theta.size(*k, self.theta[*k]);
            let mut pair = Vec::new();
            for sign in [1.0, -1.0] {
                let mut moved = self.theta.to_vec();
                moved[*k] += sign * step;
                // Means and covariances of the effects are in no prediction.
                let inner = matches!(self.joint.theta.routes[*k], Route::Mean | Route::Covariance);
                let expansion = (!inner).then(|| self.expand(&moved));
                pair.push((expansion, PopulationMoments::new(self.joint, &moved)?));
            }
            sides.push((step, pair));
        }
        let mut information = DMatrix::zeros(free.len(), free.len());
        for b in 0..self.batches.len() {
            let (_, covariance) = self.moments(b, &here, &population);
            let Some(factor) = covariance.cholesky().map(|c| c.l()) else {
                information.fill(f64::NAN);
                break;
            };
            let slopes: Vec<(DVector<f64>, DMatrix<f64>)> = (sides.iter())
                .map(|(step, pair)| {
                    let side =
                        |(expansion, population): &(Option<Expansion>, PopulationMoments)| {
                            self.moments(b, expansion.as_ref().unwrap_or(&here), population)
                        };
                    let ((up, up_v), (down, down_v)) = (side(&pair[0]), side(&pair[1]));
                    whitened(
                        &factor,
                        (up - down) / (2.0 * step),
                        (up_v - down_v) / (2.0 * step),
                    )
                })
                .collect();
            for (k, (mean, covariance)) in slopes.iter().enumerate() {
                for (l, (other_mean, other)) in slopes[..=k].iter().enumerate() {
                    information[(k, l)] += mean.dot(other_mean) + 0.5 * covariance.dot(other);
                }
            }
        }
        information.fill_upper_triangle_with_lower_triangle();
        Ok((free, information))
    }

    /// Mean and covariance of the observations of a batch.
    fn moments(
        &self,
        b: usize,
        expansion: &Expansion,
        population: &PopulationMoments,
    ) -> (DVector<f64>, DMatrix<f64>) {
        let coordinates = &self.batches.coordinates[b];
        let (values, jacobian) = (&expansion.values[b], &expansion.jacobians[b]);
        let shift = coordinates
            .iter()
            .map(|c| population.mean(c) - self.place(c));
        let shift = DVector::from_iterator(coordinates.len(), shift);
        let omega = DMatrix::from_fn(coordinates.len(), coordinates.len(), |i, j| {
            population.covariance(&coordinates[i], &coordinates[j])
        });
        let f = DVector::from_iterator(values.len(), values.iter().map(|(f, _)| *f));
        let mut covariance = jacobian * omega * jacobian.transpose();
        for (i, (_, sd)) in values.iter().enumerate() {
            covariance[(i, i)] += sd * sd;
        }
        (f + jacobian * shift, covariance)
    }

    /// Where an effect is held.
    fn place(&self, c: &FreeEffect) -> f64 {
        self.at.values[c.group][c.level * self.at.dims[c.group] + c.effect]
    }

    /// Values and slopes of all cells: the first effect of every batch is moved at once, then the second, and so on.
    fn expand(&self, theta: &[f64]) -> Expansion {
        let values = self.cells_at(theta, self.at);
        let sized = |b: usize| DMatrix::zeros(self.cells[b].len(), self.batches.dim(b));
        let mut jacobians: Vec<DMatrix<f64>> = (0..self.batches.len()).map(sized).collect();
        let steps = self.steps();
        for j in 0..self.batches.max_dim() {
            let side = |sign: f64| {
                let mut moved = self.at.clone();
                for own in self.batches.coordinates.iter().filter(|own| j < own.len()) {
                    let FreeEffect {
                        group,
                        level,
                        effect,
                    } = own[j];
                    moved.values[group][level * moved.dims[group] + effect] +=
                        sign * steps[group][effect];
                }
                self.cells_at(theta, &moved)
            };
            let (up, down) = (side(1.0), side(-1.0));
            for (b, own) in self.batches.coordinates.iter().enumerate() {
                let Some(at) = own.get(j) else { continue };
                let step = 2.0 * steps[at.group][at.effect];
                for (i, (up, down)) in up[b].iter().zip(&down[b]).enumerate() {
                    jacobians[b][(i, j)] = (up.0 - down.0) / step;
                }
            }
        }
        Expansion { values, jacobians }
    }

    /// Steps in the effects of each grouping.
    fn steps(&self) -> Vec<Vec<f64>> {
        let each = self.joint.parts.iter().map(|part| {
            let prior = Prior::new(part, self.theta);
            let step = |k: usize| prior.as_ref().map_or(1e-4, |prior| prior.step(k));
            (0..part.n_phi()).map(step).collect()
        });
        each.collect()
    }

    /// Mean and standard deviation of each cell, batch by batch.
    fn cells_at(&self, theta: &[f64], points: &EffectValues) -> Vec<Vec<(f64, f64)>> {
        let problem = self.joint.main();
        let mut values = BoundProgram::new(problem, &self.layout, &problem.programs.arguments);
        values.set_known(Arc::new(self.joint.known(problem, &self.layout, points)));
        values.prepare(theta);
        let n_roots = 2 * problem.model.outcomes.len();
        let mut found = vec![f64::NAN; problem.records.n_rows() * n_roots];
        let mut work = Vec::new();
        for (b, block) in self.layout.blocks.iter().enumerate() {
            let phi = self.layout.columns(b, &points.values[0], problem.n_phi());
            values.rows(b, &phi, &mut work, |row, root, column| {
                for (l, lane) in block.lanes.iter().enumerate() {
                    if let Some(record) = self.layout.rows[lane.subject as usize].get(row) {
                        found[record * n_roots + root] = column.0[l];
                    }
                }
            });
        }
        let of = |cell: &Cell| {
            let first = cell.row * n_roots + 2 * cell.outcome;
            (found[first], found[first + 1])
        };
        self.cells
            .iter()
            .map(|own| own.iter().map(of).collect())
            .collect()
    }
}

/// `L^-1 dmu` and `L^-1 dV L'^-1`.
fn whitened(
    factor: &DMatrix<f64>,
    mean: DVector<f64>,
    covariance: DMatrix<f64>,
) -> (DVector<f64>, DMatrix<f64>) {
    let (mut mean, mut covariance) = (mean, covariance);
    factor.solve_lower_triangular_mut(&mut mean);
    factor.solve_lower_triangular_mut(&mut covariance);
    let mut turned = covariance.transpose();
    factor.solve_lower_triangular_mut(&mut turned);
    (mean, turned)
}

/// Observed cells, batch by batch, in the order of the rows.
fn cells(joint: &Joint) -> Vec<Vec<Cell>> {
    let problem = joint.main();
    let records = &problem.records;
    let mut cells: Vec<Vec<Cell>> = (0..joint.n_batches).map(|_| Vec::new()).collect();
    for (row, level) in records.codes.iter().enumerate() {
        for (outcome, what) in problem.model.outcomes.iter().enumerate() {
            let observed = records.columns[what.column as usize][row];
            if observed.is_nan() {
                continue;
            }
            let logarithm = what.family.is_lognormal();
            let y = if logarithm { observed.ln() } else { observed };
            cells[joint.batches[0][*level]].push(Cell {
                row,
                outcome,
                y,
                log_slope: if logarithm { -y } else { 0.0 },
            });
        }
    }
    cells
}

/// # Errors
/// What is not normal, or not free.
fn refuse(joint: &Joint) -> Result<()> {
    let error = |problem: String| Err(Error::new(ErrorClass::Option, "not_normal", problem));
    let model = joint.model();
    for outcome in &model.outcomes {
        let name = &model.columns[outcome.column as usize].name;
        let normal = outcome.family.is_gaussian();
        if !normal || outcome.chain.is_some() {
            return error(format!(
                "A linearized model needs normal outcomes: `{name}` is {}.",
                outcome.family
            ));
        }
        if outcome.mixed {
            return error(format!(
                "A linearized model needs normal outcomes: `{name}` is a mixture over classes of subjects."
            ));
        }
        if outcome.censored {
            return error(format!(
                "A linearized model needs normal outcomes: `{name}` is censored."
            ));
        }
    }
    for block in &model.blocks {
        let law = block.law.as_ref().map(|law| law.family);
        let name = &model.effects[block.first].name;
        if law.is_some_and(|family| !family.is_gaussian()) {
            return error(format!(
                "A linearized model needs random effects that are normal on some scale: `{name}` is not."
            ));
        }
    }
    if joint.parts.iter().any(|part| part.held.is_some()) {
        return error(
            "A linearized model needs random effects that are free for every level: some have given values.".into(),
        );
    }
    Ok(())
}
