# Everything installs what it needs into $(VENV); nothing else on the machine is touched but the caches that
# tests/controlplane names (a built kube-apiserver), and Chromium, which tests/chromium installs where it is missing.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest

.PHONY: help demo test deploy-check check format bench profile fuzz mutants docs clean

help: ## Show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

# pip 25.1 is the first that reads dependency groups.
$(VENV)/.pip: 
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; set PYTHON=/path/to/it" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	@touch $@

$(VENV)/.server: $(VENV)/.pip pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[server,zstd,uvloop]'
	@touch $@

$(VENV)/.dev: $(VENV)/.server
	$(BIN)/python -m pip install --quiet -c constraints.txt --group dev
	@touch $@

$(VENV)/.mutants: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet -c constraints.txt --group mutants
	@touch $@

demo: $(VENV)/.server ## Simulated cluster, server, 50 agents, a restart in the middle, and a proof at the end
	$(BIN)/typha demo $(DEMO)

test: $(VENV)/.dev ## All tests, the real kube-apiserver included (built once, some 4 minutes)
	$(PYTEST) $(TESTS)

check: $(VENV)/.dev ## Format, lint, types, import contracts and the fast tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	HISTORIES=200 $(PYTEST) -m 'not e2e' -q

deploy-check: $(VENV)/.dev ## Render, validate and apply everything under deploy/, against a real kube-apiserver
	$(BIN)/python -m tests.deploy

format: $(VENV)/.dev ## Rewrite the sources in the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.dev ## Measure everything, results as JSON in bench/results; then the table of goals, 1 if one is missed
	$(BIN)/python -m bench $(BENCH)

profile: $(VENV)/.dev ## Where the server's CPU goes: flame graphs in bench/profiles (py-spy: root, or ptrace_scope 0)
	$(BIN)/python -m bench profile $(PROFILE)

fuzz: $(VENV)/.dev ## 10,000 malformed inputs against a running server, with its memory and file handles before and after
	$(BIN)/python -m tests.robustness $(FUZZ)
	$(BIN)/python -m tests.calico_wire
	$(BIN)/python -m tests.robustness.calico_sessions

mutants: $(VENV)/.mutants ## Wrong converters that the corpus must notice (an hour on one core)
	$(BIN)/python -m tests.mutants $(MUTANTS)

docs: $(VENV)/.dev ## Rewrite the generated pages
	$(BIN)/python -m typha.config.document > docs/configuration.md
	$(BIN)/python -m bench report

clean: ## Remove the virtual environment and caches inside the repository
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist build
