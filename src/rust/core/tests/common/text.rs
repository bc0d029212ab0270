//! Read expressions and models written as in R into the JSON of a request.
//!
//! A model is a line a thing:
//!
//! ```text
//! fixed tcl = -3.2
//! fixed omega = positive(0.4, 0.2)
//! fixed p = probability(0.3)
//! fixed w = covariance_matrix(1, 0.2, 0.2, 1)
//! fixed k = real(1, lower = 0, upper = 2)
//! random c(e1, e2) ~ mvnormal(c(0, 0), w) | id
//! cl <- exp(tcl + e1)
//! y ~ normal(cl, sigma)
//! ```

use serde_json::{json, Value as Json};

/// An expression as the front end sends it.
pub fn expression(text: &str) -> Json {
    let mut parser = Parser {
        letters: text.chars().collect(),
        at: 0,
    };
    let value = parser.binary(0);
    parser.space();
    assert!(
        parser.at == parser.letters.len(),
        "rest of `{text}` at {}",
        parser.at
    );
    value
}

/// The specification of a model.
pub fn model(text: &str) -> Json {
    let (mut parameters, mut random, mut statements) = (Vec::new(), Vec::new(), Vec::new());
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(rest) = line.strip_prefix("fixed ") {
            parameters.push(parameter(rest));
        } else if let Some(rest) = line.strip_prefix("random ") {
            random.push(random_line(rest));
        } else {
            statements.push(statement(line));
        }
    }
    json!({"parameters": parameters, "random": random, "statements": statements})
}

fn halves<'a>(text: &'a str, separator: &str) -> (&'a str, &'a str) {
    let parts = text.split_once(separator);
    let (left, right) = parts.unwrap_or_else(|| panic!("no `{separator}` in `{text}`"));
    (left.trim(), right.trim())
}

fn parameter(text: &str) -> Json {
    let (name, value) = halves(text, "=");
    let tree = expression(value);
    let (kind, args, names) = match tree["call"].as_str() {
        Some(call) if call != "-" => (call, tree["args"].clone(), tree["names"].clone()),
        _ => ("real", json!([tree]), json!([])),
    };
    let (mut values, mut entry) = (Vec::new(), json!({"name": name}));
    for (i, arg) in args.as_array().unwrap().iter().enumerate() {
        match names[i].as_str().filter(|given| !given.is_empty()) {
            Some(given) if arg["str"].is_string() => entry[given] = arg["str"].clone(),
            Some(given) => entry[given] = json!(number(arg)),
            None => values.push(number(arg)),
        }
    }
    let (kind, scale) = match kind {
        "positive" => ("real", "log"),
        "probability" => ("real", "logit"),
        other => (other, "identity"),
    };
    entry["type"] = json!(kind);
    entry["scale"] = json!(scale);
    entry["vector"] = json!(values.len() > 1);
    entry["value"] = json!(values);
    entry
}

fn number(tree: &Json) -> Option<f64> {
    match (tree["num"].as_f64(), tree["call"].as_str()) {
        (Some(x), _) => Some(x),
        (None, Some("-")) => Some(-tree["args"][0]["num"].as_f64().unwrap()),
        _ => None,
    }
}

fn random_line(text: &str) -> Json {
    let (names, rest) = halves(text, "~");
    let (dist, group) = match rest.rsplit_once('|') {
        Some((dist, group)) => (dist, Some(group.trim())),
        None => (rest, None),
    };
    let names: Vec<&str> = match names.strip_prefix("c(") {
        Some(list) => list
            .trim_end_matches(')')
            .split(',')
            .map(str::trim)
            .collect(),
        None => vec![names],
    };
    json!({"names": names, "dist": expression(dist), "group": group, "text": text})
}

fn statement(line: &str) -> Json {
    if line.contains("<-") {
        let (target, value) = halves(line, "<-");
        return json!({"kind": "assign", "target": target, "value": expression(value), "text": line});
    }
    let (column, dist) = halves(line, "~");
    json!({"kind": "outcome", "column": column, "dist": expression(dist), "text": line})
}

/// Binary operators from the loosest to the tightest.
const LEVELS: [&[&str]; 6] = [
    &["||", "|"],
    &["&&", "&"],
    &["<=", ">=", "==", "!=", "<", ">"],
    &["+", "-"],
    &["%*%", "*", "/"],
    &["^"],
];

struct Parser {
    letters: Vec<char>,
    at: usize,
}

impl Parser {
    fn space(&mut self) {
        while self.letters.get(self.at).is_some_and(|c| c.is_whitespace()) {
            self.at += 1;
        }
    }

    fn accept(&mut self, token: &str) -> bool {
        self.space();
        let token: Vec<char> = token.chars().collect();
        let found = self.letters[self.at..].starts_with(&token);
        self.at += if found { token.len() } else { 0 };
        found
    }

    fn binary(&mut self, level: usize) -> Json {
        if level == LEVELS.len() - 1 {
            return self.prefix();
        }
        let mut left = self.binary(level + 1);
        while let Some(operator) = LEVELS[level].iter().find(|op| self.accept(op)) {
            let right = self.binary(level + 1);
            left = json!({"call": operator, "args": [left, right]});
        }
        left
    }

    /// Signs bind looser than powers: `-2^2` is -4.
    fn prefix(&mut self) -> Json {
        for sign in ["-", "+", "!"] {
            if self.accept(sign) {
                let value = self.prefix();
                return json!({"call": sign, "args": [value]});
            }
        }
        let base = self.postfix();
        if self.accept("^") {
            let exponent = self.prefix();
            return json!({"call": "^", "args": [base, exponent]});
        }
        base
    }

    fn postfix(&mut self) -> Json {
        let mut value = self.atom();
        while self.accept("[") {
            let mut args = vec![value];
            args.extend(self.list("]").0);
            value = json!({"call": "[", "args": args});
        }
        value
    }

    fn atom(&mut self) -> Json {
        if self.accept("(") {
            let value = self.binary(0);
            assert!(self.accept(")"), "a parenthesis is open");
            return value;
        }
        if self.accept("\"") {
            let text = self.take(|c| c != '"');
            assert!(self.accept("\""), "a text is open");
            return json!({"str": text});
        }
        let first = self.letters.get(self.at).copied().unwrap_or(' ');
        if first.is_ascii_digit() {
            return json!({"num": self.digits()});
        }
        let name = self.take(|c| c.is_alphanumeric() || c == '_' || c == '.');
        assert!(!name.is_empty(), "a name is missing at {}", self.at);
        if self.accept("(") {
            let (args, names) = self.list(")");
            return json!({"call": name, "args": args, "names": names});
        }
        json!({"sym": name})
    }

    fn take(&mut self, belongs: impl Fn(char) -> bool) -> String {
        let start = self.at;
        while self.letters.get(self.at).is_some_and(|c| belongs(*c)) {
            self.at += 1;
        }
        self.letters[start..self.at].iter().collect()
    }

    fn digits(&mut self) -> f64 {
        let mut text = self.take(|c| c.is_ascii_digit() || c == '.');
        if self.letters.get(self.at) == Some(&'e') {
            self.at += 1;
            let sign = self.take(|c| c == '-' || c == '+');
            text = format!("{text}e{sign}{}", self.take(|c| c.is_ascii_digit()));
        }
        text.parse().unwrap()
    }

    fn list(&mut self, end: &str) -> (Vec<Json>, Vec<String>) {
        let (mut args, mut names) = (Vec::new(), Vec::new());
        while !self.accept(end) {
            let before = self.at;
            self.space();
            let name = self.take(|c| c.is_alphanumeric() || c == '_');
            self.space();
            let rest = &self.letters[self.at..];
            let named = !name.is_empty() && rest.first() == Some(&'=') && rest.get(1) != Some(&'=');
            self.at = if named { self.at + 1 } else { before };
            args.push(self.binary(0));
            names.push(if named { name } else { String::new() });
            self.accept(",");
        }
        (args, names)
    }
}
