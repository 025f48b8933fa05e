# Minnow - SPDX-License-Identifier: Apache-2.0
# The real model: fetched once, and exported to ONNX by the program that was built.

MODEL := models/all-MiniLM-L6-v2

.PHONY: model
model: ## fetch all-MiniLM-L6-v2 and export it to ONNX
	$(MAKE) all
	sh scripts/get-model.sh $(MODEL)
	[ -e $(MODEL)/onnx/model.onnx ] || $(BUILD)/minnow$(EXE) export $(MODEL) -o $(MODEL)/
