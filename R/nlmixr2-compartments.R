# Find the arguments of `linCmt()` among the names of a model for nlmixr2, as nlmixr2 does: by what they are called, in
# any case.

# Rate constants by what they are called; without a depot the central compartment is the first, with one the second.
rate_names <- list(
  k = c("k", "ke", "kel", "k10", "k20"), k12 = c("k12", "k23"), k21 = c("k21", "k32"), k13 = c("k13", "k24"),
  k31 = c("k31", "k42")
)

nlmixr2_compartments <- function(code, state) {
  given <- as.list(code)[-1L]
  if (!all(vapply(given, is.symbol, NA))) {
    stop_untranslated_line("`linCmt()` takes names only.", state$line, "Assign its arguments to variables before.")
  }
  names <- if (length(given) > 0L) vapply(given, as.character, "") else unique(state$names)
  roles <- found_roles(names, state$line)
  if (is.null(roles$v) || is.null(roles$cl) && is.null(roles$k)) {
    stop_untranslated_line(
      "The parameters of `linCmt()` are not found.", state$line,
      paste(
        "It needs `cl` and `v` (also `q` and `vp`, `q2` and `vp2`), or `k` and `v` (also `k12` and `k21`, ...), or",
        "`alpha` and `v` (also `beta` and `k21`, `aob` or `b`), and `ka` for a depot."
      )
    )
  }
  args <- lapply(roles, function(role) if (is.character(role)) as.symbol(role) else role)
  if (!is.null(args$vss)) {
    args$v2 <- call("-", args$vss, args$v)
    args$vss <- NULL
  }
  if (!state$equations) return(as.call(c(quote(linear_compartments), args)))
  value <- call("/", quote(central), args$v)
  attr(value, "equations") <- written_compartments(args)
  value
}

# Names of the arguments by argument of linear_compartments(). With a clearance, rates that the model computes beside it
# are not read; half of a pair is refused.
found_roles <- function(names, line = "linCmt()") {
  refuse <- function(problem, hint = "See the names that `linCmt()` of nlmixr2 takes.") {
    stop_untranslated_line(problem, line, hint)
  }
  # The first of these names that is there, as it is written.
  one <- function(...) {
    found <- match(c(...), tolower(names))
    names[found[!is.na(found)][1L]]
  }
  # Exponents beside a clearance or an elimination rate are computed of them.
  if (!is.na(one("alpha")) && is.na(one("cl", rate_names$k))) return(macro_roles(one, refuse))
  clearance <- clearance_names(one, refuse)
  volume <- volume_names(one, refuse)
  roles <- list(v = volume$central)
  if (!is.null(clearance$cl)) {
    roles <- c(list(cl = clearance$cl), roles, paired_roles(clearance$flows, volume, one("vss"), refuse))
  } else {
    if (length(clearance$flows) > 0L) refuse(sprintf("`%s` needs `cl` beside it.", clearance$flows[1L]))
    roles <- c(roles, rate_roles(one, refuse))
  }
  roles$ka <- there(one("ka"))
  Filter(Negate(is.null), roles)
}

there <- function(name) if (!is.na(name)) name

# Clearance, and the flows to the peripheral compartments: Q, Cld, or numbered clearances.
clearance_names <- function(one, refuse) {
  numbered <- vapply(paste0("cl", 1:4), one, "")
  styles <- list(
    q = vapply(c("q", "q1", "q2", "q3"), one, ""), cld = vapply(c("cld", "cld1", "cld2", "cld3"), one, ""),
    cl = numbered
  )
  used <- Filter(function(style) any(!is.na(style)), styles)
  if (length(used) > 1L) {
    mixed <- vapply(used, function(style) style[!is.na(style)][1L], "")
    refuse(sprintf("`%s` and `%s` are two ways to name clearances.", mixed[1L], mixed[2L]))
  }
  cl <- one("cl")
  if (length(used) == 0L) return(list(cl = there(cl)))
  flows <- used[[1L]]
  if (names(used) == "cl") {
    # Without `cl` the lowest number is the clearance.
    if (is.na(cl)) {
      first <- which(!is.na(flows))[1L]
      if (first > 2L) refuse(sprintf("`%s` needs `cl` beside it.", flows[first]))
      cl <- flows[first]
      flows[first] <- NA
    } else if (sum(!is.na(flows)) > 1L && !is.na(flows[1L])) {
      refuse(sprintf("`%s` and `%s` stand together: which is the clearance?", cl, flows[1L]))
    }
  } else if (!is.na(flows[1L]) && any(!is.na(flows[c(2L, 4L)])) || all(!is.na(flows[c(2L, 4L)]))) {
    refuse(sprintf("`%s` do not count one from another.", paste(flows[!is.na(flows)], collapse = "`, `")))
  }
  list(cl = there(unname(cl)), flows = unname(flows[!is.na(flows)]))
}

# The central volume and those of the peripheral compartments.
volume_names <- function(one, refuse) {
  numbered <- vapply(paste0("v", 1:4), one, "")
  plain <- one("v", "vc")
  sets <- lapply(c("vp", "vt", "vd"), function(word) vapply(paste0(word, c("", 1:3)), one, ""))
  sets <- Filter(function(set) any(!is.na(set)), sets)
  if (length(sets) > 1L) {
    mixed <- vapply(sets, function(set) set[!is.na(set)][1L], "")
    refuse(sprintf("`%s` and `%s` are two ways to name volumes.", mixed[1L], mixed[2L]))
  }
  rest <- numbered[!is.na(numbered)]
  if (is.na(plain)) {
    central <- rest[1L]
    rest <- rest[-1L]
    if (is.na(central) || !tolower(central) %in% c("v1", "v2")) central <- NA
  } else {
    central <- plain
    if ("v1" %in% tolower(rest)) refuse(sprintf("`%s` and `%s` are both the central volume.", plain, rest[1L]))
  }
  if (length(sets) > 0L && length(rest) > 0L) {
    refuse(sprintf("`%s` and `%s` are two ways to name volumes.", rest[1L], stats::na.omit(sets[[1L]])[1L]))
  }
  if (length(sets) > 0L) rest <- sets[[1L]][!is.na(sets[[1L]])]
  list(central = there(unname(central)), peripheral = unname(rest))
}

# Flows and the volumes they go to; the volume at steady state is that of both compartments.
paired_roles <- function(flows, volume, vss, refuse) {
  volumes <- volume$peripheral
  if (!is.na(vss)) {
    if (length(volumes) > 0L) refuse(sprintf("`%s` and `%s` stand together.", vss, volumes[1L]))
    if (length(flows) != 1L) refuse(sprintf("`%s` needs one clearance between the compartments, `q`.", vss))
    return(list(q = flows, vss = vss))
  }
  n <- max(length(flows), length(volumes))
  if (n > 2L) refuse(sprintf("`%s` would be of a fourth compartment.", c(flows[-(1:2)], volumes[-(1:2)])[1L]))
  if (length(flows) > length(volumes)) {
    hint <- c("Give its volume, as in `vp <- exp(tvp)`.", "Give its volume, as in `vp2 <- exp(tvp2)`.")[n]
    refuse(sprintf("`%s` has no volume beside it.", flows[n]), hint)
  }
  if (length(flows) < length(volumes)) {
    hint <- c("Give its clearance, as in `q <- exp(tq)`.", "Give its clearance, as in `q2 <- exp(tq2)`.")[n]
    refuse(sprintf("`%s` has no clearance beside it.", volumes[n]), hint)
  }
  pairs <- list()
  roles <- list(c("q", "v2"), c("q2", "v3"))
  for (k in seq_len(n)) pairs[roles[[k]]] <- c(flows[k], volumes[k])
  pairs
}

rate_roles <- function(one, refuse) {
  rates <- lapply(rate_names, function(words) there(one(words)))
  for (pair in list(c("k12", "k21"), c("k13", "k31"))) {
    open <- vapply(rates[pair], is.null, NA)
    if (sum(open) == 1L) {
      wanted <- paste(rate_names[[pair[open]]], collapse = "` or `")
      refuse(sprintf("`%s` needs `%s` beside it.", rates[pair][[which(!open)]], wanted))
    }
  }
  if (is.null(rates$k12) && !is.null(rates$k13)) {
    refuse(sprintf("`%s` is of a third compartment, but there is no second.", rates$k13))
  }
  rates
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
