# The spellings of nlme in the formula door: `fixed`, `groups`, grouped data and the
# structures pdDiag(), pdSymm(), ... are translated; what has no counterpart is
# answered by the line to write.

# Arguments of nlme::nlme() that nlme_formula() does not have itself.
nlme_arguments <- list(
  fixed = NULL, groups = NULL, weights = NULL, correlation = NULL,
  control = "Options stand in the method, as in `method = saem(exploration = 500)`; leave `control` out.",
  subset = "Choose the rows in the data, as in `data = subset(data, time > 0)`.",
  na.action = "Rows without an outcome are not fitted, and their doses count; leave `na.action` out.",
  naPattern = "Rows without an outcome are not fitted anyhow; mark others by a column `MDV` with 1 in them.",
  verbose = "Write `progress = TRUE` for the progress of the fit, and leave `verbose` out."
)

# Words that a user of nlme writes in arguments, also where that package is not attached.
nlme_words <- function() {
  words <- c(
    "pdDiag", "pdSymm", "pdLogChol", "pdNatural", "pdIdent", "pdCompSymm", "pdBlocked",
    "varPower", "varConstPower", "varExp", "varFixed", "varIdent", "varComb",
    "corAR1", "corCAR1", "corARMA", "corCompSymm", "corExp", "corGaus", "corLin", "corRatio", "corSpher", "corSymm"
  )
  stats::setNames(lapply(words, getExportedValue, ns = "nlme"), words)
}

names_nlme <- function(dot) any(grepl("^(pd|var|cor)[A-Z]", all.names(rlang::quo_get_expr(dot))))

# `design` in the words of this package.
plain_design <- function(design) {
  for (name in intersect(names(nlme_arguments), names(design))) {
    if (is.null(nlme_arguments[[name]])) next
    stop_option(
      "unknown_argument", sprintf("`%s` is an argument of nlme() that a formula does not have here.", name),
      hint = nlme_arguments[[name]], fields = list(name = name)
    )
  }
  if (is.null(design$transform)) design$transform <- "identity"
  if (!is.null(design$fixed)) design <- design_of_fixed(design)
  if (is.null(design$random) && !is.null(design$correlated) && !isFALSE(design$correlated)) {
    stop_option(
      "unused_argument", "`correlated` is about random effects, and there are none.",
      hint = "Write `random = ka + V ~ 1 | id`.", fields = list(name = "correlated")
    )
  }
  if (is.null(design$correlated)) design$correlated <- FALSE
  design
}

# `fixed = list(Asym ~ Type, lrc + c0 ~ 1)`: parameters and their covariates. As in nlme, all of them vary where
# `random` is left out, and random effects of one grouping correlate.
design_of_fixed <- function(design) {
  fixed <- design$fixed
  if (rlang::is_formula(fixed)) fixed <- list(fixed)
  for (one in fixed) {
    if (!rlang::is_formula(one) || length(one) != 3L) {
      stop_option(
        "bad_fixed", "`fixed` is a formula `parameters ~ covariates`, or a list of them.",
        sprintf("fixed = %s", code_text(design$fixed)),
        "Write `fixed = ka + V ~ 1` or `fixed = list(ka ~ 1, V ~ weight)`."
      )
    }
  }
  if (!is.null(design$covariates)) {
    stop_option(
      "unused_argument", "`fixed` and `covariates` both say what parameters depend on.",
      hint = "Write all into `fixed`, as in `fixed = list(ka ~ 1, V ~ weight)`.", fields = list(name = "covariates")
    )
  }
  design$fixed <- fixed
  design$covariates <- Filter(function(one) !identical(one[[3L]], 1), fixed)
  if (length(design$covariates) == 0L) design$covariates <- NULL
  if (is.null(design$random) && length(default_groups(design)) > 0L) {
    left <- lapply(fixed, function(one) one[[2L]])
    all <- Reduce(function(a, b) call("+", a, b), left)
    design$random <- rlang::new_formula(all, 1)
  }
  if (is.null(design$correlated) && !is.null(design$random)) design$correlated <- TRUE
  design
}

# Groupings of random effects that name none: `groups = ~ a/b`, else those of grouped data.
default_groups <- function(design) {
  groups <- if (is.null(design$groups)) design$grouped else design$groups
  if (is.null(groups)) return(NULL)
  if (is.character(groups)) return(groups)
  text <- sprintf("groups = %s", code_text(groups))
  if (!rlang::is_formula(groups) || length(groups) != 2L) {
    stop_option("bad_group", "`groups` is a formula `~ column`.", text, "Write `groups = ~id` or `groups = ~id/occ`.")
  }
  nested_groups(groups[[2L]], text)
}

# The grouping that groupedData() wrote into the data, or NULL.
grouped_by <- function(data) {
  if (!inherits(data, "groupedData")) return(NULL)
  groups <- nlme::getGroupsFormula(data)
  if (all(all.vars(groups) %in% names(data))) groups
}

# A model of nlsList() as the formula it was made of. As for nlme(), what was fitted to each subject varies among
# subjects, and starts at the mean of the fits.
formula_of_lists <- function(lists, dots, start, env) {
  model <- stats::formula(lists)
  prediction <- model[[3L]]
  if (is_call_to(prediction, "|")) prediction <- prediction[[2L]]
  means <- nlme::fixef(lists)
  all <- Reduce(function(a, b) call("+", a, b), lapply(names(means), as.symbol))
  given <- list(
    fixed = rlang::new_quosure(rlang::new_formula(all, 1), env),
    groups = rlang::new_quosure(attr(lists, "groupsForm"), env)
  )
  dots <- c(given[setdiff(names(given), names(dots))], as.list(dots))
  list(
    formula = rlang::new_formula(model[[2L]], prediction, env = env), dots = dots,
    start = if (is.null(start)) means else start,
    data = eval(attr(lists, "call")$data, env)
  )
}
