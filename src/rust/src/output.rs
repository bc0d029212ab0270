//! Write values and errors of the core as R objects.

use extendr_api::prelude::*;
use nlmers_core::error::{Error, Result};
use nlmers_core::reply::ReplyValue;

/// `list(ok = TRUE, value =)` or `list(ok = FALSE, error =)`.
pub fn answer(answer: Result<ReplyValue>) -> List {
    match answer {
        Ok(value) => list!(ok = true, value = to_robj(value)),
        Err(error) => list!(ok = false, error = condition_fields(&error)),
    }
}

/// A value as the R object of its name.
pub fn to_robj(value: ReplyValue) -> Robj {
    match value {
        ReplyValue::Null => r!(NULL),
        ReplyValue::Flag(flag) => r!(flag),
        ReplyValue::Number(number) => r!(number),
        ReplyValue::Text(text) => r!(text),
        ReplyValue::Numbers(numbers) => r!(numbers),
        ReplyValue::Integers(integers) => r!(integers),
        ReplyValue::Texts(texts) => r!(texts),
        ReplyValue::Flags(flags) => r!(flags),
        ReplyValue::Bytes(bytes) => Raw::from_bytes(&bytes).into(),
        ReplyValue::Matrix { rows, cols, data } => matrix(rows, cols, &data),
        ReplyValue::List(items) => {
            named(items.into_iter().map(|(name, item)| (name, to_robj(item))))
        }
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
