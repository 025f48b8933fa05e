# Minnow - SPDX-License-Identifier: Apache-2.0
# minnow-full.wasm: the run-time half and the build-time reader, ONNX files included (wasm/full.h). After wasm.mk.
#   make wasm-full        $(BUILD)/wasm/minnow-full.wasm, its size after brotli held against its budget
WASM_FULL := $(WASM_BUILD)/minnow-full.wasm
WASM_FULL_MAX_BYTES := 250000
WASM_FULL_SRC := $(WASM_SRC_simd) $(wildcard src/convert/graph/*.c) $(filter-out %/writer.c,$(wildcard src/convert/onnx/*.c)) \
    $(addprefix src/convert/math/,dispatch.c math_f64.c math_half.c math_scalar.c math_wasm_simd128.c) src/base/file_none.c wasm/full.c
# Loops over elements are worth their size.
wasm_full_opt = $(if $(filter src/run/kernels/kernels_% src/convert/math/math_wasm% src/convert/graph/ops_% src/convert/graph/product.c,$(1)),-O2)
$(WASM_BUILD)/full/%.o: %.c Makefile scripts/wasm.mk scripts/wasm_full.mk
	@mkdir -p $(@D)
	$(call say,CC  $@)$(WASM_CC) $(WASM_CFLAGS) $(WASM_FLAGS_simd) $(call wasm_full_opt,$<) -c $< -o $@
$(WASM_FULL): $(WASM_FULL_SRC:%.c=$(WASM_BUILD)/full/%.o)
	$(call say,LD  $@)$(WASM_LD) $(WASM_LDFLAGS) $^ $(WASM_LIBS) -o $@
.PHONY: wasm-full
wasm: $(WASM_FULL)
wasm-full: $(WASM_FULL) ## minnow-full.wasm, which runs ONNX files too
	@size=$$(brotli -c $< | wc -c); echo "  minnow-full.wasm: $$(wc -c < $<) bytes, $$size after brotli"; test "$$size" -le $(WASM_FULL_MAX_BYTES)
