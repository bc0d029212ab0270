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
  expect_equal(find(time = as.Date("2020-02-02")), "time")
  expect_null(find(time = "morning"))
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
    theo_formula(), theo[names(theo) != "conc"], "Subject", "Time", "newdata"
  )
  expect_true(all(is.na(bound$columns$conc)))
})

test_that("a number outside the data is put in with `!!`", {
  k0 <- 0.3
  data <- data.frame(y = 1:4, t = 1:4, id = c(1, 1, 2, 2))
  error <- caught(fit_nlme(y ~ A * exp(-k0 * t), data, start = c(A = 1), random = A ~ 1 | id))
  expect_equal(error$reason, "unknown_symbol")
  expect_match(error$hint, "`!!k0`", fixed = TRUE)
})

test_that("names of the model are not listed as columns", {
  error <- caught(bind(stats::setNames(theo, c("Subject", "Wt", "D", "Time", "conc", "mg"))))
  expect_equal(error$hint, "Columns: `Subject`, `Wt`, `D`, `Time`, `conc`, `mg`.")
})

test_that("text that holds numbers is made numbers", {
  hint_of <- function(values) {
    caught(bind(transform(theo, dose = values)))$hint
  }
  expect_match(hint_of(as.character(theo$dose)), "`data$dose <- as.numeric(data$dose)`", fixed = TRUE)
  expect_match(hint_of(factor(theo$dose)), "as.numeric(as.character(data$dose))", fixed = TRUE)
  expect_match(hint_of(rep("high", nrow(theo))), "data$dose == \"high\"", fixed = TRUE)
})

test_that("distinct numbers are distinct subjects", {
  text <- nlmers:::group_text(c(0.1 + 0.2, 0.3, 1e5, 12))
  expect_equal(text, c("0.30000000000000004", "0.3", "100000", "12"))
  expect_length(nlmers:::group_labels(c(0.1 + 0.2, 0.3)), 2L)
})
