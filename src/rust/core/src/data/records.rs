//! Order the rows by the levels of a grouping, check their values, and find which columns vary within a level.
//!
//! With one grouping its levels are the subjects; the names below say subject for a level of whichever grouping it is.

use std::cmp::Ordering;
use std::sync::Arc;

use super::cells::Cells;
use super::derived::derive;
use super::event_use;
use super::events::Events;
use super::frame::{Frame, GroupingColumn};
use super::support::outcome_error;
use crate::error::{Error, Result};
use crate::ir::level::Extent;
use crate::model::{ColumnSource, DataColumn, Model};

/// The data as a model reads them: columns in the order of `Model::columns`.
#[derive(Debug, Clone)]
pub struct Records {
    /// Name of the grouping.
    pub group: String,
    pub n_subjects: usize,
    pub labels: Vec<String>,
    /// Level of each row of the data frame.
    pub codes: Vec<usize>,
    /// Values of each column, in the user's row order; missing outcomes are NaN. Shared by the groupings.
    pub columns: Arc<Vec<Vec<f64>>>,
    pub extents: Vec<Extent>,
    /// True for columns whose values are all positive.
    pub positive: Vec<bool>,
    /// Rows of each subject in canonical order: by time, then by the other columns or, where a row depends on those
    /// before it, as they stand in the data frame.
    pub rows: Vec<Vec<usize>>,
    /// For each outcome of the model, its column.
    pub outcomes: Vec<usize>,
    /// The dosing records of the subjects, for a model with differential equations. Shared by the groupings.
    pub events: Option<Arc<Events>>,
    /// The rows of each level divided by subject; only where equations run through subjects that are no levels.
    pub cells: Option<Arc<Cells>>,
}

impl Records {
    /// Read and check the data for a model, once for each grouping of its random effects. `need_outcomes` is false
    /// for predictions.
    ///
    /// # Errors
    /// Missing columns, values that are missing, infinite or outside the outcome's support, too few levels.
    pub fn all(model: &Model, frame: &Frame, need_outcomes: bool) -> Result<Vec<Self>> {
        let mut columns = read_columns(model, frame, need_outcomes)?;
        let subjects = frame.subjects();
        let rows = canonical_rows(model, frame, &subjects, &columns);
        let events = read_events(model, frame, &rows, &mut columns)?;
        let followed = followed(model, events.as_deref(), rows);
        derive(model, frame, &followed, events.as_deref(), &mut columns)?;
        let columns = Arc::new(columns);
        let groupings = frame.groupings();
        if let Some(other) = groupings.iter().find(|g| g.name != frame.group) {
            if model.takes_whole_subjects() {
                return Err(model.grouping_error(&other.name));
            }
        }
        let all: Vec<Self> = groupings
            .into_iter()
            .map(|grouping| Self {
                cells: (events.as_ref())
                    .and_then(|_| Cells::new(model, frame, &grouping, &columns)),
                events: events.clone(),
                ..Self::of(model, frame, grouping, &columns)
            })
            .collect();
        if let Some(first) = all.first() {
            first.check_covariates(model, frame)?;
            super::covariates::check(model, frame, &first.columns)?;
            if let Some(events) = &first.events {
                event_use::check_steady(model, events)?;
            }
            if need_outcomes {
                first.check_outcomes(model, frame)?;
                if let Some(events) = &first.events {
                    event_use::check(model, events)?;
                }
            }
        }
        Ok(all)
    }

    /// Those of the subjects, whatever the groupings of the random effects are.
    pub fn of_subjects(all: &[Self], model: &Model, frame: &Frame) -> Self {
        let same = all.iter().find(|own| own.codes == frame.codes);
        same.cloned().unwrap_or_else(|| Self {
            events: all[0].events.clone(),
            ..Self::of(model, frame, frame.subjects(), &all[0].columns)
        })
    }

    pub(super) fn of(
        model: &Model,
        frame: &Frame,
        grouping: GroupingColumn,
        columns: &Arc<Vec<Vec<f64>>>,
    ) -> Self {
        let mut records = Self {
            n_subjects: grouping.labels.len(),
            rows: canonical_rows(model, frame, &grouping, columns),
            group: grouping.name,
            labels: grouping.labels,
            codes: grouping.codes,
            extents: Vec::new(),
            positive: columns.iter().map(|c| c.iter().all(|x| *x > 0.0)).collect(),
            columns: columns.clone(),
            outcomes: model.outcomes.iter().map(|o| o.column as usize).collect(),
            events: None,
            cells: None,
        };
        records.extents = (0..records.columns.len())
            .map(|i| records.extent(i))
            .collect();
        records
    }

    /// Whether another grouping's level is the same in all rows of each of one's own.
    pub fn lies_within(&self, other: &Self) -> bool {
        self.rows.iter().all(|rows| {
            rows.windows(2)
                .all(|pair| other.codes[pair[0]] == other.codes[pair[1]])
        })
    }

    /// One level with one row: columns that stand in the distribution of random effects are constant, as they must
    /// be; the others vary.
    pub fn imagined(model: &Model) -> Self {
        let mut records = Self {
            group: String::new(),
            n_subjects: 1,
            labels: vec!["1".into()],
            codes: vec![0],
            columns: Arc::new(vec![vec![1.0]; model.columns.len()]),
            extents: vec![Extent::Row; model.columns.len()],
            positive: vec![true; model.columns.len()],
            rows: vec![vec![0]],
            outcomes: model.outcomes.iter().map(|o| o.column as usize).collect(),
            events: None,
            cells: None,
        };
        for i in 0..model.columns.len() {
            if !records.outcomes.contains(&i) {
                records.extents[i] = Extent::Subject;
            }
        }
        records
    }

    /// Number of rows of the data frame.
    pub fn n_rows(&self) -> usize {
        self.codes.len()
    }

    /// Whether a chain takes a step at each row of the data frame.
    pub fn steps(&self) -> Vec<bool> {
        let events = self.events.as_ref();
        events.map_or_else(|| vec![true; self.n_rows()], |events| events.steps.clone())
    }

    /// Number of outcome values that are present.
    pub fn n_obs(&self) -> usize {
        let present = |i: &usize| self.columns[*i].iter().filter(|y| !y.is_nan()).count();
        self.outcomes.iter().map(present).sum()
    }

    fn extent(&self, column: usize) -> Extent {
        if self.outcomes.contains(&column) {
            return Extent::Row;
        }
        let values = &self.columns[column];
        let constant = self.rows.iter().all(|rows| {
            rows.windows(2)
                .all(|pair| values[pair[0]].to_bits() == values[pair[1]].to_bits())
        });
        if constant {
            Extent::Subject
        } else {
            Extent::Row
        }
    }

    /// The first two rows of a subject between which a column changes.
    pub fn change(&self, column: usize) -> Option<(usize, usize)> {
        let values = &self.columns[column];
        let mut pairs = self.rows.iter().flat_map(|rows| rows.windows(2));
        pairs
            .find(|pair| values[pair[0]].to_bits() != values[pair[1]].to_bits())
            .map(|pair| (pair[0], pair[1]))
    }

    fn check_covariates(&self, model: &Model, frame: &Frame) -> Result<()> {
        for (column, values) in model.columns.iter().zip(self.columns.iter()) {
            if column.outcome {
                continue;
            }
            let Some(row) = values.iter().position(|x| !x.is_finite()) else {
                continue;
            };
            let name = &column.name;
            let missing = values[row].is_nan();
            let problem = if missing {
                format!("`{name}` is missing.")
            } else {
                format!("`{name}` is infinite.")
            };
            let reason = if missing {
                "missing_covariate"
            } else {
                "infinite_covariate"
            };
            return Err(Error::data(reason, problem)
                .at(frame.place(row))
                .field("column", name)
                .field("row", row + 1)
                .field("subject", &frame.labels[frame.codes[row]])
                .hint("Only outcomes may be missing. Fill the value in, or leave the whole subject out: a single row that is dropped \
                       takes its dose along."));
        }
        Ok(())
    }

    fn check_outcomes(&self, model: &Model, frame: &Frame) -> Result<()> {
        for outcome in &model.outcomes {
            let name = &model.columns[outcome.column as usize].name;
            let values = &self.columns[outcome.column as usize];
            let outside = |y: &f64| !y.is_nan() && !outcome.support.contains(*y);
            if let Some(row) = values.iter().position(outside) {
                return Err(outcome_error(
                    name,
                    outcome.support,
                    values[row],
                    row,
                    frame,
                ));
            }
            if values.iter().all(|y| y.is_nan()) {
                return Err(Error::data(
                    "all_missing",
                    format!("Every value of the outcome `{name}` is missing."),
                )
                .field("column", name)
                .at(outcome.text.clone()));
            }
        }
        Ok(())
    }

    /// # Errors
    /// A grouping of one level, whose variance the data cannot tell.
    pub fn check_levels(&self) -> Result<()> {
        if self.n_subjects >= 2 {
            return Ok(());
        }
        Err(Error::data(
            "one_subject",
            format!("The data have one {} only.", self.group),
        )
        .hint("Random effects need at least two; a single subject is fitted by the model without random()."))
    }
}

fn read_columns(model: &Model, frame: &Frame, need_outcomes: bool) -> Result<Vec<Vec<f64>>> {
    let known: Vec<&str> = model
        .parameters
        .iter()
        .map(|p| p.name.as_str())
        .chain(model.assigned.iter().map(|(name, _)| name.as_str()))
        .filter(|name| !name.starts_with('.'))
        .collect();
    let read = |column: &DataColumn| match frame.column(&column.name, &column.statement, &known) {
        _ if column.source.is_derived() => Ok(vec![0.0; frame.n_rows]),
        Err(_) if column.source == ColumnSource::Class => Ok(vec![0.0; frame.n_rows]),
        Err(_) if !need_outcomes && column.source != ColumnSource::Data => {
            Ok(vec![0.0; frame.n_rows])
        }
        Err(_) if !need_outcomes && column.outcome => Ok(vec![f64::NAN; frame.n_rows]),
        found => found.map(<[f64]>::to_vec),
    };
    model.columns.iter().map(read).collect()
}

/// The dosing records, if the model has equations; outcomes at rows that hold none are set to missing.
fn read_events(
    model: &Model,
    frame: &Frame,
    rows: &[Vec<usize>],
    columns: &mut [Vec<f64>],
) -> Result<Option<Arc<Events>>> {
    if model.equations.is_empty() {
        return Ok(None);
    }
    let mut events = Events::new(model, frame, rows)?;
    for outcome in &model.outcomes {
        let values = columns[outcome.column as usize].iter_mut();
        for (value, _) in values.zip(&events.observed).filter(|(_, seen)| !**seen) {
            *value = f64::NAN;
        }
        // A dose with an outcome beside it is met as any other row that has one.
        let values = columns[outcome.column as usize].iter();
        for (steps, value) in events.steps.iter_mut().zip(values) {
            *steps |= !value.is_nan();
        }
    }
    Ok(Some(Arc::new(events)))
}

/// The rows that a chain follows, where there is one: none that give a dose or mark a time.
fn followed(model: &Model, events: Option<&Events>, mut rows: Vec<Vec<usize>>) -> Vec<Vec<usize>> {
    if let Some(events) = events.filter(|_| model.is_sequential()) {
        rows.iter_mut()
            .for_each(|list| list.retain(|row| events.steps[*row]));
    }
    rows
}

/// Rows of each level in the order of time, then of `columns`, so that the order of the data frame does not matter. Where
/// a row depends on the rows before it, those of one time stay as they are.
fn canonical_rows(
    model: &Model,
    frame: &Frame,
    grouping: &GroupingColumn,
    columns: &[Vec<f64>],
) -> Vec<Vec<usize>> {
    let mut rows = vec![Vec::new(); grouping.labels.len()];
    for (row, code) in grouping.codes.iter().enumerate() {
        rows[*code].push(row);
    }
    let stays = model.is_sequential() || !model.equations.is_empty();
    let time = frame.times();
    let compare = |a: usize, b: usize| {
        let by_time = time.map_or(Ordering::Equal, |t| t[a].total_cmp(&t[b]));
        if stays {
            return by_time;
        }
        let by_value = columns.iter().fold(by_time, |order, c| {
            order.then_with(|| c[a].total_cmp(&c[b]))
        });
        let others = frame.groupings.iter();
        others.fold(by_value, |order, other| {
            order.then_with(|| other.codes[a].cmp(&other.codes[b]))
        })
    };
    for list in &mut rows {
        list.sort_by(|a, b| compare(*a, *b));
    }
    rows
}
