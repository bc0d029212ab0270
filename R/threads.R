# How many threads a fit may use: never more than the cores that are there for this R, however many are asked for.

# The number asked for, as far as there are cores for it; two, where nobody asks.
thread_count <- function(threads, available = available_cores()) {
  if (is.null(threads)) threads <- getOption("nlmers.threads")
  if (is.null(threads)) return(min(2, available))
  threads <- check_count(threads, "threads", 1)
  if (threads <= available) return(threads)
  tell_of_cores(threads, available)
  available
}

# More threads than cores would only wait for each other. Said once a session.
tell_of_cores <- function(threads, available) {
  if (isTRUE(told$cores)) return(invisible())
  told$cores <- TRUE
  message(structure(
    class = c("nlmers_threads", "message", "condition"),
    list(message = sprintf(
      "%s threads asked for, %d used: that is how many cores this R may use.\n", format(threads, scientific = FALSE),
      as.integer(available)
    ), call = NULL)
  ))
}

told <- new.env(parent = emptyenv())

# parallelly knows the schedulers of clusters best; without it the count is our own.
available_cores <- function() {
  counted <- if (requireNamespace("parallelly", quietly = TRUE)) parallelly::availableCores() else counted_cores()
  max(1, as.numeric(counted))
}

# The smallest of all that limit this R.
counted_cores <- function(root = "/") {
  limits <- c(
    if (is_cluster_worker()) 1, option_cores(), scheduled_cores(), checked_cores(), quota_cores(root),
    affine_cores(root), parallel::detectCores()
  )
  limits <- limits[is.finite(limits)]
  if (length(limits) == 0L) 1 else max(1, floor(min(limits)))
}

# R processes that the parallel package started share the machine with their siblings.
is_cluster_worker <- function(arguments = commandArgs()) any(grepl("workRSOCK|workMPI", arguments))

# `mc.cores` counts the processes beside this one, which leaves one in any case.
option_cores <- function() {
  cores <- getOption("mc.cores", Sys.getenv("MC_CORES", NA))
  max(1, whole_number(cores))
}

# What the scheduler of a cluster gave to this job: Slurm, Grid Engine, PBS, LSF.
scheduled_cores <- function() {
  names <- c("SLURM_CPUS_PER_TASK", "NSLOTS", "PBS_NUM_PPN", "NCPUS", "LSB_DJOB_NUMPROC")
  cores <- vapply(Sys.getenv(names, NA), whole_number, numeric(1L))
  cores[is.finite(cores) & cores >= 1]
}

# R CMD check of CRAN allows two.
checked_cores <- function() {
  limit <- tolower(Sys.getenv("_R_CHECK_LIMIT_CORES_"))
  if (!limit %in% c("", "false")) 2
}

whole_number <- function(text) suppressWarnings(as.numeric(as.character(text)[1L]))

# The quota of the control groups of this process and of those above them, in cores; containers have one.
quota_cores <- function(root = "/") {
  file <- function(...) paste0(sub("/$", "", root), paste0("/", c(...), collapse = ""))
  lines <- first_lines(file("proc/self/cgroup"))
  parts <- strsplit(lines, ":", fixed = TRUE)
  cores <- lapply(Filter(function(part) length(part) >= 3L, parts), function(part) {
    kinds <- strsplit(part[2L], ",", fixed = TRUE)[[1L]]
    paths <- ancestors(paste(part[-(1:2)], collapse = ":"))
    if (part[1L] == "0" && part[2L] == "") {
      return(lapply(paths, function(path) quota_of(first_lines(file("sys/fs/cgroup", path, "cpu.max")))))
    }
    if (!"cpu" %in% kinds) return(NULL)
    lapply(paths, function(path) {
      at <- function(name) first_lines(file("sys/fs/cgroup", part[2L], path, name))
      at_cpu <- function(name) first_lines(file("sys/fs/cgroup/cpu", path, name))
      c(
        quota_of(c(at("cpu.cfs_quota_us"), at("cpu.cfs_period_us"))),
        quota_of(c(at_cpu("cpu.cfs_quota_us"), at_cpu("cpu.cfs_period_us")))
      )
    })
  })
  unlist(cores)
}

# "/a/b" lies in "/a", which lies in "".
ancestors <- function(path) {
  steps <- Filter(nzchar, strsplit(path, "/", fixed = TRUE)[[1L]])
  vapply(seq(0L, length(steps)), function(n) paste(utils::head(steps, n), collapse = "/"), "")
}

# A quota and its period in microseconds; "max" and -1 are none.
quota_of <- function(texts) {
  numbers <- suppressWarnings(as.numeric(unlist(strsplit(texts, " ", fixed = TRUE))))
  if (length(numbers) != 2L || anyNA(numbers) || any(numbers <= 0)) return(NULL)
  max(1, floor(numbers[1L] / numbers[2L]))
}

# The cores to which the system confines this process, as in "0-3,8".
affine_cores <- function(root = "/") {
  lines <- first_lines(paste0(sub("/$", "", root), "/proc/self/status"))
  list <- sub("^Cpus_allowed_list:\\s*", "", grep("^Cpus_allowed_list:", lines, value = TRUE))
  if (length(list) != 1L) return(NULL)
  ranges <- lapply(strsplit(strsplit(list, ",", fixed = TRUE)[[1L]], "-", fixed = TRUE), as.numeric)
  sum(vapply(ranges, function(range) range[length(range)] - range[1L] + 1, numeric(1L)))
}

# The lines of a small file, none where it cannot be read.
first_lines <- function(path) {
  if (!file.exists(path)) return(character())
  tryCatch(readLines(path, 200L, warn = FALSE), error = function(condition) character())
}
