# Files as they come: what the data are when they are read in another way than they were written.

decay <- nlme_model(
  fixed(k = positive(0.3), s = positive(0.5)), random(eta ~ normal(0, 0.2) | ID),
  {
    d/dt(a) <- -k * exp(eta) * a
    DV ~ normal(a, s)
  }
)
rows <- data.frame(
  ID = rep(1:3, each = 4), TIME = 0:3, AMT = c(10, 0, 0, 0), DV = c(NA, 7.1, 5.2, 3.9), MDV = c(1, 0, 0, 0)
)
csv <- capture.output(write.csv(rows, row.names = FALSE, quote = FALSE, na = "."))

as_told <- function(data, error) {
  for (line in regmatches(error$hint, gregexpr("`[^`]*<-[^`]*`", error$hint))[[1]]) {
    eval(parse(text = sub("<limit>", "4", gsub("`", "", line), fixed = TRUE)))
  }
  data
}

test_that("data of every class give the same report", {
  known <- as.data.frame(check_data(decay, rows))
  classes <- list(c("tbl_df", "tbl", "data.frame"), c("data.table", "data.frame"), c("nfnGroupedData", "data.frame"))
  for (class in classes) expect_equal(as.data.frame(check_data(decay, structure(rows, class = class))), known)
  of_nonmem <- check_data(decay, read.csv(text = csv), events = nonmem())
  expect_equal(as.data.frame(of_nonmem), known)
  spaced <- read.csv(text = gsub(",", " , ", csv))
  expect_equal(as.data.frame(check_data(decay, spaced, events = nonmem())), known)
})

test_that("a point for a missing outcome is named though its row holds no outcome", {
  data <- read.csv(text = csv)
  error <- caught(check_data(decay, data))
  expect_match(error$hint, "It holds \".\" where there is no value", fixed = TRUE)
  expect_equal(attr(check_data(decay, as_told(data, error)), "n_fitted"), 9L)
})

test_that("a header that was read in another way is told", {
  hint <- function(data) caught(check_data(decay, data))$hint
  expect_match(hint(read.csv(text = gsub(",", ";", csv))), "sep = \";\"", fixed = TRUE)
  named <- function(name) stats::setNames(rows, c(name, names(rows)[-1L]))
  for (name in c("X.U.FEFF.ID", "\u00ef..ID", "\ufeffID")) expect_match(hint(named(name)), "UTF-8-BOM", fixed = TRUE)
  for (name in c("X.ID", "#ID")) {
    data <- named(name)
    expect_equal(names(as_told(data, caught(check_data(decay, data))))[1L], "ID")
  }
})

test_that("BLQ among numbers becomes censored by the line told", {
  data <- transform(rows, DV = ifelse(is.na(DV), ".", ifelse(DV < 4, "BLQ", DV)))
  report <- check_data(decay, as_told(data, caught(check_data(decay, data))))
  expect_equal(sum(report$reason == "below 4"), 3L)
})

test_that("rows that a column C marks are spoken of", {
  data <- cbind(C = c("C", rep("", 11)), rows)
  expect_message(check_data(decay, data), "`C` marks 1 row, first row 1", fixed = TRUE)
  expect_silent(check_data(decay, cbind(C = 1.5, rows)))
})
