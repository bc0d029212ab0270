//! Carry a result across the boundary as named plain values.

/// A plain value: what a list element can be in R.
#[derive(Debug, Clone, PartialEq)]
pub enum ReplyValue {
    Null,
    Flag(bool),
    Number(f64),
    Text(String),
    Numbers(Vec<f64>),
    Integers(Vec<i32>),
    Texts(Vec<String>),
    Flags(Vec<bool>),
    Bytes(Vec<u8>),
    /// Column-major, `data.len() == rows * cols`.
    Matrix {
        rows: usize,
        cols: usize,
        data: Vec<f64>,
    },
    List(Vec<(String, ReplyValue)>),
}
