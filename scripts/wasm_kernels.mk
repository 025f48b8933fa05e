# Minnow - SPDX-License-Identifier: Apache-2.0
# check_kernels (tests/kernels) as WASM modules of WASI commands, and a folder that times the tiers on another machine. After wasm.mk.
#   make test-wasm-kernels   every kernel of the modules against the reference, in Node, or with BROWSER=1 in Chromium
#   make vnni-bench          $(BUILD)/vnni-bench/: copy it, `node bench.mjs` there
WASM_CHECK_SRC := $(filter-out tests/kernels/peak_%,$(wildcard tests/kernels/*.c))
WASM_CHECK_NEEDS := $(addprefix src/base/,cpu.c memory.c os_wasm.c error.c) src/run/kernels/ref.c src/run/kernels/dispatch.c src/run/kernels/choose.c
define wasm_check_module
$(WASM_BUILD)/check_kernels-$(1).wasm: $(patsubst %.c,$(WASM_BUILD)/$(1)/%.o,$(WASM_CHECK_SRC) $(WASM_CHECK_NEEDS) $(filter src/run/kernels/kernels_% src/run/kernels/choose_wasm_%,$(WASM_SRC_$(1))))
	$$(call say,LD  $$@)$(WASM_LD) --gc-sections --strip-all -z stack-size=262144 --stack-first /usr/lib/wasm32-wasi/crt1-command.o $$^ $$(WASM_LIBS) -o $$@
endef
$(foreach m,simd relaxed,$(eval $(call wasm_check_module,$m)))
# bench_stages: the model comes in on standard input.
WASM_STAGES_SRC := bench/bench_stages.c bench/open_input.c tests/kernels/peak.c
define wasm_stages_module
$(WASM_BUILD)/bench_stages-$(1).wasm: $(patsubst %.c,$(WASM_BUILD)/$(1)/%.o,$(WASM_STAGES_SRC) src/base/memory.c $(filter-out wasm/% src/api/%,$(WASM_SRC_$(1))))
	$$(call say,LD  $$@)$(WASM_LD) --gc-sections --strip-all -z stack-size=262144 --stack-first /usr/lib/wasm32-wasi/crt1-command.o $$^ $$(WASM_LIBS) -o $$@
endef
$(foreach m,simd relaxed,$(eval $(call wasm_stages_module,$m)))
WASM_STAGES := $(foreach m,simd relaxed,$(WASM_BUILD)/bench_stages-$m.wasm)
WASM_CHECKS := $(foreach m,simd relaxed,$(WASM_BUILD)/check_kernels-$m.wasm)
.PHONY: test-wasm-kernels test-wasm-kernels-all vnni-bench
test-wasm-kernels: $(WASM_CHECKS) ## every kernel of the WASM modules against the reference (Node; BROWSER=1: in Chromium)
	@$(NODE) tests/kernels/check_wasm.mjs $(WASM_BUILD) $(if $(BROWSER),--browser)
test-wasm-kernels-all: $(WASM_CHECKS)
	@$(RUN_TESTS) '$(NODE) tests/kernels/check_wasm.mjs $(WASM_BUILD)' '$(NODE) tests/kernels/check_wasm.mjs $(WASM_BUILD) --browser'
vnni-bench: wasm $(WASM_CHECKS) $(WASM_STAGES) ## a folder that times the WASM tiers on any machine with Node from 22 on
	@mkdir -p $(BUILD)/vnni-bench
	@cp bench/bench_wasm.mjs $(BUILD)/vnni-bench/bench.mjs
	@cp tests/kernels/wasi.mjs $(WASM_BUILD)/*.wasm $(addprefix tests/golden/,random.minnow same_bytes.json same_bytes_texts.jsonl) \
	    $(wildcard $(MODEL)/model.minnow) $(BUILD)/vnni-bench/
