//! Join a model and its data: the complete-data log density and its derivatives, for any subjects and chains.
//!
//! A [`Joint`] holds one [`Problem`] for each grouping of the random effects. In a problem the effects of its own
//! grouping move, lane by lane, and those of the other groupings are known values of the rows: given them, the levels
//! of a grouping are independent. With one grouping its problem is all there is.

mod bare;
mod bounds;
mod carried;
mod classes;
mod closed_form;
mod constant_error;
mod courses;
mod differentiate;
mod doses;
mod equations;
mod evaluate;
mod evaluator;
mod exchange;
mod in_cells;
mod information;
mod joint;
mod known;
mod laws;
mod layouts;
mod normal_form;
mod parts;
mod prior;
mod programs;
mod recast;
mod recognise;
mod seen;
mod shifts;
mod solution;
mod stored;
mod theta;

pub use bare::{BareCoordinate, BareLaw, BareOutcome};
pub use closed_form::{CovarianceUpdate, Residual, Variance};
pub use constant_error::ConstantError;
pub use differentiate::{DerivativeScratch, Derivatives};
pub use evaluate::BoundProgram;
pub use evaluator::Evaluator;
pub use exchange::Exchange;
pub use information::LaneInformation;
pub use joint::{Held, Joint};
pub use known::{EffectDraws, EffectValues, Known};
pub use laws::Correction;
pub use normal_form::{CovarianceBlock, Design, NormalForm};
pub use prior::{subject_values, MeanProgram, Means, Prior};
pub use programs::{Predicted, Programs};
pub use shifts::{effects_of, phi_of};
pub use stored::Stored;
pub use theta::{coordinate_at, natural, natural_at, Element, Route, Theta};

use std::sync::Arc;

use evaluate::ThetaProgram;
use layouts::Layouts;

use crate::data::layout;
use crate::data::{CellLayout, Layout, Records};
use crate::ir::column::{Column, LANES};
use crate::ir::graph::Op;
use crate::ir::program::DataColumns;
use crate::model::{Effect, Model};

/// A model bound to data, as one grouping sees it, with its programs.
#[derive(Debug, Clone)]
pub struct Problem {
    pub model: Model,
    /// Which grouping: an index into `Model::groups`.
    pub group: usize,
    pub records: Records,
    pub theta: Theta,
    pub form: NormalForm,
    pub programs: Programs,
    /// The linear means: `mean[effect] = sum value[subject] * theta[coordinate] + ...`
    pub terms: Vec<MeanTerm>,
    /// Elements of the blocks of `Omega`.
    covariances: Vec<ThetaProgram>,
    /// The residual error, when its statistic can be read off the log-likelihood.
    pub constant_error: Option<ConstantError>,
    /// Given values of `phi`, `n_subjects x d`, row-major, NaN where it is free; absent when all are.
    pub held: Option<Vec<f64>>,
    /// Effects of other groupings, or stored values, that the programs read: once a level, and at every row.
    known_subject: Vec<usize>,
    known_row: Vec<usize>,
    data: Materialized,
    layouts: Layouts,
}

/// One coefficient column of the linear means.
#[derive(Debug, Clone)]
pub struct MeanTerm {
    pub effect: usize,
    pub theta: usize,
    /// One value a subject.
    pub values: Vec<f64>,
}

/// Data-only values of the programs.
#[derive(Debug, Clone, Default)]
struct Materialized {
    /// What the values are, in the same order.
    columns: DataColumns,
    subject: Vec<Vec<f64>>,
    /// The values of the subject in each cell, where levels are taken apart by subject.
    cell: Vec<Vec<f64>>,
    row: Vec<Vec<f64>>,
    present: Vec<Vec<bool>>,
}

/// What the user gives by name on the natural scale: starting values and values held fixed.
#[derive(Debug, Clone, Default)]
pub struct Given {
    pub start: Vec<(String, Vec<f64>)>,
    /// `None`: held at its starting value.
    pub fix: Vec<(String, Option<Vec<f64>>)>,
    /// Values of random effects held fixed: effect, level, value.
    pub levels: Vec<(String, String, f64)>,
    /// Effects that move as deviations from their means, not as `mean + effect`: whose variance the estimator takes to
    /// zero, and with it all that their draws say of the mean.
    pub apart: Vec<String>,
}

impl Problem {
    /// The problem of one grouping.
    fn new(
        model: &Model,
        form: &NormalForm,
        records: &[Records],
        theta: &Theta,
        group: usize,
    ) -> Self {
        let mut form = form.of_group(model, records, group);
        let records = records[group].clone();
        let mut theta = theta.clone();
        theta.mine = mine(&form, &theta, group);
        let (programs, columns) = Programs::new(model, &mut form, &theta, group == 0);
        let terms = terms(&form, &records);
        let covariances = form
            .covariance
            .iter()
            .map(|c| ThetaProgram::new(&form.graph, &c.nodes))
            .collect();
        let mut present: Vec<Vec<bool>> = records
            .outcomes
            .iter()
            .map(|o| records.columns[*o].iter().map(|y| !y.is_nan()).collect())
            .collect();
        if !form.graph.carries().is_empty() {
            // Every row moves what is carried, with or without an outcome, unless it gives a dose: this mask keeps
            // them. Classes of subjects are told by outcomes alone.
            present.push(if model.is_sequential() {
                records.steps()
            } else {
                (0..records.n_rows())
                    .map(|row| present.iter().any(|present| present[row]))
                    .collect()
            });
        }
        let data = Materialized {
            subject: form.subject_values(&records, &columns.subject),
            cell: (records.cells.as_ref()).map_or_else(Vec::new, |c| {
                form.subject_values(&c.records, &columns.subject)
            }),
            row: form.row_values(&records, &columns.row),
            present,
            columns,
        };
        let effects = |nodes: &[_]| {
            let found = nodes.iter().filter_map(|node| match form.graph.op(*node) {
                Op::Phi(k) => Some(k as usize),
                _ => None,
            });
            found.collect::<Vec<usize>>()
        };
        let mut problem = Self {
            model: model.clone(),
            group,
            known_subject: effects(&data.columns.known_subject),
            known_row: effects(&data.columns.known_row),
            records,
            theta,
            form,
            programs,
            terms,
            covariances,
            constant_error: None,
            held: None,
            data,
            layouts: Layouts::default(),
        };
        if group == 0 {
            problem.constant_error = ConstantError::find(&problem.form, &problem);
        }
        problem
    }

    /// The effects of this grouping.
    pub fn effects(&self) -> &[Effect] {
        &self.model.effects[self.form.offset..self.form.offset + self.n_phi()]
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
        self.met(Layout::new(rows, &self.values(), copies))
    }

    /// The same for some of the levels.
    pub fn layout_of(&self, levels: &[usize], copies: usize) -> Arc<Layout> {
        let make = || self.some_rows(levels, copies);
        self.layouts.of(levels, copies, make)
    }

    fn some_rows(&self, levels: &[usize], copies: usize) -> Layout {
        let observed = |r: &usize| self.data.present.iter().any(|present| present[*r]);
        let mut rows = vec![Vec::new(); self.n_subjects()];
        for level in levels {
            let list = self.records.rows[*level].iter().copied();
            rows[*level] = list.filter(observed).collect();
        }
        self.met(Layout::of(levels.to_vec(), rows, &self.values(), copies))
    }

    /// Blocks over all rows of the data frame; over those at which a chain takes a step, where one is followed.
    pub fn full_layout(&self) -> Layout {
        let mut rows = self.records.rows.clone();
        let steps = self.data.present.get(self.records.outcomes.len());
        if let Some(steps) = steps.filter(|_| self.model.is_sequential()) {
            for list in &mut rows {
                list.retain(|row| steps[*row]);
            }
        }
        self.met(Layout::new(rows, &self.values(), 1))
    }

    /// Relative error that solutions of differential equations may have, 0 without.
    pub fn solution_error(&self) -> f64 {
        let dynamics = self.form.dynamics.as_ref();
        dynamics.map_or(0.0, |dynamics| dynamics.error())
    }

    /// A layout whose blocks know what their lanes meet while the differential equations are solved.
    fn met(&self, mut layout: Layout) -> Layout {
        let Some(dynamics) = &self.form.dynamics else {
            return layout;
        };
        let meet = |layout: &mut Layout, subject: &dyn Fn(usize) -> usize| {
            for block in &mut layout.blocks {
                let lanes = block.lanes.iter().map(|lane| lane.subject as usize);
                let lanes = lanes.map(|level| (subject(level), layout.rows[level].as_slice()));
                block.lanes_met = Some(Arc::new(dynamics.meet(&lanes.collect::<Vec<_>>())));
            }
        };
        let Some(cells) = &self.records.cells else {
            meet(&mut layout, &|subject| subject);
            return layout;
        };
        let values = layout::ReadValues {
            subject: &self.data.cell,
            ..self.values()
        };
        let mut apart = CellLayout::new(cells, &layout, &values);
        meet(&mut apart.layout, &|cell| cells.subject[cell]);
        layout.cells = Some(Arc::new(apart));
        layout
    }

    fn values(&self) -> layout::ReadValues<'_> {
        layout::ReadValues {
            subject: &self.data.subject,
            row: &self.data.row,
            present: &self.data.present,
        }
    }

    /// Given values of `phi` in the lanes of a block, NaN where free; absent when all are.
    pub fn held_columns(&self, layout: &Layout, b: usize) -> Option<Vec<Column>> {
        let held = self.held.as_ref()?;
        let lanes = &layout.blocks[b].lanes;
        let (d, level) = (self.n_phi(), |l: usize| {
            lanes.get(l).unwrap_or(&lanes[0]).subject as usize
        });
        let column = |k: usize| {
            Column(std::array::from_fn::<f64, LANES, _>(|l| {
                held[level(l) * d + k]
            }))
        };
        Some((0..d).map(column).collect())
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
        let population = ThetaProgram::new(&self.form.graph, &nodes);
        (0..nodes.len())
            .map(|k| {
                let mut seeds = vec![0.0; nodes.len()];
                seeds[k] = 1.0;
                population.gradient(&self.form.graph, theta, &seeds)
            })
            .collect()
    }

    /// Number of observations of an outcome.
    pub fn n_obs_of(&self, outcome: usize) -> usize {
        self.data.present[outcome].iter().filter(|p| **p).count()
    }

    /// Number of observations of an outcome at a level.
    pub fn n_obs_in(&self, outcome: usize, level: usize) -> usize {
        let present = &self.data.present[outcome];
        let rows = self.records.rows[level].iter();
        rows.filter(|row| present[**row]).count()
    }
}

/// Coordinates that this grouping moves: means and covariances of its effects; the first grouping moves the rest.
fn mine(form: &NormalForm, theta: &Theta, group: usize) -> Vec<bool> {
    let mut own = vec![false; theta.len()];
    for (k, _) in form.designs.iter().flatten() {
        own[*k] = true;
    }
    for k in form.covariance.iter().flat_map(|c| c.update.coordinates()) {
        own[k] = true;
    }
    let entries = theta.routes.iter().zip(own);
    entries
        .map(|(route, own)| match route {
            Route::Mean | Route::Covariance => own,
            _ => group == 0,
        })
        .collect()
}

fn terms(form: &NormalForm, records: &Records) -> Vec<MeanTerm> {
    let designs = form.designs.iter().enumerate();
    let flat: Vec<_> = designs
        .flat_map(|(d, terms)| terms.iter().map(move |(k, node)| (d, *k, *node)))
        .collect();
    let nodes: Vec<_> = flat.iter().map(|(_, _, node)| *node).collect();
    let values = form.subject_values(records, &nodes);
    let entries = flat.into_iter().zip(values);
    entries
        .map(|((effect, theta, _), values)| MeanTerm {
            effect,
            theta,
            values,
        })
        .collect()
}
