# Residual errors that are normal on another scale than the outcome: logitNorm(), probitNorm(), boxCox(), yeoJohnson().
# Their log density is written out, on the scale of the outcome.

# list(kind, low, high, power, lambda): the scale and what is done on it.
residual_scale <- function(terms) {
  scale <- list(kind = "identity", low = 0, high = 1)
  for (word in intersect(c("lnorm", "logitNorm", "probitNorm"), names(terms))) {
    scale$kind <- c(lnorm = "log", logitNorm = "logit", probitNorm = "probit")[[word]]
    bounds <- terms[[word]]$args[-1L]
    if (length(bounds) == 2L) scale[c("low", "high")] <- lapply(bounds, eval, baseenv())
  }
  for (word in intersect(c("boxCox", "yeoJohnson"), names(terms))) {
    scale$power <- word
    scale$lambda <- terms[[word]]$args[[1L]]
    if (scale$kind == "identity") scale$kind <- "power"
  }
  scale
}

transformed <- function(scale, x) {
  x <- switch(scale$kind,
    log = call("log", x),
    logit = call("qlogis", scaled(x, scale$low, scale$high)),
    probit = call("qnorm", scaled(x, scale$low, scale$high)),
    x
  )
  if (is.null(scale$power)) return(x)
  l <- scale$lambda
  if (scale$power == "boxCox") return(bquote((.(x)^.(l) - 1) / .(l)))
  # Both branches are computed: neither may leave its range.
  bquote(ifelse(
    .(x) >= 0, ((abs(.(x)) + 1)^.(l) - 1) / .(l), -((abs(.(x)) + 1)^(2 - .(l)) - 1) / (2 - .(l))
  ))
}

# The log of the slope of the transformation.
log_slope <- function(scale, y) {
  width <- scale$high - scale$low
  u <- scaled(y, scale$low, scale$high)
  first <- switch(scale$kind,
    log = call("-", call("log", y)),
    logit = bquote(-log(.(width)) - log(.(u)) - log(1 - .(u))),
    probit = bquote(.(log(2 * pi) / 2 - log(width)) + qnorm(.(u))^2 / 2)
  )
  if (is.null(scale$power)) return(first)
  inner <- scale
  inner$power <- NULL
  x <- transformed(inner, y)
  l <- scale$lambda
  second <- if (scale$power == "boxCox") {
    bquote((.(l) - 1) * log(.(x)))
  } else {
    bquote((.(l) - 1) * ifelse(.(x) >= 0, log1p(abs(.(x))), -log1p(abs(.(x)))))
  }
  if (is.null(first)) second else call("+", first, second)
}

# The log density of the outcome `DV`; `df` of a t distribution, NULL for a normal one.
transformed_density <- function(scale, prediction, sd, df) {
  outcome <- quote(DV)
  z <- bquote((.(transformed(scale, outcome)) - .(transformed(scale, prediction))) / (.(sd)))
  base <- if (is.null(df)) bquote(-(.(z))^2 / 2 - .(log(2 * pi) / 2)) else t_log_density(z, df)
  bquote(.(base) - log(.(sd)) + .(log_slope(scale, outcome)))
}

# The model to draw from: errors with a written density are drawn on their own scale.
with_drawn_scales <- function(model) {
  model$spec$statements <- lapply(model$spec$statements, function(statement) {
    drawn <- if (statement$kind == "outcome") model$drawn[[statement$column]]
    if (is.null(drawn)) return(statement)
    model_statement(call("~", as.symbol(statement$column), drawn$dist), new_scope(baseenv(), ""))
  })
  model$described$families[model$described$outcomes %in% names(model$drawn)] <- "normal"
  model
}

# What was drawn so, on the scale of the outcome.
from_drawn_scales <- function(model, draws) {
  for (column in intersect(names(model$drawn), names(draws))) {
    scale <- model$drawn[[column]]$scale
    back <- switch(scale$kind, log = exp, logit = stats::plogis, probit = stats::pnorm)
    # The logarithm has no bounds.
    width <- if (scale$kind == "log") 1 else scale$high - scale$low
    draws[[column]] <- scale$low + width * back(draws[[column]])
  }
  draws
}
