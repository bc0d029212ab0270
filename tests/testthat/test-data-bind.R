bind <- function(data, ...) nlmers:::bind_data(theo_formula(), data, ...)

test_that("columns are bound as numbers, subjects as codes", {
  bound <- bind(theo)
  expect_setequal(names(bound$columns), c("conc", "dose", "Time", ".group"))
  expect_equal(bound$fields$group, "Subject")
  expect_equal(as.character(bound$fields$labels), levels(theo$Subject))
  expect_equal(
    as.character(bound$fields$labels)[bound$columns$.group], as.character(theo$Subject)
  )
  expect_equal(names(bound$frame), c("Subject", "conc", "dose", "Time"))
})

test_that("labels do not depend on the order of rows", {
  labels <- nlmers:::group_labels
  expect_equal(labels(c(10, 2, 1)), c("1", "2", "10"))
  expect_equal(labels(c(1e5, 1.5)), c("1.5", "100000"))
  expect_equal(labels(c("b", "B", "a")), c("B", "a", "b"))
  expect_equal(labels(factor(c("z", "a"), levels = c("z", "q", "a"))), c("z", "a"))
})

test_that("the time column is found", {
  find <- function(...) nlmers:::time_column(data.frame(...), NULL)
  expect_equal(find(TIME = 1, time = 2), "time")
  expect_equal(find(Time = 1), "Time")
  expect_equal(find(t = 1, Time = 1), "t")
  expect_null(find(age = 1))
  expect_null(find(time = as.Date("2020-02-02")))
  expect_equal(caught(bind(theo, time = "tiem"))$hint, "Did you mean `Time`?")
})

test_that("bad data are refused with the user's own names", {
  expect_equal(caught(bind(as.list(theo)))$reason, "no_data_frame")
  expect_equal(caught(bind(theo[0, ]))$reason, "no_rows")
  error <- caught(bind(transform(theo, Subject = replace(Subject, 7, NA))))
  expect_equal(error[c("reason", "column", "row")], list(reason = "missing_group", column = "Subject", row = 7L))
  error <- caught(bind(transform(theo, dose = as.character(dose))))
  expect_equal(error[c("reason", "column")], list(reason = "not_numeric", column = "dose"))
  expect_equal(caught(bind(theo, id = "subject"))$hint, "Did you mean `Subject`?")
  expect_equal(caught(bind(theo, id = 1))$reason, "bad_option")
  expect_equal(caught(bind(theo[names(theo) != "dose"]))$name, "dose")
})

test_that("without a group anywhere the error says how to give one", {
  model <- nlme_formula(y ~ f, c(f = 1), random = f ~ 1)
  expect_equal(caught(fit_nlme(model, data.frame(y = 1)))$reason, "no_group")
  bound <- nlmers:::bind_data(model, data.frame(y = 1:2, who = c("a", "b")), id = "who")
  expect_equal(bound$fields$group, "who")
})

test_that("a prediction needs no outcome", {
  bound <- nlmers:::bind_data(
    theo_formula(), theo[names(theo) != "conc"], "Subject", "Time", need_outcome = FALSE
  )
  expect_true(all(is.na(bound$columns$conc)))
})
