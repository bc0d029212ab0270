//! Linear equations in closed form: what is recognized, the flow against a matrix exponential in double-double arithmetic,
//! courses with doses against textbook formulas, derivatives against central differences.

mod detection;
mod dosing;
mod flow;
mod lanes;
mod properties;
mod reference;
mod slopes;
mod steps;
mod systems;
mod textbook;
