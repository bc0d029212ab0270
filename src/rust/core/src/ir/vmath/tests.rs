//! Check every function against 30 digits, its special cases, and its bits across instruction sets.

mod accuracy;
mod distance;
mod points;
mod reference;
mod reference_gamma;
mod reference_normal;
mod specials;
mod speed;
