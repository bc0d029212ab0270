//! Compile the functions with arguments that may be left out in the middle: `rep()`, `seq()`, `matrix()`.

use super::arguments::arranged;
use super::functions::{Call, ModelFunction};
use super::index::whole;
use super::scope::Scope;
use super::shape::{expect_size, not_fixed};
use super::value::ShapedValue;
use crate::error::{Error, Result};
use crate::ir::graph::Node;
use crate::language::expression::Expression;

impl Scope {
    /// # Errors
    /// Wrong arguments, sizes that are not fixed or too large.
    pub fn special(&mut self, call: &Call) -> Result<ShapedValue> {
        let (args, statement) = (call.args, call.statement);
        let ModelFunction {
            name, arguments, ..
        } = *call.function;
        let slots = arranged(name, args, call.names, arguments)?;
        let (x, rest) = match slots.split_first() {
            Some((Some(x), rest)) if rest.iter().any(Option::is_some) => (*x, rest),
            _ => {
                let problem = format!("`{name}()` takes 2 arguments, {} are given.", args.len());
                return Err(Error::model("argument_count", problem));
            }
        };
        let value = self.value(x, statement)?;
        if matches!(value, ShapedValue::Text(_)) {
            let problem = format!("A text stands in `{name}()`.");
            return Err(Error::model("wrong_shape", problem));
        }
        match name {
            "rep" => self.rep(&value, rest, statement),
            "matrix" => self.matrix(&value, rest, statement),
            _ => self.seq(x, &value, rest, statement),
        }
    }

    /// A fixed whole number, or `default` where none is given.
    fn size(
        &mut self,
        slot: Option<&Expression>,
        default: usize,
        statement: &str,
    ) -> Result<usize> {
        let Some(tree) = slot else {
            return Ok(default);
        };
        let value = self.value(tree, statement)?;
        whole(&self.graph, &value).ok_or_else(|| not_fixed(tree))
    }

    fn rep(
        &mut self,
        x: &ShapedValue,
        rest: &[Option<&Expression>],
        statement: &str,
    ) -> Result<ShapedValue> {
        let times = self.size(rest[0], 1, statement)?;
        let each = self.size(rest[1], 1, statement)?;
        let n = x.nodes().len();
        expect_size(
            "rep",
            n.checked_mul(each).and_then(|k| k.checked_mul(times)),
        )?;
        let once: Vec<Node> = x
            .nodes()
            .iter()
            .flat_map(|node| vec![*node; each])
            .collect();
        Ok(ShapedValue::Vector(once.repeat(times)))
    }

    fn seq(
        &mut self,
        tree: &Expression,
        from: &ShapedValue,
        rest: &[Option<&Expression>],
        statement: &str,
    ) -> Result<ShapedValue> {
        let mut ends = [self.constant_of(from), None, Some(1.0)];
        let trees = [Some(tree), rest[0], rest[1]];
        for (end, slot) in ends.iter_mut().zip(trees).skip(1) {
            if let Some(tree) = slot {
                let value = self.value(tree, statement)?;
                *end = self.constant_of(&value);
            }
        }
        let [Some(from), Some(to), Some(by)] = ends else {
            let missing = (0..3).find(|k| ends[*k].is_none()).unwrap_or(0);
            return Err(not_fixed(trees[missing].unwrap_or(tree)));
        };
        let count = (to - from) / by + 1e-10;
        if !count.is_finite() || count < 0.0 {
            let problem = format!("`seq()` does not come from {from} to {to} in steps of {by}.");
            return Err(Error::model("not_constant", problem));
        }
        expect_size("seq", (count < 1e9).then(|| count as usize + 1))?;
        let number = |i: usize| from + by * i as f64;
        let nodes = (0..=count as usize).map(|i| self.graph.constant(number(i)));
        Ok(ShapedValue::Vector(nodes.collect()))
    }

    /// Filled column by column as in R, from the beginning again when the values run out.
    fn matrix(
        &mut self,
        data: &ShapedValue,
        rest: &[Option<&Expression>],
        statement: &str,
    ) -> Result<ShapedValue> {
        let n = data.nodes().len();
        let given = [rest[0].is_some(), rest[1].is_some()];
        let mut rows = self.size(rest[0], 1, statement)?;
        let mut cols = self.size(rest[1], 1, statement)?;
        match given {
            [true, false] => cols = n.div_ceil(rows.max(1)),
            [false, true] => rows = n.div_ceil(cols.max(1)),
            _ => {}
        }
        let by_row = self.size(rest[2], 0, statement)? != 0;
        expect_size("matrix", rows.checked_mul(cols))?;
        let size = rows * cols;
        if n == 0 || size == 0 || size % n != 0 {
            return Err(Error::model(
                "wrong_shape",
                format!("{n} values do not fill a {rows} x {cols} matrix."),
            ));
        }
        let at = |k: usize| {
            if by_row {
                k
            } else {
                k % cols * rows + k / cols
            }
        };
        Ok(ShapedValue::Matrix {
            rows,
            cols,
            nodes: (0..size).map(|k| data.nodes()[at(k) % n]).collect(),
        })
    }
}
