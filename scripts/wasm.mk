# Minnow - SPDX-License-Identifier: Apache-2.0
# The WASM modules, by Debian's clang-19, lld-19, libclang-rt-19-dev-wasm32 and wasi-libc. clang only compiles: its driver would run
# whatever wasm-opt it finds, and Debian 12's makes invalid modules of relaxed SIMD.
#   make wasm         $(BUILD)/wasm/minnow-*.wasm
WASM_CC ?= clang-19
WASM_LD ?= wasm-ld-19
WASM_BUILD := $(BUILD)/wasm
WASM_SRC := $(MINIMAL_SRC) src/base/sha256.c src/base/os_wasm.c src/run/kernels/choose.c wasm/minnow_wasm.c
WASM_SRC_simd := $(WASM_SRC) src/run/kernels/kernels_wasm_simd128.c
WASM_SRC_relaxed := $(WASM_SRC_simd) $(addprefix src/run/kernels/,kernels_wasm_relaxed.c kernels_wasm_relaxed_pairs.c)
WASM_CFLAGS := --target=wasm32-wasi -std=c11 -Os -ffp-contract=off -fno-math-errno -fvisibility=hidden -ffunction-sections -fdata-sections \
    -mbulk-memory -mnontrapping-fptoint -msign-ext $(WARNING_FLAGS) -DMINNOW_MINIMAL -Iinclude -Isrc -Iwasm -D_GNU_SOURCE -MMD -MP
WASM_FLAGS_simd := -msimd128
WASM_FLAGS_relaxed := -msimd128 -mrelaxed-simd
WASM_LIBS = /usr/lib/wasm32-wasi/libc.a $(shell $(WASM_CC) --target=wasm32-wasi -print-libgcc-file-name)
WASM_LDFLAGS := --no-entry --gc-sections --strip-all -z stack-size=65536 --stack-first
# Kernels are worth their size.
wasm_opt = $(if $(findstring src/run/kernels/kernels_,$(1)),-O2)
define wasm_module
$(WASM_BUILD)/$(1)/%.o: %.c Makefile scripts/wasm.mk
	@mkdir -p $$(@D)
	$$(call say,CC  $$@)$(WASM_CC) $(WASM_CFLAGS) $$(call wasm_opt,$$<) $(WASM_FLAGS_$(1)) -c $$< -o $$@
$(WASM_BUILD)/minnow-$(1).wasm: $(WASM_SRC_$(1):%.c=$(WASM_BUILD)/$(1)/%.o)
	$$(call say,LD  $$@)$(WASM_LD) $(WASM_LDFLAGS) $$^ $$(WASM_LIBS) -o $$@
endef
$(foreach m,simd relaxed,$(eval $(call wasm_module,$m)))
.PHONY: wasm
wasm: $(foreach m,simd relaxed,$(WASM_BUILD)/minnow-$m.wasm) ## the WASM modules
-include $(shell find $(WASM_BUILD) -name '*.d' 2>/dev/null)
