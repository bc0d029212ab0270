//! Resolve the names of the model: parameters, random effects, variables, data columns.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::equations::ModelStates;
use super::value::ShapedValue;
use super::{CheckedCovariate, ColumnSource, DataColumn, SubjectClasses};
use crate::error::{Error, Result};
use crate::ir::graph::{Graph, Node};
use crate::language::expression::Expression;
use crate::language::learned::LearnedForm;

/// What is being compiled: the program so far and the names in force.
pub struct Scope {
    pub graph: Graph,
    names: HashMap<String, (NameKind, ShapedValue)>,
    pub columns: Vec<DataColumn>,
    /// True when the data say which values are censored.
    pub censoring: bool,
    /// The most doses a subject gets into one state.
    pub n_doses: usize,
    /// How finely an interval is divided over which a hazard without a closed form is integrated.
    pub panels: usize,
    /// Whether there is such a hazard.
    pub ruled: bool,
    /// Times since doses that are no columns of the data.
    pub clocks: Vec<String>,
    /// Columns of which `covariates()` says something.
    pub covariates: Vec<CheckedCovariate>,
    pub factors: HashMap<String, Factor>,
    /// Names of the elements of covariates.
    pub labels: HashMap<String, Vec<String>>,
    /// Variables that hold truth values.
    pub logical: HashSet<String>,
    /// Variables that only one branch of this `if` assigns.
    pub partial: HashMap<String, String>,
    /// The mask of the masked assignment being compiled.
    pub mask: Option<Expression>,
    /// When a variable was assigned last.
    assigned_at: HashMap<String, usize>,
    /// Statements compiled so far, loops written out.
    pub n_steps: usize,
    /// States of the differential equations.
    pub states: ModelStates,
    /// The classes of the subjects, once a `mix()` was read.
    pub mixture: Option<SubjectClasses>,
    /// Learned functions by the names of the parameters that hold their weights.
    pub functions: HashMap<String, LearnedForm>,
}

/// A covariate with levels.
#[derive(Debug, Clone)]
pub struct Factor {
    /// The position of the level, from one.
    pub code: Node,
    pub levels: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameKind {
    Parameter,
    Effect,
    Covariate,
    Variable,
    State,
}

impl NameKind {
    pub fn words(self) -> &'static str {
        match self {
            Self::Parameter => "a parameter",
            Self::Effect => "a random effect",
            Self::Covariate => "a covariate",
            Self::Variable => "a variable",
            Self::State => "a state",
        }
    }
}

/// All that is known of one variable at some place.
#[derive(Debug, Clone)]
pub struct SavedVariable {
    pub name: String,
    known: Option<(NameKind, ShapedValue)>,
    pub logical: bool,
    partial: Option<String>,
    assigned_at: Option<usize>,
}

impl SavedVariable {
    pub fn value(&self) -> Option<&ShapedValue> {
        self.known.as_ref().map(|(_, value)| value)
    }
}

impl Scope {
    pub fn new() -> Self {
        Self {
            graph: Graph::new(),
            names: HashMap::new(),
            columns: Vec::new(),
            covariates: Vec::new(),
            factors: HashMap::new(),
            labels: HashMap::new(),
            logical: HashSet::new(),
            partial: HashMap::new(),
            mask: None,
            assigned_at: HashMap::new(),
            n_steps: 0,
            states: ModelStates::default(),
            censoring: false,
            n_doses: 0,
            panels: 1,
            ruled: false,
            clocks: Vec::new(),
            mixture: None,
            functions: HashMap::new(),
        }
    }

    /// Bring a name into force. Variables may be assigned again; nothing else may share a name.
    pub fn define(&mut self, name: &str, kind: NameKind, value: ShapedValue) -> Result<()> {
        if let Some((earlier, _)) = self.names.get(name) {
            if !(*earlier == NameKind::Variable && kind == NameKind::Variable) {
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

    /// Assign a variable; `logical` says that its values are truth values.
    ///
    /// # Errors
    /// The name means something else.
    pub fn set(&mut self, name: &str, value: ShapedValue, logical: bool) -> Result<()> {
        self.define(name, NameKind::Variable, value)?;
        self.partial.remove(name);
        if logical {
            self.logical.insert(name.to_string());
        } else {
            self.logical.remove(name);
        }
        let at = self.n_steps;
        self.assigned_at.insert(name.to_string(), at);
        Ok(())
    }

    /// Do not report a variable: it only counts a loop.
    pub fn forget_assignment(&mut self, name: &str) {
        self.assigned_at.remove(name);
    }

    /// Variables and their elements, in the order of their last assignments.
    pub fn assigned(&self) -> Vec<(String, Vec<Node>)> {
        let mut order: Vec<(usize, &String)> =
            (self.assigned_at.iter().map(|(name, at)| (*at, name))).collect();
        order.sort();
        let value = |name: &String| Some((name.clone(), self.get(name)?.nodes().to_vec()));
        order
            .into_iter()
            .filter_map(|(_, name)| value(name))
            .collect()
    }

    /// What is known of some names, in their order.
    pub fn save(&self, names: &BTreeSet<String>) -> Vec<SavedVariable> {
        let save = |name: &String| SavedVariable {
            name: name.clone(),
            known: self.names.get(name).cloned(),
            logical: self.logical.contains(name),
            partial: self.partial.get(name).cloned(),
            assigned_at: self.assigned_at.get(name).copied(),
        };
        names.iter().map(save).collect()
    }

    /// Return to what was known.
    pub fn restore(&mut self, saved: Vec<SavedVariable>) {
        fn put<T>(map: &mut HashMap<String, T>, name: &str, value: Option<T>) {
            match value {
                Some(value) => map.insert(name.to_string(), value),
                None => map.remove(name),
            };
        }
        for entry in saved {
            let name = &entry.name;
            put(&mut self.names, name, entry.known);
            put(&mut self.partial, name, entry.partial);
            put(&mut self.assigned_at, name, entry.assigned_at);
            if entry.logical {
                self.logical.insert(entry.name);
            } else {
                self.logical.remove(name);
            }
        }
    }

    /// The value of a name: what the model defines, else a data column.
    ///
    /// # Errors
    /// A variable that has a value in one branch of an `if` only.
    pub fn symbol(&mut self, name: &str, statement: &str) -> Result<ShapedValue> {
        if let Some(value) = self.get(name) {
            return Ok(value.clone());
        }
        if let Some(place) = self.partial.get(name) {
            return Err(Error::model(
                "assigned_in_one_branch",
                format!("`{name}` has a value in one branch of `{place}` only."),
            )
            .field("name", name)
            .hint(format!(
                "Assign `{name}` before the `if`, or in both of its branches."
            )));
        }
        match name {
            "TRUE" => Ok(ShapedValue::Scalar(self.graph.constant(1.0))),
            "FALSE" => Ok(ShapedValue::Scalar(self.graph.constant(0.0))),
            "" => Err(Error::model("empty_argument", "An argument is empty.")
                .hint("Only an index may be left out, as in `m[1, ]`.")),
            _ if self.clocks.iter().any(|word| word == name) => {
                self.clock(name, None, statement).map(ShapedValue::Scalar)
            }
            _ => Ok(ShapedValue::Scalar(self.column(name, statement).1)),
        }
    }

    pub fn get(&self, name: &str) -> Option<&ShapedValue> {
        self.names.get(name).map(|(_, value)| value)
    }

    pub fn kind(&self, name: &str) -> Option<NameKind> {
        self.names.get(name).map(|(kind, _)| *kind)
    }

    /// The node of a data column that something read before.
    pub fn known_column(&mut self, name: &str) -> Option<Node> {
        let position = self
            .columns
            .iter()
            .position(|c| c.name == name && c.source == ColumnSource::Data)?;
        Some(self.graph.data(super::parameter::index(position)))
    }

    /// The node of a data column, made known on first use.
    pub fn column(&mut self, name: &str, statement: &str) -> (u32, Node) {
        self.sourced(name, ColumnSource::Data, statement)
    }

    /// The node of a column that the core makes from the data.
    pub fn sourced(&mut self, name: &str, source: ColumnSource, statement: &str) -> (u32, Node) {
        let mut columns = self.columns.iter();
        let position = columns.position(|c| c.name == name && c.source == source);
        let i = position.unwrap_or_else(|| {
            self.columns.push(DataColumn {
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
