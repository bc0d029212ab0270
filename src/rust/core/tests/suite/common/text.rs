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
//! learned f = {"kind": "spline", "knots": [0, 0, 1, 1], "degree": 1}
//! random c(e1, e2) ~ mvnormal(c(0, 0), w) | id
//! cl <- exp(tcl + e1)
//! d/dt(central) <- -cl * central
//! central(0) <- 10
//! y ~ normal(central, sigma)
//! ode rtol = 1e-8
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

/// The specification of a model. Statements may span lines: `if (...) {`, `} else {`, `for (i in ...) {`, `}`.
pub fn model(text: &str) -> Json {
    let (mut parameters, mut random, mut covariates) = (Vec::new(), Vec::new(), Vec::new());
    let mut ode = serde_json::Map::new();
    let mut code = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(rest) = line.strip_prefix("fixed ") {
            parameters.push(parameter(rest));
        } else if let Some(rest) = line.strip_prefix("learned ") {
            parameters.push(learned(rest));
        } else if let Some(rest) = line.strip_prefix("random ") {
            random.push(random_line(rest));
        } else if let Some(rest) = line.strip_prefix("covariate ") {
            covariates.push(covariate(rest));
        } else if let Some(rest) = line.strip_prefix("ode ") {
            let (name, value) = halves(rest, "=");
            ode.insert(name.to_string(), serde_json::from_str(value).unwrap());
        } else {
            code.push(line);
        }
    }
    let statements = statements(&mut code.into_iter());
    json!({"parameters": parameters, "random": random, "covariates": covariates,
        "statements": statements, "ode": ode})
}

/// A learned function, no weight like another.
fn learned(text: &str) -> Json {
    let (name, form) = halves(text, "=");
    let form: Json = serde_json::from_str(form).unwrap();
    let weights = (0..n_weights(&form)).map(|k| 0.6 * (1.7 * k as f64 + 0.4).sin());
    let weights: Vec<f64> = weights.collect();
    json!({"name": name, "type": "real", "value": weights, "vector": true, "learned": form})
}

fn n_weights(form: &Json) -> usize {
    let number = |name: &str| form[name].as_u64().unwrap() as usize;
    let list = |name: &str| form[name].as_array().unwrap();
    match form["kind"].as_str().unwrap() {
        "network" => {
            let hidden = list("hidden").iter().map(|w| w.as_u64().unwrap() as usize);
            let ends = [vec![number("inputs")], vec![number("outputs")]];
            let widths = [ends[0].clone(), hidden.collect(), ends[1].clone()].concat();
            widths.windows(2).map(|pair| (pair[0] + 1) * pair[1]).sum()
        }
        "soft_tree" => {
            let leaves = 1 << number("depth");
            (leaves - 1) * (number("inputs") + 1) + leaves * number("outputs")
        }
        "spline" => list("knots").len() - number("degree") - 1,
        _ => number("layers") * (2 * number("dimension") + 1),
    }
}

/// Statements up to a line that begins with `}`.
fn statements<'a>(lines: &mut impl Iterator<Item = &'a str>) -> Vec<Json> {
    statements_and_end(lines).0
}

fn statements_and_end<'a>(lines: &mut impl Iterator<Item = &'a str>) -> (Vec<Json>, &'a str) {
    let mut list = Vec::new();
    while let Some(line) = lines.next() {
        if line.starts_with('}') {
            return (list, line);
        }
        let head = line.strip_suffix('{').map(str::trim);
        let inside = |word: &str| {
            let rest = head?.strip_prefix(word)?.trim();
            rest.strip_prefix('(')?.strip_suffix(')')
        };
        if let Some(condition) = inside("if") {
            let (yes, end) = statements_and_end(lines);
            let no = if end.contains("else") {
                statements_and_end(lines).0
            } else {
                Vec::new()
            };
            list.push(
                json!({"kind": "if", "condition": expression(condition), "yes": yes,
                "no": no, "text": head}),
            );
        } else if let Some(range) = inside("for") {
            let (variable, values) = halves(range, " in ");
            let (body, _) = statements_and_end(lines);
            list.push(
                json!({"kind": "for", "variable": variable, "values": expression(values),
                "body": body, "text": head}),
            );
        } else {
            list.push(statement(line));
        }
    }
    (list, "")
}

/// `wt = constant(id)`, `x = vector(a, b)`, `sex = factor("F", "M", reference = "M")`, `z = time_varying("linear")`
fn covariate(text: &str) -> Json {
    let (name, call) = halves(text, "=");
    let tree = expression(call);
    let kind = tree["call"].as_str().unwrap();
    let mut entry = json!({"name": name, "kind": kind, "text": text});
    let word = |arg: &Json| {
        arg["str"]
            .as_str()
            .or(arg["sym"].as_str())
            .unwrap()
            .to_string()
    };
    let mut words = Vec::new();
    for (i, arg) in tree["args"].as_array().unwrap().iter().enumerate() {
        match tree["names"][i].as_str().filter(|given| !given.is_empty()) {
            Some(given) => entry[given] = json!(word(arg)),
            None => words.push(word(arg)),
        }
    }
    match kind {
        "constant" => entry["on"] = json!(words.first()),
        "vector" => entry["columns"] = json!(words),
        "factor" => entry["levels"] = json!(words),
        _ => entry["interpolation"] = json!(words[0]),
    }
    entry
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
        let value = expression(value);
        if let Some(equation) = equation(target, &value, line) {
            return equation;
        }
        if !target.contains('[') {
            return json!({"kind": "assign", "target": target, "value": value, "text": line});
        }
        let target = expression(target);
        let index = &target["args"].as_array().unwrap()[1..];
        return json!({"kind": "assign", "target": target["args"][0]["sym"], "index": index,
            "value": value, "text": line});
    }
    let (column, dist) = halves(line, "~");
    json!({"kind": "outcome", "column": column, "dist": expression(dist), "text": line})
}

/// `d/dt(x) <- value`, `x(0) <- value`, `f(x) <- value` and its relatives.
fn equation(target: &str, value: &Json, text: &str) -> Option<Json> {
    let (word, inside) = target.strip_suffix(')')?.split_once('(')?;
    Some(match (word.replace(' ', "").as_str(), inside) {
        ("d/dt", state) => {
            json!({"kind": "derivative", "state": state, "value": value, "text": text})
        }
        (state, "0") => json!({"kind": "initial", "state": state, "value": value, "text": text}),
        (property, state) => json!({"kind": "dosing", "property": property, "state": state,
            "value": value, "text": text}),
    })
}

/// Binary operators from the loosest to the tightest.
const LEVELS: [&[&str]; 8] = [
    &["||", "|"],
    &["&&", "&"],
    &["<=", ">=", "==", "!=", "<", ">"],
    &["+", "-"],
    &["*", "/"],
    &["%*%"],
    &[":"],
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

    fn peek(&mut self, token: &str) -> bool {
        let at = self.at;
        let found = self.accept(token);
        self.at = at;
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
            if self.accept(",") || (end == "]" && self.peek(end)) {
                // An index left out.
                args.push(json!({"sym": ""}));
                names.push(String::new());
                if self.accept(end) {
                    args.push(json!({"sym": ""}));
                    names.push(String::new());
                    break;
                }
                continue;
            }
            let name = self.take(|c| c.is_alphanumeric() || c == '_' || c == '.');
            self.space();
            let rest = &self.letters[self.at..];
            let named = !name.is_empty() && rest.first() == Some(&'=') && rest.get(1) != Some(&'=');
            self.at = if named { self.at + 1 } else { before };
            args.push(self.binary(0));
            names.push(if named { name } else { String::new() });
            if self.accept(",") && end == "]" && self.peek(end) {
                args.push(json!({"sym": ""}));
                names.push(String::new());
            }
        }
        (args, names)
    }
}
