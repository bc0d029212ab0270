//! Write values and errors of the core as R objects.

use extendr_api::prelude::*;
use nlmers_core::error::{Error, Result};
use nlmers_core::reply::Value;

/// `list(ok = TRUE, value =)` or `list(ok = FALSE, error =)`.
pub fn answer(answer: Result<Value>) -> List {
    match answer {
        Ok(value) => list!(ok = true, value = to_robj(value)),
        Err(error) => list!(ok = false, error = condition_fields(&error)),
    }
}

/// A value as the R object of its name.
pub fn to_robj(value: Value) -> Robj {
    match value {
        Value::Null => r!(NULL),
        Value::Flag(flag) => r!(flag),
        Value::Number(number) => r!(number),
        Value::Text(text) => r!(text),
        Value::Numbers(numbers) => r!(numbers),
        Value::Integers(integers) => r!(integers),
        Value::Texts(texts) => r!(texts),
        Value::Flags(flags) => r!(flags),
        Value::Bytes(bytes) => Raw::from_bytes(&bytes).into(),
        Value::Matrix { rows, cols, data } => matrix(rows, cols, &data),
        Value::List(items) => named(items.into_iter().map(|(name, item)| (name, to_robj(item)))),
    }
}

/// `data` column-major, as R stores it.
fn matrix(rows: usize, cols: usize, data: &[f64]) -> Robj {
    RMatrix::new_matrix(rows, cols, |row, col| data[row + col * rows]).into()
}

fn named<N: AsRef<str>>(items: impl Iterator<Item = (N, Robj)>) -> Robj {
    let (names, values): (Vec<N>, Vec<Robj>) = items.unzip();
    let mut list = List::from_values(values);
    // Names of a list of their own length: R cannot refuse them.
    let _ = list.set_names(names.iter().map(AsRef::as_ref));
    list.into()
}

fn condition_fields(error: &Error) -> List {
    list!(
        class = error.class.name(),
        reason = error.reason,
        problem = error.problem.as_str(),
        place = error.place.as_deref().map_or(r!(NULL), |place| r!(place)),
        hint = error.hint.as_deref().map_or(r!(NULL), |hint| r!(hint)),
        fields = named(
            error
                .fields
                .iter()
                .map(|(name, text)| (*name, r!(text.as_str())))
        )
    )
}
