//! Check that a name of a type means one type, and that files stay short.

use super::direction::rust_files;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// One of the two is compiled.
const TWICE: [&str; 1] = ["Stiff"];

/// Longer than others may be, with their lengths: none of them grows.
const LONG: [(&str, usize); 5] = [
    ("inference/adaptive.rs", 409),
    ("inference/differences.rs", 404),
    ("inference/marginal.rs", 416),
    ("model/equations.rs", 434),
    ("model/mixture.rs", 420),
];

const MOST_LINES: usize = 400;

/// Types that a file defines, not those inside of others.
fn types(source: &str) -> Vec<String> {
    let named = |line: &str| -> Option<String> {
        let line = match line.strip_prefix("pub") {
            Some(rest) if rest.starts_with('(') => rest.split_once(") ")?.1,
            Some(rest) => rest.trim_start(),
            None => line,
        };
        let (word, rest) = line.split_once(' ')?;
        let is_type = ["struct", "enum", "trait", "type", "union"].contains(&word);
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
        is_type.then(|| rest[..end.unwrap_or(rest.len())].to_string())
    };
    source.lines().filter_map(named).collect()
}

fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = rust_files(&root).into_iter();
    files
        .map(|path| {
            let name = path.strip_prefix(&root).unwrap().display().to_string();
            (name, fs::read_to_string(&path).unwrap())
        })
        .collect()
}

#[test]
fn a_name_means_one_type() {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (file, source) in sources() {
        for name in types(&source) {
            found.entry(name).or_default().push(file.clone());
        }
    }
    assert!(found.len() > 500, "{}", found.len());
    found.retain(|name, files| files.len() > 1 && !TWICE.contains(&name.as_str()));
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn types_are_found_however_they_are_seen() {
    let source = "struct A;\npub enum B {\npub(super) trait C: D {\n    type E = u8;\npub type F<T> = Vec<T>;\n// struct G;";
    assert_eq!(types(source), ["A", "B", "C", "F"]);
}

#[test]
fn files_stay_short() {
    for (file, source) in sources() {
        let known = LONG.iter().find(|(name, _)| *name == file);
        let most = known.map_or(MOST_LINES, |(_, lines)| *lines);
        let lines = source.lines().count();
        assert!(lines <= most, "{file} has {lines} lines");
    }
}
