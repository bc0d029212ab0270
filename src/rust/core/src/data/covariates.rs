//! Check what was declared of covariates against the data.

use super::frame::Frame;
use crate::error::{Error, Result};
use crate::language::words;
use crate::model::{CheckedCovariate, CovariateKind, Model};

/// The first two rows, in the order of the frame, that have one code and different values.
pub fn constant_within(codes: &[usize], values: &[f64]) -> Option<(usize, usize)> {
    let n = codes.iter().max().map_or(0, |last| last + 1);
    let mut first: Vec<Option<usize>> = vec![None; n];
    for (row, (code, value)) in codes.iter().zip(values).enumerate() {
        match first[*code] {
            None => first[*code] = Some(row),
            Some(earlier) if values[earlier].to_bits() != value.to_bits() => {
                return Some((earlier, row))
            }
            Some(_) => {}
        }
    }
    None
}

/// Check the declared covariates; `columns` in the order of `Model::columns`.
///
/// # Errors
/// A constant that varies, a code that is no level.
pub fn check(model: &Model, frame: &Frame, columns: &[Vec<f64>]) -> Result<()> {
    for covariate in &model.covariates {
        let values = &columns[covariate.column as usize];
        let name = &model.columns[covariate.column as usize].name;
        match &covariate.kind {
            CovariateKind::Constant { on } => {
                check_constant(name, on.as_deref(), covariate, frame, values)?;
            }
            CovariateKind::Factor { levels } => {
                let valid =
                    |x: f64| x.is_nan() || (x >= 1.0 && x <= *levels as f64 && x.fract() == 0.0);
                if let Some(row) = values.iter().position(|x| !valid(*x)) {
                    return Err(Error::data(
                        "unknown_level",
                        format!("`{name}` has a value that is none of its levels."),
                    )
                    .at(frame.place(row))
                    .field("column", name)
                    .field("row", row + 1)
                    .field("value", values[row]));
                }
            }
            CovariateKind::TimeVarying(_) => {}
        }
    }
    Ok(())
}

fn check_constant(
    name: &str,
    on: Option<&str>,
    covariate: &CheckedCovariate,
    frame: &Frame,
    values: &[f64],
) -> Result<()> {
    let group = on.unwrap_or(&frame.group);
    let subjects = frame.subjects();
    let mut groupings = frame.groupings();
    if groupings.iter().all(|g| g.name != subjects.name) {
        groupings.push(subjects);
    }
    let Some(grouping) = groupings.iter().find(|g| g.name == group) else {
        let mut known: Vec<&str> = groupings.iter().map(|g| g.name.as_str()).collect();
        known.dedup();
        return Err(Error::data(
            "unknown_group",
            format!("`{name}` is declared constant on `{group}`, which groups no random effect."),
        )
        .at(covariate.text.clone())
        .field("name", group)
        .hint(words::suggestion(
            group,
            "The random effects are grouped by",
            known,
        )));
    };
    let Some((first, second)) = constant_within(&grouping.codes, values) else {
        return Ok(());
    };
    let level = &grouping.labels[grouping.codes[second]];
    Err(Error::data(
        "varying_covariate",
        format!("`{name}` is declared constant on `{group}`, but varies within {group} {level}."),
    )
    .at(covariate.text.clone())
    .field("column", name)
    .field("row", second + 1)
    .field("subject", level)
    .hint(format!(
        "It is {} in row {} and {} in row {}. Correct the data, or declare it with time_varying().",
        values[first],
        first + 1,
        values[second],
        second + 1
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_change_within_a_level_is_found() {
        let codes = [0, 1, 0, 1, 1];
        assert_eq!(constant_within(&codes, &[1.0, 2.0, 1.0, 2.0, 2.0]), None);
        let changed = constant_within(&codes, &[1.0, 2.0, 1.0, 2.0, 3.0]);
        assert_eq!(changed, Some((1, 4)));
        assert_eq!(constant_within(&[0, 0], &[f64::NAN, f64::NAN]), None);
    }
}
