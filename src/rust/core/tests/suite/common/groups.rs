//! Models with several groupings, on data made here.

use nlmers_core::error::Result;
use nlmers_core::problem::{Given, Joint};
use serde_json::json;

use super::{text, Data};

/// The request of a model whose effects have the groupings `groups`: name and level of each row, from zero.
pub fn request(
    task: &str,
    model: &str,
    data: &Data,
    groups: &[(&str, Vec<usize>)],
) -> (serde_json::Value, Vec<(String, Vec<f64>)>) {
    let mut columns = data.request_columns();
    let mut names = Vec::new();
    for (i, (name, codes)) in groups.iter().enumerate() {
        let n = codes.iter().max().unwrap() + 1;
        let labels: Vec<String> = (1..=n).map(|l| l.to_string()).collect();
        names.push(json!({"name": name, "labels": labels}));
        let codes = codes.iter().map(|c| *c as f64 + 1.0).collect();
        columns.push((format!(".group{}", i + 1), codes));
    }
    let request = json!({
        "task": task,
        "model": text::model(model),
        "data": {"group": "id", "labels": data.labels(), "time": data.time, "n_rows": data.n_rows(), "groups": names},
    });
    (request, columns)
}

/// # Errors
/// Those of the compiler and of the data.
pub fn joint(
    model: &str,
    data: &Data,
    groups: &[(&str, Vec<usize>)],
    given: &Given,
) -> Result<Joint> {
    let (request, columns) = request("fit", model, data, groups);
    let request = crate::common::asked(&request)?;
    Joint::new(&request.compiled()?, &request.frame(columns)?, given)
}
