# The verbs of Cordboard. `make demo` for the first call; `make test` for all tests.
# `make sim` plays CALLS simulated calls from SEED; `make fuzz` runs each fuzz target for FUZZ_SECONDS,
# 60 by default.
.PHONY: demo test test-web check sim bench bench-peers capacity fuzz web packages packages-test weights weights-test

CARGO ?= cargo
ALONE = floods:: corpora:: agent_phone:: hear_each_other demo:: ringer::

demo: packages weights web
	$(CARGO) build --release --bin cordboard --example demo --example order_service
	target/release/examples/demo $(if $(ONCE),--once)

# What properties are tried on is the same each time, so that a change is judged by itself alone;
# `make test SEED=2` tries them on something else.
SEED ?= 1
test: export PROPTEST_RNG_SEED = $(SEED)

test: packages-test weights-test web
	$(CARGO) build --workspace --bins --examples
	$(CARGO) test --workspace -- $(addprefix --skip ,$(ALONE))
	# What floods the machine, and what measures a call's way through it: one after the other.
	$(CARGO) test --workspace --test outside -- --test-threads=1 $(ALONE)
	# The sound card and Whisper: only what has a feature is built anew.
	$(CARGO) test --workspace --features device,whisper --lib -- leg::device cli::talk
	# A room's clock is the machine's: one call at a time.
	$(CARGO) test --workspace --features device,whisper --test talk -- --test-threads=1
	$(CARGO) test --workspace --features device,whisper --test whisper
	$(MAKE) test-web

check: packages-test weights-test web
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	$(CARGO) clippy --workspace --features device,whisper --lib --test talk --test whisper -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps
	$(MAKE) test

# The web pages, into web/dist, from where the binary takes them; again where a source is newer.
WEB = $(shell find web/src web/*.html web/*.ts web/*.js web/*.json schemas/openapi.json -type f)
web: web/dist/index.html

web/node_modules/.package-lock.json: web/package-lock.json | packages
	cd web && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

web/dist/index.html: web/node_modules/.package-lock.json $(WEB)
	cd web && npm run --silent check && npm run --silent bundle
	@touch $@

# The pages in Debian's Chromium: against a service that is played, and then against the real one.
test-web: packages-test weights-test web
	$(CARGO) build --bins --example order_service
	cd web && npm run --silent test && npm run --silent test:service

# Whole calls of simulated callers; a call that breaks a promise is told by its seed. BREAK breaks
# something on purpose, which is to be found: overlap, detector, word-times, effects or hangup.
CALLS ?= 10000
sim: packages
	SEED=$(SEED) CALLS=$(CALLS) BREAK=$(BREAK) $(CARGO) test --release --test call -- simulated_callers --nocapture

bench: packages weights
	$(CARGO) bench

# Beside others, where ../shared has their bench: so many calls at once.
AT_ONCE ?= 5
bench-peers: packages weights
	$(CARGO) build --release --example bench_agent
	AT_ONCE=$(AT_ONCE) scripts/bench-peers.sh

# How many calls a core serves, step by step: CODECS and STEPS by commas; RECOGNITION=1 with it as well.
CODECS ?= pcmu,g722,opus
STEPS ?= 1,50,100,200,300,400,500,600
capacity: packages weights web
	$(CARGO) build --release --bin cordboard --example capacity
	target/release/examples/capacity --codecs $(CODECS) --steps $(STEPS) $(if $(RECOGNITION),--recognition)

fuzz: packages
	@scripts/fuzz.sh

packages:
	@scripts/install-packages.sh build

packages-test:
	@scripts/install-packages.sh test

weights:
	@scripts/fetch-weights.sh

weights-test:
	@scripts/fetch-weights.sh test
