# Two commands matter: make demo, make test. Both need python3 (3.11 or newer, with venv) and make, nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8000
TESTS ?= tests

.PHONY: help demo test check bench clean
.DEFAULT_GOAL := help

help: ## what there is
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-8s %s\n", $$1, $$2}'

$(VENV)/runtime.stamp: requirements.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing what IRCase needs"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/develop.stamp: $(VENV)/runtime.stamp requirements-dev.txt
	@echo "Installing what the tests need"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

demo: $(VENV)/runtime.stamp ## IRCase with a simulated tenant at http://localhost:8000 (PORT=… moves it)
	@$(BIN)/python frontend/setup.py
	@PORT=$(PORT) $(BIN)/python -m config.demo

test: $(VENV)/develop.stamp ## the whole suite (TESTS=tests/kql for a part)
	@$(BIN)/python frontend/setup.py
ifeq ($(TESTS),tests)
	@$(BIN)/python -m pytest -n 2 --dist loadfile tests --ignore tests/journeys
	@$(BIN)/python -m pytest tests/journeys
else
	@$(BIN)/python -m pytest $(TESTS)
endif

check: $(VENV)/develop.stamp ## lint, types, migrations
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy config ircase hunting liveresponse msapi kql artifacts simulator frontend manage.py
	@DJANGO_SETTINGS_MODULE=tests.settings $(BIN)/python manage.py makemigrations --check --dry-run
	@DJANGO_SETTINGS_MODULE=tests.settings $(BIN)/python manage.py check

bench: $(VENV)/develop.stamp ## figures, side by side in one run
	@$(BIN)/python -m bench

clean: ## what was built and the demo's data
	rm -rf $(VENV) .demo node_modules frontend/dist staticfiles
