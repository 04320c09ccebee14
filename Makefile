# Everything runs in an environment of its own, .venv; nothing else is touched.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: run test check bench docs clean

## Run the demo: a recorded wind farm, lived again, and its twin.
run: $(VENV)/.run
	$(BIN)/python -m gemeos demo

## Install what tests need, look at the code, run the tests.
test: $(VENV)/.test
	$(BIN)/python -m tools.gate

## Only look: format, lint, imports, types, spelling, news, docs.
check: $(VENV)/.test
	$(BIN)/python -m tools.gate --no-tests

## Print the figures as ratios, each with its peer or limit of the same run.
bench: $(VENV)/.test
	$(BIN)/python -m tools.bench

## Make the pages under docs/ a site: build/docs/index.html.
docs: $(VENV)/.test
	$(BIN)/python -m sphinx -q -W --keep-going -b html docs build/docs

clean:
	rm -rf $(VENV) build

$(VENV)/.made:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	touch $@

$(VENV)/.run: $(VENV)/.made pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[demo,fast]'
	touch $@

# All that .run needs is in it.
$(VENV)/.test: $(VENV)/.made pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group dev --group docs --editable '.[city,demo,fast,floris,fmi,plot,search,sumo,tables]'
	touch $(VENV)/.run $@
