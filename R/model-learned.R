#' Learned functions in models: networks, soft trees, splines, flows
#'
#' Functions whose form is known and whose weights are estimated, as words of `fixed()` in [nlme_model()]. They are
#' called by their names wherever an expression may stand: in outcomes, differential equations, initial values,
#' properties of doses, and in the means and SDs of random effects.
#'
#' * `network(inputs, hidden, outputs = 1, activation, output_activation, bias = TRUE)`: layers `activation(W x + b)`,
#'   `hidden` their widths. Weights stand layer by layer: `W` (outputs by inputs) by columns, then `b`.
#' * `soft_tree(inputs, depth, outputs = 1)`: the values of the leaves, weighted by the probabilities of coming there,
#'   `1 / (1 + exp(-(w x + b)))` at each split. Weights: `w` (splits by inputs) by columns, `b`, leaves (outputs by
#'   leaves) by columns.
#' * `spline(knots, degree = 3, clamp = FALSE)`: B-splines over all `knots`, `length(knots) - degree - 1` of them, each
#'   with a weight; `clamp = TRUE` repeats the ends until the basis adds up to 1 everywhere.
#' * `planar_flow(dimension = 1, layers = 2)`: layers `z + u tanh(w z + b)` of a standard normal vector `z`, each
#'   invertible. Weights stand layer by layer: `w`, `u`, `b`.
#'
#' Activations are `"tanh"` (the default), `"relu"`, `"softplus"`, `"sigmoid"`, `"swish"` and `"gelu"`; those of the
#' output `"identity"` (the default), `"softplus"`, `"sigmoid"`, `"tanh"` and `"softmax"`.
#'
#' @section Arguments:
#' All words take `weights`, values in place of the initial ones; `lower`, `upper`, `se`, `prior`, `label` and `unit` as
#' other parameters do. Networks, trees and flows take `seed`, from which alone initial weights come, the same on every
#' machine: networks uniform on `+-sqrt(6 / (inputs + outputs))` of a layer with biases 0, trees normal with SD 0.1,
#' flows
#' standard normal; splines start at 0. Networks and trees take `zero_last = TRUE`: the last layer, or the leaves, start
#' at 0, so that a model begins as the one without the function.
#'
#' @section Calls:
#' `f(x)` and, of several inputs, `f(a, b)` or `f(c(a, b))`, with the function's own weights; `f(x, weights = w)` with
#' any
#' vector of the same length, such as a random effect: `w ~ mvnormal(f, diag(0.1, length(f))) | id` gives every subject
#' weights of its own around those of the population, which keep their closed form. `length(f)` is the number of
#' weights,
#' `f(x)[2]` the second output. A spline has no value outside of its first and last knot. `eta ~ planar_flow(f) | id`
#' is a
#' random effect that is the image of a standard normal one under the flow; [ranef()] shows the latter.
#'
#' @section How they are estimated:
#' Weights that are means of random effects are updated in closed form, coefficients of splines as other parameters. All
#' other weights follow the gradient of the complete data (Adam), in [saem()] at the draws of each iteration, in [vem()]
#' before quasi-Newton steps on the bound. Standard errors, and the verdict on convergence, are those of the other
#' parameters with these weights held; `se = TRUE` makes the weights ordinary parameters. `penalty` of [saem()] and
#' [vem()]
#' draws weights toward 0; the log-likelihood that is printed is without it.
#'
#' Functions of many weights fit whatever the data hold, noise included: compare fits on subjects that were left out,
#' and
#' do not read a curve outside of the range that the data visited ([plot.nlme_fit()] with `type = "learned"` marks it).
#'
#' With more than 24 random effects a level, importance draws tell neither score nor likelihood: such fits are judged by
#' their iterations alone, and their log-likelihood is Laplace's approximation.
#' @references
#' Glorot X, Bengio Y (2010). Understanding the difficulty of training deep feedforward neural networks. *AISTATS*.
#'
#' Frosst N, Hinton G (2017). Distilling a neural network into a soft decision tree. arXiv:1711.09784.
#'
#' de Boor C (2001). *A practical guide to splines*. Springer.
#'
#' Rezende DJ, Mohamed S (2015). Variational inference with normalizing flows. *ICML*.
#' @seealso [learned()] for the values of a function at the estimates.
#' @examples
#' # Absorption with an unknown course, learned for all subjects together.
#' nlme_model(
#'   fixed(
#'     rate = network(inputs = 1, hidden = 4, output_activation = "softplus"),
#'     lcl = -3, lv = -1, omega = positive(c(0.3, 0.3)), sigma = positive(0.5)
#'   ),
#'   random(eta ~ mvnormal(c(lcl, lv), diag(omega^2)) | Subject),
#'   {
#'     d/dt(depot) <- -rate(t / 24) * depot
#'     d/dt(central) <- rate(t / 24) * depot - exp(eta[1] - eta[2]) * central
#'     depot(0) <- Dose
#'     conc ~ normal(central / exp(eta[2]), sigma)
#'   }
#' )
#' @name learned_functions
NULL

# Read the learned functions of fixed(): networks, soft trees, splines, planar flows. Each is a vector of weights, a
# parameter as others are, and a form by which the core computes the function.

activations <- c("tanh", "relu", "softplus", "sigmoid", "swish", "gelu")
output_activations <- c("identity", "softplus", "sigmoid", "tanh", "softmax")

learned_words <- list(
  network = function(inputs, hidden, outputs = 1, activation = activations, output_activation = output_activations,
                     bias = TRUE, seed = 0, weights = NULL, zero_last = FALSE, se = FALSE, lower = NULL, upper = NULL,
                     prior, label = NULL, unit = NULL) {
    form <- list(
      kind = "network", inputs = learned_size(inputs, "inputs"), hidden = learned_widths(hidden),
      outputs = learned_size(outputs, "outputs"), activation = learned_choice(activation, "activation", activations),
      output_activation = learned_choice(output_activation, "output_activation", output_activations),
      bias = learned_flag(bias, "bias")
    )
    learned_parameter(
      form, weights, seed, zero_last,
      list(lower = lower, upper = upper, prior = prior_text(substitute(prior)), se = se, label = label, unit = unit)
    )
  },
  soft_tree = function(inputs, depth, outputs = 1, seed = 0, weights = NULL, zero_last = FALSE, se = FALSE,
                       lower = NULL, upper = NULL, prior, label = NULL, unit = NULL) {
    form <- list(
      kind = "soft_tree", inputs = learned_size(inputs, "inputs"), depth = learned_size(depth, "depth", 12),
      outputs = learned_size(outputs, "outputs")
    )
    learned_parameter(
      form, weights, seed, zero_last,
      list(lower = lower, upper = upper, prior = prior_text(substitute(prior)), se = se, label = label, unit = unit)
    )
  },
  spline = function(knots, degree = 3, clamp = FALSE, weights = NULL, se = FALSE, lower = NULL, upper = NULL, prior,
                    label = NULL, unit = NULL) {
    degree <- learned_size(degree, "degree", 20, least = 0)
    form <- list(kind = "spline", knots = spline_knots(knots, degree, clamp), degree = degree)
    learned_parameter(
      form, weights, 0, FALSE,
      list(lower = lower, upper = upper, prior = prior_text(substitute(prior)), se = se, label = label, unit = unit)
    )
  },
  planar_flow = function(dimension = 1, layers = 2, seed = 0, weights = NULL, se = FALSE, lower = NULL, upper = NULL,
                         prior, label = NULL, unit = NULL) {
    form <- list(
      kind = "planar_flow", dimension = learned_size(dimension, "dimension"), layers = learned_size(layers, "layers")
    )
    learned_parameter(
      form, weights, seed, FALSE,
      list(lower = lower, upper = upper, prior = prior_text(substitute(prior)), se = se, label = label, unit = unit)
    )
  }
)

# Most weights of one function: beyond it a slip of the pen is likelier than a plan.
most_weights <- 1e6

# `more`: what any parameter may say.
learned_parameter <- function(form, weights, seed, zero_last, more) {
  n <- n_weights(form)
  if (n < 1) stop(sprintf("a spline of degree %d needs %d knots at least", form$degree, form$degree + 2), call. = FALSE)
  if (n > most_weights) stop(sprintf("it has %s weights, at most %s are possible", n, most_weights), call. = FALSE)
  if (is.null(weights)) {
    weights <- initial_weights(form, seed)
    if (is.numeric(more$lower)) weights <- pmax(weights, more$lower)
    if (is.numeric(more$upper)) weights <- pmin(weights, more$upper)
  }
  if (!is.numeric(weights) || length(weights) != n) {
    stop(sprintf("`weights` holds %d values, it has %d weights", length(weights), n), call. = FALSE)
  }
  if (learned_flag(zero_last, "zero_last")) weights[last_weights(form)] <- 0
  c(list(type = "real", scale = "identity", value = as.numeric(weights), vector = TRUE, learned = form), more)
}

n_weights <- function(form) {
  switch(form$kind,
    network = sum((c(form$inputs, form$hidden) + form$bias) * c(form$hidden, form$outputs)),
    soft_tree = (2^form$depth - 1) * (form$inputs + 1) + 2^form$depth * form$outputs,
    spline = length(form$knots) - form$degree - 1,
    planar_flow = form$layers * (2 * form$dimension + 1)
  )
}

# The weights of the last layer, or of the leaves.
last_weights <- function(form) {
  n <- n_weights(form)
  last <- switch(form$kind,
    network = (c(form$inputs, form$hidden)[length(form$hidden) + 1L] + form$bias) * form$outputs,
    soft_tree = 2^form$depth * form$outputs
  )
  seq(n - last + 1, n)
}

# Networks: Glorot and Bengio (2010), uniform on +-sqrt(6 / (inputs + outputs)) of each layer, biases 0. Trees: normal
# with SD 0.1, biases 0. Splines: 0. Flows: standard normal, since one that hardly bends has no slope to follow.
initial_weights <- function(form, seed) {
  seed <- learned_size(seed, "seed", .Machine$integer.max, least = 0)
  with_draws(seed, switch(form$kind,
    network = unlist(Map(function(from, to) {
      reach <- sqrt(6 / (from + to))
      c(stats::runif(from * to, -reach, reach), numeric(form$bias * to))
    }, c(form$inputs, form$hidden), c(form$hidden, form$outputs))),
    soft_tree = {
      splits <- 2^form$depth - 1
      leaves <- stats::rnorm(2^form$depth * form$outputs, 0, 0.1)
      c(stats::rnorm(splits * form$inputs, 0, 0.1), numeric(splits), leaves)
    },
    spline = numeric(n_weights(form)),
    planar_flow = unlist(lapply(seq_len(form$layers), function(layer) c(stats::rnorm(2 * form$dimension), 0)))
  ))
}

spline_knots <- function(knots, degree, clamp) {
  if (!is.numeric(knots) || length(knots) < 2L || !all(is.finite(knots))) {
    stop("`knots` must be finite numbers, two at least", call. = FALSE)
  }
  if (is.unsorted(knots)) stop("`knots` must ascend", call. = FALSE)
  if (knots[1L] == knots[length(knots)]) stop("`knots` must not all be the same", call. = FALSE)
  if (!learned_flag(clamp, "clamp")) return(as.numeric(knots))
  ends <- range(knots)
  lacking <- pmax(degree + 1 - c(sum(knots == ends[1L]), sum(knots == ends[2L])), 0)
  c(rep(ends[1L], lacking[1L]), as.numeric(knots), rep(ends[2L], lacking[2L]))
}

learned_size <- function(value, name, most = 1e5, least = 1) {
  if (!is.numeric(value) || length(value) != 1L || !is.finite(value) || value != round(value) || value < least ||
        value > most) {
    stop(sprintf("`%s` must be a whole number from %s to %s", name, least, format(most, big.mark = ",")), call. = FALSE)
  }
  as.numeric(value)
}

# Widths of hidden layers; none is a linear map.
learned_widths <- function(hidden) {
  vapply(as.list(hidden), learned_size, numeric(1L), name = "hidden")
}

learned_choice <- function(value, name, known) {
  if (identical(value, known)) return(known[1L])
  if (is.character(value) && length(value) == 1L && value %in% known) return(value)
  stop(sprintf("`%s` must be one of %s", name, paste0("\"", known, "\"", collapse = ", ")), call. = FALSE)
}

learned_flag <- function(value, name) {
  if (!isTRUE(value) && !isFALSE(value)) stop(sprintf("`%s` must be TRUE or FALSE", name), call. = FALSE)
  value
}

# Where the code is read, learned functions are functions: the environment of the caller with them in front.
with_learned_functions <- function(parameters, env) {
  learned <- Filter(function(parameter) !is.null(parameter$learned), parameters)
  if (length(learned) == 0L) return(env)
  inner <- new.env(parent = env)
  for (parameter in learned) {
    inner[[parameter$name]] <- structure(function(...) NULL, class = "nlmers_learned")
  }
  inner
}

is_learned_function <- function(value) inherits(value, "nlmers_learned")

# What the core reads of the form; sizes by layer stay arrays.
learned_fields <- function(form) {
  for (field in intersect(c("hidden", "knots"), names(form))) form[[field]] <- I(form[[field]])
  form
}

learned_text <- function(form) {
  switch(form$kind,
    network = sprintf("network %s", paste(c(form$inputs, form$hidden, form$outputs), collapse = "-")),
    soft_tree = sprintf("soft tree of depth %s", form$depth),
    spline = sprintf("spline of degree %s", form$degree),
    planar_flow = sprintf("planar flow of %s", counted(form$layers, "layer"))
  )
}

learned_example <- function(word) {
  switch(word,
    network = "network(inputs = 1, hidden = 4)", soft_tree = "soft_tree(inputs = 1, depth = 2)",
    spline = "spline(knots = c(0, 5, 10), clamp = TRUE)", planar_flow = "planar_flow(dimension = 1, layers = 2)"
  )
}
