# `make` prints this help.
.DEFAULT_GOAL := help
GO   ?= go
TAGS := lambda.norpc

.PHONY: help
help: ## what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

.PHONY: test
test: vet ## everything that must pass, with the race detector
	$(GO) build -tags $(TAGS) ./...
	GOOS=linux GOARCH=arm64 CGO_ENABLED=0 $(GO) build -tags $(TAGS) ./...
	cd bench && GOWORK=off $(GO) vet ./...
	@for m in examples/chi examples/mcp proof; do (set -ex; cd $$m; GOWORK=off $(GO) vet ./...; GOWORK=off $(GO) test -race ./...) || exit 1; done
	$(GO) test -race -timeout 18m ./...
	@# Without the detector: all pairs of freezes, and 100,000 random schedules.
	$(GO) test -timeout 14m -run 'Schedule|Freezes' ./freshsign

.PHONY: vet
vet: ## gofmt and go vet
	@unformatted="$$(gofmt -l .)"; if [ -n "$$unformatted" ]; then echo "gofmt these:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...

.PHONY: lint
lint: ## staticcheck and golangci-lint, at pinned versions
	$(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...
	$(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0 run ./...

.PHONY: bench
bench: ## benchmarks that run us and the peer, and print the ratio
	$(GO) test -run "^$$" -bench "ColdStart" -benchtime 1x . && $(GO) test -run "^$$" -bench "Chain|Invocation" . && $(GO) test -run "^$$" -bench . ./freshsign ./params
	cd bench && GOWORK=off $(GO) test -run "^$$" -bench .
	$(GO) test -run "^$$" -bench . -v ./conformance/internal/speed

.PHONY: conformance
conformance: ## Middy from npm and ours on the same cases; fails on a difference without a reason
	$(GO) run ./conformance/cmd/run --check conformance/cases/*.jsonl
	$(GO) run ./conformance/cmd/run --middy --check conformance/cases/*.jsonl
	$(GO) run ./conformance/cmd/report -check

FUZZTIME ?= 60s
FUZZ     ?= .

.PHONY: fuzz
fuzz: ## every fuzz target that FUZZ matches, for FUZZTIME each
	@grep -rE --include='*_test.go' -o '^func Fuzz[A-Za-z0-9]+' . | sort -u | grep -E '$(FUZZ)' | while IFS=: read -r file func; do \
		echo "== $$(dirname $$file) $${func#func }"; \
		$(GO) test -run '^$$' -fuzz "^$${func#func }\$$" -fuzztime $(FUZZTIME) "$$(dirname $$file)" || exit 1; \
	done

.PHONY: soak
soak: ## the long runs: a million schedules, hours of freezes
	FRESHSIGN_SCHEDULES=1000000 $(GO) test -timeout 60m -run 'Schedule' -v ./freshsign
	MIDDY_SOAK=5000 MIDDY_SOAK_SEED=$$(date +%s) $(GO) test -timeout 30m -run 'TestNothingOfOursCrossesAFreeze|TestFreezesWithinInvocations' -v ./conformance/freeze

.PHONY: mutate
mutate: ## change one comparison at a time in freshsign and params; a test must fail
	$(GO) run ./internal/mutate -skip 'RandomSchedule|TwoFreezes|NeverFails' ./freshsign
	$(GO) run ./internal/mutate -skip 'TestModel|TestMissingIsTreated' ./params
