# Every habit of the project is a target here; CI calls the same ones. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

JOBS ?= $(shell nproc)
# Integration tests mostly wait for sockets, so more of them may run than there are cores.
TEST_JOBS ?= $(shell echo $$(( 2 * $$(nproc) )))
FUZZ_SECONDS ?= 60
ROUNDS ?= 5
SECONDS ?= 3
# Only the ways of a request whose name has this word, as in `make ways WAYS=hit`.
WAYS ?=
# Only the tests whose name in ctest matches this regular expression, as in `make asan TESTS=integration.purge`.
TESTS ?=
# Prints at the end which tests had to be repeated. Only CI repeats a test, and only once: there, its neighbours can starve it.
CTEST := scripts/run-tests --parallel $(TEST_JOBS) $(if $(TESTS),--tests-regex '$(TESTS)' --no-tests=ignore,--no-tests=error)
OURS := git ls-files --cached --others --exclude-standard

.PHONY: help run demo test test-debian13 conformance test-compose test-browser prove build bench ways test-coverage clean format lint asan tsan fuzz docs deps

help: ## show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: ## install what is missing, build, run the gateway (BACKEND_URL, GATEWAY_PORT; else with the example backend)
	@scripts/install-packages build run
	@$(MAKE) build
	@scripts/run

demo: ## Redis, backend, three gateways, nginx and Prometheus as processes on free ports, until Ctrl-C
	@scripts/install-packages build run test demo
	@$(MAKE) build
	@scripts/demo

test: ## all tests: as released, under ASan and UBSan, and the code that threads share under TSan
	@scripts/install-packages build run test
	@PYTHONPATH=tests/support /usr/bin/python3 -c 'import redis_stage; redis_stage.Choice.get()'
	@cmake --preset release >/dev/null && cmake --build build --parallel $(JOBS)
	@$(CTEST) --test-dir build
	@$(MAKE) asan
	@$(MAKE) tsan

test-debian13: ## all tests (or TESTS=regex) on Debian 13, in a container (needs docker or podman); there, rediss:// is tested, too
	@TESTS='$(TESTS)' scripts/test-debian13

prove: ## measure the limits' promises through everything that can happen to Redis (QUICK=1: short), and simulate them
	@scripts/install-packages build run test prove
	@$(MAKE) build
	@/usr/bin/python3 tests/prove/prove.py
	@/usr/bin/python3 tests/prove/seen.py
	@cmake --build build --parallel $(JOBS) --target sim_limits sim_memory_cache
	@build/tests/sim/sim_limits $(if $(QUICK),--quick)
	@build/tests/sim/sim_memory_cache $(if $(QUICK),--quick)

conformance: ## run the cache rules by RFC section (without Redis, with it, without memory caches), and print their table as Markdown
	@scripts/install-packages build run test >&2
	@cmake --preset release >/dev/null && cmake --build build --parallel $(JOBS) --target visara-gateway >&2
	@$(CTEST) --test-dir build --tests-regex '^conformance\.' >&2
	@PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=tests/support /usr/bin/python3 tests/conformance/test_conformance.py --table

test-compose: ## start docker-compose.yml with three replicas, test it from outside, take it down (needs a Docker engine)
	@/usr/bin/python3 tests/compose/test_compose.py

test-browser: ## test CORS in headless Chromium (installs Chromium: about 100 MB to download)
	@scripts/install-packages build run browser
	@$(MAKE) build
	@GATEWAY_BINARY=./visara-gateway PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=tests/support timeout 300 /usr/bin/python3 tests/browser/test_cors.py

build: ## build the release binary, ./visara-gateway
	@scripts/install-packages build
	@cmake --preset release >/dev/null
	@cmake --build build --parallel $(JOBS) --target visara-gateway
	@cp build/gateway/visara-gateway .visara-gateway.new && mv -f .visara-gateway.new visara-gateway

bench: ## measure req/s, p50, p99 and CPU per request, beside nginx in the same run (ROUNDS, SECONDS)
	@scripts/install-packages build run bench
	@$(MAKE) build
	@ROUNDS=$(ROUNDS) BENCH_SECONDS=$(SECONDS) /usr/bin/python3 tests/bench/bench.py

ways: ## print functions, files and Redis commands of each way of a request, as Markdown (WAYS=word: their names, too)
	@scripts/install-packages build test >&2
	@cmake --preset ways >/dev/null && cmake --build build-ways --parallel $(JOBS) --target visara-gateway >&2
	@GATEWAY_BINARY=build-ways/gateway/visara-gateway WAYS='$(WAYS)' PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=tests/support /usr/bin/python3 tests/bench/ways.py

test-coverage: ## all tests with line and branch coverage; report in build-coverage/report/index.html
	@scripts/install-packages build run test coverage
	@cmake --preset coverage >/dev/null && cmake --build build-coverage --parallel $(JOBS)
	@find build-coverage -name '*.gcda' -delete
	@$(CTEST) --test-dir build-coverage
	@mkdir -p build-coverage/report
	@gcovr --root . --filter gateway/ --object-directory build-coverage --print-summary \
	    --html-details build-coverage/report/index.html --txt build-coverage/report/summary.txt
	@cat build-coverage/report/summary.txt

clean: ## remove everything that was built
	@rm -rf build build-* visara-gateway .visara-gateway.new
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

format: ## clang-format on all C sources
	@scripts/install-packages lint
	@$(OURS) '*.c' '*.h' | xargs clang-format -i

lint: ## formatting, warnings of clang as errors, syntax of scripts
	@scripts/install-packages build test lint
	@$(OURS) '*.c' '*.h' | xargs clang-format --dry-run -Werror
	@cmake --preset clang >/dev/null && cmake --build build-clang --parallel $(JOBS)
	@$(OURS) '*.py' | xargs /usr/bin/python3 -m pyflakes
	@for script in scripts/* .ci/run; do bash -n "$$script"; done

asan: ## all tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@scripts/install-packages build run test
	@cmake --preset asan >/dev/null && cmake --build build-asan --parallel $(JOBS)
	@$(CTEST) --test-dir build-asan

tsan: ## test the code that threads share, under ThreadSanitizer
	@scripts/install-packages build run test
	@cmake --preset tsan >/dev/null && cmake --build build-tsan --parallel $(JOBS)
	@$(CTEST) --test-dir build-tsan --label-regex threads

fuzz: ## fuzz each target of tests/fuzz for FUZZ_SECONDS with clang; inputs that crash it are kept in found/
	@scripts/install-packages build test lint
	@cmake --preset fuzz >/dev/null && cmake --build build-fuzz --parallel $(JOBS)
	@scripts/fuzz $(FUZZ_SECONDS)

docs: build ## write docs/configuration.md from the table of keys, and the tables of states in docs/architecture.md
	@./visara-gateway --print-config-docs > build/configuration.md
	@mv build/configuration.md docs/configuration.md
	@/usr/bin/python3 tests/docs/tables.py

deps: ## install every Debian package that any target needs
	@scripts/install-packages build run test bench coverage lint
