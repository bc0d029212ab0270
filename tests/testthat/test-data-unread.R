# Columns that say what is censored, in words that are not CENS: a line that can be run.

decay <- nlme_model(
  fixed(k = positive(0.3), s = positive(0.5)), random(eta ~ normal(0, 0.2) | ID),
  {
    d/dt(a) <- -k * exp(eta) * a
    DV ~ normal(a, s)
  }
)
course <- data.frame(
  ID = rep(1:3, each = 5), TIME = 0:4, AMT = c(10, 0, 0, 0, 0),
  DV = c(NA, 7, 5.5, 3.9, 2.8, NA, 7.2, 5, 4.2, 3, NA, 6.9, 5.1, 3.8, 2.9)
)
low <- with(course, !is.na(DV) & DV < 4)

# What is said, and the data after the line that is said.
followed <- function(data, model = decay) {
  said <- character()
  withCallingHandlers(check_data(model, data), nlmers_message_data = function(m) {
    said <<- c(said, conditionMessage(m))
    invokeRestart("muffleMessage")
  })
  line <- regmatches(said, regexpr("data <- transform\\(data, [^`]*\\)", said))
  eval(parse(text = sub("<limit>", "4", line, fixed = TRUE)))
  list(said = said, data = data)
}

test_that("each kind of column is named with a line after which the values are censored", {
  gap <- ifelse(low, NA, course$DV)
  cases <- list(
    transform(course, LIMIT = 4), transform(course, LLOQ = 4), transform(course, loq = 4),
    transform(course, BLQ = as.numeric(low), DV = ifelse(low, 4, DV)), transform(course, BLQ = low, DV = gap),
    transform(course, bql = ifelse(low, "Y", "N"), LLOQ = 4, DV = gap),
    transform(course, BLOQ = factor(ifelse(low, "BLQ", "")), DV = ifelse(low, 0, DV)),
    transform(course, BLQ = as.numeric(low), MDV = as.numeric(low | AMT > 0), DV = ifelse(low, 0, DV))
  )
  for (data in cases) {
    result <- followed(data)
    expect_length(result$said, 1L)
    report <- check_data(decay, result$data)
    expect_equal(which(grepl("below 4", report$reason)), which(report$row %in% which(low)))
    expect_equal(sum(report$reason == "below 4"), sum(low))
  }
  above <- followed(transform(course, ULOQ = 6))
  expect_equal(sum(check_data(decay, above$data)$reason == "above 6"), sum(course$DV > 6, na.rm = TRUE))
})

test_that("nothing is said where such a column is read, or where CENS stands beside it", {
  stated <- nlme_model(
    fixed(k = positive(0.3), s = positive(0.5)), random(eta ~ normal(0, 0.2) | ID),
    {
      d/dt(a) <- -k * exp(eta) * a
      DV ~ censored(normal(a, s), lower = LLOQ)
    }
  )
  expect_silent(check_data(stated, transform(course, LLOQ = 4)))
  expect_silent(check_data(decay, transform(course, LLOQ = 4, CENS = 0)))
  expect_silent(check_data(decay, transform(course, BLQ = 0)))
})

test_that("data for a model of saemix are told to name the column", {
  data <- subset(course, AMT == 0)
  read <- function(data) {
    saemix_data(data, name.group = "ID", name.predictors = "TIME", name.response = "DV", automatic = FALSE)
  }
  expect_message(read(transform(data, LLOQ = 4)), "name.cens = \"CENS\"", fixed = TRUE)
  expect_message(read(transform(data, cens = as.numeric(DV < 4))), "name.cens = \"cens\"", fixed = TRUE)
})
