# Theophylline with networks and soft decision trees inside its equations, their weights drawn for every subject: 52 and
# 40 random effects. Default options of saem(), one thread; the time is that of its iterations.
# tests/slow/learned.R

library(nlmers)

theo <- as.data.frame(datasets::Theoph)
theo$d <- theo$Dose * theo$Wt
names(theo)[names(theo) == "Time"] <- "time"

learned_model <- function(first, second, third, fourth) {
  nlme_model(
    fixed(A1 = !!first, A2 = !!second, C1 = !!third, C2 = !!fourth, sigma = positive(1)),
    random(
      a1 ~ mvnormal(A1, diag(1, length(A1))) | Subject, a2 ~ mvnormal(A2, diag(1, length(A2))) | Subject,
      c1 ~ mvnormal(C1, diag(1, length(C1))) | Subject, c2 ~ mvnormal(C2, diag(1, length(C2))) | Subject
    ),
    {
      absorbed <- softplus(A1(t / 24, weights = a1)[1])
      moved <- softplus(A2(softplus(depot), weights = a2)[1])
      lost <- -softplus(C1(softplus(center), weights = c1)[1])
      given <- softplus(C2(t / 24, weights = c2)[1])
      d/dt(depot) <- -d * absorbed - moved
      d/dt(center) <- d * absorbed + moved + lost + d * given
      depot(0) <- d
      conc ~ normal(center, sigma)
    }
  )
}

networks <- lapply(1:4, function(seed) bquote(network(1, 4, seed = .(seed))))
trees <- lapply(1:4, function(seed) bquote(soft_tree(1, 2, seed = .(seed))))
cases <- list(networks = list(networks, 53, 1.3), trees = list(trees, 41, 0.85))
for (name in names(cases)) {
  case <- cases[[name]]
  model <- do.call(learned_model, case[[1L]], quote = TRUE)
  fit <- suppressWarnings(fit_nlme(model, theo, seed = 1, threads = 1, progress = FALSE))
  seconds <- fit$timing$seconds[fit$timing$name == "saem"]
  count <- sum(fit$parameters$free)
  cat(sprintf("%s: %d parameters, sigma %.3f, %.0f s, %s\n", name, count, sigma(fit), seconds, fit$status$code))
  stopifnot(count == case[[2L]], sigma(fit) < case[[3L]], seconds < 30)
}
