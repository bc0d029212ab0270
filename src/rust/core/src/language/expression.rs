//! Represent one R expression as a typed tree.

use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::specification::Statement;

/// A node of the tree that the front end parsed. `TRUE` and `FALSE` are symbols; an empty symbol is an index left out,
/// as in `m[1, ]`.
#[derive(Debug, Clone, PartialEq)]
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
        args: Vec<Expression>,
        /// Argument names, empty where positional; absent when none is named.
        names: Vec<String>,
    },
    /// Statements whose variables are forgotten afterwards, then a value: the body of a function read in place.
    Block {
        block: Vec<Statement>,
        value: Box<Expression>,
    },
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum JsonField {
    Num,
    Sym,
    Str,
    Call,
    Args,
    Names,
    Block,
    Value,
}

/// Written by hand: an untagged enum would copy every subtree once a level.
impl<'de> Deserialize<'de> for Expression {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        source.deserialize_map(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Expression;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an expression")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Expression, A::Error> {
        let mut head = None;
        let (mut args, mut names) = (Vec::new(), Vec::new());
        let (mut block, mut value) = (None, None);
        while let Some(field) = map.next_key()? {
            match field {
                JsonField::Num => {
                    head = Some(Expression::Number {
                        num: map.next_value()?,
                    });
                }
                JsonField::Sym => {
                    head = Some(Expression::Symbol {
                        sym: map.next_value()?,
                    });
                }
                JsonField::Str => {
                    head = Some(Expression::Text {
                        str: map.next_value()?,
                    });
                }
                JsonField::Call => {
                    head = Some(Expression::Call {
                        call: map.next_value()?,
                        args: Vec::new(),
                        names: Vec::new(),
                    });
                }
                JsonField::Args => args = map.next_value()?,
                JsonField::Names => names = map.next_value()?,
                JsonField::Block => block = Some(map.next_value()?),
                JsonField::Value => value = Some(map.next_value()?),
            }
        }
        match (head, block, value) {
            (Some(Expression::Call { call, .. }), ..) => Ok(Expression::Call { call, args, names }),
            (Some(leaf), ..) => Ok(leaf),
            (None, Some(block), Some(value)) => Ok(Expression::Block { block, value }),
            _ => Err(A::Error::custom("an expression without content")),
        }
    }
}

impl Expression {
    /// Short form for messages, as R would print it.
    pub fn show(&self) -> String {
        match self {
            Self::Number { num } => num.to_string(),
            Self::Symbol { sym } => sym.clone(),
            Self::Text { str } => format!("\"{str}\""),
            Self::Call { call, args, names } => show_call(call, args, names),
            Self::Block { value, .. } => value.show(),
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
