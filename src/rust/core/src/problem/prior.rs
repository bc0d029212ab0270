//! Evaluate the Gaussian population distribution of `phi` at a `theta`.

use nalgebra::DMatrix;

use super::evaluate::BoundProgram;
use super::{EffectValues, Joint, Problem};
use crate::data::Layout;
use crate::distributions::LN_SQRT_2PI;
use crate::error::{Error, ErrorClass, Result};
use crate::ir::column::{Column, LANES};
use crate::ir::program::ValueProgram;
use crate::ir::vmath::{per_isa, Isa};

/// `Omega` and what samplers need of it; the same for all subjects.
#[derive(Debug, Clone)]
pub struct Prior {
    pub omega: DMatrix<f64>,
    /// Lower Cholesky factor of `omega`.
    pub chol: DMatrix<f64>,
    /// Inverse of `omega`.
    pub precision: DMatrix<f64>,
    /// Inverse of `chol`, rows of the lower triangle one after another.
    whiten: Vec<f64>,
    /// `-ln det(omega)/2 - d ln(2 pi)/2`
    pub log_norm: f64,
}

impl Prior {
    /// # Errors
    /// `Omega(theta)` is not positive definite.
    pub fn new(problem: &Problem, theta: &[f64]) -> Result<Self> {
        let d = problem.n_phi();
        let mut omega = DMatrix::zeros(d, d);
        for (block, population) in problem.form.covariance.iter().zip(&problem.covariances) {
            let values = population.values(&problem.form.graph, theta);
            for i in 0..block.len {
                for j in 0..block.len {
                    omega[(block.first + i, block.first + j)] = values[i * block.len + j];
                }
            }
        }
        Self::of(omega)
    }

    /// # Errors
    /// The matrix is not positive definite.
    pub fn of(omega: DMatrix<f64>) -> Result<Self> {
        let d = omega.nrows();
        let singular = || {
            Error::new(
                ErrorClass::Numeric,
                "omega_singular",
                "The covariance of the random effects is not positive definite.",
            )
            .hint("Start from larger variances, or leave out a random effect that does not vary.")
        };
        let factor = omega.clone().cholesky().ok_or_else(singular)?;
        let chol = factor.l();
        let identity = DMatrix::identity(d, d);
        let inverse = chol
            .solve_lower_triangular(&identity)
            .ok_or_else(singular)?;
        let log_det: f64 = (0..d).map(|i| chol[(i, i)].ln()).sum();
        let whiten = (0..d)
            .flat_map(|i| (0..=i).map(move |j| (i, j)))
            .map(|at| inverse[at]);
        Ok(Self {
            whiten: whiten.collect(),
            precision: factor.inverse(),
            log_norm: -log_det - LN_SQRT_2PI * d as f64,
            omega,
            chol,
        })
    }

    pub fn dim(&self) -> usize {
        self.omega.nrows()
    }

    /// `(Omega^-1 (phi - m))_k`, `away` giving the elements of `phi - m`.
    pub fn pull(&self, k: usize, away: impl Fn(usize) -> f64) -> f64 {
        (0..self.dim())
            .map(|j| self.precision[(k, j)] * away(j))
            .sum()
    }

    /// Step of differences in a coordinate of `phi`: a fraction of its standard deviation.
    pub fn step(&self, k: usize) -> f64 {
        1e-4 * self.omega[(k, k)].sqrt().clamp(1e-3, 1.0)
    }

    /// `log N(phi; mean, Omega)` of each lane.
    pub fn log_density(&self, isa: Isa, phi: &[Column], mean: &[Column]) -> Column {
        let mut out = Column::ZERO;
        log_density(isa, &self.whiten, self.log_norm, phi, mean, &mut out);
        out
    }
}

impl Joint {
    /// Population distributions of all groupings.
    ///
    /// # Errors
    /// One that does not exist.
    pub fn priors(&self, theta: &[f64]) -> Result<Vec<Prior>> {
        let parts = self.parts.iter();
        parts.map(|part| Prior::new(part, theta)).collect()
    }

    /// Means of the effects of all levels of all groupings.
    pub fn means(&self, theta: &[f64]) -> Vec<Means> {
        let parts = self.parts.iter();
        parts
            .map(|part| Means::new(part, &part.layout(1), theta))
            .collect()
    }

    /// All effects at their means.
    pub fn typical(&self, theta: &[f64]) -> EffectValues {
        let means = self.means(theta).into_iter();
        self.points(means.map(|means| means.values).collect())
    }
}

#[inline(always)]
fn log_density_body<const FMA: bool>(
    whiten: &[f64],
    log_norm: f64,
    phi: &[Column],
    mean: &[Column],
    out: &mut Column,
) {
    let mut total = [0.0; LANES];
    let mut row = 0;
    for i in 0..mean.len() {
        let mut z = [0.0; LANES];
        for j in 0..=i {
            let w = whiten[row + j];
            for l in 0..LANES {
                z[l] += w * (phi[j].0[l] - mean[j].0[l]);
            }
        }
        row += i + 1;
        for l in 0..LANES {
            total[l] += z[l] * z[l];
        }
    }
    for l in 0..LANES {
        out.0[l] = log_norm - 0.5 * total[l];
    }
}

per_isa! {
    fn log_density(
        whiten: &[f64],
        log_norm: f64,
        phi: &[Column],
        mean: &[Column],
        out: &mut Column,
    ) = log_density_body, fused;
}

/// Means of `phi` for every subject: `n_subjects x d`, row-major.
#[derive(Debug, Clone)]
pub struct Means {
    pub values: Vec<f64>,
    pub dim: usize,
}

impl Means {
    pub fn new(problem: &Problem, layout: &Layout, theta: &[f64]) -> Self {
        MeanProgram::new(problem, layout).at(theta)
    }

    pub fn of(&self, subject: usize) -> &[f64] {
        &self.values[subject * self.dim..(subject + 1) * self.dim]
    }

    /// Means in the lanes of a block, one column a coordinate; unused lanes repeat the first.
    pub fn columns(&self, layout: &Layout, b: usize) -> Vec<Column> {
        let mut columns = vec![Column::ZERO; self.dim];
        self.fill(layout, b, &mut columns);
        columns
    }

    /// The same into memory that exists.
    pub fn fill(&self, layout: &Layout, b: usize, columns: &mut [Column]) {
        let lanes = &layout.blocks[b].lanes;
        for l in 0..LANES {
            let subject = lanes.get(l).unwrap_or(&lanes[0]).subject as usize;
            for (column, value) in columns.iter_mut().zip(self.of(subject)) {
                column.0[l] = *value;
            }
        }
    }
}

/// Evaluates the means again and again.
pub struct MeanProgram<'a> {
    problem: &'a Problem,
    layout: &'a Layout,
    values: BoundProgram<'a>,
    /// What was read of `theta` last time, and the means there.
    last: Option<(Vec<f64>, Means)>,
}

impl<'a> MeanProgram<'a> {
    pub fn new(problem: &'a Problem, layout: &'a Layout) -> Self {
        let values = BoundProgram::new(problem, layout, &problem.programs.means);
        Self {
            problem,
            layout,
            values,
            last: None,
        }
    }

    pub fn at(&mut self, theta: &[f64]) -> Means {
        let read = self.values.population(theta);
        if let Some((_, means)) = self.last.as_ref().filter(|(last, _)| *last == read) {
            return means.clone();
        }
        let dim = self.problem.n_phi();
        let means = Means {
            values: gather(self.problem, self.layout, &mut self.values, dim, theta),
            dim,
        };
        self.last = Some((read, means.clone()));
        means
    }
}

/// Subject roots of a program that does not read `phi`: `n_subjects x roots`, row-major.
pub fn subject_values(
    problem: &Problem,
    layout: &Layout,
    program: &ValueProgram,
    theta: &[f64],
) -> Vec<f64> {
    let mut values = BoundProgram::new(problem, layout, program);
    gather(
        problem,
        layout,
        &mut values,
        program.subject_roots.len(),
        theta,
    )
}

fn gather(
    problem: &Problem,
    layout: &Layout,
    values: &mut BoundProgram,
    n_roots: usize,
    theta: &[f64],
) -> Vec<f64> {
    values.prepare(theta);
    let mut out = vec![0.0; problem.n_subjects() * n_roots];
    let phi = vec![Column::ZERO; problem.n_phi()];
    let mut work = Vec::new();
    for (b, block) in layout.blocks.iter().enumerate() {
        let roots = values.subjects(b, &phi, &mut work);
        for (l, lane) in block
            .lanes
            .iter()
            .enumerate()
            .filter(|(_, lane)| lane.copy == 0)
        {
            for (r, column) in roots.iter().enumerate() {
                out[lane.subject as usize * n_roots + r] = column.0[l];
            }
        }
    }
    out
}
