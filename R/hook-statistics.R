# The statistics of a user's `suffstats`: checked, averaged over chains, smoothed with the gain.

# The statistics of one fit. Those of the first iteration are kept whatever the gain, so that nobody ever works on
# none; the first gain above 0 replaces them, as nothing before counts.
hook_statistics <- function() {
  current <- NULL
  counts <- FALSE
  list(
    current = function() current,
    move = function(chains, gain) {
      new <- mean_statistics(lapply(chains, checked_statistics))
      current <<- if (is.null(current)) {
        new
      } else {
        smooth_statistics(current, new, if (counts || gain == 0) gain else 1)
      }
      counts <<- counts || gain > 0
    }
  )
}

mean_statistics <- function(chains) {
  total <- chains[[1L]]
  for (other in chains[-1L]) total <- combine_statistics(total, other, `+`)
  combine_statistics(total, total, function(sum, ...) sum / length(chains))
}

# s + gain (new - s), element by element.
smooth_statistics <- function(old, new, gain) {
  combine_statistics(old, new, function(old, new) {
    if (gain == 0) old else if (gain == 1) new else old + gain * (new - old)
  })
}

# `f` of the elements of two statistics of the same names and shapes.
combine_statistics <- function(old, new, f, path = "") {
  if (is.list(old) != is.list(new) || (!is.list(old) && !same_shape(old, new))) {
    stop_hook(
      "suffstats", sprintf("returns %s of another shape than before", statistic_text(path)),
      sprintf("It was %s and is now %s.", shape_text(old), shape_text(new))
    )
  }
  if (!is.list(old)) return(f(old, new))
  lost <- setdiff(names(old), names(new))
  if (length(lost) > 0L) {
    stop_hook("suffstats", sprintf("no longer returns %s", statistic_text(paste0(path, lost[1L]))))
  }
  added <- setdiff(names(new), names(old))
  if (length(added) > 0L) {
    stop_hook("suffstats", sprintf("returns %s, which it did not before", statistic_text(paste0(path, added[1L]))))
  }
  for (name in names(old)) {
    old[[name]] <- combine_statistics(old[[name]], new[[name]], f, paste0(path, name, "$"))
  }
  old
}

same_shape <- function(old, new) length(old) == length(new) && identical(dim(old), dim(new))

# Numbers, arrays, or named lists of them.
checked_statistics <- function(value, path = "") {
  if (is.list(value)) {
    named <- rlang::names2(value)
    if (length(value) == 0L || any(named == "") || anyDuplicated(named) > 0L) {
      stop_hook(
        "suffstats", sprintf("must give every element of %s a name of its own", statistic_text(path)),
        "Write `list(sum = , square = )`."
      )
    }
    for (name in named) value[[name]] <- checked_statistics(value[[name]], paste0(path, name, "$"))
    return(value)
  }
  if (!(is.numeric(value) || is.logical(value)) || is.factor(value)) {
    stop_hook("suffstats", sprintf("returns %s that is not a number", statistic_text(path)),
              sprintf("It is %s.", shape_text(value)))
  }
  storage.mode(value) <- "double"
  if (!all(is.finite(value))) {
    stop_hook("suffstats", sprintf("returns %s that is not finite", statistic_text(path)))
  }
  value
}

statistic_text <- function(path) {
  name <- sub("[$]$", "", path)
  if (nzchar(name)) sprintf("a statistic `%s`", name) else "statistics"
}

shape_text <- function(value) {
  if (is.null(value)) return("NULL")
  if (is.list(value)) return("a list")
  if (!is.null(dim(value))) return(sprintf("an array of %s", paste(dim(value), collapse = " x ")))
  if (!is.numeric(value)) return(sprintf("of class `%s`", class(value)[1L]))
  if (length(value) == 1L) "one number" else sprintf("%d numbers", length(value))
}
