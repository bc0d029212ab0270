//! Compile outcomes whose residuals correlate along the rows of a subject: `ar1()` and `exchangeable()`.

use super::arguments::arranged;
use super::random::arguments;
use super::scope::Scope;
use super::spread::spread;
use super::{ColumnSource, ModelOutcome, OutcomeChain, SeriesDraws, Support};
use crate::distributions::serial::{density, Row, Serial};
use crate::distributions::{Family, GaussianSpread};
use crate::error::{Error, Result};
use crate::ir::op::Unary;
use crate::language::expression::Expression;

/// Compile `column ~ ar1(normal(f, sd), rho, time)` or `column ~ exchangeable(normal(f, sd), rho)`.
///
/// # Errors
/// Wrong arguments, a distribution that is not normal.
pub fn outcome(
    scope: &mut Scope,
    column: &str,
    family: &'static Family,
    dist: &Expression,
    text: &str,
) -> Result<ModelOutcome> {
    let Expression::Call { call, args, names } = dist else {
        return Err(incomplete("ar1"));
    };
    let autoregressive = call == "ar1";
    let slots = arranged(call, args, names, family.arguments)?;
    let [Some(inner), Some(rho), more @ ..] = slots.as_slice() else {
        return Err(incomplete(call));
    };
    let time = more.first().copied().flatten();
    if !matches!(inner, Expression::Call { call, .. } if call == "normal") {
        return Err(not_normal(call, inner));
    }
    let inner = arguments(inner, &["mean", "sd"])?;
    let (index, y) = scope.column(column, text);
    let mean = scope.scalar(inner[0], text)?;
    let sd = match spread(scope, inner[1], mean, text)? {
        GaussianSpread::Sd(sd) => sd,
        GaussianSpread::Variance(variance) => scope.graph.unary(Unary::Sqrt, variance),
    };
    let rho = scope.scalar(rho, text)?;
    check_rho(scope, call, rho, time.is_some())?;
    let present = scope.sourced("", ColumnSource::Present(index), text).1;
    let (serial, past) = match time {
        Some(time) => (Serial::Time, gap(scope, index, time, text)?),
        None => (
            if autoregressive {
                Serial::Order
            } else {
                Serial::Exchangeable
            },
            ColumnSource::Earlier(index),
        ),
    };
    let past = scope.sourced("", past, text).1;
    let row = Row {
        y,
        present,
        past,
        rho,
    };
    let g = &mut scope.graph;
    Ok(ModelOutcome {
        column: index,
        family,
        support: Support::Real,
        density: density(g, serial, row, mean, sd),
        censored: false,
        mixed: false,
        chain: Some(OutcomeChain {
            carries: 0..0,
            draws: SeriesDraws::Serial(serial),
        }),
        together: None,
        text: text.to_string(),
    })
}

/// The time between outcomes, of a column.
fn gap(scope: &mut Scope, outcome: u32, time: &Expression, text: &str) -> Result<ColumnSource> {
    let Expression::Symbol { sym } = time else {
        return Err(no_column(time));
    };
    if scope.kind(sym).is_some() {
        return Err(no_column(time));
    }
    Ok(ColumnSource::Gap(outcome, scope.column(sym, text).0))
}

fn no_column(time: &Expression) -> Error {
    Error::model(
        "wrong_shape",
        format!(
            "`time` of `ar1()` is `{}`, which is no column of the data.",
            time.show()
        ),
    )
    .hint("Write `time = t`, or the name of a column that rises within each subject.")
}

fn incomplete(word: &str) -> Error {
    let example = if word == "ar1" {
        "`y ~ ar1(normal(f, sd), rho)` by order, or `y ~ ar1(normal(f, sd), rho, time = t)` in time"
    } else {
        "`y ~ exchangeable(normal(f, sd), rho)`"
    };
    Error::model(
        "argument_count",
        format!("`{word}()` takes a distribution and a correlation."),
    )
    .hint(format!("Write {example}."))
}

fn not_normal(word: &str, inner: &Expression) -> Error {
    let lognormal = matches!(inner, Expression::Call { call, .. } if call == "lognormal");
    let hint = if lognormal {
        format!("Take the logarithm in the data, as in `data$log_y <- log(data$y)`, and write `log_y ~ {word}(normal(f, sd), rho)`.")
    } else {
        format!("Write `{word}(normal(f, sd), rho)`; the SD may be `add_prop(a, b)` and the like.")
    };
    Error::model(
        "not_normal",
        format!(
            "`{word}()` correlates normal residuals; `{}` is not normal().",
            inner.show()
        ),
    )
    .hint(hint)
}

fn check_rho(scope: &Scope, word: &str, rho: crate::ir::graph::Node, in_time: bool) -> Result<()> {
    let Some(value) = scope.graph.as_constant(rho) else {
        return Ok(());
    };
    let lowest = if in_time { 0.0 } else { -1.0 };
    if value > lowest && value < 1.0 {
        return Ok(());
    }
    Err(Error::model(
        "bad_correlation",
        format!("The correlation of `{word}()` is {value}; it lies between {lowest} and 1."),
    ))
}
