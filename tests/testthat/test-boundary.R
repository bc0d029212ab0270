self_test <- function(what, ..., columns = list(), progress = NULL) {
  core_call(list(task = "self_test", what = what, ...), columns, progress)
}

test_that("columns reach the core and come back with their missing values", {
  columns <- list(Time = c(0, 0.25, NA), dose = c(320L, NA, 320L))
  answer <- self_test("echo", columns = columns)
  expect_equal(answer$columns, lapply(columns, as.double))
  expect_identical(answer$missing, 2)
})

test_that("a column name keeps its letters", {
  columns <- structure(list(1), names = iconv("gr\u00f6\u00dfe", "UTF-8", "latin1"))
  expect_named(self_test("echo", columns = columns)$columns, "gr\u00f6\u00dfe")
})

test_that("every kind of value becomes the plain R object of its name", {
  answer <- self_test("echo")
  expect_null(answer$null)
  expect_true("null" %in% names(answer))
  expect_true(answer$flag)
  expect_identical(answer$text, "\u00b5")
  expect_identical(answer$integers, 1:2)
  expect_identical(answer$texts, c("a", "b"))
  expect_identical(answer$flags, c(TRUE, FALSE))
  expect_identical(answer$matrix, matrix(c(1, 2, 3, 4, 5, 6), 2))
})

test_that("numbers of a request arrive with all their bits", {
  x <- c(pi, 1 / 3, -1e-300, 123456789.123456789, 0.1 + 0.2, 5e-324, .Machine$double.xmax)
  expect_identical(self_test("echo", numbers = x)$numbers, x)
  expect_identical(self_test("echo", numbers = I(pi))$numbers, pi)
})

test_that("a request is the JSON its parts say", {
  request <- list(
    a = 1, b = I(2), c = NULL, d = c(1.5, NA, Inf), e = "q\"\n\u00b5", f = I("x"), g = TRUE, h = 1:2,
    i = list(), j = stats::setNames(list(), character()), k = list(list(x = 0.5), "y")
  )
  expect_identical(
    request_json(request),
    paste0(
      '{"a":1,"b":[2],"c":null,"d":[1.5,null,null],"e":"q\\"\\n\u00b5","f":["x"],"g":true,"h":[1,2],',
      '"i":[],"j":{},"k":[{"x":0.5},"y"]}'
    )
  )
})

test_that("an error of the core becomes a classed condition with its fields", {
  error <- expect_error(self_test("refuse"), class = "nlmers_error_data")
  expect_s3_class(error, "nlmers_error")
  expect_identical(error$reason, "self_test")
  expect_identical(error$row, 3L)
  expect_identical(error$column, "dose")
  expect_match(conditionMessage(error), "The problem.*the place.*The way out")
})

test_that("a request that is no request is an error, not a crash", {
  expect_error(core_call(list(task = "no such task")), class = "nlmers_error")
  expect_error(core_call(list()), class = "nlmers_error")
})

test_that("a panic becomes an error, prints nothing, and the session lives", {
  expect_silent(error <- expect_error(self_test("panic"), class = "nlmers_error_internal"))
  expect_match(conditionMessage(error), "a panic on the worker")
  expect_match(error$place, "self_test.rs")
  expect_error(self_test("thread_panic"), "a panic on another thread", class = "nlmers_error_internal")
  expect_identical(self_test("echo")$missing, 0)
})

test_that("progress is told while the task runs", {
  seen <- list()
  self_test("sleep", seconds = 0.2, progress = function(iteration, total, phase, gain, objective) {
    seen[[length(seen) + 1]] <<- list(iteration = iteration, total = total, phase = phase, gain = gain)
  })
  expect_gte(length(seen), 3)
  iterations <- vapply(seen, function(one) one$iteration, 0)
  expect_true(all(diff(iterations) > 0))
  expect_identical(seen[[1]][c("total", "phase", "gain")], list(total = 200, phase = "waiting", gain = 1))
})

test_that("FALSE from progress stops the task", {
  time <- system.time(answer <- self_test("sleep", seconds = 30, progress = function(...) FALSE))
  expect_true(answer$interrupted)
  expect_lt(time[["elapsed"]], 5)
})

test_that("an error in progress stops the task and is raised", {
  expect_error(self_test("sleep", seconds = 30, progress = function(...) stop("no bar")), "no bar")
})

# Runs in its own R process: starts a task of 30 seconds, gets SIGINT after one, prints what came back.
interrupted_session <- function() {
  core_call <- utils::getFromNamespace("core_call", "nlmers")
  signal <- tempfile()
  system(sprintf("(sleep 1; date +%%s.%%N >%s; kill -INT %d) &", signal, Sys.getpid()))
  answer <- core_call(list(task = "self_test", what = "sleep", seconds = 30))
  stopped <- as.numeric(Sys.time())
  alive <- core_call(list(task = "self_test", what = "echo"))$flag
  cat("interrupted", answer$interrupted, "alive", alive, "after", stopped - as.numeric(readLines(signal)), "\n")
}

test_that("Ctrl-C stops a task within a quarter of a second and the session lives", {
  output <- output_of_own_process("interrupted_session")
  line <- grep("^interrupted", output, value = TRUE)
  expect_match(line, "interrupted TRUE alive TRUE")
  expect_lt(as.numeric(sub(".* after ", "", line)), 0.25)
})

doubling <- function(name, arguments) list(ok = TRUE, value = 2 * arguments$numbers)

test_that("a task asks R and goes on at once", {
  ask <- function(times, hooks) {
    core_call(list(task = "self_test", what = "ask", times = times, numbers = I(c(1, 0.1))), hooks = hooks)
  }
  expect_identical(ask(3, doubling), c(8, 0.8))
  # Were the main thread to wake by its clock only, this would take 20 s.
  expect_lt(system.time(ask(1000, function(...) list(ok = TRUE, value = 1)))[["elapsed"]], 2)
})

test_that("questions from several threads get their own answers", {
  answer <- core_call(list(task = "self_test", what = "ask_together", threads = 8), hooks = doubling)
  expect_identical(answer, 0:7 * 2^20)
})

test_that("a question without anybody to ask, or without a readable answer, is an error", {
  ask <- function(hooks) {
    caught(core_call(list(task = "self_test", what = "ask", times = 1, numbers = I(1)), hooks = hooks))
  }
  expect_identical(ask(NULL)$reason, "no_front_end")
  for (answer in list(NULL, 1, list(), list(ok = TRUE, value = "a"), list(ok = FALSE))) {
    expect_identical(ask(function(...) answer)$reason, "worker")
  }
})

test_that("a refused question ends the task with the words of the answer", {
  answer <- list(ok = FALSE, hook = "q", message = "It broke.", hint = "Mend it.", stopped = FALSE)
  ask <- function(answer) {
    caught(core_call(
      list(task = "self_test", what = "ask", times = 5, numbers = I(1)), hooks = function(...) answer
    ))
  }
  error <- ask(answer)
  expect_s3_class(error, "nlmers_error_option")
  expect_identical(error[c("reason", "problem", "hint", "hook")],
                   list(reason = "hook_value", problem = "It broke.", hint = "Mend it.", hook = "q"))
  answer$stopped <- TRUE
  expect_identical(ask(answer)$problem, "`q` stopped: It broke.")
})

test_that("a jump out of a question ends in the task and the session lives", {
  jump <- function(...) invokeRestart("leave")
  for (i in 1:50) {
    left <- withRestarts(
      caught(core_call(list(task = "self_test", what = "ask", times = 5, numbers = I(1)), hooks = jump)),
      leave = function() "left"
    )
    expect_identical(left$reason, "interrupted")
  }
  expect_true(self_test("echo")$flag)
})

test_that("interrupts and progress are not forgotten while questions follow each other", {
  calls <- 0
  stopping <- function(...) {
    calls <<- calls + 1
    calls < 2
  }
  slow <- function(...) {
    Sys.sleep(0.001)
    list(ok = TRUE, value = 1)
  }
  expect_identical(
    caught(core_call(list(task = "self_test", what = "ask", times = 1e5, numbers = I(1)), progress = stopping,
                     hooks = slow))$reason,
    "interrupted"
  )
})
