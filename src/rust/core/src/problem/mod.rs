//! Join a model and its data: the complete-data log density and its derivatives, for any subjects and chains.

mod closed_form;
mod constant_error;
mod differentiate;
mod evaluate;
mod normal_form;
mod prior;
mod programs;
mod theta;

pub use closed_form::{CovarianceUpdate, Residual, Variance};
pub use constant_error::ConstantError;
pub use differentiate::{Derivatives, Information, Scratch};
pub use evaluate::Values;
pub use normal_form::{CovarianceBlock, Design, NormalForm};
pub use prior::{subject_values, MeanProgram, Means, Prior};
pub use programs::Programs;
pub use theta::{natural, Element, Route, Theta};

use evaluate::Population;

use crate::data::layout;
use crate::data::{Frame, Layout, Records};
use crate::error::Result;
use crate::model::Model;

/// A model bound to data, with its programs.
#[derive(Debug, Clone)]
pub struct Problem {
    pub model: Model,
    pub records: Records,
    pub theta: Theta,
    pub form: NormalForm,
    pub programs: Programs,
    /// The linear means: `mean[effect] = sum value[subject] * theta[coordinate] + ...`
    pub terms: Vec<Term>,
    /// Elements of the blocks of `Omega`.
    covariances: Vec<Population>,
    /// The residual error, when its statistic can be read off the log-likelihood.
    pub constant_error: Option<ConstantError>,
    data: Materialized,
}

/// One coefficient column of the linear means.
#[derive(Debug, Clone)]
pub struct Term {
    pub effect: usize,
    pub theta: usize,
    /// One value a subject.
    pub values: Vec<f64>,
}

/// Data-only values of the programs.
#[derive(Debug, Clone, Default)]
struct Materialized {
    subject: Vec<Vec<f64>>,
    row: Vec<Vec<f64>>,
    present: Vec<Vec<bool>>,
}

/// What the user gives by name on the natural scale: starting values and values held fixed.
#[derive(Debug, Clone, Default)]
pub struct Given {
    pub start: Vec<(String, Vec<f64>)>,
    /// `None`: held at its starting value.
    pub fix: Vec<(String, Option<Vec<f64>>)>,
}

impl Problem {
    /// Bind a model to data for estimation.
    ///
    /// # Errors
    /// Everything wrong with the data, or with the model against the data, in the user's names.
    pub fn new(model: &Model, frame: &Frame, given: &Given) -> Result<Self> {
        let theta = Theta::new(model, given)?;
        let records = Records::new(model, frame, true)?;
        Self::join(model, records, theta)
    }

    /// Bind a model to data in which outcomes may be absent.
    ///
    /// # Errors
    /// As [`Problem::new`], but for outcomes.
    pub fn for_prediction(model: &Model, frame: &Frame, given: &Given) -> Result<Self> {
        let theta = Theta::new(model, given)?;
        let records = Records::new(model, frame, false)?;
        Self::join(model, records, theta)
    }

    /// The problem of one imagined subject, whose covariates are constant and positive wherever that matters: what
    /// can be recognised in the model before data are known.
    ///
    /// # Errors
    /// As [`Problem::new`], but for data.
    pub fn preview(model: &Model, given: &Given) -> Result<Self> {
        let theta = Theta::new(model, given)?;
        Self::join(model, Records::imagined(model), theta)
    }

    fn join(model: &Model, records: Records, mut theta: Theta) -> Result<Self> {
        let mut form = NormalForm::new(model, &records, &theta.free)?;
        theta.routes = form.routes(model, &theta.free);
        theta.idle = (0..theta.len())
            .filter(|k| theta.free[*k] && theta.routes[*k] == Route::Fixed)
            .collect();
        theta.free = theta
            .routes
            .iter()
            .map(|route| *route != Route::Fixed)
            .collect();
        let (programs, columns) = Programs::new(&mut form, &theta);
        let terms = terms(&form, &records);
        let covariances = form
            .covariance
            .iter()
            .map(|c| Population::new(&form.graph, &c.nodes))
            .collect();
        let mut present: Vec<Vec<bool>> = records
            .outcomes
            .iter()
            .map(|o| records.columns[*o].iter().map(|y| !y.is_nan()).collect())
            .collect();
        if !form.graph.carries().is_empty() {
            // Every row moves what is carried, with or without an outcome: this mask keeps them all.
            present.push(vec![true; records.n_rows()]);
        }
        let data = Materialized {
            subject: form.subject_values(&records, &columns.subject),
            row: form.row_values(&records, &columns.row),
            present,
        };
        let mut problem = Self {
            model: model.clone(),
            records,
            theta,
            form,
            programs,
            terms,
            covariances,
            constant_error: None,
            data,
        };
        problem.constant_error = ConstantError::find(&problem.form, &problem);
        Ok(problem)
    }

    pub fn n_phi(&self) -> usize {
        self.form.means.len()
    }

    pub fn n_subjects(&self) -> usize {
        self.records.n_subjects
    }

    /// Blocks over the rows that hold an outcome, each subject `copies` times.
    pub fn layout(&self, copies: usize) -> Layout {
        let observed = |r: &usize| self.data.present.iter().any(|present| present[*r]);
        let rows = self.records.rows.iter();
        let rows = rows
            .map(|list| list.iter().copied().filter(observed).collect())
            .collect();
        Layout::new(rows, &self.values(), copies)
    }

    /// Blocks over all rows of the data frame.
    pub fn full_layout(&self) -> Layout {
        Layout::new(self.records.rows.clone(), &self.values(), 1)
    }

    fn values(&self) -> layout::Values<'_> {
        layout::Values {
            subject: &self.data.subject,
            row: &self.data.row,
            present: &self.data.present,
        }
    }

    /// Elements `(a, b)`, `b <= a`, of `Omega` that depend on `theta`, with their gradients.
    pub fn omega_gradients(&self, theta: &[f64]) -> Vec<(usize, usize, Vec<f64>)> {
        let mut gradients = Vec::new();
        for (block, population) in self.form.covariance.iter().zip(&self.covariances) {
            for a in 0..block.len {
                for b in 0..=a {
                    let mut seeds = vec![0.0; block.nodes.len()];
                    seeds[a * block.len + b] = 1.0;
                    let gradient = population.gradient(&self.form.graph, theta, &seeds);
                    if gradient.iter().any(|g| *g != 0.0) {
                        gradients.push((block.first + a, block.first + b, gradient));
                    }
                }
            }
        }
        gradients
    }

    /// Derivatives of the natural elements of all parameters in `theta`: `[element][coordinate]`.
    pub fn natural_jacobian(&self, theta: &[f64]) -> Vec<Vec<f64>> {
        let nodes: Vec<_> = self
            .form
            .parameters
            .iter()
            .flat_map(|(_, nodes)| nodes.clone())
            .collect();
        let population = Population::new(&self.form.graph, &nodes);
        (0..nodes.len())
            .map(|k| {
                let mut seeds = vec![0.0; nodes.len()];
                seeds[k] = 1.0;
                population.gradient(&self.form.graph, theta, &seeds)
            })
            .collect()
    }

    /// What each coordinate of `theta` is to a statistician: fixed effect, covariate coefficient, covariance of the
    /// random effects, or residual error.
    pub fn roles(&self) -> impl Iterator<Item = &'static str> + '_ {
        let covariance: Vec<_> = self
            .form
            .covariance
            .iter()
            .flat_map(|c| c.nodes.clone())
            .collect();
        let random = self.form.thetas_of(covariance);
        let spread: Vec<_> = self.form.densities.iter().filter_map(|d| d.sd).collect();
        let location: Vec<_> = self
            .form
            .densities
            .iter()
            .filter_map(|d| d.prediction)
            .collect();
        let (spread, location) = (self.form.thetas_of(spread), self.form.thetas_of(location));
        let varies = |term: &Term| term.values.windows(2).any(|pair| pair[0] != pair[1]);
        (0..self.theta.len()).map(move |k| {
            if random.contains(&k) {
                "random"
            } else if spread.contains(&k) && !location.contains(&k) {
                "residual"
            } else if self
                .terms
                .iter()
                .any(|term| term.theta == k && varies(term))
            {
                "covariate"
            } else {
                "fixed"
            }
        })
    }

    /// Number of observations of an outcome.
    pub fn n_obs_of(&self, outcome: usize) -> usize {
        self.data.present[outcome].iter().filter(|p| **p).count()
    }
}

fn terms(form: &NormalForm, records: &Records) -> Vec<Term> {
    let designs = form.designs.iter().enumerate();
    let flat: Vec<_> = designs
        .flat_map(|(d, terms)| terms.iter().map(move |(k, node)| (d, *k, *node)))
        .collect();
    let nodes: Vec<_> = flat.iter().map(|(_, _, node)| *node).collect();
    let values = form.subject_values(records, &nodes);
    let entries = flat.into_iter().zip(values);
    entries
        .map(|((effect, theta, _), values)| Term {
            effect,
            theta,
            values,
        })
        .collect()
}
