# make setup   the environment, from requirements.lock; the other targets do this first
# make quick   the whole replication on the embedded digits data
# make repro   the whole replication on MNIST
# make beyond  what goes beyond the paper, on MNIST: predictions, their runs and verdicts; hours
# make test    the tests; on the oldest dependencies allowed, and on another Python, with
#              make test VENV=.venv-oldest LOCK=requirements-oldest.lock
#              make test VENV=.venv-3.14 PYTHON=python3.14
# make site    the site, in docs/_build/html: from results/ as they are, and readable without a network
# make test-site  its pages, opened in the distribution's Chromium
# make lint    ruff and mypy, and linters of workflows and metadata
# make bench   speed and memory against other frameworks, which get an environment of their own
# make clean   removes environments and caches; never data/ or results/

TARGETS := setup quick repro beyond test site test-site lint bench clean
.PHONY: $(TARGETS)

ifneq ($(strip $(MAKEFILE_LIST)),Makefile)

# `make -f elsewhere/Makefile` means the same as `make -C elsewhere`.
$(TARGETS):
	@$(MAKE) -C "$$(dirname "$(strip $(MAKEFILE_LIST))")" $@

else

PYTHON ?= python3
VENV ?= .venv
LOCK ?= requirements.lock
QUICK = dvc repro --force report@digits optimism-figure && $(IN_VENV) qagrel table1 --profile digits
IN_VENV = PATH="$(CURDIR)/$(VENV)/bin:$$PATH"

VERSION = -c 'import sys; print(*sys.version_info[:2], sep=".")'

# An environment that is there already may have another Python than the one that is asked for.
setup: $(VENV)/.complete
ifneq ($(origin PYTHON),file)
	@asked=$$($(PYTHON) $(VERSION)) && found=$$("$(VENV)/bin/python" $(VERSION)) || exit; \
	[ "$$asked" = "$$found" ] || { echo "make: $(VENV) has Python $$found, $(PYTHON) is $$asked:" \
	"name another environment, such as VENV=.venv-$$asked" >&2; exit 1; }
endif

# pip takes no package without a hash beside a file of hashes, so ours comes last.
$(VENV)/.complete: $(LOCK) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15) and "make: qagrel needs Python >=3.11,<3.15; name one with PYTHON=python3.x")'
	@echo "Installing $(LOCK) into $(VENV): some minutes the first time"
	@$(PYTHON) -m venv "$(VENV)"
	@$(IN_VENV) python -m pip install --quiet --require-hashes --requirement $(LOCK)
	@$(IN_VENV) python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch "$@"

quick: setup
	$(IN_VENV) $(QUICK)

repro: setup
	$(IN_VENV) dvc repro

beyond: setup
	$(IN_VENV) dvc repro beyond/dvc.yaml

test: setup
	$(IN_VENV) python -m pytest

site: setup $(VENV)/.site
	$(IN_VENV) python -m sphinx -W -n -q --keep-going docs docs/_build/html
	@echo "The site is there: open docs/_build/html/index.html"

test-site: setup $(VENV)/.site
	$(IN_VENV) python -m pytest tests/site

# What the site and its tests need comes on top, so that no other target waits for it.
$(VENV)/.site: requirements-site.lock $(VENV)/.complete
	@$(IN_VENV) python -m pip install --quiet --require-hashes --requirement $<
	@touch "$@"

lint: setup
	$(IN_VENV) ruff check
	$(IN_VENV) ruff format --check
	$(IN_VENV) mypy
	$(IN_VENV) check-jsonschema --builtin-schema vendor.github-workflows $(wildcard .github/workflows/*.yml)
	$(IN_VENV) check-jsonschema --builtin-schema vendor.citation-file-format CITATION.cff
	$(IN_VENV) zizmor --offline --quiet .github/workflows

bench: VENV = .venv-bench
bench: .venv-bench/.peers
	$(IN_VENV) qagrel bench

.venv-bench/.peers: benchmarks/requirements.txt $(LOCK) pyproject.toml
	@$(MAKE) setup VENV=.venv-bench
	@.venv-bench/bin/python -m pip install --quiet --requirement $<
	@touch $@

clean:
	rm -rf .venv .venv-* build dist docs/_build docs/made *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find $(wildcard qagrel tests benchmarks docs) -name __pycache__ -prune -exec rm -rf {} +

endif
