fit <- fit_orange(method = short_saem(), seed = 1)

test_that("a request carries the fit, and what is asked for in its place", {
  bound <- nlmers:::rebind_data(fit)
  sent <- nlmers:::fitted_fields(fit, bound)
  expect_equal(sent$seed, 1)
  expect_equal(as.numeric(sent$at$coordinates), fit$coordinates$value)
  expect_length(sent$random[[1L]], 5L)
  expect_equal(
    nlmers:::ask_of_fit(fit, "log_likelihood", inference = list(nodes = 11))$value, as.numeric(logLik(fit, nodes = 11))
  )
})

test_that("draws are those of the fit unless the user says", {
  expect_equal(nlmers:::draw_field(fit, NULL), 1000)
  expect_equal(nlmers:::draw_field(as_if_by_vem(fit, draws = 300), NULL), 300)
  expect_equal(nlmers:::draw_field(fit, 50L), 50)
  expect_equal(caught(nlmers:::draw_field(fit, 1))$name, "draws")
  expect_equal(caught(nlmers:::ask_of_fit(fit, "modes", -1))$name, "seed")
})

test_that("what the core does not know is refused, not passed over", {
  bound <- nlmers:::rebind_data(fit)
  sent <- nlmers:::fitted_fields(fit, bound)
  refused <- function(...) caught(nlmers:::core_call(list(...), bound$columns))$message
  expect_match(refused(task = "modes", fit = c(sent, list(sede = 2))), "unknown field `sede`")
  expect_match(refused(task = "mode", fit = sent), "unknown variant `mode`")
  wrong <- sent
  wrong$method$name <- "sam"
  expect_match(refused(task = "modes", fit = wrong), "unknown variant `sam`")
  wrong <- sent
  wrong$method$schedule$sa_schedule <- "saemx"
  expect_match(refused(task = "modes", fit = wrong), "unknown variant `saemx`")
  wrong <- sent
  wrong$method$update_schedule <- "al"
  expect_match(refused(task = "modes", fit = wrong), "no update schedule `al`")
})

test_that("every option of both estimators has a place in the request", {
  for (method in list(saem(), vem(), saem_page_defaults())) {
    sent <- nlmers:::method_fields(method$options)
    groups <- intersect(names(sent), c("schedule", "chains", "anneal", "stop", "mstep", "ebe", "inference"))
    flat <- c(setdiff(names(sent), groups), unlist(lapply(sent[groups], names), use.names = FALSE))
    expect_setequal(flat, setdiff(names(method$options), "verbose"))
  }
})
