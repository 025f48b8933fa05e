# Minnow - SPDX-License-Identifier: Apache-2.0
# Benchmarks. JSON lines go to stdout and to bench/results/, a table to stderr. Peers are measured in the same run, one thread
# each side, from a virtual environment that is made once; BENCH_PYTHON=python3 takes an installed one
# (bench/requirements.txt) instead.
ifndef BENCH_PYTHON
BENCH_PYTHON := $(BUILD)/bench-peers/bin/python
BENCH_PEERS := $(BUILD)/bench-peers/ready
endif
BENCH_MODEL ?= models/all-MiniLM-L6-v2
BENCH_ONNX ?= $(BUILD)/bench/model.onnx
BENCH_TOKENIZER ?= $(BENCH_MODEL)/tokenizer.json
BENCH_MINNOW ?= $(BUILD)/bench/model.minnow

$(BUILD)/bench-peers/ready: bench/requirements.txt
	python3 -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@
$(BUILD)/bench/%$(EXE): $(BUILD)/obj/bench/%.o $(BUILD)/libminnow.a
	@mkdir -p $(@D)
	$(call say,LD  $@)$(CC) $(CFLAGS_ALL) $(LD_HARDENING) $(LDFLAGS) $^ -o $@ $(LDLIBS_ALL)
$(BUILD)/bench/model.onnx: $(BUILD)/minnow$(EXE) $(wildcard $(BENCH_MODEL)/model.safetensors)
	@mkdir -p $(@D)
	$< export $(BENCH_MODEL) -o $@
$(BUILD)/bench/model.minnow: $(BUILD)/minnow$(EXE) $(BENCH_ONNX)
	$< quantize --model $(BENCH_ONNX) --tokenizer $(BENCH_TOKENIZER) -o $@

.PHONY: bench bench-fp32 bench-onnx-int8 bench-kernels bench-math bench-native bench-stages bench-tokenizer quantization-table
bench: bench-fp32 bench-onnx-int8 bench-native bench-tokenizer bench-math bench-kernels bench-stages ## all benchmarks but the browser's (needs the model: make model)
bench-math: $(BUILD)/bench/bench_math$(EXE) ## speed of the float kernels, tier by tier (TIER=avx2: one)
	@mkdir -p bench/results
	@$(RUNNER) $< $(TIER) | tee bench/results/math.jsonl
# A list of JSON lines as {"rows":[...]}.
rows = { echo '{"rows":['; sed '$$!s/$$/,/' $(1); echo ']}'; } > $(2)
bench-kernels: $(CHECK_KERNELS) ## every kernel of every tier against the reference and the tier's peak (TIER=avx2, KERNEL=linear: these alone)
	@mkdir -p bench/results
	@$(RUNNER) $< --bench --json $(if $(TIER),--tier $(TIER)) $(if $(KERNEL),--kernel $(KERNEL)) > $(BUILD)/bench-kernels.jsonl
	@cat $(BUILD)/bench-kernels.jsonl && $(call rows,$(BUILD)/bench-kernels.jsonl,bench/results/kernels.json)
$(BUILD)/bench/bench_stages$(EXE): $(PEAKS)
bench-stages: MODEL := $(if $(filter command line environment,$(origin MODEL)),$(MODEL),$(BENCH_MINNOW))
bench-stages: $(BUILD)/bench/bench_stages$(EXE) $(if $(filter command line environment,$(origin MODEL)),,$(BENCH_MINNOW)) ## time of the engine's steps beside their limits (MODEL=FILE, TOKENS=8,512, TIER=avx2)
	@mkdir -p bench/results
	@$(RUNNER) $< $(MODEL) $(if $(TOKENS),--tokens $(TOKENS)) $(if $(TIER),--tier $(TIER)) > $(BUILD)/bench-stages.jsonl
	@cat $(BUILD)/bench-stages.jsonl && $(call rows,$(BUILD)/bench-stages.jsonl,bench/results/stages.json)
bench-fp32: $(BUILD)/bench/bench_fp32$(EXE) $(BENCH_ONNX) $(BENCH_PEERS) ## FP32 encoder against onnxruntime (BENCH_MODEL=DIR)
	@mkdir -p bench/results
	@$(BENCH_PYTHON) bench/bench_fp32.py $< $(BENCH_ONNX) | tee bench/results/fp32.jsonl
bench-onnx-int8: $(BUILD)/bench/bench_fp32$(EXE) $(BUILD)/bench/model_quantized.onnx $(BENCH_PEERS) ## onnxruntime's dynamic INT8 in the interpreter, against onnxruntime
	@mkdir -p bench/results
	@$(BENCH_PYTHON) bench/bench_fp32.py $< $(BUILD)/bench/model_quantized.onnx --name onnx-int8 | tee bench/results/onnx_int8.jsonl
# TIERS=avx2,scalar measures these tiers too; BENCH_MINNOW=FILE another model than is quantized here.
bench-native: $(BUILD)/bench/bench_int8$(EXE) $(BENCH_MINNOW) $(BENCH_ONNX) $(BENCH_PEERS) ## INT8 engine against onnxruntime and OpenVINO
	@mkdir -p bench/results
	@$(BENCH_PYTHON) bench/bench_native.py --program $< --minnow $(BENCH_MINNOW) --model $(BENCH_ONNX) \
	    --tokenizer $(BENCH_TOKENIZER) --texts data/calibration.txt --work $(BUILD)/bench/native \
	    --results bench/results/native.json $(if $(TIERS),--tiers $(TIERS)) $(if $(ROUNDS),--rounds $(ROUNDS))
bench-tokenizer: $(BUILD)/bench/bench_tokenizer$(EXE) $(BENCH_PEERS) ## tokenizer against Hugging Face's (BENCH_TOKENIZER=FILE)
	@mkdir -p bench/results
	@$(BENCH_PYTHON) bench/bench_tokenizer.py --program $< --tokenizer $(BENCH_TOKENIZER) | tee bench/results/tokenizer.jsonl
# ROWS=gptq,nearest TASKS=stsb_dev FAST=1 RESUME=1 make less of it; only a whole table goes into docs/QUANTIZATION.md.
quantization-table: $(BUILD)/minnow$(EXE) $(BENCH_ONNX) $(BENCH_PEERS) ## docs/QUANTIZATION.md's table, beside onnxruntime's (EVAL="DIR...")
	@mkdir -p bench/results
	@$(BENCH_PYTHON) bench/quantization_table.py --minnow $< --model $(BENCH_ONNX) --tokenizer $(BENCH_TOKENIZER) \
	    --work $(BUILD)/bench/quantization --results bench/results/quantization.jsonl --docs docs/QUANTIZATION.md \
	    $(if $(ROWS),--rows $(ROWS)) $(if $(TASKS),--tasks $(TASKS)) $(if $(FAST),--fast) $(if $(RESUME),--resume) $(EVAL) >/dev/null
