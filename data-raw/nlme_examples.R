# Find nlme's fits and the maxima of the likelihood for vignettes/nlme-examples.Rmd: Rscript data-raw/nlme_examples.R
#
# nlme() fits the models of the vignette by maximum likelihood, from the same starts. The maximum of the likelihood
# by adaptive quadrature with many nodes is found by a quasi-Newton method with differences, from the best of saem(),
# vem() and nlme(), and once more from there with SDs that are 0 raised. Half an hour. Writes
# vignettes/nlme-examples.csv; with names of examples as arguments only their rows are made anew.

library(nlmers)

# The models are the chunks of the vignette whose names begin with `model-`.
page <- readLines("vignettes/nlme-examples.Rmd")
opens <- grep("^```\\{r model-", page)
closes <- vapply(opens, function(line) min(which(page == "```" & seq_along(page) > line)), 0)
chunks <- unlist(Map(function(from, to) page[(from + 1L):(to - 1L)], opens, closes))
eval(parse(text = chunks))

biexp <- "A1 * exp(-exp(lrc1) * TIME) + A2 * exp(-exp(lrc2) * TIME)"
asymp <- "Asym * (1 - exp(-exp(lrc) * (X - c0)))"
curve <- function(outcome, text, ...) {
  for (name in names(list(...))) text <- gsub(name, list(...)[[name]], text)
  stats::as.formula(paste(outcome, "~", text))
}
proportional <- nlme::varPower(fixed = 1)

# What nlme() is given, and the names here of its fixed effects in their order.
given <- list(
  Indometh = list(
    model = curve("conc", biexp, TIME = "time"), fixed = A1 + lrc1 + A2 + lrc2 ~ 1,
    random = list(Subject = nlme::pdDiag(A1 + lrc1 + A2 ~ 1)), start = c(2.8, 0.8, 0.5, -1.3)
  ),
  Soybean = list(
    model = weight ~ Asym / (1 + exp(-(Time - xmid) / scal)), random = list(Plot = Asym ~ 1), weights = proportional,
    fixed = list(Asym ~ y89 + y90 + variety + I(y89 * variety) + I(y90 * variety), xmid ~ y89 + y90 + variety,
      scal ~ y89 + y90),
    start = c(17, 0, 0, 0, 0, 0, 52, 0, 0, 0, 7.5, 0, 0)
  ),
  CO2 = list(
    model = curve("uptake", asymp, X = "conc"), random = list(Plant = Asym + lrc ~ 1),
    fixed = list(Asym ~ mississippi + chilled + I(mississippi * chilled), lrc + c0 ~ 1),
    start = c(36, -10, -5, 0, -4.5, 50)
  ),
  Loblolly = list(
    model = height ~ Asym + (R0 - Asym) * exp(-exp(lrc) * age), fixed = Asym + R0 + lrc ~ 1,
    random = list(Seed = Asym ~ 1), start = c(103, -8.5, -3.3)
  ),
  Dialyzer = list(
    model = curve("rate", asymp, X = "pressure"), fixed = list(Asym + lrc ~ fast, c0 ~ 1),
    random = list(Subject = nlme::pdDiag(Asym + lrc ~ 1)), start = c(45, 17, 0.8, -0.5, 0.2)
  ),
  Cefamandole = list(
    model = curve("conc", biexp, TIME = "Time"), fixed = A1 + lrc1 + A2 + lrc2 ~ 1, weights = proportional,
    random = list(Subject = nlme::pdDiag(A1 + lrc2 ~ 1)), start = c(250, -2.5, 50, -4)
  ),
  PBG = list(
    model = deltaBP ~ A + (B - A) / (1 + exp((xmid - log(dose)) / scal)), fixed = list(A + B ~ 1, xmid ~ mdl, scal ~ 1),
    random = list(Rabbit = nlme::pdDiag(B + xmid ~ 1)), start = c(1, 30, 4, 0.8, 0.4)
  ),
  Glucose2 = list(
    model = glucose ~ A + B * Time^3 * exp(-exp(lrc) * Time), fixed = A + B + lrc ~ 1,
    random = list(Subject = nlme::pdDiag(A + B + lrc ~ 1)), start = c(4, 0.3, -0.5)
  ),
  Wafer = list(
    model = current ~ A + A1 * voltage + A2 * voltage^2 + B * cos(w * voltage + 0.785398),
    fixed = A + A1 + A2 + B + w ~ 1, random = list(Wafer = nlme::pdDiag(A + A1 ~ 1)),
    start = c(-4.3, 5.6, 1.3, -0.1, 4.57)
  )
)

# Names as tidy() has them.
named_as_here <- function(labels) {
  labels <- sub(".(Intercept)", "", labels, fixed = TRUE)
  labels <- gsub("I\\((\\w+) \\* (\\w+)\\)", "\\1_\\2", labels)
  ifelse(grepl(".", labels, fixed = TRUE), paste0("beta_", sub(".", "_", labels, fixed = TRUE)), labels)
}

nlme_fit_of <- function(name) {
  control <- nlme::nlmeControl(maxIter = 200, msMaxIter = 200, pnlsMaxIter = 20)
  tryCatch(
    suppressWarnings(do.call(
      nlme::nlme, c(given[[name]], list(data = data[[name]], method = "ML", control = control))
    )),
    error = function(error) {
      cat(name, "by nlme:", conditionMessage(error), "\n")
      NULL
    }
  )
}

by_nlme <- function(fit) {
  table <- summary(fit)$tTable
  variances <- nlme::VarCorr(fit)
  spread <- as.numeric(variances[, "StdDev"])
  effects <- named_as_here(rownames(variances)[-length(spread)])
  rows <- data.frame(
    term = c(named_as_here(rownames(table)), paste0("sd__", effects), "sigma"),
    estimate = c(table[, "Value"], spread), std.error = c(table[, "Std.Error"], NA * spread)
  )
  if (length(effects) == 2L && "Corr" %in% colnames(variances)) {
    correlation <- as.numeric(variances[2L, "Corr"])
    rows <- rbind(rows, data.frame(
      term = paste0("cor__", paste(effects, collapse = ".")), estimate = correlation, std.error = NA
    ))
  }
  rows
}

# Nodes of which more change nothing in the third digit.
many_nodes <- function(fit) c(51, 25, 15)[sum(grepl("^sd__", tidy(fit)$term))]

# Minus twice the log-likelihood at coordinates on the transformed scale.
minus2ll_at <- function(fit, coordinates) {
  fit$parameters$natural <- natural_of(fit, coordinates)
  # Without coordinates the natural values count.
  fit$coordinates$value <- NA_real_
  -2 * as.numeric(logLik(fit, nodes = many_nodes(fit)))
}

natural_of <- function(fit, coordinates) {
  names <- fit$coordinates$name
  logs <- grepl("^omega_sd_|^sigma$", names)
  values <- ifelse(logs, exp(coordinates), coordinates)
  matrix <- grepl("^omega\\[", names)
  root <- coordinates[matrix]
  if (any(matrix)) values[matrix] <- c(exp(2 * root[1L]), root[2L] * exp(root[1L]), root[2L]^2 + exp(2 * root[3L]))
  values
}

# Coordinates of estimates named as by tidy(): logarithms of SDs, and a covariance by its Cholesky factor with
# logarithms on the diagonal.
coordinates_of <- function(fit, rows) {
  value <- stats::setNames(rows$estimate, rows$term)
  names <- fit$coordinates$name
  found <- value[sub("^omega_sd_", "sd__", names)]
  logs <- grepl("^omega_sd_|^sigma$", names)
  found[logs] <- log(pmax(found[logs], 1e-4))
  if (any(grepl("^omega\\[", names))) {
    sds <- value[grepl("^sd__", names(value))]
    cor <- value[grepl("^cor__", names(value))]
    found[grepl("^omega\\[", names)] <- c(log(sds[1L]), cor * sds[2L], log(sds[2L] * sqrt(1 - cor^2)))
  }
  unname(found)
}

estimates_at <- function(fit, coordinates, se) {
  names <- fit$coordinates$name
  value <- natural_of(fit, coordinates)
  logs <- grepl("^omega_sd_|^sigma$", names)
  rows <- data.frame(term = sub("^omega_sd_", "sd__", names), estimate = value, std.error = ifelse(logs, value, 1) * se)
  matrix <- grepl("^omega\\[", names)
  if (!any(matrix)) return(rows)
  covariance <- value[matrix]
  sd <- sqrt(covariance[c(1L, 3L)])
  terms <- grep("^(sd|cor)__", tidy(fit)$term, value = TRUE)
  rbind(rows[!matrix, ], data.frame(term = terms, estimate = c(sd, covariance[2L] / prod(sd)), std.error = NA))
}

collapsed <- function(fit, at) grepl("^omega_sd_", fit$coordinates$name) & at < log(1e-3)

# A quasi-Newton method, with ever finer differences.
climbed <- function(fit, at, scale) {
  for (round in 1:4) {
    found <- stats::optim(at, minus2ll_at, fit = fit, method = "BFGS", control = list(
      reltol = 1e-12, parscale = scale, ndeps = rep(10^-(round %/% 2 + 2), length(at)), maxit = 200
    ))
    at <- found$par
  }
  found
}

maximum <- function(fit, starts) {
  values <- vapply(starts, minus2ll_at, 0, fit = fit)
  cat("  from", paste(names(starts), round(values, 3), collapse = ", "), "\n")
  at <- starts[[which.min(values)]]
  scale <- pmin(0.1, 0.1 * abs(at) + 0.01)
  found <- climbed(fit, at, scale)
  if (any(collapsed(fit, at))) {
    # The logarithm of an SD of 0 has no slope to climb by.
    again <- climbed(fit, ifelse(collapsed(fit, at), log(0.1), at), scale)
    cat("  to", round(found$value, 4), "and with SDs raised to", round(again$value, 4), "\n")
    if (again$value < found$value) found <- again
  }
  at <- found$par
  # An SD of 0 has no information; the others do not depend on it.
  moves <- !collapsed(fit, at)
  hessian <- stats::optimHess(at[moves], function(part) {
    at[moves] <- part
    minus2ll_at(fit, at)
  }, control = list(parscale = scale[moves], ndeps = rep(0.02, sum(moves))))
  se <- rep(NA_real_, length(at))
  se[moves] <- sqrt(diag(solve(hessian / 2)))
  list(value = found$value, rows = estimates_at(fit, at, se))
}

line <- function(name, by, rows) data.frame(example = name, by = by, rows)
value_row <- function(term, value) data.frame(term = term, estimate = value, std.error = NA)

studied <- function(name) {
  cat(name, "\n")
  fits <- lapply(list(saem = saem(), vem = vem()), function(method) {
    suppressWarnings(fit_nlme(models[[name]], data[[name]], method, seed = 1, progress = FALSE))
  })
  starts <- lapply(fits, function(fit) fit$coordinates$value)
  rows <- NULL
  linear <- nlme_fit_of(name)
  if (!is.null(linear)) {
    own <- by_nlme(linear)
    starts$nlme <- coordinates_of(fits$vem, own)
    rows <- rbind(
      line(name, "nlme", own), line(name, "nlme", value_row("minus2ll", -2 * as.numeric(stats::logLik(linear)))),
      line(name, "nlme", value_row("exact", minus2ll_at(fits$vem, starts$nlme)))
    )
  }
  best <- maximum(fits$vem, starts)
  rbind(rows, line(name, "maximum", best$rows), line(name, "maximum", value_row("minus2ll", best$value)))
}

chosen <- commandArgs(TRUE)
file <- "vignettes/nlme-examples.csv"
table <- do.call(rbind, lapply(if (length(chosen) > 0L) chosen else names(models), studied))
digits <- function(x, n) ifelse(is.na(x), NA, vapply(signif(x, n), format, "", digits = n, scientific = FALSE))
table$estimate <- digits(table$estimate, 8)
table$std.error <- digits(table$std.error, 5)
if (length(chosen) > 0L) {
  kept <- utils::read.csv(file, colClasses = "character", na.strings = "NA")
  table <- rbind(kept[!kept$example %in% chosen, ], table)
  table <- table[order(match(table$example, names(models))), ]
}
utils::write.csv(table, file, row.names = FALSE, quote = FALSE)
