//! Hold the model as one program: build it, simplify it, stage it, evaluate and differentiate it over lanes.

pub mod column;
pub mod graph;
pub mod level;
pub mod linear;
pub mod merge;
pub mod op;
pub mod program;
pub mod reference;
pub mod regroup;
pub mod scalar;
mod simplify;
pub mod slope;
pub mod symbolic;
pub mod symmetric;
pub mod tape;
pub mod vmath;

/// An index of a graph or a layout, which may hold as many values as a `u32` can count.
///
/// # Panics
/// Where there are more: a wrong index would be a wrong value.
pub fn narrow(i: usize) -> u32 {
    let index = u32::try_from(i);
    assert!(index.is_ok(), "a program has fewer than 2^32 values");
    index.unwrap_or_default()
}
