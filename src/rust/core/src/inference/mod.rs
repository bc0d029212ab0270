//! Say what a fit means: conditional modes, the exact likelihood by quadrature.

pub mod curvature;
pub mod ebe;
pub mod joint;
pub mod modes;
pub mod quadrature;
