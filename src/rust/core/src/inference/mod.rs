//! Say what a fit means: conditional modes, the exact likelihood by quadrature.

mod better;
pub mod climb;
pub mod cloud;
pub mod curvature;
pub mod density;
pub mod ebe;
pub mod importance;
pub mod joint;
pub mod laplace;
mod lattice;
pub mod linear;
mod log_sum;
pub mod information;
pub mod modes;
pub mod multistart;
pub mod pareto;
pub mod points;
pub mod posterior;
pub mod proposal;
pub mod quadrature;
pub mod sandwich;
pub mod scale;
pub mod start;
pub mod student;
