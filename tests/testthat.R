library(testthat)
library(nlmers)

test_check("nlmers")
