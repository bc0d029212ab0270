# Identifiers that come back after other subjects.

decay <- nlme_model(
  fixed(k = positive(0.3), s = positive(0.5)), random(eta ~ normal(0, 0.2) | ID),
  {
    d/dt(a) <- -k * exp(eta) * a
    DV ~ normal(a, s)
  }
)
course <- function(id, dv = c(7, 5, 4)) data.frame(ID = id, TIME = 0:3, AMT = c(10, 0, 0, 0), DV = c(NA, dv))
back <- rbind(course(3), course(1, c(7, 6, 4)), course(2), course(3, c(8, 6, 5)))

test_that("for NONMEM an ID that comes back is another individual", {
  expect_message(report <- check_data(decay, back, events = nonmem()), "another individual, called 3.2", fixed = TRUE)
  expect_equal(as.character(report$ID), c("3", "1", "2", "3.2"))
  numbered <- transform(back, ID = rep(c(3, 1, 2, 4), each = 4))
  apart <- suppressMessages(fit_nlme(decay, back, events = nonmem(), seed = 1))
  four <- fit_nlme(decay, numbered, events = nonmem(), seed = 1)
  expect_equal(rownames(ranef(apart)), c("1", "2", "3", "3.2"))
  expect_equal(apart$n_subjects, 4)
  expect_equal(as.numeric(logLik(apart)), as.numeric(logLik(four)), tolerance = 1e-5)
  expect_equal(ranef(apart)["3.2", ], ranef(four)["4", ], tolerance = 1e-3)
  # New data and the data of the fit itself are read the same way.
  expect_equal(predict(apart, newdata = back), predict(apart), tolerance = 1e-8)
  expect_equal(predict(apart, newdata = getData(apart)), predict(apart), tolerance = 1e-8)
})

test_that("an identifier that another subject has is not given twice", {
  taken <- rbind(back, course(3.2))
  expect_message(report <- check_data(decay, taken, events = nonmem()), "called 3.2'", fixed = TRUE)
  expect_equal(as.character(report$ID), c("3", "1", "2", "3.2'", "3.2"))
})

test_that("without NONMEM's conventions they are the same subject, and that is said", {
  said <- "`ID` 3 comes back after other subjects, first in row 13"
  expect_message(report <- check_data(decay, back), said, fixed = TRUE)
  expect_equal(as.character(report$ID), c("3", "1", "2", "3"))
  # The line of the message makes four subjects of them.
  data <- back
  data$ID <- cumsum(c(TRUE, data$ID[-1] != data$ID[-nrow(data)]))
  expect_silent(fixed <- check_data(decay, data))
  expect_equal(fixed$ID, 1:4)
  # Rows in the order of time are no sign of anything, and neither are rows without times.
  expect_silent(check_data(decay, back[order(back$TIME), ]))
  crossed <- data.frame(id = rep(1:3, 3), y = 1:9)
  plain <- nlme_model(fixed(m = 1, s = positive(1)), random(e ~ normal(0, 1) | id), y ~ normal(m + e, s))
  expect_silent(check_data(plain, crossed))
})

test_that("every door says it in words that can be written there", {
  for_nlmixr2 <- function() {
    ini({
      tk <- -1
      e ~ 0.1
      a <- 0.5
    })
    model({
      k <- exp(tk + e)
      d/dt(amount) <- -k * amount
      amount ~ add(a)
    })
  }
  expect_message(check_data(for_nlmixr2, back), "write `events = nonmem()`", fixed = TRUE)
  apart <- suppressMessages(fit_nlme(for_nlmixr2, back, events = nonmem(), seed = 1))
  expect_equal(rownames(ranef(apart)), c("1", "2", "3", "3.2"))
  line <- function(psi, id, xidep) psi[id, 1] * exp(-psi[id, 2] * xidep[, 1])
  data <- saemix_data(
    subset(back, AMT == 0), name.group = "ID", name.predictors = "TIME", name.response = "DV", verbose = FALSE
  )
  said <- character()
  withCallingHandlers(
    suppressWarnings(saemix(
      saemix_model(line, c(a = 10, k = 0.3), verbose = FALSE), data,
      list(seed = 1, displayProgress = FALSE, print = FALSE, nbiter.saemix = c(20, 10))
    )),
    nlmers_message_data = function(m) {
      said <<- c(said, conditionMessage(m))
      invokeRestart("muffleMessage")
    }
  )
  expect_match(said, "number them", all = FALSE)
  expect_false(any(grepl("nonmem", said)))
})
