# Numbers with their nouns: "1 row", "2 rows".

counted <- function(n, noun, nouns = paste0(noun, "s")) {
  paste(format(n, trim = TRUE, big.mark = "", scientific = FALSE), ifelse(n == 1, noun, nouns))
}
