//! What `covariates()` declares: constants, factors, vectors of columns.

use crate::common::data::Data;
use crate::common::errors::{field, is, with_fixed};
use crate::common::{data_error, model, model_error, problem};
use nlmers_core::ir::scalar::{LeafValues, ScalarProgram};
use nlmers_core::language::specification::Interpolation;
use nlmers_core::model::CovariateKind;
use nlmers_core::problem::Problem;

fn data() -> Data {
    Data::new(4, |_| 3)
        .with("sex", |_, i| 1.0 + (i % 3) as f64)
        .with("Age", |_, i| 30.0 + i as f64)
        .with("Wt", |row, _| 70.0 + row as f64)
        .with("y", |row, _| (row as f64).sin())
}

fn text(covariates: &str, mean: &str) -> String {
    format!(
        "fixed a = 1\nfixed b = real(1, 2)\nfixed s = positive(0.5)\n{covariates}
         random e ~ normal(0, s) | id\nf <- {mean}\ny ~ normal(f + e, s)"
    )
}

const SEX: &str = "covariate sex = factor(\"F\", \"M\", \"X\")";

/// `f` at every row, at the starting values.
fn prediction(covariates: &str, mean: &str) -> Vec<f64> {
    let problem = problem(&text(covariates, mean), &data());
    let graph = &problem.model.graph;
    let node = problem.model.assigned[0].1[0];
    let program = ScalarProgram::new(graph, &[node]);
    let rows = 0..data().n_rows();
    rows.map(|row| {
        let leaves = Row {
            problem: &problem,
            row,
        };
        program.evaluate(graph, &leaves, &mut Vec::new())[0]
    })
    .collect()
}

struct Row<'a> {
    problem: &'a Problem,
    row: usize,
}

impl LeafValues for Row<'_> {
    fn data(&self, column: usize) -> f64 {
        self.problem.records.columns[column][self.row]
    }

    fn theta(&self, coordinate: usize) -> f64 {
        self.problem.theta.start[coordinate]
    }
}

#[test]
fn a_factor_is_its_indicators() {
    let data = data();
    let expected = |effect: [f64; 3]| -> Vec<f64> {
        let codes = data.column("sex");
        codes.iter().map(|c| effect[*c as usize - 1]).collect()
    };
    assert_eq!(prediction(SEX, "sum(b * sex)"), expected([0.0, 1.0, 2.0]));
    let reference = "covariate sex = factor(\"F\", \"M\", \"X\", reference = \"M\")";
    assert_eq!(
        prediction(reference, "sum(b * sex)"),
        expected([1.0, 0.0, 2.0])
    );
    assert_eq!(prediction(SEX, "sex[\"X\"]"), expected([0.0, 0.0, 1.0]));
    assert_eq!(
        prediction(SEX, "5 * (sex == \"M\")"),
        expected([0.0, 5.0, 0.0])
    );
    assert_eq!(
        prediction(SEX, "ifelse(\"M\" != sex, 1, 2)"),
        expected([1.0, 2.0, 1.0])
    );
    let numbers = "covariate sex = factor(\"10\", \"20\", \"30\")";
    assert_eq!(
        prediction(numbers, "(sex == 20) + 0"),
        expected([0.0, 1.0, 0.0])
    );
}

#[test]
fn levels_are_checked() {
    let error = model_error(&text(SEX, "sex == \"m\""));
    is(
        &error,
        "unknown_level",
        "f <- sex",
        "no level \"m\"",
        "Did you mean `M`?",
    );
    let error = model_error(&text("", "sex == \"M\""));
    is(
        &error,
        "text_comparison",
        "f <- sex",
        "not declared as a factor",
        "sex = factor(levels = c(\"M\"",
    );
    let error = model_error(&text("covariate sex = factor(\"F\")", "a"));
    is(
        &error,
        "bad_levels",
        "sex = factor",
        "at least two levels",
        "levels = c(",
    );
    let error = model_error(&text("covariate sex = factor(\"F\", \"F\")", "a"));
    is(&error, "bad_levels", "sex = factor", "twice", "");
    let error = model_error(&text(
        "covariate sex = factor(\"F\", \"M\", reference = \"N\")",
        "a",
    ));
    is(
        &error,
        "unknown_level",
        "sex = factor",
        "no level \"N\"",
        "",
    );
    let two = text("covariate sex = factor(\"F\", \"M\")", "sex * a");
    let error = data_error(&two, &data());
    is(&error, "unknown_level", "row 7", "none of its levels", "");
}

#[test]
fn a_vector_is_columns_under_one_name() {
    let x = "covariate x = vector(Age, Wt)";
    let data = data();
    let pairs = data.column("Age").iter().zip(data.column("Wt"));
    let expected: Vec<f64> = pairs.map(|(age, wt)| age + 2.0 * wt).collect();
    assert_eq!(prediction(x, "sum(b * x)"), expected);
    assert_eq!(prediction(x, "x[1] + 2 * x[\"Wt\"]"), expected);
    assert_eq!(prediction(x, "sum(b * x[c(\"Age\", \"Wt\")])"), expected);
    let error = model_error(&text(x, "x[\"Wgt\"]"));
    is(
        &error,
        "index_out_of_range",
        "f <- x",
        "no element \"Wgt\"",
        "Did you mean `Wt`?",
    );
}

#[test]
fn a_constant_is_checked_where_it_is_declared() {
    problem(&text("covariate Age = constant(id)", "Age * a"), &data());
    let error = data_error(&text("covariate Wt = constant(id)", "Wt * a"), &data());
    is(
        &error,
        "varying_covariate",
        "Wt = constant(id)",
        "varies within id s1",
        "70 in row 1 and 71 in row 2",
    );
    assert_eq!(field(&error, "row"), "2");
    let error = data_error(&text("covariate Age = constant(site)", "Age * a"), &data());
    is(
        &error,
        "unknown_group",
        "Age = constant",
        "`site`",
        "grouped by: id.",
    );
}

#[test]
fn declarations_are_kept() {
    let model = model(&text("covariate Wt = time_varying(\"akima\")", "Wt * a"));
    let kinds: Vec<_> = model.covariates.iter().map(|c| c.kind.clone()).collect();
    assert_eq!(kinds, [CovariateKind::TimeVarying(Interpolation::Akima)]);
    let error = model_error(&with_fixed("c = 2\ncovariate c = constant(id)"));
    is(
        &error,
        "name_used_twice",
        "c = constant",
        "`c` is used twice",
        "a parameter",
    );
    let error = model_error(&text(&format!("{SEX}\n{SEX}"), "a"));
    is(
        &error,
        "name_used_twice",
        "sex = factor",
        "twice",
        "a covariate",
    );
}
