# Minnow - SPDX-License-Identifier: Apache-2.0
# One INT8 ONNX file in C, C++, Python, JavaScript and WASM (tests/everywhere): of the real model where it is, else of the small
# random one. What is not installed is named as skipped.
#   make everywhere       EVERYWHERE_PYTHON=PROGRAM: one with onnxruntime
# As model.mk has it, which comes later.
MODEL := models/all-MiniLM-L6-v2
EVERYWHERE := $(BUILD)/everywhere
EVERYWHERE_PYTHON ?= $(firstword $(wildcard $(BUILD)/bench-peers/bin/python) python3)
EVERYWHERE_NAME := $(if $(wildcard $(MODEL)/model.safetensors $(MODEL)/onnx/model.onnx),$(notdir $(MODEL)),tiny)
EVERYWHERE_ONNX := $(EVERYWHERE)/$(EVERYWHERE_NAME)/onnx/model_quantized.onnx
EVERYWHERE_QUANTIZE = $(BUILD)/minnow$(EXE) quantize --rounding nearest --method minmax --to onnx --force

$(EVERYWHERE)/tiny/onnx/model_quantized.onnx: $(BUILD)/minnow$(EXE)
	@mkdir -p $(EVERYWHERE)/source
	cp -r tests/golden/tiny-bert/gelu-f32/. tests/cli/data/vocab.txt $(EVERYWHERE)/source
	$(EVERYWHERE_QUANTIZE) --model $(EVERYWHERE)/source -o $(EVERYWHERE)/tiny/
$(EVERYWHERE)/$(notdir $(MODEL))/onnx/model_quantized.onnx: $(BUILD)/minnow$(EXE)
	$(EVERYWHERE_QUANTIZE) --model $(MODEL) -o $(EVERYWHERE)/$(notdir $(MODEL))/
$(EVERYWHERE)/vectors$(EXE): tests/everywhere/vectors.c $(BUILD)/libminnow.a
	@mkdir -p $(@D)
	$(call say,CC  $@)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(LD_HARDENING) $(LDFLAGS) $^ -o $@ $(LDLIBS_ALL)
$(EVERYWHERE)/vectors++$(EXE): tests/everywhere/vectors.cpp $(BUILD)/libminnow.a
	@mkdir -p $(@D)
	$(call say,CXX $@)$(CXX) -std=c++17 -Wall -Wextra -Iinclude $^ -o $@ $(LDLIBS_ALL)

.PHONY: everywhere
everywhere: all $(if $(HAS_JS),wasm) $(EVERYWHERE)/vectors$(EXE) $(if $(shell command -v $(CXX) 2>/dev/null),$(EVERYWHERE)/vectors++$(EXE)) $(EVERYWHERE_ONNX) ## one INT8 ONNX file in C, C++, Python, JavaScript and WASM, side by side
	@$(RUN_TESTS) 'PYTHON="$(EVERYWHERE_PYTHON)" CHROMIUM="$(CHROMIUM)" $(NODE) tests/everywhere/run.mjs $(BUILD) $(EVERYWHERE)/$(EVERYWHERE_NAME)'
