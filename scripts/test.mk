# Minnow - SPDX-License-Identifier: Apache-2.0
# Everything that runs tests or fuzzes. Tests run from the repository's root.
#   $(BUILD)/debug      ASan + UBSan      $(BUILD)/aarch64    cross build, run under qemu-user
#   $(BUILD)/tsan       TSan              $(BUILD)/windows    cross build
#   $(BUILD)/fuzzing    libFuzzer         $(BUILD)/coverage   llvm-cov

RUN_TESTS := bash scripts/run-tests.sh
DEBUG_FLAGS := SANITIZE=address,undefined OPT="-O1 -g"
export ASAN_OPTIONS ?= allocator_may_return_null=1
export UBSAN_OPTIONS ?= print_stacktrace=1
corpus = tests/fuzz/corpus/$(1)
# The shell commands of run-tests.sh, each one argument.
unit_commands = $(foreach t,$(UNIT),'$(RUNNER) $(t)')
replay_commands = $(foreach t,$(FUZZ),'$(RUNNER) $(1)/fuzz/replay_$(t:fuzz_%=%) $(call corpus,$(t))')
# Scripts that are given the program, and the ones that are given the build folder.
CLI_TESTS := $(wildcard tests/cli/run.sh)
PACKAGE_TESTS := $(filter-out %/test_install.sh,$(sort $(wildcard tests/package/test_*.sh)))
cli_commands = $(foreach t,$(CLI_TESTS),'RUNNER="$(RUNNER)" MINNOW=$(1)/minnow$(EXE) bash $(t)')
package_commands = $(foreach t,$(PACKAGE_TESTS),'CC="$(CC)" BUILD=$(BUILD) bash $(t)')

.PHONY: test test-debug test-tsan run-tsan test-aarch64 test-install windows replay-programs run-unit run-debug
replay-programs: $(REPLAY)
test: all $(UNIT) $(if $(HAS_JS),js) ## unit tests, command-line tests, fuzz corpora replayed under ASan; WASM modules and npm package, where their tools are
	$(MAKE) BUILD=$(BUILD)/debug $(DEBUG_FLAGS) replay-programs
	@$(RUN_TESTS) $(unit_commands) $(call replay_commands,$(BUILD)/debug) $(package_commands) $(minimal_commands) \
	    $(call cli_commands,$(BUILD)) $(test_wasm_commands) $(js_commands) $(browser_commands)
test-debug: ## unit and command-line tests and fuzz corpora, under ASan and UBSan
	$(MAKE) BUILD=$(BUILD)/debug $(DEBUG_FLAGS) run-debug
run-debug: all $(UNIT) $(REPLAY)
	@$(RUN_TESTS) $(unit_commands) $(call replay_commands,$(BUILD)) $(minimal_commands) $(call cli_commands,$(BUILD))
run-unit: $(UNIT)
	@$(RUN_TESTS) $(unit_commands)
# Those that have threads; test_encode, with the real model in FP32, would take very long.
THREADED := base encode_batch encode_int8 engine_threads interpreter shared
TSAN_FLAGS := BUILD=$(BUILD)/tsan SANITIZE=thread OPT="-O1 -g"
test-tsan: ## tests with threads, under ThreadSanitizer
	$(MAKE) $(TSAN_FLAGS) run-tsan
run-tsan: $(THREADED:%=$(BUILD)/tests/test_%$(EXE))
	@$(RUN_TESTS) $(foreach t,$^,'TSAN_OPTIONS=halt_on_error=1 $(t)')
# No -L: loader and libc are both those of libc6:arm64, which libcmocka-dev:arm64 brings. The loader of libc6-arm64-cross
# (-L /usr/aarch64-linux-gnu) would take that libc too, and such a pair spins for ever in pthread_create.
AARCH64_FLAGS := BUILD=$(BUILD)/aarch64 CC=aarch64-linux-gnu-gcc AR=aarch64-linux-gnu-ar \
    RUNNER="qemu-aarch64 -E MINNOW_TEST_EMULATED=1"
test-aarch64: ## cross build for AArch64, unit tests under qemu-user
	$(MAKE) $(AARCH64_FLAGS) all
	$(MAKE) $(AARCH64_FLAGS) run-unit
windows: ## cross build for Windows (mingw-w64): the program and the static library
	$(MAKE) BUILD=$(BUILD)/windows CC=x86_64-w64-mingw32-gcc-posix AR=x86_64-w64-mingw32-ar all
test-install: all ## install into a scratch folder; build and run the examples against it
	@$(RUN_TESTS) 'MAKE="$(MAKE)" CC="$(CC)" BUILD=$(BUILD) bash tests/package/test_install.sh'

# --- The same bytes everywhere (tests/unit/test_same_bytes.c) -----------------------------------------------------------------
.PHONY: golden-random same-bytes-real eval-tiers
golden-random: $(BUILD)/tests/test_same_bytes$(EXE) ## make the random model, its texts and all golden hashes anew: read the diff
	python3 scripts/gen_same_bytes_texts.py
	$(RUNNER) $< --update $(wildcard $(MODEL)/model.minnow)
same-bytes-real: $(BUILD)/tests/test_same_bytes$(EXE) ## the real model's vectors of 2,000 texts on every tier
	$(RUNNER) $< --real $(MODEL)/model.minnow
eval-tiers: all ## minnow eval on every tier, the same bytes: EVAL="DIR..." (TIERS="avx2 scalar", REFERENCE=FOLDER)
	@TIERS="$(TIERS)" REFERENCE="$(REFERENCE)" bash scripts/eval-tiers.sh $(BUILD)/minnow$(EXE) $(MODEL)/model.minnow \
	    $(BUILD)/eval-tiers $(EVAL)

# --- Fuzzing: TIME=seconds for each target (or RUNS=executions), FUZZ=name for one of them ------------------------------------
TIME ?= 60
RUNS ?= -1
FUZZ_JOBS ?= $(shell nproc)
FUZZ_CC ?= $(firstword $(foreach c,clang-21 clang-20 clang-19 clang-18 clang-17 clang-16 clang-15 clang-14 clang,$(shell command -v $(c) 2>/dev/null)) clang)
LLVM_SUFFIX = $(subst clang,,$(notdir $(FUZZ_CC)))
FUZZERS := $(FUZZ:fuzz_%=$(BUILD)/fuzz/fuzz_%)
$(BUILD)/fuzz/fuzz_%: $(BUILD)/obj/tests/fuzz/fuzz_%.o $(BUILD)/libminnow.a
	@mkdir -p $(@D)
	$(call say,LD  $@)$(CC) $(CFLAGS_ALL) -fsanitize=fuzzer,address,undefined $(LDFLAGS) $^ -o $@ $(LDLIBS_ALL)

.PHONY: fuzz fuzz-programs fuzz-coverage
fuzz-programs: $(FUZZERS)
fuzz: ## fuzz every target: TIME=600 seconds or RUNS=10000000 each, FUZZ=fuzz_onnx for one
	$(MAKE) BUILD=$(BUILD)/fuzzing CC=$(FUZZ_CC) SANITIZE=fuzzer-no-link,address,undefined OPT="-O1 -g" fuzz-programs
	@bash scripts/fuzz.sh $(BUILD) $(TIME) $(RUNS) $(FUZZ_JOBS) $(FUZZ)
fuzz-coverage: ## line coverage of each fuzz target over its corpora
	$(MAKE) BUILD=$(BUILD)/coverage CC=$(FUZZ_CC) OPT="-O0 -g" \
	    CFLAGS="-fprofile-instr-generate -fcoverage-mapping" replay-programs
	@LLVM_SUFFIX=$(LLVM_SUFFIX) python3 scripts/fuzz_coverage.py $(BUILD) $(FUZZ)
