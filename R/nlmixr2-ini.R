# Read `ini()` of a model for nlmixr2: starting values with their bounds, variances of random effects.

fix_words <- c("fix", "fixed", "FIX", "FIXED")

# list(thetas, effects): the former list(name, value, lower, upper, fixed, label, line), the latter blocks list(names,
# matrix, fixed, line).
nlmixr2_ini <- function(block, env) {
  known <- list(thetas = list(), effects = list())
  last <- NULL
  for (line in block_lines(block)) {
    text <- code_text(line)
    if (is_call_to(line, "label") && length(line) == 2L) {
      if (identical(last, "theta")) known$thetas[[length(known$thetas)]]$label <- as.character(line[[2L]])
    } else if (is_call_to(line, "~") && length(line) == 3L) {
      known$effects <- nlmixr2_variances(line, known$effects, env)
      last <- "effect"
    } else if (is_call_to(line, c("<-", "=")) && is.symbol(line[[2L]])) {
      known$thetas <- c(known$thetas, list(nlmixr2_theta(line, text, env)))
      last <- "theta"
    } else if (!is_call_to(line, "backTransform")) {
      stop_untranslated_line(
        "This line of `ini()` gives no starting value.", text, "Write `tka <- 0.45` or `eta.ka ~ 0.6`."
      )
    }
  }
  names <- c(vapply(known$thetas, `[[`, "", "name"), unlist(lapply(known$effects, `[[`, "names")))
  twice <- names[duplicated(names)]
  if (length(twice) > 0L) {
    stop_model(
      "name_used_twice", sprintf("`ini()` gives `%s` twice.", twice[1L]), "ini()", fields = list(name = twice[1L])
    )
  }
  known
}

# `tka <- 0.45`, `tka <- c(lower, value, upper)`, `tka <- fix(0.45)`
nlmixr2_theta <- function(line, text, env) {
  given <- without_fix(line[[3L]])
  values <- nlmixr2_numbers(given$code, text, env)
  if (length(values) > 3L) {
    stop_untranslated_line(
      sprintf("`%s` has %d values.", as.character(line[[2L]]), length(values)), text,
      "Write one value, `c(lower, value)` or `c(lower, value, upper)`."
    )
  }
  bound <- function(k) if (length(values) >= 2L && isTRUE(is.finite(values[k]))) values[k]
  place <- min(length(values), 2L)
  list(
    name = as.character(line[[2L]]), value = values[place], lower = bound(1L), upper = bound(3L), fixed = given$fixed,
    label = NULL, line = text
  )
}

# The code without the words that hold it fixed: `fix(1)`, `c(0, 1, fixed)`.
without_fix <- function(code) {
  fixed <- FALSE
  if (is_call_to(code, fix_words)) {
    fixed <- TRUE
    inside <- as.list(code)[-1L]
    code <- if (length(inside) == 1L) inside[[1L]] else as.call(c(quote(c), inside))
  }
  if (is_call_to(code, "c")) {
    words <- vapply(as.list(code), function(part) is.symbol(part) && as.character(part) %in% fix_words, NA)
    fixed <- fixed || any(words)
    code <- as.call(as.list(code)[!words])
  }
  list(code = code, fixed = fixed)
}

# The functions of rxode2 of numbers, by their names there.
nlmixr2_calculator <- function(env) {
  by_number <- function(word) function(...) eval(word(...), asNamespace("stats"))
  list2env(lapply(nlmixr2_words, by_number), parent = env)
}

nlmixr2_numbers <- function(code, text, env) {
  values <- tryCatch(eval(code, nlmixr2_calculator(env)), error = function(error) {
    stop_untranslated_line(
      sprintf("`%s` cannot be computed: %s.", code_text(code), conditionMessage(error)), text, "Write numbers."
    )
  })
  if (!is.numeric(values) || length(values) == 0L || anyNA(values)) {
    stop_untranslated_line(sprintf("`%s` is not a number.", code_text(code)), text)
  }
  as.numeric(values)
}

# `eta.ka ~ 0.6`, or the lower triangle of a covariance by rows: `eta.cl + eta.v ~ c(0.3, 0.01, 0.1)`, which may also be
# given line by line, `eta.v ~ c(0.01, 0.1)` continuing the block above.
nlmixr2_variances <- function(line, blocks, env) {
  text <- code_text(line)
  terms <- summed_terms(line[[2L]])
  if (!all(vapply(terms, is.symbol, NA))) {
    stop_untranslated_line("The left of `~` names random effects.", text, "Write `eta.cl + eta.v ~ c(0.3, 0.01, 0.1)`.")
  }
  names <- vapply(terms, as.character, "")
  right <- line[[3L]]
  group <- NULL
  if (is_call_to(right, "|")) {
    group <- nlmixr2_group(right[[3L]], text)
    right <- right[[2L]]
  }
  given <- variance_words(right, text)
  check_normal_effects(given$code, text)
  values <- nlmixr2_numbers(given$code, text, env)
  before <- if (length(blocks) > 0L) blocks[[length(blocks)]]
  block <- list(names = names, matrix = NULL, fixed = given$fixed, line = text, group = group)
  if (bounded_variance(values, names, before)) {
    block$lower <- values[1L]
    block$upper <- values[3L]
    values <- values[2L]
  }
  continues <- length(names) == 1L && length(values) > 1L
  if (continues) {
    if (length(before$names) + 1L != length(values)) stop_triangle(names, values, text)
    block$names <- c(before$names, names)
    block$fixed <- block$fixed || before$fixed
    block$matrix <- rbind(cbind(before$matrix, 0), 0)
    block$matrix[length(values), ] <- variance_row(values, given, before$matrix)
    block$matrix[, length(values)] <- block$matrix[length(values), ]
    blocks <- blocks[-length(blocks)]
  } else {
    d <- length(names)
    if (length(values) != d * (d + 1) / 2) stop_triangle(names, values, text)
    block$matrix <- variance_matrix(values, d, given)
  }
  check_variances(block)
  c(blocks, list(block))
}

# A distribution to the right of `~`, such as `dgamma(2, 3)`, is no variance.
check_normal_effects <- function(code, text) {
  word <- if (is.call(code) && is.symbol(code[[1L]])) as.character(code[[1L]]) else ""
  families <- c("norm", "lnorm", "gamma", "exp", "beta", "chisq", "weibull", "logis", "cauchy", "unif", "t")
  if (!sub("^d", "", word) %in% setdiff(families, if (word == "exp") "exp") && !word %in% c("studentT", "stdNormal")) {
    return(invisible())
  }
  stop_untranslated_line(
    sprintf("`%s()` cannot be the distribution of an effect: effects are normal.", word), text,
    "Give its variance and transform it in `model()`, as in `cl <- exp(tcl + eta.cl)`.", list(name = word)
  )
}

# `eta ~ c(lower, variance, upper)`, unless it goes on with the triangle above.
bounded_variance <- function(values, names, before) {
  length(names) == 1L && length(values) == 3L && length(before$names) != 2L && !is.unsorted(values)
}

# An effect of variance 0 does not vary, whatever stands beside it; the others have a covariance.
check_variances <- function(block) {
  varies <- diag(block$matrix) != 0
  left <- block$matrix[varies, varies, drop = FALSE]
  fine <- all(block$matrix[!varies, ] == 0) &&
    (!any(varies) || min(eigen(left, symmetric = TRUE, only.values = TRUE)$values) > 0)
  if (fine) return(invisible())
  one <- length(block$names) == 1L
  stop_untranslated_line(
    sprintf("The variances of %s are no covariance.", paste0("`", block$names, "`", collapse = ", ")), block$line,
    if (one) "A variance is above 0." else "The matrix must be positive definite: no correlation of 1 or beyond."
  )
}

# Apart: the names of effects that do not vary, and the blocks of the others.
varying_effects <- function(blocks) {
  still <- unlist(lapply(blocks, function(block) block$names[diag(block$matrix) == 0]))
  blocks <- lapply(blocks, function(block) {
    varies <- diag(block$matrix) != 0
    block$names <- block$names[varies]
    block$matrix <- block$matrix[varies, varies, drop = FALSE]
    block
  })
  list(still = still, blocks = Filter(function(block) length(block$names) > 0L, blocks))
}

# The grouping after `|`: NULL for the subjects, else a column that tells the occasions of a subject apart. What stands
# in parentheses, as in `occ(same = 2)`, is for simulations of rxode2.
nlmixr2_group <- function(group, text) {
  if (is.call(group) && is.symbol(group[[1L]])) group <- group[[1L]]
  if (!is.symbol(group)) {
    stop_untranslated_line(
      sprintf("`%s` is no grouping.", code_text(group)), text, "Write `| id`, or a column of the data as in `| occ`."
    )
  }
  name <- as.character(group)
  if (tolower(name) == "id") NULL else name
}

# `fix()`, `sd()`, `cor()`, `var()` and `cov()` around the numbers.
variance_words <- function(code, text) {
  given <- list(fixed = FALSE, sd = FALSE, cor = FALSE)
  words <- c(fix_words, "sd", "cor", "cov", "var", "chol")
  while (is_call_to(code, words)) {
    word <- as.character(code[[1L]])
    if (word == "chol") {
      stop_untranslated_line("`chol()` cannot be translated.", text, "Give variances and covariances.")
    }
    if (word %in% fix_words) given$fixed <- TRUE
    if (word %in% c("sd", "cor")) given[[word]] <- TRUE
    inside <- as.list(code)[-1L]
    code <- if (length(inside) == 1L) inside[[1L]] else as.call(c(quote(c), inside))
  }
  rest <- without_fix(code)
  given$fixed <- given$fixed || rest$fixed
  given$code <- rest$code
  if (is_call_to(given$code, "c")) {
    held <- vapply(as.list(given$code), is_call_to, NA, fix_words)
    given$code[held] <- lapply(as.list(given$code)[held], function(part) part[[2L]])
    given$fixed <- given$fixed || any(held)
  }
  given
}

variance_matrix <- function(values, d, given) {
  matrix <- diag(0, d)
  # Column by column of the upper triangle is row by row of the lower one.
  matrix[upper.tri(matrix, diag = TRUE)] <- values
  matrix[lower.tri(matrix)] <- t(matrix)[lower.tri(matrix)]
  if (given$sd) diag(matrix) <- diag(matrix)^2
  if (given$cor) {
    sd <- sqrt(diag(matrix))
    off <- row(matrix) != col(matrix)
    matrix[off] <- (matrix * outer(sd, sd))[off]
  }
  matrix
}

# The last row of a block that grows by one effect.
variance_row <- function(values, given, before) {
  d <- length(values)
  if (given$sd) values[d] <- values[d]^2
  if (given$cor) values[-d] <- values[-d] * sqrt(values[d] * diag(before))
  values
}

stop_triangle <- function(names, values, text) {
  d <- length(names)
  stop_untranslated_line(
    sprintf(
      "%d value%s given for the covariance of %d effect%s, which has %d.", length(values),
      if (length(values) == 1L) " is" else "s are", d, if (d == 1L) "" else "s", d * (d + 1) / 2
    ),
    text, "Give the lower triangle by rows: `a + b ~ c(var_a, cov_ab, var_b)`."
  )
}
