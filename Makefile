# The commands of the project. Nothing outside this folder is touched, except that missing Debian packages are
# installed with apt.

.PHONY: demo test slow check doc bench lint vendor release clean install quick

IMPORTS = cli generics ggplot2 jsonlite nlme rlang
TESTING = testthat withr MASS lme4 mvtnorm progressr
WRITING = roxygen2 knitr rmarkdown

# In .rust/bin is a toolchain that tools/setup.sh had to bring.
export PATH := $(CURDIR)/.rust/bin:$(PATH):$(HOME)/.cargo/bin
export R_LIBS := $(CURDIR)/.lib
export CARGO_TARGET_DIR ?= $(CURDIR)/src/rust/target

SETUP = sh tools/setup.sh
CORE = --manifest-path src/rust/Cargo.toml --locked --package nlmers-core
SOURCES = $(shell find R src inst data man -type f -not -path '*/target/*' -not -name '*.o' -not -name '*.so' \
  -not -name 'Makevars*' 2>/dev/null) src/Makevars.in DESCRIPTION NAMESPACE configure R

demo:
	@$(SETUP) $(IMPORTS)
	@$(MAKE) --silent --no-print-directory .lib/stamp
	@Rscript tools/demo.R

test:
	@$(SETUP) $(IMPORTS) $(TESTING)
	@$(MAKE) --silent --no-print-directory .lib/stamp
	@sh tools/test.sh

slow:
	@$(SETUP) $(IMPORTS)
	@$(MAKE) --silent --no-print-directory .lib/stamp
	@for file in tests/slow/*.R; do Rscript $$file || exit 1; done

check:
	@$(SETUP) $(IMPORTS) $(TESTING) $(WRITING)
	@sh tools/check.sh

doc:
	@$(SETUP) $(IMPORTS) $(TESTING) $(WRITING)
	@Rscript tools/doc.R manual
	@$(MAKE) --silent --no-print-directory .lib/stamp
	@Rscript tools/doc.R vignettes

bench:
	@$(SETUP) $(IMPORTS)
	@$(MAKE) --silent --no-print-directory .lib/stamp
	@mkdir -p build
	@Rscript bench/theophylline.R build
	@cargo run --release $(CORE) --example bench -- build
	@cargo run --release $(CORE) --example scale
	@cargo run --release $(CORE) --example ode

lint:
	@$(SETUP) $(IMPORTS) $(TESTING) lintr
	@$(MAKE) --silent --no-print-directory .lib/stamp
	@sh tools/lint.sh

vendor:
	@$(SETUP) jsonlite
	@Rscript tools/vendor.R build/vendor.tar.xz
	@Rscript tools/authors.R

release: vendor
	@$(SETUP) $(IMPORTS) $(WRITING)
	@sh tools/release.sh

install: .lib/stamp

# The same without what makes builds slow: for a look at a change from R, not for numbers about speed.
QUICK = CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_OPT_LEVEL=2 \
  CARGO_INCREMENTAL=1 CARGO_TARGET_DIR=$(CARGO_TARGET_DIR)/quick
quick:
	@mkdir -p .lib
	@rm -f .lib/stamp
	@$(QUICK) R CMD INSTALL --no-docs --no-test-load --library=.lib . >.lib/install.log 2>&1 || { cat .lib/install.log; exit 1; }

# Installed again only when a source changed.
.lib/stamp: $(SOURCES)
	@mkdir -p .lib
	@R CMD INSTALL --library=.lib . >.lib/install.log 2>&1 || { cat .lib/install.log; exit 1; }
	@touch $@

clean:
	@sh ./cleanup
	@rm -rf .lib build doc
