//! Dosing records: what they say of the course of a subject, in which order, and what they cannot say.

mod courses;
mod order;
mod records;
mod uses;

use nlmers_core::ode::Dosing;

const PLAIN: [Dosing; 2] = [Dosing {
    fraction: None,
    lag: None,
    rate: None,
    duration: None,
}; 2];

/// Inputs 0 to 3: fraction, lag, rate, duration of doses into the first state.
const FULL: Dosing = Dosing {
    fraction: Some(0),
    lag: Some(1),
    rate: Some(2),
    duration: Some(3),
};
