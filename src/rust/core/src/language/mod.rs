//! Hold the model as the user wrote it: parameters, random effects, statements, and the words they may use.

pub mod expression;
pub mod learned;
pub mod specification;
pub mod words;
