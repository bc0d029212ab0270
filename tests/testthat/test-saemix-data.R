records <- data.frame(
  Id = rep(c("a", "b"), each = 3), Dose = 4, Time = c(0, 1, 2, 0, 1, NA), Concentration = 1:6,
  Sex = rep(c("M", "F"), each = 3), Age = c(30, 31, 31, 40, 40, 40), mdv = c(1, 0, 0, 0, 0, 0),
  blq = c(0, 0, 1, 0, 0, 0)
)

test_that("records are prepared as saemix prepares them", {
  expect_message(
    made <- saemix_data(
      name.data = records, header = TRUE, sep = " ", na = NA, name.group = "Id", name.predictors = c("Dose", "Time"),
      name.response = "Concentration", name.covariates = c("Sex", "Age"), name.mdv = "mdv", name.cens = "blq",
      units = list(x = "hr", y = "mg/L", covariates = c("-", "yr")), name.X = "Time"
    ),
    "`Age` changes within a subject"
  )
  frame <- as.data.frame(made)
  expect_equal(nrow(frame), 5L)
  expect_equal(frame$Concentration, c(NA, 2, 3, 4, 5))
  expect_equal(frame$Sex, c(1, 1, 1, 0, 0))
  expect_equal(frame$Age, c(30, 30, 30, 40, 40))
  expect_equal(frame$CENS, c(0, 0, 1, 0, 0))
  expect_snapshot(print(made))
})

test_that("columns are found by number and by their usual names", {
  made <- saemix_data(records, name.covariates = 5, verbose = FALSE)
  expect_equal(
    made$columns[c("group", "predictors", "response", "covariates")],
    list(group = "Id", predictors = c("Dose", "Time"), response = "Concentration", covariates = "Sex")
  )
  expect_message(saemix_data(records), "`name.group` is taken to be `Id`", fixed = TRUE)
})

test_that("data are read from a file or by name", {
  path <- withr::local_tempfile(fileext = ".txt")
  write.table(records, path, row.names = FALSE)
  expect_equal(nrow(as.data.frame(saemix_data(path, verbose = FALSE))), 5L)
  expect_equal(nrow(as.data.frame(saemix_data("records", verbose = FALSE))), 5L)
  expect_equal(caught(saemix_data("no such data"))$reason, "no_data")
})

test_that("wrong columns are refused", {
  expect_equal(caught(saemix_data(records, name.group = "id_", verbose = FALSE))$column, "id_")
  expect_equal(caught(saemix_data(records, automatic = FALSE))$reason, "no_column")
  several <- caught(saemix_data(records, name.response = c("Dose", "Time"), verbose = FALSE))
  expect_equal(several$reason, "several_columns")
  expect_equal(caught(saemix_data())$reason, "missing_argument")
})

test_that("what has no meaning is said", {
  expect_message(saemix_data(records, name.occ = "Time"), "`name.occ`", fixed = TRUE)
})
