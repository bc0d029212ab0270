//! Hold the user's data frame as numeric columns and groupings of its rows.

use crate::error::{Error, Result};
use crate::language::words;

/// Columns in the order of the user's rows. Missing values are NaN.
#[derive(Debug, Clone, Default)]
pub struct Frame {
    pub n_rows: usize,
    pub columns: Vec<(String, Vec<f64>)>,
    /// Name of the grouping column.
    pub group: String,
    /// Name of each subject, in canonical order.
    pub labels: Vec<String>,
    /// Subject of each row, from zero.
    pub codes: Vec<usize>,
    /// Name of the time column, if the data have one.
    pub time: Option<String>,
    /// The groupings of the random effects, in the order of the model's groups; absent: the subjects.
    pub groupings: Vec<GroupingColumn>,
    /// The user's names of the event columns, by item (`AMT`); the columns are `.amt`, `.evid`, ...
    pub events: Vec<(String, String)>,
    /// Whether states have their initial values at the first record of a subject instead of at time 0.
    pub from_first_record: bool,
}

/// A column, or an interaction of columns, that tells groups of rows apart.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupingColumn {
    pub name: String,
    /// Name of each level, in canonical order.
    pub labels: Vec<String>,
    /// Level of each row, from zero.
    pub codes: Vec<usize>,
}

impl Frame {
    /// # Errors
    /// No such column, with the nearest name; `statement` is where it is read.
    pub fn column(&self, name: &str, statement: &str, known: &[&str]) -> Result<&[f64]> {
        match self.columns.iter().find(|(column, _)| column == name) {
            Some((_, values)) => Ok(values),
            None => {
                let columns = self.columns.iter().map(|(column, _)| column.as_str());
                // A dot begins a column that the user does not know.
                let columns = columns.filter(|column| !column.starts_with('.'));
                let candidates: Vec<&str> = columns.chain(known.iter().copied()).collect();
                Err(Error::data(
                    "unknown_symbol",
                    format!("`{name}` is neither a name of the model nor a column of the data."),
                )
                .at(statement)
                .field("name", name)
                .hint(words::suggestion(name, "There are", candidates)))
            }
        }
    }

    /// Values of the time column, if there is one.
    pub fn times(&self) -> Option<&[f64]> {
        let name = self.time.as_ref()?;
        let found = self.columns.iter().find(|(column, _)| column == name);
        found.map(|(_, values)| values.as_slice())
    }

    /// Times of all rows, for what reads them: `reader` says who, as in "The chain runs in time".
    ///
    /// # Errors
    /// No time column, times that are missing or infinite.
    pub fn finite_times(&self, reader: &str, statement: &str) -> Result<&[f64]> {
        let Some(time) = self.times() else {
            let problem = format!("{reader}, but the data have no time column.");
            return Err(Error::data("no_time", problem)
                .at(statement)
                .hint("Name it, as in `fit_nlme(model, data, time = \"hours\")`."));
        };
        let Some(row) = time.iter().position(|t| !t.is_finite()) else {
            return Ok(time);
        };
        let problem = if time[row].is_nan() {
            "missing"
        } else {
            "infinite"
        };
        Err(
            Error::data("missing_time", format!("The time is {problem}."))
                .at(self.place(row))
                .field("row", row + 1)
                .hint(format!("{reader}: every row needs its time.")),
        )
    }

    /// The subjects as a grouping.
    pub fn subjects(&self) -> GroupingColumn {
        GroupingColumn {
            name: self.group.clone(),
            labels: self.labels.clone(),
            codes: self.codes.clone(),
        }
    }

    /// The groupings of the random effects.
    pub fn groupings(&self) -> Vec<GroupingColumn> {
        if self.groupings.is_empty() {
            vec![self.subjects()]
        } else {
            self.groupings.clone()
        }
    }

    /// `Subject 3, row 17`: rows are counted from one, as R does.
    pub fn place(&self, row: usize) -> String {
        format!(
            "{} {}, row {}",
            self.group,
            self.labels[self.codes[row]],
            row + 1
        )
    }
}
