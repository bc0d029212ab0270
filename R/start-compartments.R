# Starting values for models with doses: areas under the curve, terminal slopes and
# the times of the peaks, subject by subject.

# What parameters of compartments are usually called.
compartment_names <- list(
  cl = c("cl", "cle", "clearance"), v = c("v", "v1", "vc", "vd", "vol", "volume"), ka = c("ka", "kabs"),
  k = c("k", "ke", "kel", "k10"), q = c("q", "q2", "cld"), v2 = c("v2", "vp", "vp1", "vt")
)

# A list with one start, or an empty one where the data or the model say nothing.
compartment_starts <- function(pooled, data, options) {
  if (!has_states(pooled)) return(list())
  numbers <- curve_numbers(pooled, data, options)
  if (is.null(numbers)) return(list())
  found <- list()
  spec <- pooled$spec
  known <- vapply(spec$parameters, `[[`, "", "name")
  assigned <- Filter(function(statement) statement$kind == "assign" && is.null(statement$index), spec$statements)
  targets <- vapply(assigned, function(statement) sub("^[.]", "", statement$target), "")
  for (role in names(compartment_names)) {
    words <- c(compartment_names[[role]], called_as(spec, role))
    at <- which(tolower(targets) %in% words)
    itself <- known[tolower(known) %in% words]
    tree <- if (length(at) > 0L) {
      assigned[[at[1L]]]$value
    } else if (length(itself) > 0L) {
      list(sym = itself[1L])
    }
    if (!is.null(tree)) found <- c(found, solved_for(tree, numbers[[role]], known))
  }
  found <- found[!duplicated(names(found))]
  inside <- vapply(names(found), function(name) {
    isTRUE(all(is_inside(found[[name]], spec$parameters[[match(name, known)]])))
  }, NA)
  if (any(inside)) list(found[inside]) else list()
}

# The name that stands for `role` in a call linear_compartments(cl = CLi, v = Vi).
called_as <- function(spec, role) {
  calls <- function(tree) {
    inner <- unlist(lapply(tree_parts(tree), calls))
    if (!identical(tree$call, "linear_compartments")) return(inner)
    at <- match(compartment_names[[role]], tree$names)
    at <- at[!is.na(at)]
    if (length(at) > 0L) c(inner, sub("^[.]", "", tree$args[[at[1L]]]$sym)) else inner
  }
  tolower(unlist(lapply(spec$statements, function(statement) lapply(statement_trees(statement), calls))))
}

# The parameter that makes `tree` have this value, everything else in sums and products
# being at zero and one.
solved_for <- function(tree, value, known) {
  if (!is.finite(value)) return(NULL)
  if (!is.null(tree$sym)) return(if (tree$sym %in% known) stats::setNames(list(value), tree$sym))
  if (identical(tree$call, "[") && identical(tree$args[[1L]]$call, "c") && length(tree$args) == 2L) {
    index <- tree$args[[2L]]$num
    known_element <- !is.null(index) && index <= length(tree$args[[1L]]$args)
    return(if (known_element) solved_for(tree$args[[1L]]$args[[index]], value, known))
  }
  inverse <- list(exp = log, log = exp, plogis = stats::qlogis, qlogis = stats::plogis, log10 = function(x) 10^x)
  if (isTRUE(tree$call %in% names(inverse))) {
    return(solved_for(tree$args[[1L]], suppressWarnings(inverse[[tree$call]](value)), known))
  }
  for (word in c("+", "*")) {
    if (!identical(tree$call, word)) next
    for (part in operands(tree, word)) {
      # A product in a sum is a covariate with its coefficient.
      if (word == "+" && identical(part$call, "*")) next
      found <- solved_for(part, value, known)
      if (!is.null(found)) return(found)
    }
  }
  NULL
}

# Medians over subjects of what their curves after the first dose say.
curve_numbers <- function(pooled, data, options) {
  bound <- tryCatch(
    bind_data(pooled, data, options$id, options$time, events = options$events), nlmers_error = function(error) NULL
  )
  amount <- bound$columns$.amt
  if (is.null(bound) || is.null(amount)) return(NULL)
  time <- bound$columns[[bound$fields$time]]
  y <- bound$columns[[pooled$described$outcomes[1L]]]
  each <- lapply(split(seq_along(y), bound$columns$.group), function(rows) {
    rows <- rows[order(time[rows])]
    subject_numbers(time[rows], y[rows], amount[rows])
  })
  each <- do.call(rbind, each)
  if (is.null(each)) return(NULL)
  middle <- apply(each, 2L, stats::median, na.rm = TRUE)
  k <- middle[["k"]]
  v <- middle[["dose"]] / (middle[["area"]] * k)
  list(
    cl = middle[["dose"]] / middle[["area"]], v = v, k = k, ka = absorption_rate(k, middle[["peak"]]),
    q = middle[["dose"]] / middle[["area"]], v2 = v
  )
}

subject_numbers <- function(time, y, amount) {
  doses <- which(is.finite(amount) & amount > 0)
  if (length(doses) == 0L) return(NULL)
  first <- doses[1L]
  end <- if (length(doses) > 1L && time[doses[2L]] > time[first]) time[doses[2L]] else Inf
  use <- is.finite(y) & y > 0 & time >= time[first] & time <= end
  if (sum(use) < 3L) return(NULL)
  t <- time[use] - time[first]
  y <- y[use]
  late <- utils::tail(which(seq_along(y) >= which.max(y)), 4L)
  # One point has no slope, a curve that rises no end.
  k <- -stats::cov(t[late], log(y[late])) / stats::var(t[late])
  if (!is.finite(k) || k <= 0) k <- NA
  area <- sum(diff(c(0, t)) * (c(0, y[-length(y)]) + y) / 2) + y[length(y)] / k
  c(dose = amount[first], area = area, k = k, peak = t[which.max(y)])
}

# The rate whose curve has its peak at this time.
absorption_rate <- function(k, peak) {
  if (!is.finite(k) || !is.finite(peak) || peak <= 0 || k * peak >= 1) return(3 * k)
  late <- function(ka) log(ka / k) / (ka - k) - peak
  tryCatch(stats::uniroot(late, c(k * 1.0001, k * 1e4))$root, error = function(error) 3 * k)
}
