# The name a user probably meant.

# Closest of `candidates` to `name`, or NULL when none is near. Case counts for
# nothing, so that `time` finds `Time` before it finds `tine`.
nearest_name <- function(name, candidates) {
  candidates <- unique(setdiff(candidates, c(name, "")))
  if (length(candidates) == 0L) return(NULL)
  distance <- drop(utils::adist(tolower(name), tolower(candidates)))
  best <- which.min(distance)
  # A third of the letters may differ; two letters swapped count as two.
  allowed <- if (nchar(name) < 4L) 1 else max(2, nchar(name) %/% 3)
  # As many changes as letters would turn any name into any other.
  if (distance[best] <= allowed && distance[best] < nchar(name)) candidates[best]
}

# The sentence for a hint: the near miss when there is one, else what there is of
# `listed`.
nearest_hint <- function(name, candidates, what, listed = candidates, most = 12L) {
  near <- nearest_name(name, candidates)
  if (!is.null(near)) return(sprintf("Did you mean `%s`?", near))
  if (length(listed) == 0L) return(NULL)
  shown <- utils::head(listed, most)
  more <- if (length(listed) > length(shown)) ", ..." else ""
  paste0(what, ": ", paste0("`", shown, "`", collapse = ", "), more, ".")
}
