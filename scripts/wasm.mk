# Minnow - SPDX-License-Identifier: Apache-2.0
# The WASM modules, by Debian's clang-19, lld-19, libclang-rt-19-dev-wasm32 and wasi-libc. clang only compiles: its driver would run
# whatever wasm-opt it finds, and Debian 12's makes invalid modules of relaxed SIMD.
#   make wasm         $(BUILD)/wasm/minnow-*.wasm
WASM_CC ?= clang-19
WASM_LD ?= wasm-ld-19
WASM_BUILD := $(BUILD)/wasm
WASM_SRC := $(MINIMAL_SRC) src/base/sha256.c wasm/minnow_wasm.c
WASM_CFLAGS := --target=wasm32-wasi -std=c11 -Os -ffp-contract=off -fno-math-errno -fvisibility=hidden -ffunction-sections -fdata-sections \
    -mbulk-memory -mnontrapping-fptoint -msign-ext $(WARNING_FLAGS) -DMINNOW_MINIMAL -Iinclude -Isrc -Iwasm -D_GNU_SOURCE -MMD -MP
WASM_FLAGS_simd := -msimd128
WASM_LIBS = /usr/lib/wasm32-wasi/libc.a $(shell $(WASM_CC) --target=wasm32-wasi -print-libgcc-file-name)
WASM_LDFLAGS := --no-entry --gc-sections --strip-all -z stack-size=65536 --stack-first
$(WASM_BUILD)/simd/%.o: %.c Makefile scripts/wasm.mk
	@mkdir -p $(@D)
	$(call say,CC  $@)$(WASM_CC) $(WASM_CFLAGS) $(WASM_FLAGS_simd) -c $< -o $@
$(WASM_BUILD)/minnow-simd.wasm: $(WASM_SRC:%.c=$(WASM_BUILD)/simd/%.o)
	$(call say,LD  $@)$(WASM_LD) $(WASM_LDFLAGS) $^ $(WASM_LIBS) -o $@
.PHONY: wasm
wasm: $(WASM_BUILD)/minnow-simd.wasm ## the WASM modules
-include $(shell find $(WASM_BUILD) -name '*.d' 2>/dev/null)
