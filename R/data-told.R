# What is said of data once, where a model meets them to be fitted: readings that a user might not expect.

tell_of_data <- function(bound, data, method = NULL) {
  data <- as.data.frame(data)
  tell_of_rows(bound$rows)
  tell_of_mixed(bound, data)
  if (!is.null(method) && is_evaluation(method)) return(invisible())
  door <- paste0(bound$model$door, "")
  told <- c(
    returning_words(bound, data, door == "saemix"), censoring_words(bound$model, data, door),
    unread_dosing_words(bound, data), comment_words(bound, data)
  )
  for (words in told) rlang::inform(words, class = "nlmers_message_data")
}

# A column C whose letters mark rows that NONMEM leaves out, where its control stream says so.
comment_words <- function(bound, data) {
  if (!"C" %in% setdiff(names(data), c(names(bound$frame), bound$model$described$columns))) return(NULL)
  text <- trimws(as.character(data$C))
  marks <- text %in% "C"
  if (!any(marks) || !all(text %in% c("C", "", ".", "0", NA))) return(NULL)
  sprintf(
    "`C` marks %s, first row %d, and is not read. Where NONMEM leaves such rows out, `IGNORE=C`, write `%s`.",
    counted(sum(marks), "row"), which(marks)[1L], "data <- data[!trimws(data$C) %in% \"C\", ]"
  )
}
