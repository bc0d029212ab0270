# Find the arguments of `linCmt()` among the names of a model for nlmixr2, as nlmixr2 does: by what they are called, in
# any case.

# Each role with its names, those of higher rank first. Numbered volumes and flows count from the smallest number.
compartment_roles <- list(
  cl = c("cl"), ka = c("ka"), k = c("k", "ke", "kel", "k10"),
  k12 = "k12", k21 = "k21", k13 = "k13", k31 = "k31",
  central = c("v", "vc", "v1", "v2", "v3"),
  flows = c("q", "cld", "q1", "cld1", "q2", "cld2", "q3", "cld3", "q4"),
  vss = "vss", volumes = c("vp", "vt", "vp1", "vt1", "vp2", "vt2", "v1", "v2", "v3", "v4")
)

nlmixr2_compartments <- function(code, state) {
  given <- as.list(code)[-1L]
  if (!all(vapply(given, is.symbol, NA))) {
    stop_untranslated_line("`linCmt()` takes names only.", state$line, "Assign its arguments to variables before.")
  }
  names <- if (length(given) > 0L) vapply(given, as.character, "") else unique(state$names)
  roles <- found_roles(names)
  if (is.null(roles$v) || is.null(roles$cl) && is.null(roles$k)) {
    stop_untranslated_line(
      "The parameters of `linCmt()` are not found.", state$line,
      paste(
        "It needs `cl` and `v` (also `q` and `vp`, `q2` and `vp2`), or `k` and `v` (also `k12` and `k21`, ...), and",
        "`ka` for a depot; of `alpha` and `beta` make such rates first."
      )
    )
  }
  args <- lapply(roles, as.symbol)
  if (!is.null(args$vss)) {
    args$v2 <- call("-", args$vss, args$v)
    args$vss <- NULL
  }
  if (!state$equations) return(as.call(c(quote(linear_compartments), args)))
  value <- call("/", quote(central), args$v)
  attr(value, "equations") <- written_compartments(args)
  value
}

# Names of the arguments by argument of linear_compartments().
found_roles <- function(names) {
  first <- function(role) {
    found <- match(compartment_roles[[role]], tolower(names))
    if (any(!is.na(found))) names[found[!is.na(found)]]
  }
  central <- first("central")[1L]
  roles <- list(cl = first("cl")[1L], v = central)
  if (!is.null(roles$cl)) {
    flows <- first("flows")
    volumes <- setdiff(first("volumes"), central)
    pairs <- list(c("q", "v2"), c("q2", "v3"))
    for (k in seq_len(min(length(flows), length(volumes), 2L))) {
      roles[pairs[[k]]] <- c(flows[k], volumes[k])
    }
    # The volume at steady state is that of both compartments.
    vss <- first("vss")[1L]
    if (is.null(roles$v2) && length(flows) > 0L && !is.null(vss)) roles[c("q", "vss")] <- list(flows[1L], vss)
  } else {
    for (role in c("k", "k12", "k21", "k13", "k31")) roles[[role]] <- first(role)[1L]
  }
  roles$ka <- first("ka")[1L]
  Filter(Negate(is.null), roles)
}

# The equations of the compartments, for models in which other states have the first numbers.
written_compartments <- function(args) {
  by_rates <- is.null(args$cl)
  rate <- function(flow, volume) call("/", flow, volume)
  k <- if (by_rates) args$k else rate(args$cl, args$v)
  change <- call("-", call("*", k, quote(central)))
  lines <- list()
  if (!is.null(args$ka)) {
    absorbed <- call("*", args$ka, quote(depot))
    change <- call("-", absorbed, call("*", k, quote(central)))
    lines <- list(bquote(d/dt(depot) <- -.(absorbed)))
  }
  peripherals <- list()
  sets <- if (by_rates) list(c("k12", "k21"), c("k13", "k31")) else list(c("q", "v2"), c("q2", "v3"))
  for (j in seq_along(sets)) {
    pair <- args[sets[[j]]]
    if (any(vapply(pair, is.null, NA))) break
    there <- if (by_rates) pair[[1L]] else rate(pair[[1L]], args$v)
    back <- if (by_rates) pair[[2L]] else rate(pair[[1L]], pair[[2L]])
    name <- as.symbol(paste0("peripheral", j))
    net <- call("-", call("*", there, quote(central)), call("*", back, name))
    change <- call("-", change, call("(", net))
    peripherals <- c(peripherals, list(bquote(d/dt(.(name)) <- .(net))))
  }
  c(lines, list(bquote(d/dt(central) <- .(change))), peripherals)
}
