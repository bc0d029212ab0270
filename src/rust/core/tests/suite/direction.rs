//! Check that a module uses only modules below it.
//!
//! From the front door down to the vocabulary everything shares. A module may name `crate::<module>` only when that
//! module stands strictly further down; inside one module everything goes. The last group may use each other.

use std::fs;
use std::path::{Path, PathBuf};

const ORDER: [&str; 17] = [
    "request",
    "vem",
    "saem",
    "maximum",
    "inference",
    "mstep",
    "fitted",
    "samplers",
    "optimizer",
    "problem",
    "data",
    "model",
    "ode",
    "distributions",
    "random",
    "ir",
    "language",
];

/// Below all others.
const VOCABULARY: [&str; 5] = ["error", "reply", "monitor", "parallel", "keep"];

/// Height of a module, the front door highest; `None` when nobody has given it a place.
fn height(module: &str) -> Option<usize> {
    if VOCABULARY.contains(&module) {
        return Some(0);
    }
    let position = ORDER.iter().position(|name| *name == module)?;
    Some(ORDER.len() - position)
}

fn may_use(user: &str, used: &str) -> bool {
    match (height(user), height(used)) {
        (Some(0), Some(0)) => true,
        (Some(user_height), Some(used_height)) => user == used || user_height > used_height,
        _ => false,
    }
}

pub fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Modules named as `crate::<module>` or in `use crate::{a::.., b::..}`, comments left out.
fn used_modules(source: &str) -> Vec<String> {
    let code: Vec<&str> = source
        .lines()
        .map(|line| line.split("//").next().unwrap_or(""))
        .collect();
    let code = code.join("\n");
    let mut modules = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => modules.extend(group_heads(group)),
            None => modules.push(identifier(rest)),
        }
    }
    modules.retain(|module| !module.is_empty());
    modules
}

/// First names of the comma-separated paths up to the brace that closes the group.
fn group_heads(group: &str) -> Vec<String> {
    let mut heads = Vec::new();
    let mut depth = 0;
    let mut start = true;
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => start = true,
            _ if start && !letter.is_whitespace() => {
                heads.push(identifier(&group[at..]));
                start = false;
            }
            _ => {}
        }
    }
    heads
}

fn identifier(text: &str) -> String {
    text.chars()
        .take_while(|letter| letter.is_alphanumeric() || *letter == '_')
        .collect()
}

#[test]
fn no_module_looks_up() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut upward = Vec::new();
    for file in rust_files(&root) {
        let inside = file.strip_prefix(&root).expect("a file of the crate");
        let module = inside
            .components()
            .next()
            .expect("a name")
            .as_os_str()
            .to_string_lossy()
            .trim_end_matches(".rs")
            .to_string();
        if module == "lib" {
            continue;
        }
        assert!(
            height(&module).is_some(),
            "module `{module}` has no place in the order of this test"
        );
        let source = fs::read_to_string(&file).expect("a readable file");
        for used in used_modules(&source) {
            if !may_use(&module, &used) {
                upward.push(format!("{}: {module} uses {used}", inside.display()));
            }
        }
    }
    assert!(upward.is_empty(), "upward uses:\n{}", upward.join("\n"));
}

#[test]
fn upward_and_sideways_uses_are_seen() {
    let source =
        "use crate::{ir::{a, b}, saem::loop_};\n// crate::request\nlet x = crate::data::y();";
    assert_eq!(used_modules(source), ["ir", "saem", "data"]);
    assert!(may_use("saem", "ir"));
    assert!(may_use("random", "parallel"));
    assert!(!may_use("language", "ir"));
    assert!(!may_use("ir", "saem"));
    assert!(!may_use("error", "ir"));
    assert!(!may_use("saem", "unheard_of"));
}
