//! Compile the times since doses: `tad`, `tsld` and `tafd`, as symbols or as `tad()` and `tad(state)`.
//!
//! `tad = max(t - last, 0)`, where `last` is the time of the last dose so far, a column made from the data, or of the first
//! before any was given: then it is 0. `tsld` is another name for it; `tafd` counts from the first dose.

use super::scope::Scope;
use super::value::ShapedValue;
use super::ColumnSource;
use crate::error::{Error, Result};
use crate::ir::graph::Node;
use crate::ir::op::Binary;
use crate::language::expression::Expression;
use crate::language::words;

impl Scope {
    /// # Errors
    /// Anything but the name of a state between the parentheses.
    pub fn since_dose(
        &mut self,
        word: &str,
        args: &[Expression],
        statement: &str,
    ) -> Result<ShapedValue> {
        let state = match args {
            [] => None,
            [Expression::Symbol { sym }] => Some(self.dosed_state(word, sym)?),
            _ => {
                let problem = format!("`{word}()` takes the name of one state, or nothing.");
                return Err(Error::model("argument_count", problem)
                    .hint(format!("Write `{word}()` for doses into any state.")));
            }
        };
        self.clock(word, state, statement).map(ShapedValue::Scalar)
    }

    /// Time since a dose (into one state).
    pub fn clock(&mut self, word: &str, state: Option<u32>, statement: &str) -> Result<Node> {
        if let Some(kind) = self.kind("t") {
            let problem = format!(
                "`t` is {}, but `{word}` reads it as the time.",
                kind.words()
            );
            return Err(Error::model("name_used_twice", problem)
                .field("name", "t")
                .hint("Give the parameter, effect or variable another name."));
        }
        let (name, source) = if word == "tafd" {
            ("first_dose", ColumnSource::FirstDose(state))
        } else {
            ("last_dose", ColumnSource::LastDose(state))
        };
        let name = state.map_or(format!(".{name}"), |k| format!(".{name}{k}"));
        let (_, time) = self.column("t", statement);
        let (_, dose) = self.sourced(&name, source, statement);
        let g = &mut self.graph;
        let zero = g.constant(0.0);
        let since = g.sub(time, dose);
        Ok(g.binary(Binary::Max, since, zero))
    }

    fn dosed_state(&self, word: &str, name: &str) -> Result<u32> {
        let states = &self.states;
        let found = states.names().position(|state| state == name);
        if let Some(k) = found {
            return Ok(super::parameter::index(k));
        }
        let problem = format!("`{word}({name})`: `{name}` is no state.");
        let error = Error::model("unknown_state", problem).field("name", name);
        if states.len() == 0 {
            return Err(error.hint(format!(
                "Write `{word}()`: the model has no differential equations."
            )));
        }
        Err(error.hint(words::suggestion(name, "The states are", states.names())))
    }
}
