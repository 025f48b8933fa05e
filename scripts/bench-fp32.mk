# Minnow - SPDX-License-Identifier: Apache-2.0
# The FP32 encoder against onnxruntime, one thread each, in one run. PYTHON needs numpy and onnxruntime.
PYTHON ?= python3
BENCH_MODEL ?= models/all-MiniLM-L6-v2
BENCH_ONNX ?= $(BUILD)/bench/model.onnx
$(BUILD)/bench/model.onnx: $(BUILD)/minnow$(EXE) $(wildcard $(BENCH_MODEL)/model.safetensors)
	@mkdir -p $(@D)
	$< export $(BENCH_MODEL) -o $@

.PHONY: bench-fp32
bench-fp32: $(BUILD)/bench/bench_fp32$(EXE) $(BENCH_ONNX) ## FP32 encoder against onnxruntime (PYTHON=..., BENCH_MODEL=DIR or BENCH_ONNX=FILE)
	@$(PYTHON) bench/bench_fp32.py $(BUILD)/bench/bench_fp32$(EXE) $(BENCH_ONNX)
