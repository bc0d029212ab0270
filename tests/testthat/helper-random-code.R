# Random designs as models, in any units, and their estimates back in the unit 1.

# A model that starts at the `start` of the table of parameters, or at its `truth`.
write_model <- function(design, from = "start") {
  values <- in_units(design, starting_values(design, from))
  if (!is.null(design$units$error)) values[["sd_a"]] <- design$units$error
  fixed <- written_fixed(design, values)
  random <- written_random(design)
  code <- as.call(c(quote(`{`), written_code(design)))
  nlme_model(!!fixed, !!random, !!code)
}

# SDs of 0 start at a tenth of what they would be in the table.
starting_values <- function(design, from) {
  table <- design$parameters
  values <- table[[from]]
  none <- table$role == "spread" & table$positive & values == 0
  values[none] <- table$start[none] / (if (design$form$spread == "variances") 100 else 10)
  stats::setNames(values, table$name)
}

written_fixed <- function(design, values) {
  table <- design$parameters
  logs <- design$units$log & is_log_term(design)
  pieces <- list()
  for (base in unique(table$base)) {
    at <- which(table$base == base)
    value <- unname(values[at])
    pieces[[base]] <- if (base == "omega" && design$form$spread == "full") {
      square <- matrix(0, length(random_terms(design)), length(random_terms(design)))
      square[upper.tri(square, diag = TRUE)] <- value
      square <- square + t(square) - diag(diag(square))
      bquote(covariance_matrix(.(square)))
    } else if (table$positive[at[1L]] && !logs[at[1L]]) {
      bquote(positive(.(value)))
    } else {
      value
    }
  }
  as.call(c(quote(fixed), pieces))
}

# Typical values that may be written as themselves or by their logarithm.
is_log_term <- function(design) {
  table <- design$parameters
  table$role == "fixed" & table$positive & table$term != ""
}

# The mean of a parameter on the scale on which it varies; NULL when it is 0.
written_mean <- function(design, name) {
  term <- design$terms[[name]]
  typical <- as.name(name)
  mean <- if (term$typical) if (term$scale == "log" && !design$units$log) bquote(log(.(typical))) else typical
  for (covariate in names(term$beta)) {
    piece <- bquote(.(as.name(paste("b", name, covariate, sep = "_"))) * .(as.name(covariate)))
    mean <- if (is.null(mean)) piece else bquote(.(mean) + .(piece))
  }
  mean
}

effect_symbol <- function(design, name) as.name(paste0(if (design$form$reference) "phi_" else "eta_", name))

written_random <- function(design) {
  names <- names(random_terms(design))
  means <- lapply(names, function(name) {
    mean <- if (design$form$reference) written_mean(design, name)
    if (is.null(mean)) 0 else mean
  })
  effects <- lapply(names, effect_symbol, design = design)
  lines <- if (design$form$spread == "sd") {
    Map(function(name, effect, mean) {
      bquote(.(effect) ~ normal(.(mean), .(as.name(paste0("o_", name)))) | id)
    }, names, effects, means)
  } else {
    covariance <- if (design$form$spread == "full") quote(omega) else quote(diag(omega))
    left <- as.call(c(quote(c), effects))
    means <- as.call(c(quote(c), means))
    list(bquote(.(left) ~ mvnormal(.(means), .(covariance)) | id))
  }
  as.call(c(quote(random), unname(lines)))
}

# The statement that makes an individual parameter.
written_individual <- function(design, name) {
  term <- design$terms[[name]]
  mean <- written_mean(design, name)
  varied <- !is.na(term$sd)
  effect <- effect_symbol(design, name)
  value <- if (varied && design$form$reference) {
    effect
  } else if (varied && is.null(mean)) {
    effect
  } else if (varied) {
    bquote(.(mean) + .(effect))
  } else if (is.null(mean)) {
    0
  } else {
    mean
  }
  if (term$scale == "log") {
    value <- if (design$form$product && term$typical && !design$units$log && !design$form$reference && varied) {
      rest <- value_without_typical(design, name, effect)
      bquote(.(as.name(name)) * exp(.(rest)))
    } else {
      bquote(exp(.(value)))
    }
  }
  call("<-", as.name(paste0(name, "_i")), value)
}

value_without_typical <- function(design, name, effect) {
  design$terms[[name]]$typical <- FALSE
  mean <- written_mean(design, name)
  if (is.null(mean)) effect else bquote(.(mean) + .(effect))
}

written_code <- function(design) {
  names <- names(design$terms)
  # `k` of a hazard and the like keep their names.
  individual <- stats::setNames(lapply(paste0(names, "_i"), as.name), names)
  put <- function(expression) do.call(substitute, list(expression, individual))
  c(
    lapply(names, written_individual, design = design),
    lapply(design$curve$equations, put),
    list(bquote(f <- .(put(design$curve$f)))),
    list(design$outcome$outcome)
  )
}

unit_factor <- function(design) {
  table <- design$parameters
  units <- design$units
  units$response^table$r * units$time^table$t * units$covariate^table$w
}

# Values of the unit 1, covariates as they are and positive typical values as themselves, in the units of the design;
# with `back` the other way.
in_units <- function(design, values, back = FALSE) {
  logs <- design$units$log & is_log_term(design)
  if (back) {
    values[logs] <- exp(values[logs])
    return(centered(design, values / unit_factor(design), -1))
  }
  values <- centered(design, values, 1) * unit_factor(design)
  values[logs] <- log(values[logs])
  values
}

# Values, in the unit 1, when continuous covariates are taken from their centers; for `direction` -1 back.
centered <- function(design, values, direction) {
  if (!design$units$center) return(values)
  for (name in names(design$terms)) {
    term <- design$terms[[name]]
    moved <- if (is.null(term$carrier)) name else term$carrier
    for (covariate in setdiff(names(term$beta), "sex")) {
      beta <- values[[paste("b", name, covariate, sep = "_")]]
      shift <- direction * term$sign * beta * covariate_centers[[covariate]]
      values[[moved]] <- if (term$scale == "log") values[[moved]] * exp(shift) else values[[moved]] + shift
    }
  }
  values
}

# `lwt` is centered already; another center is as good.
covariate_centers <- c(wt = 70, lwt = 0.1)

data_in_units <- function(design) {
  data <- design$data
  units <- design$units
  for (covariate in names(covariate_centers)) {
    center <- if (units$center) covariate_centers[[covariate]] else 0
    data[[covariate]] <- (data[[covariate]] - center) * units$covariate
  }
  data$time <- data$time * units$time
  if (has_unit(design)) data$y <- data$y * units$response
  data
}

has_error <- function(design) "sd_a" %in% design$parameters$name

has_unit <- function(design) design$kind$family %in% c("normal", "lognormal")

# What is added to -2 log L in the unit 1: densities of the response, and of the times of events, have a unit.
unit_jacobian <- function(design) {
  observed <- if (is.null(design$data$evid)) design$data else design$data[design$data$evid == 0, ]
  if (has_unit(design)) return(2 * nrow(observed) * log(design$units$response))
  if (grepl("event", design$kind$family)) return(2 * sum(observed$y) * log(design$units$time))
  0
}

fit_design <- function(design, method, seed = 1, from = "start") {
  suppressWarnings(fit_nlme(
    write_model(design, from), data_in_units(design), method, seed = seed, threads = 1, progress = FALSE
  ))
}

# Estimates in the unit 1, in the order of the table.
estimates_of <- function(design, fit) {
  values <- stats::setNames(fit$parameters$natural, fit$parameters$name)[design$parameters$name]
  in_units(design, values, back = TRUE)
}
