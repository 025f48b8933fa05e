# Minnow - SPDX-License-Identifier: Apache-2.0
# The WASM modules (docs/WASM.md), by Debian's clang-19, lld-19, libclang-rt-19-dev-wasm32 and wasi-libc. clang only compiles: its
# driver would run whatever wasm-opt it finds, and Debian 12's makes invalid modules of relaxed SIMD.
#   make wasm         $(BUILD)/wasm/minnow-*.wasm, and a copy of each in js/wasm/
#   make test-wasm    their tests, in Node
# Another module is a name in WASM_MODULES, its WASM_SRC_name, WASM_FLAGS_name and WASM_LINK_name, and a line that calls wasm_module.
WASM_CC ?= clang-19
WASM_LD ?= wasm-ld-19
WASM_LIBC ?= /usr/lib/wasm32-wasi/libc.a
NODE ?= node
WASM_BUILD := $(BUILD)/wasm

WASM_SRC := $(filter-out %/thread_none.c,$(MINIMAL_SRC)) src/base/os_wasm.c src/base/sha256.c src/run/kernels/choose.c \
    $(addprefix wasm/,heap.c minnow_wasm.c print.c)
WASM_KERNELS_SIMD := src/run/kernels/kernels_wasm_simd128.c
WASM_KERNELS_RELAXED := $(WASM_KERNELS_SIMD) $(addprefix src/run/kernels/,kernels_wasm_relaxed.c kernels_wasm_relaxed_pairs.c choose_wasm_relaxed.c)
# Kernels, and what runs over every byte of a file, are worth their size.
wasm_opt = $(if $(or $(findstring src/run/kernels/kernels_,$(1)),$(findstring choose_wasm_relaxed,$(1)),$(filter $(WASM_FULL_HOT),$(1))),-O2,$(if $(filter %/crc32c.c %/sha256.c %/model/check.c,$(1)),-O3))
WASM_CFLAGS := --target=wasm32-wasi -std=c11 -Os -ffp-contract=off -fno-math-errno -fvisibility=hidden -ffunction-sections -fdata-sections \
    -mbulk-memory -mnontrapping-fptoint -msign-ext $(FLAGS_WANTED) -Werror -Wframe-larger-than=65536 -DMINNOW_MINIMAL \
    -Iinclude -Isrc -Iwasm -D_GNU_SOURCE -MMD -MP
# Kernels' pointers do not wrap around: where they might, a load's constant offset is not put in its instruction but added beforehand.
wasm_cflags = $(if $(findstring src/run/kernels/kernels_,$(1)),$(filter-out -fno-strict-overflow,$(WASM_CFLAGS)),$(WASM_CFLAGS))
WASM_LDFLAGS := --no-entry --gc-sections --strip-all --fatal-warnings -z stack-size=131072 --stack-first --export=__stack_pointer
WASM_LIBS = $(WASM_LIBC) $(shell $(WASM_CC) --target=wasm32-wasi -print-libgcc-file-name)

WASM_SIMD := -msimd128
WASM_RELAXED := -msimd128 -mrelaxed-simd
# The host gives the memory, of any size up to what 32 bits reach, and decides how far it grows.
WASM_THREADS := -matomics -mthread-model posix
WASM_LINK_THREADS := --shared-memory --import-memory --max-memory=4294967296

WASM_MODULES := simd relaxed simd-threads relaxed-threads
WASM_FLAGS_simd := $(WASM_SIMD)
WASM_FLAGS_relaxed := $(WASM_RELAXED)
WASM_FLAGS_simd-threads := $(WASM_SIMD) $(WASM_THREADS)
WASM_FLAGS_relaxed-threads := $(WASM_RELAXED) $(WASM_THREADS)
WASM_SRC_simd := $(WASM_SRC) $(WASM_KERNELS_SIMD) src/base/thread_none.c
WASM_SRC_relaxed := $(WASM_SRC) $(WASM_KERNELS_RELAXED) src/base/thread_none.c
WASM_SRC_simd-threads := $(WASM_SRC) $(WASM_KERNELS_SIMD) src/base/thread_wasm.c wasm/threads.c
WASM_SRC_relaxed-threads := $(WASM_SRC) $(WASM_KERNELS_RELAXED) src/base/thread_wasm.c wasm/threads.c
WASM_LINK_simd-threads := $(WASM_LINK_THREADS)
WASM_LINK_relaxed-threads := $(WASM_LINK_THREADS)

# $(1): a module. Its objects have a folder of their own, for each is compiled with the module's flags.
define wasm_module
$(WASM_BUILD)/$(1)/%.o: %.c Makefile $(wildcard scripts/wasm*.mk)
	@mkdir -p $$(@D)
	$$(call say,CC  $$@)$$(WASM_CC) $$(call wasm_cflags,$$<) $$(call wasm_opt,$$<) $$(WASM_FLAGS_$(1)) -c $$< -o $$@
$(WASM_BUILD)/minnow-$(1).wasm: $(WASM_SRC_$(1):%.c=$(WASM_BUILD)/$(1)/%.o)
	$$(call say,LD  $$@)$$(WASM_LD) $$(WASM_LDFLAGS) $$(WASM_LINK_$(1)) $$^ $$(WASM_LIBS) -o $$@
wasm: $(WASM_BUILD)/minnow-$(1).wasm
endef
$(foreach m,$(WASM_MODULES),$(eval $(call wasm_module,$m)))

.PHONY: wasm test-wasm
test-wasm: wasm ## the WASM modules' tests, in Node
	@$(RUN_TESTS) $(wasm_commands)
WASM_TESTS := $(wildcard tests/wasm/test_*.mjs)
wasm_commands = 'BUILD="$(BUILD)" $(NODE) --test --test-reporter=./scripts/node-reporter.mjs $(WASM_TESTS)'
# Part of `make test` where what they need is there.
has = $(shell command -v $(1) 2>/dev/null)
ifneq ($(and $(call has,$(WASM_CC)),$(call has,$(WASM_LD)),$(call has,$(NODE)),$(wildcard $(WASM_LIBC))),)
test: wasm
test_wasm_commands = $(wasm_commands)
endif

wasm: ## the WASM modules (clang-19, lld-19, wasi-libc)
	@if [ -d js ]; then mkdir -p js/wasm && cp -p $(filter %.wasm,$^) js/wasm/; fi
-include $(shell find $(WASM_BUILD) -name '*.d' 2>/dev/null)
