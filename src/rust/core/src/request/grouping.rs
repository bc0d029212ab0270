//! Read how the rows of the data are grouped.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::FrameColumns;
use crate::data::{self, Frame};
use crate::error::{Error, ErrorClass, Result};
use crate::language::specification::Specification;

/// How the rows are grouped.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RowGrouping {
    pub group: String,
    pub labels: Vec<Json>,
    #[serde(default)]
    pub time: Option<String>,
    pub n_rows: usize,
    /// The groupings of the random effects in the order of the model's groups, where they are not just the subjects;
    /// their codes are the columns `.group1`, `.group2`, ...
    #[serde(default)]
    pub groups: Vec<GroupingLevels>,
    /// The user's names of the columns `.amt`, `.evid`, ..., by item.
    #[serde(default)]
    pub events: BTreeMap<String, String>,
    #[serde(default)]
    pub from_first_record: bool,
}

/// A grouping and the names of its levels.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct GroupingLevels {
    pub name: String,
    pub labels: Vec<Json>,
}

impl RowGrouping {
    /// The data of a model as a frame.
    ///
    /// # Errors
    /// No groupings, or rows without a group.
    pub fn frame(&self, model: &Specification, mut columns: FrameColumns) -> Result<Frame> {
        let missing = |what: &str| {
            Error::new(
                ErrorClass::Internal,
                "request",
                format!("The request has no {what}."),
            )
        };
        let mut coded = |column: &str, name: &str, labels: &[Json]| {
            let position = columns.iter().position(|(name, _)| name == column);
            let position = position.ok_or_else(|| missing("grouping column"))?;
            let (_, codes) = columns.remove(position);
            coded(name, labels, &codes)
        };
        let subjects = coded(".group", &self.group, &self.labels)?;
        let mut groupings = Vec::new();
        for (i, levels) in self.groups.iter().enumerate() {
            let column = format!(".group{}", i + 1);
            groupings.push(coded(&column, &levels.name, &levels.labels)?);
        }
        let n_groups = model.n_groups();
        if groupings.len().max(1) != n_groups {
            return Err(missing(&format!("{n_groups} groupings")));
        }
        Ok(Frame {
            n_rows: self.n_rows,
            columns,
            group: subjects.name,
            labels: subjects.labels,
            codes: subjects.codes,
            time: self.time.clone(),
            groupings,
            events: self.events.clone().into_iter().collect(),
            from_first_record: self.from_first_record,
        })
    }
}

/// Levels of the rows from codes that count from one.
fn coded(name: &str, labels: &[Json], codes: &[f64]) -> Result<data::GroupingColumn> {
    let labels: Vec<String> = labels.iter().map(label).collect();
    let valid = |code: f64| code >= 1.0 && code <= labels.len() as f64;
    if let Some(row) = codes.iter().position(|code| !valid(*code)) {
        return Err(
            Error::data("missing_group", format!("`{name}` is missing."))
                .at(format!("row {}", row + 1))
                .field("row", row + 1)
                .hint("Every row needs its group."),
        );
    }
    Ok(data::GroupingColumn {
        name: name.to_string(),
        labels,
        codes: codes.iter().map(|code| *code as usize - 1).collect(),
    })
}

/// The name of a level, which may be a number.
pub fn label(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}
