# Tandem on one machine. Requires Python 3.11 or later only: `make demo` shows it, `make up` runs it.
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
VENV_PYTHON := .venv/bin/python
# Numbers of processes that `make up` runs.
RELAYS ?= 1
PROJECTORS ?= 1
COMMAND_SERVICES ?= 1
QUERY_SERVICES ?= 1
# Numbers of Kafka brokers, and of Redis Cluster primaries (each with a replica); 0: a single Redis.
BROKERS ?= 1
REDIS_CLUSTER ?= 0
export RELAYS PROJECTORS COMMAND_SERVICES QUERY_SERVICES BROKERS REDIS_CLUSTER
ARGS ?=
# A command of the projector for the stack of `make up`.
PROJECTOR = . .tandem/env && REDIS_CLUSTER=$$([ "$$REDIS_CLUSTER" = false ] && echo false || echo true) $(VENV_PYTHON) -m projector
WORKERS ?= 3
IMAGE ?= tandem:local
ENGINE ?= docker
BASE_IMAGE ?=
# Fault scenario, random seed (random by default), duration of each scenario in seconds.
SCENARIO ?= kill
SEED ?=
SECONDS ?= 30
# Schedules of the simulation, divided among its worlds.
SCHEDULES ?= 100000

# Benchmark section, and the numbers of orders for list reads.
SECTION ?= all
ORDERS ?= 10000,100000

.PHONY: help .venv demo up down ps reset token rebuild audit dead-letters test check contracts manifests image faults simulate bench

help: ## list the targets
	@sed -n 's/^\([a-z]*\):[^#]*## /make \1 /p' Makefile | sed 's/^\(make [a-z]*\) /\1\t/' | expand -t 16

.venv: ## create or update the virtual environment
	@sh deploy/local/bootstrap.sh

demo: .venv ## run a temporary stack and show one order from POST to view
	@$(VENV_PYTHON) -m deploy.local demo

up: .venv ## start the stack in the background: [RELAYS=2] [PROJECTORS=2] [COMMAND_SERVICES=2] [QUERY_SERVICES=2] [BROKERS=3] [REDIS_CLUSTER=3]
	@$(VENV_PYTHON) -m deploy.local up

down: .venv ## stop the stack and keep its data
	@$(VENV_PYTHON) -m deploy.local down

ps: .venv ## list the processes: name, pid, state, address
	@$(VENV_PYTHON) -m deploy.local ps

reset: .venv ## stop the stack and delete its data
	@$(VENV_PYTHON) -m deploy.local reset

token: .venv ## print a bearer token: SCOPE="orders:read:all" [SUB=id] [EXPIRES_IN=seconds] [AUDIENCE=..] [ISSUER=..]
	@$(VENV_PYTHON) -m deploy.local token

rebuild: .venv ## rebuild the views of the local stack: [ARGS="orders.7 --again"] (docs/operating.md)
	@$(PROJECTOR) rebuild $(ARGS)

audit: .venv ## compare the views of the local stack with the event log: [ARGS="--repair"]
	@$(PROJECTOR) audit $(ARGS)

dead-letters: .venv ## list parked events of the local stack: [ARGS="list"|"show ID"|"retry --all"]
	@$(PROJECTOR) dead-letters $(if $(ARGS),$(ARGS),list)

test: .venv ## run all tests on real servers: [ARGS="-k orders"] [WORKERS=0]
	@$(VENV_PYTHON) -m pytest tests -n $(WORKERS) --dist loadfile $(ARGS)

faults: .venv ## run fault scenarios: SCENARIO=kill|all|… [SEED=1] [SECONDS=30] (docs/faults.md)
	@$(VENV_PYTHON) -m faults --scenario $(SCENARIO) --seconds $(SECONDS) $(if $(SEED),--seed $(SEED))

simulate: .venv ## run the services on simulated servers with seeded faults: [SCHEDULES=1000000] [ARGS="--seed 7"]
	@$(VENV_PYTHON) -m tests.simulation --schedules $(SCHEDULES) $(ARGS)

bench: .venv ## run the benchmarks: SECTION=all|reads,writes,… [ORDERS=10000,1000000] [ARGS=..] (docs/performance.md)
	@$(VENV_PYTHON) -m benchmarks --section $(SECTION) --orders $(ORDERS) $(ARGS)

check: .venv ## check lint rules, format, types, import rules, vocabulary, published contracts, manifests
	$(VENV_PYTHON) -m ruff check .
	$(VENV_PYTHON) -m ruff format --check .
	$(VENV_PYTHON) -m mypy command_service query_service projector shared deploy benchmarks faults tests tools
	.venv/bin/lint-imports
	$(VENV_PYTHON) -m tools.vocabulary
	$(VENV_PYTHON) -m deploy.contracts check
	$(VENV_PYTHON) -m deploy.manifests check

contracts: .venv ## generate the published contracts (OpenAPI, AsyncAPI, JSON Schema)
	@$(VENV_PYTHON) -m deploy.contracts write

manifests: .venv ## render the Kubernetes overlays and the table of settings
	@$(VENV_PYTHON) -m deploy.manifests write

image: ## build the container image: [IMAGE=tandem:local] [ENGINE=docker] [BASE_IMAGE=python:…]
	$(ENGINE) build --tag $(IMAGE) $(if $(BASE_IMAGE),--build-arg BASE_IMAGE=$(BASE_IMAGE)) \
	  --build-arg VERSION=$$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml) \
	  --build-arg REVISION=$$(git describe --always --dirty --abbrev=40 --exclude '*') .
