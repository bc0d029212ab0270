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
pub mod slope;
pub mod symbolic;
pub mod symmetric;
pub mod tape;
pub mod vmath;
