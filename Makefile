# One command per task, the same at a desk and in CI. Each installs what it needs first (scripts/setup).
.DEFAULT_GOAL := help
.PHONY: help demo test chaos bench fuzz lint plugins clean

help: ## this list
	@echo "Volley: a stream processor whose operators are WebAssembly components"
	@echo
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F '|' '{ printf "%-15s%s\n", $$1, $$2 }'
	@echo
	@echo "Everything built or downloaded lands in $${VOLLEY_CACHE:-$$HOME/.cache/volley}, build/ and demo/out/."

demo: ## builds everything, runs a month of flights through WebAssembly operators, shows the result
	@scripts/demo

test: ## every test
	@scripts/test

chaos: ## an hour of kills, crashes and failing disks, checked row by row: ARGS="sweep --seed 7"
	@scripts/chaos $(ARGS)

bench: ## the benches: NAME value [min–max] bar
	@scripts/bench $(ARGS)

fuzz: ## ten minutes of hostile bytes against the gate: ARGS="--seconds 60 --seed 7"
	@scripts/fuzz $(ARGS)

lint: ## formatting, clippy, scripts, licences
	@scripts/lint

plugins: ## the example operators as components, in build/plugins (and those of tests, in build/keepers)
	@scripts/plugins

clean: ## deletes what make built, the caches included
	@cache="$${VOLLEY_CACHE:-$$HOME/.cache/volley}"; \
	rm -rf build demo/out "$$cache/target" "$$cache/demo" "$$cache/guest" "$$cache/peers" "$$cache/engine-peers" "$$cache/venv" "$$cache/guests" "$$cache/data" "$$cache/fuzz" "$$cache/chaos"
