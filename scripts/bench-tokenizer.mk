# Minnow - SPDX-License-Identifier: Apache-2.0
# The tokenizer against Hugging Face `tokenizers`, one thread each, in one run. PYTHON needs tokenizers.
PYTHON ?= python3
BENCH_TOKENIZER ?= models/all-MiniLM-L6-v2/tokenizer.json
.PHONY: bench-tokenizer
bench: bench-tokenizer
bench-tokenizer: $(BUILD)/bench/bench_tokenizer$(EXE) ## tokenizer against Hugging Face's (PYTHON=..., BENCH_TOKENIZER=FILE)
	@$(PYTHON) bench/bench_tokenizer.py --program $< --tokenizer $(BENCH_TOKENIZER)
