//! Look at what an error says.

use nlmers_core::error::Error;

/// Lines of a model that is right; a test changes one.
pub const PARAMETERS: &str = "fixed a = 1\nfixed o = positive(0.5)\nfixed s = positive(0.4)";
pub const RANDOM: &str = "random e ~ normal(0, o) | id";
pub const OUTCOME: &str = "y ~ normal(a + e, s)";

pub fn with_lines(lines: &str) -> String {
    format!("{PARAMETERS}\n{RANDOM}\n{lines}\n{OUTCOME}")
}

pub fn with_random(random: &str) -> String {
    format!("{PARAMETERS}\n{random}\n{OUTCOME}")
}

pub fn with_outcome(outcome: &str) -> String {
    format!("{PARAMETERS}\n{RANDOM}\n{outcome}")
}

pub fn with_fixed(fixed: &str) -> String {
    format!("fixed {fixed}\n{}", with_lines(""))
}

/// Whether an error has this reason, and whether its place, problem and hint contain these words.
#[track_caller]
pub fn is(error: &Error, reason: &str, place: &str, problem: &str, hint: &str) {
    assert_eq!(error.reason, reason, "{error}");
    let at = error.place.clone().unwrap_or_default();
    assert!(at.contains(place), "place `{at}`, not `{place}`");
    assert!(
        error.problem.contains(problem),
        "problem `{}`",
        error.problem
    );
    let way_out = error.hint.clone().unwrap_or_default();
    assert!(way_out.contains(hint), "hint `{way_out}`, not `{hint}`");
}

pub fn field(error: &Error, name: &str) -> String {
    let found = error.fields.iter().find(|(known, _)| *known == name);
    found
        .map(|(_, value)| value.clone())
        .unwrap_or_else(|| panic!("no field `{name}`: {error:?}"))
}
