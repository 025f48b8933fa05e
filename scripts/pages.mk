# Minnow - SPDX-License-Identifier: Apache-2.0
# Minnow in Chromium beside its peers, measured and shown. The peers come from npm, pinned in
# bench/browser/package-lock.json, their INT8 model from onnxruntime (bench/requirements.txt); nothing of it is needed
# to build or to test.
#   make bench-browser     bench/results/browser.json, JSON lines; a table on stdout
#   make web               serves web/ on loopback
# Needs Node, and Chromium: CHROMIUM=PROGRAM.
CHROMIUM ?= /usr/bin/chromium
PEERS_NPM := bench/browser/node_modules/.package-lock.json
PEERS_INT8 := $(BUILD)/bench/model_quantized.onnx
BROWSER_SITE := $(BUILD)/bench/browser
$(PEERS_NPM): bench/browser/package.json bench/browser/package-lock.json
	cd bench/browser && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@
$(PEERS_INT8): $(BENCH_ONNX) bench/browser/quantize_peer.py $(BENCH_PEERS)
	@mkdir -p $(@D)
	$(BENCH_PYTHON) bench/browser/quantize_peer.py $(BENCH_ONNX) $@

.PHONY: bench-browser bench-browser-site web web-peers
# What bench.mjs measures; with bench/browser and Chromium it can be carried to a machine without a network.
bench-browser-site: wasm $(PEERS_NPM) $(PEERS_INT8) $(BENCH_MINNOW)
	$(NODE) bench/browser/prepare.mjs --package js --wasm $(WASM_BUILD) --minnow $(BENCH_MINNOW) --model $(BENCH_MODEL) \
	    --onnx $(BENCH_ONNX) --quantized $(PEERS_INT8) --out $(BROWSER_SITE)
# ONLY=speed,cold,warm,memory,longtasks: some of them. ROUNDS: turns of each engine at each length. STARTS: cold starts
# of each product.
bench-browser: bench-browser-site ## Minnow in Chromium against onnxruntime-web and transformers.js (CHROMIUM=PROGRAM)
	@mkdir -p bench/results
	@$(NODE) bench/browser/bench.mjs --site $(BROWSER_SITE) --chromium $(CHROMIUM) --out bench/results/browser.json \
	    $(if $(ONLY),--only $(ONLY)) $(if $(TOKENS),--tokens $(TOKENS)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(STARTS),--runs $(STARTS))
# PORT=N. The model: MODEL_FILE=FILE.
web: wasm ## the demo and the side-by-side page, on loopback (PORT=N)
	$(NODE) web/serve.mjs --package js $(if $(PORT),--port $(PORT)) $(if $(MODEL_FILE),--model $(MODEL_FILE)) --tokenizer $(BENCH_MODEL) --int8 $(PEERS_INT8)
web-peers: $(PEERS_NPM) $(PEERS_INT8) ## what the side-by-side page shows beside Minnow
