# Minnow - SPDX-License-Identifier: Apache-2.0
# The npm package (js/): its tools by the lock file, types checked and written, dist/ built, tests in Node.
#   make js          js/dist and js/types
#   make test-js     their tests (js/test), counted like the others; part of `make test` where Node and a WASM compiler are
# As wasm.mk has them, which comes later.
NODE ?= node
WASM_CC ?= clang-19
JS_TOOLS := js/node_modules/.package-lock.json
JS_BUILT := js/types/index.d.ts
JS_SRC := $(shell find js/src -name '*.js' 2>/dev/null)
JS_TESTS := $(sort $(wildcard js/test/*.test.js js/test/*.test.mjs))
HAS_JS := $(and $(shell command -v $(NODE) 2>/dev/null),$(shell command -v $(WASM_CC) 2>/dev/null))
js_commands = $(if $(HAS_JS),'cd js && $(NODE) --test --test-reporter=../scripts/node-reporter.mjs $(JS_TESTS:js/%=%)')

$(JS_TOOLS): js/package.json js/package-lock.json
	cd js && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@
$(JS_BUILT): $(JS_TOOLS) $(JS_SRC) js/build.mjs js/tsconfig.json
	cd js && $(NODE) node_modules/typescript/bin/tsc && $(NODE) build.mjs
	@touch $@

.PHONY: js test-js
js: wasm $(JS_BUILT) ## the npm package: js/dist, js/types, js/wasm
test-js: js ## the npm package's tests in Node
	@$(RUN_TESTS) $(js_commands)

# Bundlers, type checkers and the libraries that the adapters are for (js/test/peers): 200 packages that nobody else needs.
JS_PEERS := js/test/peers/node_modules/.package-lock.json
$(JS_PEERS): js/test/peers/package.json js/test/peers/package-lock.json
	cd js/test/peers && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@
.PHONY: test-js-peers
test-js-peers: js $(JS_PEERS) ## the packed package in bundlers, under type checkers, and its adapters in the libraries they are for
	@$(RUN_TESTS) 'cd js && $(NODE) --test --test-reporter=../scripts/node-reporter.mjs test/adapters.test.mjs test/onnx-int8.test.mjs test/bundlers/bundlers.test.mjs test/package/package.test.mjs'
