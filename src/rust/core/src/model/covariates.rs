//! Compile `covariates()`: names for several columns, levels of factors, and what has to be checked against the data.

use super::scope::{Factor, NameKind, Scope};
use super::value::ShapedValue;
use super::{CheckedCovariate, CovariateKind};
use crate::error::{Error, Result};
use crate::ir::graph::Node;
use crate::ir::op::Binary;
use crate::language::expression::Expression;
use crate::language::specification::{self, CovariateType};
use crate::language::words;

/// Bring the declared covariates into force.
///
/// # Errors
/// Names used twice, a factor without two levels, a reference that is no level.
pub fn declare(scope: &mut Scope, declared: &[specification::DeclaredCovariate]) -> Result<()> {
    for (i, covariate) in declared.iter().enumerate() {
        let earlier = declared[..i].iter().any(|c| c.name == covariate.name);
        let result = if earlier {
            Err(twice(&covariate.name, "a covariate"))
        } else {
            scope.declare(covariate)
        };
        result.map_err(|e| e.at(covariate.text.clone()))?;
    }
    Ok(())
}

fn twice(name: &str, what: &str) -> Error {
    Error::model("name_used_twice", format!("`{name}` is used twice."))
        .field("name", name)
        .hint(format!("It is already {what}."))
}

impl Scope {
    fn declare(&mut self, covariate: &specification::DeclaredCovariate) -> Result<()> {
        let (name, text) = (&covariate.name, &covariate.text);
        let kind = match covariate.kind {
            CovariateType::Vector => return self.declare_vector(covariate),
            CovariateType::Constant => CovariateKind::Constant {
                on: covariate.on.clone(),
            },
            CovariateType::TimeVarying => CovariateKind::TimeVarying(covariate.interpolation),
            CovariateType::Factor => CovariateKind::Factor {
                levels: covariate.levels.len(),
            },
        };
        if let Some(earlier) = self.kind(name) {
            return Err(twice(name, earlier.words()));
        }
        let (column, code) = self.column(name, text);
        if covariate.kind == CovariateType::Factor {
            self.declare_factor(covariate, code)?;
        }
        self.covariates.push(CheckedCovariate {
            column,
            kind,
            text: text.clone(),
        });
        Ok(())
    }

    fn declare_vector(&mut self, covariate: &specification::DeclaredCovariate) -> Result<()> {
        if covariate.columns.is_empty() {
            let problem = format!("The covariate vector `{}` has no columns.", covariate.name);
            return Err(Error::model("empty_parameter", problem));
        }
        let mut nodes = Vec::new();
        for column in &covariate.columns {
            nodes.push(self.column(column, &covariate.text).1);
        }
        self.define(
            &covariate.name,
            NameKind::Covariate,
            ShapedValue::Vector(nodes),
        )?;
        self.labels
            .insert(covariate.name.clone(), covariate.columns.clone());
        Ok(())
    }

    /// In arithmetic a factor is the 0/1 indicators of its levels but the reference.
    fn declare_factor(
        &mut self,
        covariate: &specification::DeclaredCovariate,
        code: Node,
    ) -> Result<()> {
        let (name, levels) = (&covariate.name, &covariate.levels);
        let repeated = (levels.iter().enumerate()).find(|(i, level)| levels[..*i].contains(level));
        if let Some((_, level)) = repeated {
            let problem = format!("The factor `{name}` has the level \"{level}\" twice.");
            return Err(Error::model("bad_levels", problem).field("name", name));
        }
        if levels.len() < 2 {
            let problem = format!("The factor `{name}` needs at least two levels.");
            return Err(Error::model("bad_levels", problem)
                .field("name", name)
                .hint(format!(
                    "Write `{name} = factor(levels = c(\"a\", \"b\"))`."
                )));
        }
        let reference = match &covariate.reference {
            None => 0,
            Some(level) => level_of(name, levels, level)?,
        };
        let others: Vec<usize> = (0..levels.len()).filter(|k| *k != reference).collect();
        let nodes = others
            .iter()
            .map(|k| self.is_level(code, *k))
            .collect::<Vec<Node>>();
        self.define(name, NameKind::Covariate, ShapedValue::from_nodes(nodes))?;
        let labels = others.iter().map(|k| levels[*k].clone()).collect();
        self.labels.insert(name.clone(), labels);
        let levels = levels.clone();
        self.factors.insert(name.clone(), Factor { code, levels });
        Ok(())
    }

    fn is_level(&mut self, code: Node, level: usize) -> Node {
        let number = self.graph.constant((level + 1) as f64);
        self.graph.binary(Binary::Equal, code, number)
    }

    /// `factor == "level"`, either way round; `None` when neither side is a factor or a text.
    ///
    /// # Errors
    /// An unknown level, or a text compared with something that is no factor.
    pub fn level_test(
        &mut self,
        left: &Expression,
        right: &Expression,
    ) -> Result<Option<ShapedValue>> {
        for (tree, other) in [(left, right), (right, left)] {
            let level = match other {
                Expression::Text { str } => str.clone(),
                Expression::Number { num } => num.to_string(),
                _ => continue,
            };
            let Expression::Symbol { sym } = tree else {
                continue;
            };
            if let Some(factor) = self.factors.get(sym) {
                let code = factor.code;
                let k = level_of(sym, &factor.levels, &level)?;
                return Ok(Some(ShapedValue::Scalar(self.is_level(code, k))));
            }
        }
        for (tree, other) in [(left, right), (right, left)] {
            if let Expression::Text { str } = other {
                return Err(undeclared(tree, str));
            }
        }
        Ok(None)
    }
}

fn undeclared(tree: &Expression, text: &str) -> Error {
    let shown = tree.show();
    let error = Error::model(
        "text_comparison",
        format!("`{shown}` is compared with the text \"{text}\", but is not declared as a factor."),
    );
    match tree {
        Expression::Symbol { sym } => error.field("name", sym).hint(format!(
            "Declare its levels: `covariates({sym} = factor(levels = c(\"{text}\", ...)))`."
        )),
        _ => error.hint("Only a factor of covariates() is compared with a text."),
    }
}

fn level_of(name: &str, levels: &[String], level: &str) -> Result<usize> {
    levels.iter().position(|l| l == level).ok_or_else(|| {
        Error::model(
            "unknown_level",
            format!("The factor `{name}` has no level \"{level}\"."),
        )
        .field("name", name)
        .field("value", level)
        .hint(words::suggestion(
            level,
            "Its levels are",
            levels.iter().map(String::as_str),
        ))
    })
}
