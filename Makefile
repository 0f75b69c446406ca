# Pacemark. `make help` lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/sh

# Any Python 3.11 to 3.13 with venv.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
PACEMARK := $(BIN)/pacemark

# Without SCALE the load is the request's own (scale full), as JMETER_* variables and pacemark.toml change it.
SCALE ?=
OUT ?= results
ifdef EMBEDDED
TARGET := --embedded
else ifdef GATEWAY_URL
TARGET := --gateway $(GATEWAY_URL)
endif
# The newest run that recorded something, of any workload or of the one named.
LAST = $(patsubst %/digest.parquet,%,$(shell ls -t $(OUT)/$(or $(WORKLOAD),*)/*/digest.parquet 2>/dev/null | head -n 1))

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  \033[36m%-28s\033[0m %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  the jmeter-* targets that run a test take GATEWAY_URL=http://... or EMBEDDED=1, and SCALE=full|ci|local|smoke"

# --- set-up -----------------------------------------------------------------------------------------------

$(VENV)/.installed: requirements.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "make: no Python 3.11 to 3.13 found: install one, or set PYTHON=" >&2; exit 3; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.installed requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

.PHONY: setup
setup: $(VENV)/.installed ## Make .venv, install Pacemark, fetch JMeter and its plugins
	$(PACEMARK) setup

.PHONY: baseline
baseline: $(VENV)/.installed ## A report on a real gateway, started here: REST and MCP under real load
	$(PACEMARK) run rest_api_baseline mcp_jsonrpc_baseline --embedded --scale local --out $(OUT)

# --- the request's targets --------------------------------------------------------------------------------

.PHONY: jmeter-rest-baseline
jmeter-rest-baseline: WORKLOAD = rest_api_baseline
jmeter-rest-baseline: jmeter-run ## Run REST API baseline test (1,000 RPS)

.PHONY: jmeter-mcp-baseline
jmeter-mcp-baseline: WORKLOAD = mcp_jsonrpc_baseline
jmeter-mcp-baseline: jmeter-run ## Run MCP JSON-RPC baseline test (1,000 RPS)

.PHONY: jmeter-load
jmeter-load: WORKLOAD = load_test
jmeter-load: jmeter-run ## Run load test (4,000 RPS)

.PHONY: jmeter-stress
jmeter-stress: WORKLOAD = stress_test
jmeter-stress: jmeter-run ## Run stress test (ramp to 10,000 RPS)

.PHONY: jmeter-spike
jmeter-spike: WORKLOAD = spike_test
jmeter-spike: jmeter-run ## Run spike test (1K→10K→1K recovery)

.PHONY: jmeter-soak
jmeter-soak: WORKLOAD = soak_test
jmeter-soak: jmeter-run ## Run 24-hour soak test (2,000 RPS)

.PHONY: jmeter-websocket
jmeter-websocket: WORKLOAD = websocket_baseline
jmeter-websocket: jmeter-run ## Run WebSocket baseline test (500 connections)

.PHONY: jmeter-admin-ui
jmeter-admin-ui: WORKLOAD = admin_ui_baseline
jmeter-admin-ui: jmeter-run ## Run Admin UI baseline test (50 users)

.PHONY: jmeter-sse
jmeter-sse: WORKLOAD = sse_streaming_baseline
jmeter-sse: jmeter-run ## Run SSE streaming baseline test (1,000 connections)

.PHONY: jmeter-mcp-servers-baseline
jmeter-mcp-servers-baseline: WORKLOAD = mcp_test_servers_baseline
jmeter-mcp-servers-baseline: jmeter-run ## Run MCP test server baseline and the gateway's tax (2,000 RPS)

.PHONY: jmeter-run
jmeter-run: target-given $(VENV)/.installed
	$(PACEMARK) run $(WORKLOAD) $(TARGET) $(if $(SCALE),--scale $(SCALE)) --out $(OUT)

.PHONY: target-given
target-given:
	@test -n "$(TARGET)" || { echo "make: set GATEWAY_URL=http://... or EMBEDDED=1" >&2; exit 2; }

.PHONY: jmeter-report
jmeter-report: $(VENV)/.installed ## Generate HTML report from last test
	@test -n "$(LAST)" || { echo "make: no run in $(OUT)" >&2; exit 2; }
	$(PACEMARK) report $(LAST)

.PHONY: jmeter-compare
jmeter-compare: $(VENV)/.installed ## Compare current vs baseline results: BASELINE=name [CURRENT=run | WORKLOAD=name]
	@test -n "$(BASELINE)" || { echo "make: set BASELINE=name or path (pacemark baseline save RUN NAME)" >&2; exit 2; }
	@test -n "$(or $(CURRENT),$(LAST))" || { echo "make: no run in $(OUT)" >&2; exit 2; }
	$(PACEMARK) compare $(BASELINE) $(or $(CURRENT),$(LAST)) $(COMPARE)

# --- a pull request's gate: .github/workflows/performance.yml runs these -------------------------------------

BASE ?= origin/main
ROUNDS ?= 3
WORKLOADS ?= rest_api_baseline mcp_jsonrpc_baseline
PR := build/performance

.PHONY: performance
performance: performance-base performance-rounds performance-compare ## Base branch against this checkout: BASE=ref ROUNDS=3

.PHONY: performance-base
performance-base: ## Check out and install BASE in build/performance/base
	rm -rf $(PR) && git worktree prune && mkdir -p $(PR)
	git worktree add --detach $(PR)/base $(BASE)
	$(MAKE) -C $(PR)/base setup

.PHONY: performance-rounds
performance-rounds: $(VENV)/.installed ## Run both in turn, ROUNDS times, at scale ci
	scripts/performance_rounds.sh $(PR) $(ROUNDS) $(WORKLOADS)

.PHONY: performance-compare
performance-compare: $(VENV)/.installed ## Compare them; exit status 1 on a regression
	scripts/performance_compare.sh $(PR) $(WORKLOADS)

# --- containers: deploy/README.md -------------------------------------------------------------------------

COMPOSE ?= docker compose
LOGS ?= promtail
SECRETS := deploy/compose/.env
STACK = $(COMPOSE) --file deploy/compose/compose.yaml
PERFORMANCE = $(STACK) --file deploy/compose/performance.yaml
MONITORING = --profile monitoring --profile servers $(if $(filter alloy,$(LOGS)),--profile alloy)
UP = up --detach --build $(if $(filter alloy,$(LOGS)),--scale promtail=0)

$(SECRETS): | $(VENV)/.installed
	@$(BIN)/python -m pacemark.gateway.full.tasks secrets $@

.PHONY: compose-secrets
compose-secrets: $(SECRETS) ## Write the containers' random secrets, once, for your eyes only

.PHONY: monitoring-up
monitoring-up: $(SECRETS) ## Containers: three gateways, test servers, Prometheus, Grafana, Loki. LOGS=alloy
	$(STACK) $(MONITORING) $(UP)

.PHONY: monitoring-status
monitoring-status: $(SECRETS) ## What runs, and whether it answers
	$(STACK) --profile '*' ps --all
	@$(BIN)/python -m pacemark.gateway.full.tasks status $(SECRETS)

.PHONY: monitoring-down
monitoring-down: $(SECRETS) ## Stop them; VOLUMES=1 removes their data too
	$(PERFORMANCE) --profile '*' down --remove-orphans $(if $(VOLUMES),--volumes)

.PHONY: performance-up
performance-up: $(SECRETS) ## Containers: seven gateways and a replica of PostgreSQL, and the same monitoring
	$(PERFORMANCE) $(MONITORING) $(UP)

.PHONY: performance-down
performance-down: monitoring-down ## Stop them; VOLUMES=1 removes their data too

# --- development -------------------------------------------------------------------------------------------

.PHONY: test
test: $(VENV)/.dev ## Lint, types and all tests, with the real JMeter and the real gateway
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(PACEMARK) plans check
	$(MAKE) --no-print-directory --jobs=4 test-jmeter test-others test-patient test-services

# Short runs end before what HotSpot's second compiler makes of them is of any use: it costs half the time. And a
# quarter of what a start takes is loading classes, which an archive of them saves.
SHORT := -XX:TieredStopAtLevel=1
CLASSES := $(abspath build/jmeter.jsa)
test-jmeter test-others test-patient test-services faults: export JDK_JAVA_OPTIONS = \
	$(SHORT) -XX:SharedArchiveFile=$(CLASSES) -Xlog:cds=off,cds+dynamic=off
test-jmeter test-others test-patient test-services faults: $(CLASSES)

$(CLASSES): $(VENV)/.dev
	mkdir -p $(@D)
	JDK_JAVA_OPTIONS="$(SHORT) -XX:ArchiveClassesAtExit=$@" $(PACEMARK) jmeter -n \
		-t tests/jmeter/rest_api_baseline.jmx -JTHREADS=1 -JDURATION=1 -JTARGET_RPS=2 \
		-JGATEWAY_URL=http://127.0.0.1:9 -l $(@D)/classes.jtl -j $(@D)/classes.log >$(@D)/classes.txt 2>&1

.PHONY: test-jmeter
test-jmeter: $(VENV)/.dev
	$(BIN)/pytest -m "jmeter and not (patient or full or faults)"

# What has no clock to keep yields the processors to what has.
.PHONY: test-others
test-others: $(VENV)/.dev
	nice -n 19 $(BIN)/pytest --quiet --quiet -m "not (jmeter or patient or prometheus or full)"

# What waits most of its time: for a JMeter that has no clock to keep ...
.PHONY: test-patient
test-patient: $(VENV)/.dev
	nice -n 10 $(BIN)/pytest --quiet --quiet -m "patient and not full"

# ... and for services to start, or to be scraped.
.PHONY: test-services
test-services: $(VENV)/.dev
	nice -n 10 $(BIN)/pytest --quiet --quiet -m "full or (prometheus and not (jmeter or patient))"

.PHONY: faults
faults: $(VENV)/.dev ## What is broken on the full stack must be what the report names: ten minutes and more
	$(BIN)/pytest -m faults

.PHONY: fuzz
fuzz: $(VENV)/.dev ## Damage 10,000 JTLs, and read each as an independent reader does: FILES=10000
	PACEMARK_FUZZ=$(FILES) $(BIN)/pytest --quiet --capture=no tests/unit/results/test_results_jtl_mutated.py
FILES ?= 10000

.PHONY: format
format: $(VENV)/.dev ## Format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: reference
reference: $(VENV)/.dev ## Write the plans and the reference pages from the code
	$(PACEMARK) plans write
	$(BIN)/python scripts/reference.py

.PHONY: bench
bench: $(VENV)/.dev ## Run the benchmarks and write benchmarks/RESULTS.md: hours; of some ONLY="digest report"
	$(BIN)/python benchmarks/bench.py $(ONLY)

.PHONY: lock
lock: $(VENV)/.installed ## Pin the newest dependencies, with hashes
	$(BIN)/uv pip compile $(LOCK) --group build pyproject.toml -o requirements.txt
	$(BIN)/uv pip compile $(LOCK) --group dev pyproject.toml -o requirements-dev.txt
LOCK := --quiet --upgrade --universal --generate-hashes --no-header --no-annotate --no-emit-index-url \
	--no-emit-find-links --python-version 3.11

.PHONY: clean
clean: ## Remove .venv and build/ (results and the caches in the home directory stay)
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	git worktree prune
