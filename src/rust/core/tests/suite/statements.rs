//! Statements and shapes: what variables hold after `if`, `for`, assignments to parts, and functions of vectors.

use crate::common;
use crate::common::errors::{is, with_lines};
use crate::common::{compiled, model, model_error};
use nlmers_core::ir::scalar::{LeafValues, ScalarProgram};
use nlmers_core::model::Model;

/// Columns `x = 2.5` and `z = -1`; any other is 7. Parameters are at their starts.
struct Here<'a>(&'a Model);

impl LeafValues for Here<'_> {
    fn data(&self, column: usize) -> f64 {
        match self.0.columns[column].name.as_str() {
            "x" => 2.5,
            "z" => -1.0,
            "sex" => 2.0,
            _ => 7.0,
        }
    }

    fn theta(&self, coordinate: usize) -> f64 {
        let starts = self.0.parameters.iter().flat_map(|p| p.transform(&p.start));
        starts.collect::<Vec<f64>>()[coordinate]
    }

    fn phi(&self, _coordinate: usize) -> f64 {
        0.25
    }
}

/// The elements of `r` after these lines, row-major; `a` is 1, `s` is 0.4, `e` is 0.25.
#[track_caller]
fn gives(lines: &str, wanted: &[f64]) {
    let model = model(&with_lines(lines));
    let found = model.assigned.iter().find(|(name, _)| name == "r");
    let nodes = &found.unwrap_or_else(|| panic!("no `r` in {lines}")).1;
    let program = ScalarProgram::new(&model.graph, nodes);
    let values = program.evaluate(&model.graph, &Here(&model), &mut Vec::new());
    assert_eq!(values.len(), wanted.len(), "{lines}: {values:?}");
    for (value, wanted) in values.iter().zip(wanted) {
        assert!((value - wanted).abs() < 1e-12, "{lines}: {values:?}");
    }
}

#[track_caller]
fn fails(lines: &str, reason: &str, place: &str, problem: &str, hint: &str) {
    is(
        &model_error(&with_lines(lines)),
        reason,
        place,
        problem,
        hint,
    );
}

#[test]
fn a_branch_selects() {
    gives("if (x > 2) {\n r <- 10 * x\n} else {\n r <- 3\n}", &[25.0]);
    gives("if (z > 0) {\n r <- 10 * x\n} else {\n r <- 3\n}", &[3.0]);
    gives("r <- 1\nif (x > 2) {\n r <- r + z\n}", &[0.0]);
    gives("r <- c(1, 2)\nif (z > 2) {\n r <- r + z\n}", &[1.0, 2.0]);
    gives(
        "u <- 0\nif (x > 2) {\n if (z > 0) {\n u <- 1\n } else {\n u <- 2\n }\n} else {\n u <- 3\n}\nr <- u",
        &[2.0],
    );
    // A variable of one branch may be used there.
    gives("r <- 0\nif (x > 2) {\n h <- x * 2\n r <- h\n}", &[5.0]);
    // A column read before is the value of the other branch.
    gives("u <- z + 1\nif (x > 9) {\n z <- 4\n}\nr <- z", &[-1.0]);
}

#[test]
fn a_condition_known_beforehand_reads_one_branch() {
    gives(
        "v <- c(1, 2)\nif (length(v) > 2) {\n r <- v[3]\n} else {\n r <- 9\n}",
        &[9.0],
    );
    gives(
        "v <- c(4, 5)\nr <- 0\nfor (i in 1:2) {\n r <- r + if_(i)\n}"
            .replace("if_(i)", "ifelse(i > 1, v[2], 0)")
            .as_str(),
        &[5.0],
    );
}

#[test]
fn a_variable_of_one_branch_is_an_error_where_it_is_read() {
    let lines = "if (x > 2) {\n u <- 1\n}\nr <- u";
    fails(
        lines,
        "assigned_in_one_branch",
        "r <- u",
        "`u` has a value in one branch of `if (x > 2)`",
        "before the `if`",
    );
    let lines = "if (x > 2) {\n u <- 1\n} else {\n u <- c(1, 2)\n}";
    fails(
        lines,
        "wrong_shape",
        "if (x > 2)",
        "`u` is a scalar where the condition holds",
        "same length",
    );
    let lines = "if (c(x, z) > 2) {\n u <- 1\n}";
    fails(
        lines,
        "wrong_shape",
        "if (c(x, z) > 2)",
        "a scalar is needed",
        "",
    );
}

#[test]
fn loops_are_written_out() {
    gives("r <- 0\nfor (i in 1:4) {\n r <- r + i * x\n}", &[25.0]);
    gives(
        "r <- 0\nfor (i in c(2, 7, -1)) {\n r <- 10 * r + i\n}",
        &[269.0],
    );
    gives(
        "r <- numeric(3)\nfor (i in seq_along(r)) {\n r[i] <- i^2\n}",
        &[1.0, 4.0, 9.0],
    );
    gives("r <- 0\nfor (i in seq_len(0)) {\n r <- 1\n}", &[0.0]);
    gives(
        "v <- c(5, 6, 7)\nr <- 0\nfor (i in 2:length(v)) {\n r <- r + v[i] * v[i - 1]\n}",
        &[72.0],
    );
    gives("r <- 0\nfor (i in 3:1) {\n r <- 10 * r + i\n}", &[321.0]);
    gives(
        "r <- matrix(0, 2, 3)\nfor (i in 1:2) {\n for (j in 1:3) {\n r[i, j] <- 10 * i + j\n }\n}",
        &[11.0, 12.0, 13.0, 21.0, 22.0, 23.0],
    );
    gives(
        "r <- 0\nfor (i in 1:3) {\n if (i > 1) {\n r <- r + i\n }\n}",
        &[5.0],
    );
    // The counter is a variable, but no parameter of a subject.
    let counted = model(&with_lines("r <- e\nfor (i in 1:3) {\n r <- r + i\n}"));
    assert!(counted.assigned.iter().all(|(name, _)| name != "i"));
}

#[test]
fn loops_have_an_end() {
    fails(
        "r <- 0\nfor (i in 1:1000) {\n for (j in 1:1000) {\n r <- r + 1\n }\n}",
        "too_large",
        "for (j in 1:1000)",
        "more than 100000 steps",
        "Shorten",
    );
    fails(
        "for (i in 1:x) {\n r <- i\n}",
        "not_constant",
        "for (i in 1:x)",
        "`x` is not a fixed",
        "length()",
    );
    fails(
        "for (a in 1:2) {\n r <- a\n}",
        "name_used_twice",
        "for (a in 1:2)",
        "`a` is used twice",
        "",
    );
    fails(
        "u <- seq_len(90000)\nfor (i in 1:20) {\n v <- u * (x + i)\n}",
        "too_large",
        "v <-",
        "more than 200000 operations",
        "",
    );
}

#[test]
fn a_vector_that_doubles_in_a_loop_has_an_end() {
    fails(
        "v <- 1\nfor (i in 1:60) {\n v <- c(v, v)\n}",
        "too_large",
        "v <- c(v, v)",
        "`c()` makes more than",
        "",
    );
}

#[test]
fn outcomes_stand_at_the_top() {
    fails(
        "if (x > 0) {\n u ~ normal(a, s)\n}",
        "outcome_inside",
        "u ~ normal",
        "cannot stand inside",
        "ifelse",
    );
}

#[test]
fn parts_are_assigned() {
    gives("r <- c(1, 2, 3)\nr[2] <- x", &[1.0, 2.5, 3.0]);
    gives("r <- c(1, 2, 3)\nr[c(1, 3)] <- c(7, 8)", &[7.0, 2.0, 8.0]);
    gives("r <- c(1, 2, 3)\nr[-1] <- 0", &[1.0, 0.0, 0.0]);
    gives(
        "r <- matrix(0, 2, 2)\nr[1, ] <- c(1, 2)\nr[, 2] <- 9",
        &[1.0, 9.0, 0.0, 9.0],
    );
    gives("r <- x\nr[x > 2] <- z", &[-1.0]);
    gives("r <- x\nr[x > 3] <- z", &[2.5]);
    gives("m <- x > 2\nr <- x\nr[m] <- 10 * x[m]", &[25.0]);
    gives("r <- c(1, 2, 3)\nr[r * x > 4] <- 0", &[1.0, 0.0, 0.0]);
    gives("r <- c(1, 2, 3)\nr[r > 1] <- c(8, 9)", &[1.0, 8.0, 9.0]);
    fails(
        "u[1] <- 2",
        "no_value_yet",
        "u[1] <- 2",
        "`u` has no value yet",
        "numeric(n)",
    );
    fails(
        "e[1] <- 2",
        "name_used_twice",
        "e[1] <- 2",
        "`e` is a random effect",
        "Copy it first",
    );
    fails(
        "u <- c(1, 2)\nu[3] <- 2",
        "index_out_of_range",
        "u[3] <- 2",
        "no element 3",
        "numeric(n)",
    );
    fails(
        "u <- c(1, 2, 3)\nu[1:2] <- c(1, 2, 3)",
        "wrong_shape",
        "u[1:2]",
        "does not fit",
        "as many",
    );
    fails(
        "u <- c(1, 2)\nu[x] <- 1",
        "not_constant",
        "u[x] <- 1",
        "`x` is not a fixed",
        "ifelse()",
    );
}

#[test]
fn indices_pick() {
    gives("v <- c(4, 5, 6)\nr <- v[c(3, 1)]", &[6.0, 4.0]);
    gives("v <- c(4, 5, 6)\nr <- v[-2]", &[4.0, 6.0]);
    gives("v <- c(4, 5, 6)\nr <- v[-(1:2)]", &[6.0]);
    gives("v <- c(4, 5, 6)\nr <- v[c(TRUE, FALSE, TRUE)]", &[4.0, 6.0]);
    gives("v <- c(4, 5, 6)\nr <- v[v > 4.5]", &[5.0, 6.0]);
    gives("m <- matrix(1:6, nrow = 2)\nr <- m[2, ]", &[2.0, 4.0, 6.0]);
    gives(
        "m <- matrix(1:6, 2, byrow = TRUE)\nr <- m[, 2]",
        &[2.0, 5.0],
    );
    gives("m <- matrix(1:6, 2)\nr <- m[, 2:3]", &[3.0, 5.0, 4.0, 6.0]);
    gives("m <- matrix(1:6, 2)\nr <- m[2, 3]", &[6.0]);
    fails(
        "v <- c(4, 5)\nr <- v[c(TRUE, FALSE, TRUE)]",
        "wrong_shape",
        "r <- v",
        "3 truth values for 2",
        "",
    );
    fails(
        "v <- c(4, 5)\nr <- v[0]",
        "index_out_of_range",
        "r <- v[0]",
        "no element 0",
        "from 1",
    );
    fails(
        "v <- c(4, 5)\nr <- v[\"b\"]",
        "not_constant",
        "r <- v",
        "have no names",
        "vector()",
    );
}

#[test]
fn vectors_and_matrices() {
    gives("r <- rev(cumsum(c(1, 2, x)))", &[5.5, 3.0, 1.0]);
    gives("r <- cumprod(2:4)", &[2.0, 6.0, 24.0]);
    gives(
        "r <- rep(c(1, 2), times = 2, each = 2)",
        &[1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 2.0, 2.0],
    );
    gives("r <- rep(each = 2, x = 1:2)", &[1.0, 1.0, 2.0, 2.0]);
    gives("r <- seq(1, 2, by = 0.5)", &[1.0, 1.5, 2.0]);
    gives("r <- t(matrix(1:4, 2))", &[1.0, 2.0, 3.0, 4.0]);
    gives("m <- matrix(1:6, 2)\nr <- c(nrow(m), ncol(m))", &[2.0, 3.0]);
    gives("m <- matrix(1:4, 2)\nr <- m %*% c(1, x)", &[8.5, 12.0]);
    gives(
        "m <- matrix(1:4, 2)\nv <- c(1, 2)\nr <- t(v) %*% m %*% v",
        &[27.0],
    );
    gives("r <- crossprod(c(1, 2, 3))", &[14.0]);
    gives("r <- outer(c(1, 2), c(3, 4))", &[3.0, 4.0, 6.0, 8.0]);
    gives("r <- rowSums(matrix(1:4, 2))", &[4.0, 6.0]);
    gives("r <- colSums(matrix(1:4, 2))", &[3.0, 7.0]);
    gives("r <- c(1, 2, 3) * (1:1)", &[1.0, 2.0, 3.0]);
    gives("r <- log(base = 2, x = 8)", &[3.0]);
    fails(
        "r <- matrix(1:4, 3)",
        "wrong_shape",
        "r <- matrix",
        "4 values do not fill a 3 x 2",
        "",
    );
    fails(
        "r <- nrow(c(1, 2))",
        "wrong_shape",
        "r <- nrow",
        "needs a matrix",
        "length()",
    );
    fails(
        "r <- rep(1, tims = 2)",
        "unknown_argument",
        "r <- rep",
        "no argument `tims`",
        "x, times, each",
    );
    fails(
        "r <- exp(y = 1)",
        "unknown_argument",
        "r <- exp",
        "no argument `y`",
        "",
    );
    fails(
        "r <- matrix(1, 2000, 2000)",
        "too_large",
        "r <- matrix",
        "elements",
        "",
    );
}

#[test]
fn blocks_keep_their_variables() {
    let mut text = common::text::model(&with_lines("u <- 3\nr <- u"));
    let inner = serde_json::json!({
        "block": [{"kind": "assign", "target": "u", "value": {"num": 5}, "text": "u <- 5"}],
        "value": {"call": "*", "args": [{"sym": "u"}, {"sym": "x"}]},
    });
    text["statements"][1]["value"] =
        serde_json::json!({"call": "+", "args": [inner, {"sym": "u"}]});
    let request = serde_json::json!({"task": "describe", "model": text});
    let model = compiled(&request).unwrap();
    let nodes = &model
        .assigned
        .iter()
        .find(|(name, _)| name == "r")
        .unwrap()
        .1;
    let program = ScalarProgram::new(&model.graph, nodes);
    let values = program.evaluate(&model.graph, &Here(&model), &mut Vec::new());
    assert_eq!(values, [15.5]);
}

#[test]
fn deep_expressions_are_refused_in_words() {
    let sum = |n: usize| vec!["x"; n].join(" + ");
    gives(&format!("r <- {}", sum(300)), &[750.0]);
    let error = model_error(&with_lines(&format!("r <- {}", sum(1500))));
    is(&error, "too_deep", "", "inside each other", "sum(c(...))");
}
