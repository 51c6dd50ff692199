# Tandem on one machine: `make demo` shows it, `make up` runs it. Requires only Python 3.11 or later.
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
VENV_PYTHON := .venv/bin/python
# Number of instances of each process for `make up`.
RELAYS ?= 1
PROJECTORS ?= 1
COMMAND_SERVICES ?= 1
QUERY_SERVICES ?= 1
# Number of Kafka brokers, and of Redis Cluster primaries, each with a replica; 0: a single Redis.
BROKERS ?= 1
REDIS_CLUSTER ?= 0
export RELAYS PROJECTORS COMMAND_SERVICES QUERY_SERVICES BROKERS REDIS_CLUSTER
ARGS ?=
WORKERS ?= 3
IMAGE ?= tandem:local
ENGINE ?= docker
BASE_IMAGE ?=
# Scenarios of faults, seed (random by default), duration of each scenario in seconds.
SCENARIO ?= kill
SEED ?=
SECONDS ?= 30

# Sections of the benchmarks, and numbers of orders at which lists are read.
SECTION ?= all
ORDERS ?= 10000,100000

.PHONY: help .venv demo up down ps reset token test check contracts manifests image faults bench

help: ## list of targets
	@sed -n 's/^\([a-z]*\):[^#]*## /make \1 /p' Makefile | sed 's/^\(make [a-z]*\) /\1\t/' | expand -t 14

.venv: ## creates the virtual environment; updates it if a lock file has changed
	@sh deploy/local/bootstrap.sh

demo: .venv ## sets up and starts everything, shows an order from POST to view, and stops everything
	@$(VENV_PYTHON) -m deploy.local demo

up: .venv ## starts everything in the background, supervised (RELAYS=2 PROJECTORS=2 COMMAND_SERVICES=2 QUERY_SERVICES=2 BROKERS=3 REDIS_CLUSTER=3)
	@$(VENV_PYTHON) -m deploy.local up

down: .venv ## stops everything; the data stays
	@$(VENV_PYTHON) -m deploy.local down

ps: .venv ## one line per process: name, pid, state, address
	@$(VENV_PYTHON) -m deploy.local ps

reset: .venv ## stops everything and deletes the data
	@$(VENV_PYTHON) -m deploy.local reset

token: .venv ## prints a token: SCOPE="orders:read:all" [SUB=id] [EXPIRES_IN=seconds] [AUDIENCE=..] [ISSUER=..]
	@$(VENV_PYTHON) -m deploy.local token

test: .venv ## all tests, on real servers (ARGS="-k orders" selects some; WORKERS=0 runs them sequentially)
	@$(VENV_PYTHON) -m pytest tests -n $(WORKERS) --dist loadfile $(ARGS)

faults: .venv ## runs Tandem under faults: SCENARIO=kill|all|… [SEED=1] [SECONDS=30] (docs/faults.md)
	@$(VENV_PYTHON) -m faults --scenario $(SCENARIO) --seconds $(SECONDS) $(if $(SEED),--seed $(SEED))

bench: .venv ## measures Tandem and its limits: SECTION=all|reads,writes,… [ORDERS=10000,1000000] [ARGS=..] (docs/performance.md)
	@$(VENV_PYTHON) -m benchmarks --section $(SECTION) --orders $(ORDERS) $(ARGS)

check: .venv ## lint, format, types, import rules, published contracts, manifests
	$(VENV_PYTHON) -m ruff check .
	$(VENV_PYTHON) -m ruff format --check .
	$(VENV_PYTHON) -m mypy command_service query_service projector shared deploy benchmarks faults tests tools
	.venv/bin/lint-imports
	$(VENV_PYTHON) -m deploy.contracts check
	$(VENV_PYTHON) -m deploy.manifests check

contracts: .venv ## writes the published contracts (OpenAPI, AsyncAPI, JSON Schema); rejects breaking changes
	@$(VENV_PYTHON) -m deploy.contracts write

manifests: .venv ## renders the overlays in deploy/kubernetes and the table of settings
	@$(VENV_PYTHON) -m deploy.manifests write

image: ## builds the image (IMAGE=tandem:local, ENGINE=docker, BASE_IMAGE=python:…)
	$(ENGINE) build --tag $(IMAGE) $(if $(BASE_IMAGE),--build-arg BASE_IMAGE=$(BASE_IMAGE)) \
	  --build-arg VERSION=$$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml) \
	  --build-arg REVISION=$$(git describe --always --dirty --abbrev=40 --exclude '*') .
