//! Classes of subjects: what is known of them, and how likely each is before any outcome.

use std::sync::Arc;

use super::{BoundProgram, Joint, Problem};
use crate::data::Layout;

impl Problem {
    /// Number of classes, 0 without.
    pub fn n_classes(&self) -> usize {
        (self.model.mixture.as_ref()).map_or(0, |mixture| mixture.probabilities.len())
    }

    /// The problem with known classes of the subjects: from one, 0 where it is not known.
    ///
    /// The density of the outcomes is then that of the class times its probability.
    pub fn with_classes(&self, classes: &[usize]) -> Self {
        let mut problem = self.clone();
        let Some(mixture) = &self.model.mixture else {
            return problem;
        };
        let records = &mut problem.records;
        let mut columns = records.columns.as_ref().clone();
        if let Some(column) = columns.get_mut(mixture.column as usize) {
            for (value, code) in column.iter_mut().zip(&records.codes) {
                *value = classes.get(*code).map_or(0.0, |class| *class as f64);
            }
        }
        records.columns = Arc::new(columns);
        let columns = &problem.data.columns;
        problem.data.subject = (problem.form).subject_values(&problem.records, &columns.subject);
        problem.data.row = (problem.form).row_values(&problem.records, &columns.row);
        problem
    }

    /// Probabilities of the classes of every subject before any outcome: `[subject][class]`.
    pub fn class_probabilities(&self, theta: &[f64], phi: &[f64]) -> Vec<Vec<f64>> {
        let layout: Layout = self.full_layout();
        let mut values = BoundProgram::new(self, &layout, &self.programs.classes);
        values.prepare(theta);
        let mut out = vec![vec![f64::NAN; self.n_classes()]; self.n_subjects()];
        let mut work = Vec::new();
        for (b, block) in layout.blocks.iter().enumerate() {
            let columns = layout.columns(b, phi, self.n_phi());
            for (k, column) in values.subjects(b, &columns, &mut work).iter().enumerate() {
                for (l, lane) in block.lanes.iter().enumerate() {
                    out[lane.subject as usize][k] = column.0[l];
                }
            }
        }
        out
    }
}

impl Joint {
    /// Number of classes of the subjects, 0 without.
    pub fn n_classes(&self) -> usize {
        self.main().n_classes()
    }

    /// [`Problem::with_classes`]. Where there are classes there is one grouping.
    pub fn with_classes(&self, classes: &[usize]) -> Self {
        let mut joint = self.clone();
        joint.parts = (self.parts.iter())
            .map(|part| part.with_classes(classes))
            .collect();
        joint
    }

    /// The problem with all subjects in one class, from one.
    pub fn in_class(&self, class: usize) -> Self {
        self.with_classes(&vec![class; self.main().n_subjects()])
    }
}
