# Minnow - SPDX-License-Identifier: Apache-2.0
# The smallest library: what encodes with a .minnow model that lies in memory, in portable C, on one thread, without files. It
# needs a C library's malloc, memory and string functions, formatted printing into memory, and sqrt. This half is what WASM compiles.
#   make MINIMAL=1        $(BUILD)/minimal/libminnow_minimal.a, the size of its code and of a context
#   make test-minimal     its vectors against the whole library's
ifneq ($(MINIMAL),)
.DEFAULT_GOAL := minimal
endif
MINIMAL_BUILD := $(BUILD)/minimal
MINIMAL_SRC := $(addprefix src/api/,model.c open_memory.c context.c batch.c encode_int8.c) $(wildcard src/run/engine/*.c) \
    $(addprefix src/run/kernels/,ref.c dispatch.c) $(filter-out %/open_file.c,$(wildcard src/run/model/*.c)) \
    $(wildcard src/run/tokenizer/*.c) \
    $(addprefix src/base/,arena.c cpu.c crc32c.c error.c memory.c thread_none.c thread_share.c utf8.c)
MINIMAL_OBJ := $(MINIMAL_SRC:%.c=$(MINIMAL_BUILD)/obj/%.o)
MINIMAL_MODEL ?= tests/golden/random.minnow
MINIMAL_TEXTS ?= tests/golden/same_bytes_texts.jsonl

$(MINIMAL_BUILD)/obj/%.o: %.c Makefile scripts/minimal.mk $(FLAGS_FILE)
	@mkdir -p $(@D)
	$(call say,CC  $@)$(CC) -DMINNOW_MINIMAL $(CPPFLAGS_ALL) $(CFLAGS_ALL) -ffunction-sections -fdata-sections -fvisibility=hidden -c $< -o $@
$(MINIMAL_BUILD)/libminnow_minimal.a: $(MINIMAL_OBJ)
	@rm -f $@
	$(call say,AR  $@)$(AR) rcs $@ $^
$(MINIMAL_BUILD)/test_minimal$(EXE): $(addprefix $(MINIMAL_BUILD)/obj/,tests/minimal/test_minimal.o src/base/sha256.o) \
    $(MINIMAL_BUILD)/libminnow_minimal.a
	$(call say,LD  $@)$(CC) $(CFLAGS_ALL) $(LD_HARDENING) $(LDFLAGS) $^ -o $@ $(LDLIBS) -lm
$(MINIMAL_BUILD)/test_whole$(EXE): $(BUILD)/obj/tests/minimal/test_minimal.o $(BUILD)/libminnow.a
	@mkdir -p $(@D)
	$(call say,LD  $@)$(CC) $(CFLAGS_ALL) $(LD_HARDENING) $(LDFLAGS) $^ -o $@ $(LDLIBS_ALL)

MINIMAL_TESTS := $(MINIMAL_BUILD)/test_minimal$(EXE) $(MINIMAL_BUILD)/test_whole$(EXE)
minimal_commands = 'RUNNER="$(RUNNER)" EXE=$(EXE) bash tests/minimal/run.sh $(MINIMAL_BUILD) $(MINIMAL_MODEL) $(MINIMAL_TEXTS)'
test-programs test run-debug: $(MINIMAL_TESTS)

.PHONY: minimal test-minimal
minimal: $(MINIMAL_BUILD)/libminnow_minimal.a $(MINIMAL_BUILD)/test_minimal$(EXE) ## the smallest library (also: make MINIMAL=1): portable C, no threads, no files; its sizes
	@size -t $< | awk 'END { printf "  code and constants %d bytes, data %d, zeroed %d\n", $$1, $$2, $$3 }'
	@for m in $(MINIMAL_MODEL) $(wildcard $(MODEL)/model.minnow); do $(RUNNER) $(word 2,$^) $$m; done
test-minimal: $(MINIMAL_TESTS) ## the smallest library's vectors against the whole one's
	@$(RUN_TESTS) $(minimal_commands)

-include $(shell find $(MINIMAL_BUILD)/obj -name '*.d' 2>/dev/null)
