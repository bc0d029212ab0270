//! Represent one R expression as a typed tree.

use serde::Deserialize;

/// A node of the tree that the front end parsed.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Expression {
    Number {
        num: f64,
    },
    Symbol {
        sym: String,
    },
    Text {
        str: String,
    },
    Call {
        call: String,
        #[serde(default)]
        args: Vec<Expression>,
        /// Argument names, empty where positional; absent when none is named.
        #[serde(default)]
        names: Vec<String>,
    },
}

impl Expression {
    /// Short form for messages, as R would print it.
    pub fn show(&self) -> String {
        match self {
            Self::Number { num } => num.to_string(),
            Self::Symbol { sym } => sym.clone(),
            Self::Text { str } => format!("\"{str}\""),
            Self::Call { call, args, names } => show_call(call, args, names),
        }
    }
}

fn show_call(call: &str, args: &[Expression], names: &[String]) -> String {
    let is_operator = !call.chars().any(char::is_alphanumeric) && call != "[";
    match (call, args) {
        ("[", [first, rest @ ..]) => {
            let inside: Vec<String> = rest.iter().map(Expression::show).collect();
            format!("{}[{}]", first.show(), inside.join(", "))
        }
        (_, [only]) if is_operator => format!("{call}{}", only.show()),
        (_, [left, right]) if is_operator => format!("{} {call} {}", left.show(), right.show()),
        _ => {
            let inside: Vec<String> = args
                .iter()
                .enumerate()
                .map(
                    |(i, arg)| match names.get(i).filter(|name| !name.is_empty()) {
                        Some(name) => format!("{name} = {}", arg.show()),
                        None => arg.show(),
                    },
                )
                .collect();
            format!("{call}({})", inside.join(", "))
        }
    }
}
