# Every target is the script of the same name in package.json: `make scale-status` runs `bun run scale-status`.
# Variables may stand before or after: INSTANCES=3 make scale-local, make scale-local INSTANCES=3.
BUN := $(shell command -v bun || echo npx --yes bun@1.4.5)
.DEFAULT_GOAL := help

%: FORCE
	@$(BUN) scripts/make-target.ts $@

Makefile FORCE: ;
