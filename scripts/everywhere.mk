# Minnow - SPDX-License-Identifier: Apache-2.0
# One INT8 ONNX file in C, C++, Python, JavaScript and WASM (tests/everywhere): of the real model where it is, else of the small
# random one. What is not installed is named as skipped.
#   make everywhere       EVERYWHERE_PYTHON=PROGRAM: one with onnxruntime
# As js.mk, model.mk and wasm.mk have them, which come later.
MODEL := models/all-MiniLM-L6-v2
NODE ?= node
WASM_CC ?= clang-19
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

everywhere_has = $(shell command -v $(1) 2>/dev/null)
EVERYWHERE_NEEDS := $(if $(call everywhere_has,$(NODE)),all $(EVERYWHERE)/vectors$(EXE) $(EVERYWHERE_ONNX)\
    $(if $(call everywhere_has,$(CXX)),$(EVERYWHERE)/vectors++$(EXE)) $(if $(call everywhere_has,$(WASM_CC)),wasm))
everywhere_commands = $(if $(EVERYWHERE_NEEDS),'PYTHON="$(EVERYWHERE_PYTHON)" CHROMIUM="$(CHROMIUM)" $(NODE)\
    tests/everywhere/run.mjs $(BUILD) $(EVERYWHERE)/$(EVERYWHERE_NAME)',\
    'echo "one INT8 file everywhere: skipped, no $(NODE)"; echo "[  SKIPPED ] 1 test(s)"')
.PHONY: everywhere
everywhere: $(EVERYWHERE_NEEDS) ## one INT8 ONNX file in C, C++, Python, JavaScript and WASM, side by side
	@$(RUN_TESTS) $(everywhere_commands)
