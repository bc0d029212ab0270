//! Resolve the names of the model: parameters, random effects, variables, data columns.

use std::collections::HashMap;

use super::value::Value;
use super::{Column, Source};
use crate::error::{Error, Result};
use crate::ir::graph::{Graph, Node};

/// What is being compiled: the program so far and the names in force.
pub struct Scope {
    pub graph: Graph,
    names: HashMap<String, (Kind, Value)>,
    pub columns: Vec<Column>,
    /// True when the data say which values are censored.
    pub censoring: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Parameter,
    Effect,
    Variable,
}

impl Kind {
    fn words(self) -> &'static str {
        match self {
            Self::Parameter => "a parameter",
            Self::Effect => "a random effect",
            Self::Variable => "a variable",
        }
    }
}

impl Scope {
    pub fn new() -> Self {
        Self {
            graph: Graph::new(),
            names: HashMap::new(),
            columns: Vec::new(),
            censoring: false,
        }
    }

    /// Bring a name into force. Variables may be assigned again; nothing else may share a name.
    pub fn define(&mut self, name: &str, kind: Kind, value: Value) -> Result<()> {
        if let Some((earlier, _)) = self.names.get(name) {
            if !(*earlier == Kind::Variable && kind == Kind::Variable) {
                return Err(
                    Error::model("name_used_twice", format!("`{name}` is used twice."))
                        .field("name", name)
                        .hint(format!(
                            "It is already {}: give this {} another name.",
                            earlier.words(),
                            kind.words().trim_start_matches("a ")
                        )),
                );
            }
        }
        self.names.insert(name.to_string(), (kind, value));
        Ok(())
    }

    pub fn get(&self, name: &str) -> Option<&Value> {
        self.names.get(name).map(|(_, value)| value)
    }

    pub fn kind(&self, name: &str) -> Option<Kind> {
        self.names.get(name).map(|(kind, _)| *kind)
    }

    /// The node of a data column, made known on first use.
    pub fn column(&mut self, name: &str, statement: &str) -> (u32, Node) {
        self.sourced(name, Source::Data, statement)
    }

    /// The node of a column that the core makes from the data.
    pub fn sourced(&mut self, name: &str, source: Source, statement: &str) -> (u32, Node) {
        let mut columns = self.columns.iter();
        let position = columns.position(|c| c.name == name && c.source == source);
        let i = position.unwrap_or_else(|| {
            self.columns.push(Column {
                name: name.to_string(),
                statement: statement.to_string(),
                outcome: false,
                source,
            });
            self.columns.len() - 1
        });
        let i = super::parameter::index(i);
        (i, self.graph.data(i))
    }
}
