//! Check that the values of an outcome lie where its family has a density.

use super::frame::Frame;
use crate::error::Error;
use crate::model::Support;

impl Support {
    /// Whether `y` is a value of the family. Infinite values are none.
    pub fn contains(self, y: f64) -> bool {
        let whole = y.fract() == 0.0;
        y.is_finite()
            && match self {
                Self::Real => true,
                Self::Positive => y > 0.0,
                Self::NonNegative => y >= 0.0,
                Self::Share => y > 0.0 && y < 1.0,
                Self::Between(lower, upper) => y > lower && y < upper,
                Self::ZeroOne => y == 0.0 || y == 1.0,
                Self::Count => y >= 0.0 && whole,
                Self::Category(last) => y >= 1.0 && y <= f64::from(last) && whole,
            }
    }

    /// What a value must be.
    pub fn words(self) -> String {
        match self {
            Self::Real => "finite".into(),
            Self::Positive => "positive".into(),
            Self::NonNegative => "at least 0".into(),
            Self::Share => "between 0 and 1".into(),
            Self::Between(lower, upper) => format!("between {lower} and {upper}"),
            Self::ZeroOne => "0 or 1".into(),
            Self::Count => "a whole number, at least 0".into(),
            Self::Category(last) => format!("a whole number from 1 to {last}"),
        }
    }
}

/// `value` at `row` of the outcome `name` lies outside `support`.
pub fn outcome_error(name: &str, support: Support, value: f64, row: usize, frame: &Frame) -> Error {
    let (reason, needs) = if value.is_infinite() {
        ("infinite_outcome", "finite".to_string())
    } else {
        ("outcome_outside_support", support.words())
    };
    let shown = match value {
        f64::INFINITY => "Inf".to_string(),
        f64::NEG_INFINITY => "-Inf".to_string(),
        finite => finite.to_string(),
    };
    Error::data(
        reason,
        format!("The outcome `{name}` is {shown}; it must be {needs}."),
    )
    .at(frame.place(row))
    .field("column", name)
    .field("row", row + 1)
    .field("subject", &frame.labels[frame.codes[row]])
    .field("value", shown)
    .hint("Correct the value, or set it to NA to leave it out.")
}
