# Fit two data sets that come with R, print the fits, draw the first one.

library(nlmers)

theophylline <- nlme_model(
  fixed(
    tka = 0.45, tcl = -3.2, tv = -0.8,
    omega = positive(c(0.6, 0.3, 0.2)),
    sigma = positive(0.7)
  ),
  random(eta ~ mvnormal(c(tka, tcl, tv), diag(omega)) | Subject),
  {
    ka <- exp(eta[1])
    cl <- exp(eta[2])
    v <- exp(eta[3])
    conc ~ normal(Dose * ka / (v * ka - cl) * (exp(-cl / v * Time) - exp(-ka * Time)), sigma)
  }
)
fit <- fit_nlme(theophylline, data = datasets::Theoph, seed = 1, progress = interactive())
print(fit)

folder <- tempfile("nlmers-", tmpdir = dirname(tempdir()))
dir.create(folder)
picture <- file.path(folder, "demo.png")
ggplot2::ggsave(picture, plot(fit, type = "fits"), width = 9, height = 6, dpi = 120)
cat("\nIndividual curves:", picture, "\n\n")

print(fit_nlme(
  circumference ~ asym / (1 + exp((xmid - age) / scal)),
  data = datasets::Orange,
  start = c(asym = 190, xmid = 700, scal = 350),
  random = asym ~ 1 | Tree,
  error = add(a = 10),
  seed = 1, progress = interactive()
))
