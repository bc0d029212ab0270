# Files of a system, written below a folder: list("proc/self/cgroup" = lines).
system_of <- function(files, env = parent.frame()) {
  root <- withr::local_tempdir(.local_envir = env)
  for (name in names(files)) {
    dir.create(dirname(file.path(root, name)), recursive = TRUE, showWarnings = FALSE)
    writeLines(files[[name]], file.path(root, name))
  }
  root
}

forget_limits <- function(env = parent.frame()) {
  names <- c(
    "MC_CORES", "SLURM_CPUS_PER_TASK", "NSLOTS", "PBS_NUM_PPN", "NCPUS", "LSB_DJOB_NUMPROC", "_R_CHECK_LIMIT_CORES_"
  )
  withr::local_envvar(stats::setNames(rep(NA, length(names)), names), .local_envir = env)
  withr::local_options(mc.cores = NULL, .local_envir = env)
}

test_that("threads come from the argument, the option, or the machine, and are never more than the cores", {
  count <- nlmers:::thread_count
  withr::local_options(nlmers.threads = NULL)
  expect_equal(count(3, 8), 3)
  expect_equal(count(NULL, 8), 2)
  expect_equal(count(NULL, 1), 1)
  expect_equal(suppressMessages(count(1e4, 8)), 8)
  withr::local_options(nlmers.threads = 4)
  expect_equal(count(NULL, 8), 4)
  expect_equal(suppressMessages(count(NULL, 3)), 3)
  expect_equal(caught(count(0, 8))$name, "threads")
})

test_that("fewer threads than asked for are told once", {
  told <- nlmers:::told
  before <- told$cores
  withr::defer(told$cores <- before)
  told$cores <- NULL
  expect_message(nlmers:::thread_count(1e4, 8), "10000 threads asked for, 8 used", class = "nlmers_threads")
  expect_no_message(nlmers:::thread_count(1e4, 8))
})

test_that("ten thousand threads are not started", {
  fit <- suppressMessages(fit_orange(method = short_saem(), seed = 1, threads = 1e4))
  expect_lte(fit$settings$threads, parallel::detectCores())
  threads <- fit$settings$threads
  # A fit from a larger machine.
  fit$settings$threads <- 1e4
  expect_equal(nlmers:::fitted_fields(fit, nlmers:::rebind_data(fit))$threads, nlmers:::available_cores())
  expect_lte(threads, nlmers:::available_cores())
})

test_that("options and schedulers limit the cores", {
  forget_limits()
  none <- system_of(list(nothing = ""))
  all <- parallel::detectCores()
  counted <- function() nlmers:::counted_cores(none)
  expect_equal(counted(), all)
  for (name in c("MC_CORES", "SLURM_CPUS_PER_TASK", "NSLOTS", "PBS_NUM_PPN", "NCPUS", "LSB_DJOB_NUMPROC")) {
    withr::with_envvar(stats::setNames("1", name), expect_equal(counted(), 1))
    withr::with_envvar(stats::setNames("junk", name), expect_equal(counted(), all))
  }
  withr::with_options(list(mc.cores = 0), expect_equal(counted(), 1))
  withr::with_options(list(mc.cores = 1), expect_equal(counted(), 1))
  withr::with_envvar(c("_R_CHECK_LIMIT_CORES_" = "TRUE"), expect_equal(counted(), min(2, all)))
  withr::with_envvar(c("_R_CHECK_LIMIT_CORES_" = "false"), expect_equal(counted(), all))
  expect_true(nlmers:::is_cluster_worker(c("R", "-e", "parallel:::.workRSOCK()")))
  expect_false(nlmers:::is_cluster_worker(c("R", "--no-save")))
})

test_that("quotas of control groups are read in both versions, with those above", {
  quota <- function(...) min(Inf, nlmers:::quota_cores(system_of(list(...))))
  expect_equal(quota("proc/self/cgroup" = "0::/", "sys/fs/cgroup/cpu.max" = "350000 100000"), 3)
  expect_equal(quota("proc/self/cgroup" = "0::/", "sys/fs/cgroup/cpu.max" = "50000 100000"), 1)
  expect_equal(quota("proc/self/cgroup" = "0::/", "sys/fs/cgroup/cpu.max" = "max 100000"), Inf)
  expect_equal(quota(
    "proc/self/cgroup" = "0::/user/job", "sys/fs/cgroup/user/cpu.max" = "200000 100000",
    "sys/fs/cgroup/user/job/cpu.max" = "max 100000"
  ), 2)
  old <- c("4:memory:/a", "3:cpu,cpuacct:/docker/x", "0::/")
  expect_equal(quota(
    "proc/self/cgroup" = old, "sys/fs/cgroup/cpu/cpu.cfs_quota_us" = "400000",
    "sys/fs/cgroup/cpu/cpu.cfs_period_us" = "100000"
  ), 4)
  expect_equal(quota(
    "proc/self/cgroup" = old, "sys/fs/cgroup/cpu,cpuacct/docker/x/cpu.cfs_quota_us" = "250000",
    "sys/fs/cgroup/cpu,cpuacct/docker/x/cpu.cfs_period_us" = "100000"
  ), 2)
  expect_equal(quota(
    "proc/self/cgroup" = old, "sys/fs/cgroup/cpu/cpu.cfs_quota_us" = "-1",
    "sys/fs/cgroup/cpu/cpu.cfs_period_us" = "100000"
  ), Inf)
  expect_equal(quota(nothing = ""), Inf)
})

test_that("the affinity of the process is read", {
  affine <- function(list) nlmers:::affine_cores(system_of(list("proc/self/status" = list)))
  expect_equal(affine(c("Name:\tR", "Cpus_allowed_list:\t0-3,8")), 5)
  expect_equal(affine("Cpus_allowed_list:\t7"), 1)
  expect_null(affine("Name:\tR"))
})
