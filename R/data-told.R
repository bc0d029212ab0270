# What is said of data once, where a model meets them to be fitted: readings that a user might not expect.

tell_of_data <- function(bound, data, method = NULL) {
  data <- as.data.frame(data)
  tell_of_rows(bound$rows)
  tell_of_mixed(bound, data)
  if (!is.null(method) && is_evaluation(method)) return(invisible())
  door <- paste0(bound$model$door, "")
  told <- c(
    returning_words(bound, data, door == "saemix"), censoring_words(bound$model, data, door),
    unread_dosing_words(bound, data)
  )
  for (words in told) rlang::inform(words, class = "nlmers_message_data")
}
