//! List the words of the language and find the nearest one to a misspelling.

/// Shorthands of the residual error.
pub const ERROR_MODELS: [&str; 7] = [
    "add",
    "prop",
    "pow",
    "add_prop",
    "add_prop_sd",
    "add_pow",
    "add_pow_sd",
];

/// Number of insertions, deletions, substitutions and exchanges of neighbors between two words, without case
/// (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.to_lowercase().chars().collect();
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let substitution = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = substitution.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(rows[i - 2][j - 2] + 1);
            }
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

/// The candidate nearest to `word`, if one is near enough to be a slip of the pen.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = word.chars().count();
    let limit = 1 + length / 4;
    candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        // Two words without a letter in common are never a slip.
        .filter(|(d, candidate)| *d <= limit && *d < length.max(candidate.chars().count()))
        .min_by_key(|(d, candidate)| (*d, candidate.len().abs_diff(word.len())))
        .map(|(_, candidate)| candidate)
}

/// `Did you mean 'x'?`, or a sentence that lists what there is.
pub fn suggestion<'a>(
    word: &str,
    what: &str,
    candidates: impl IntoIterator<Item = &'a str> + Clone,
) -> String {
    match nearest(word, candidates.clone()) {
        Some(near) => format!("Did you mean `{near}`?"),
        None => {
            let all: Vec<&str> = candidates.into_iter().collect();
            format!("{what}: {}.", all.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_finds_its_word() {
        assert_eq!(
            nearest("Weigth", ["Weight", "Dose", "Time"]),
            Some("Weight")
        );
        assert_eq!(nearest("KA", ["ka", "cl"]), Some("ka"));
        assert_eq!(nearest("volume", ["ka", "cl"]), None);
        assert_eq!(nearest("o", ["y", "t"]), None);
        assert_eq!(nearest("o", ["y", "oo"]), Some("oo"));
    }
}
