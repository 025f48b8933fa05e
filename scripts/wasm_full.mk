# Minnow - SPDX-License-Identifier: Apache-2.0
# minnow-full.wasm: the run-time half and the build-time reader, ONNX files included (wasm/full.h). After wasm.mk.
#   make wasm-full        $(BUILD)/wasm/minnow-full.wasm, its size after brotli held against its budget
WASM_FULL_MAX_BYTES := 250000
WASM_FULL_HOT := $(addprefix src/convert/,math/math_wasm_simd128.c math/int8_wasm_simd128.c interpret/product.c \
    interpret/integer_product.c) $(wildcard src/convert/interpret/ops/*.c)
WASM_FLAGS_full := $(WASM_SIMD)
WASM_SRC_full := $(WASM_SRC_simd) $(wildcard $(addprefix src/convert/,graph/*.c shapes/*.c interpret/*.c interpret/ops/*.c)) \
    $(filter-out %/writer.c,$(wildcard src/convert/onnx/*.c)) \
    $(addprefix src/convert/math/,dispatch.c math_f64.c math_half.c math_scalar.c math_trig.c math_wasm_simd128.c int8_dispatch.c \
        int8_scalar.c int8_wasm_simd128.c) src/base/file_none.c wasm/full.c
$(eval $(call wasm_module,full))

.PHONY: wasm-full
wasm-full: $(WASM_BUILD)/minnow-full.wasm ## minnow-full.wasm, which runs ONNX files too, and its size (brotli)
	@size=$$(brotli -c $< | wc -c); echo "  minnow-full.wasm: $$(wc -c < $<) bytes, $$size after brotli"; \
	    test "$$size" -le $(WASM_FULL_MAX_BYTES)
