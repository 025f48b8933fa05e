# Minnow - SPDX-License-Identifier: Apache-2.0
# The real model: fetched once; exported to ONNX and quantized by the program that was built.

MODEL := models/all-MiniLM-L6-v2

.PHONY: model
model: ## fetch all-MiniLM-L6-v2, export it to ONNX and quantize it
	$(MAKE) all
	sh scripts/get-model.sh $(MODEL)
	[ -e $(MODEL)/onnx/model.onnx ] || $(BUILD)/minnow$(EXE) export $(MODEL) -o $(MODEL)/
	$(BUILD)/minnow$(EXE) tokenize --model $(MODEL)/model.minnow "" > $(BUILD)/model-is-whole 2>&1 || \
	    $(BUILD)/minnow$(EXE) quantize --model $(MODEL) --texts data/calibration.txt -o $(MODEL)/model.minnow
