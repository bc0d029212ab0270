//! Read R vectors as columns of the core.

use extendr_api::prelude::*;
use nlmers_core::error::{Error, ErrorClass, Result};
use nlmers_core::request::FrameColumns;

/// Copy a named list of double vectors. `NA_real_` is a NaN already.
pub fn columns(list: &List) -> Result<FrameColumns> {
    list.iter()
        .map(|(name, column)| match column.as_real_slice() {
            Some(values) => Ok((name.to_string(), values.to_vec())),
            None => Err(not_double(name)),
        })
        .collect()
}

fn not_double(name: &str) -> Error {
    Error::new(
        ErrorClass::Internal,
        "column_type",
        format!("column `{name}` reached the core as something other than a double vector"),
    )
    .field("column", name)
}
