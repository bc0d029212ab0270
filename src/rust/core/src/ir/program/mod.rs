//! Stage the program: decide for every value when it is computed and in which column it lives.

mod carried;
mod derivative;
mod fuse;
mod place;
mod registers;
mod solution;
mod value;

pub use carried::Carried;
pub use derivative::{Active, DerivativeProgram};
pub(crate) use fuse::Fusion;
pub use place::{BroadcastSource, DataColumns};
pub(crate) use registers::{Laid, ProgramLayout, Registers};
pub use solution::Solution;
pub use value::ValueProgram;

use super::graph::Node;

/// What a program must deliver.
#[derive(Debug, Clone, Default)]
pub struct Roots {
    /// Terms to add up over rows, each where its outcome (an index into the masks) is present.
    pub sums: Vec<(Node, u32)>,
    /// Terms to add once a subject.
    pub subject_sums: Vec<Node>,
    /// Values wanted at every row. Of a carried value, what the row leaves is delivered.
    pub rows: Vec<Node>,
    /// Values wanted once a subject.
    pub subjects: Vec<Node>,
    /// The mask that tells whether a lane has the row at all: rows that fill a block move no carried value.
    pub exists: u32,
    /// Up to how many inputs of differential equations derivatives are carried forward.
    pub max_forward: usize,
}

impl Roots {
    pub fn nodes(&self) -> Vec<Node> {
        let sums = self.sums.iter().map(|(node, _)| node);
        sums.chain(&self.subject_sums)
            .chain(&self.rows)
            .chain(&self.subjects)
            .copied()
            .collect()
    }
}
