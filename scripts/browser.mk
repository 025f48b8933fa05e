# Minnow - SPDX-License-Identifier: Apache-2.0
# The package in browsers (tests/browser): Chromium by playwright-core, Firefox by its command line. What has no browser here, or
# no real model, is skipped with a line.
#   make test-browser     BROWSER_TESTS="golden cache": those with one of the words in their names
#                         CHROMIUM=PROGRAM FIREFOX=PROGRAM: other ones; MINNOW_ENTRY=/js/dist/index.js: what `make js` built
CHROMIUM ?= /usr/bin/chromium
FIREFOX ?= /usr/bin/firefox-esr
# As js.mk has them, which comes later.
NODE ?= node
WASM_CC ?= clang-19
BROWSER_TESTS ?=
browser_commands = $(if $(HAS_JS),'CHROMIUM="$(CHROMIUM)" FIREFOX="$(FIREFOX)" $(NODE) tests/browser/run.mjs $(BROWSER_TESTS)',\
    'echo "browser tests: skipped, no $(NODE) or no $(WASM_CC)"; echo "[  SKIPPED ] 1 test(s)"')
.PHONY: test-browser
test-browser: $(if $(and $(shell command -v $(NODE) 2>/dev/null),$(shell command -v $(WASM_CC) 2>/dev/null)),js) ## the package in real Chromium and Firefox (BROWSER_TESTS="golden cache": a part)
	@$(RUN_TESTS) $(browser_commands)
