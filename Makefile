# Minnow - SPDX-License-Identifier: Apache-2.0
# `make help` lists what there is. Everything is built under $(BUILD); sources are found by name, so a new file needs no line here:
#   src/**/*.c          the library          cli/*.c             the program
#   *_avx2.c etc.       one instruction set, with its flags, built only where it belongs
#   tests/unit/test_*.c one cmocka program each
#   tests/kernels/*.c   one program: every run-time kernel against the reference, and its speed
#   tests/fuzz/fuzz_*.c one libFuzzer target each, corpus in tests/fuzz/corpus/<target>/

VERSION := 0.1.0
SOVERSION := 0
BUILD ?= build
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
DESTDIR ?=
AR ?= ar
OPT ?= -O2 -g
.DEFAULT_GOAL := all
# V=1 shows whole commands.
say = $(if $(V),,@echo '  $(1)' && )
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:

# The target, as the compiler names it: x86_64-linux-gnu, aarch64-linux-gnu, x86_64-w64-mingw32.
TRIPLE := $(shell $(CC) -dumpmachine)
ARCH := $(firstword $(subst -, ,$(TRIPLE)))
WINDOWS := $(findstring mingw,$(TRIPLE))
EXE := $(if $(WINDOWS),.exe)

# --- Flags: each is tried once, with its warnings as errors, and kept if the compiler and linker take it ----------------------
FLAGS_WANTED := -Wall -Wextra -Wformat=2 -Wconversion -Wsign-conversion -Wimplicit-fallthrough -Wstrict-prototypes \
    -Wmissing-prototypes -Wshadow -Wvla -Werror=format-security -fno-delete-null-pointer-checks -fno-strict-overflow
# mingw's GCC crashes on frames over a page with stack clash protection (GCC bug 90458), and Windows probes its stack anyway.
HARDENING_WANTED := $(if $(WINDOWS),,-fstack-clash-protection) -fstack-protector-strong -ftrivial-auto-var-init=zero \
    $(if $(filter x86_64 i686,$(ARCH)),-fcf-protection=full) $(if $(filter aarch64,$(ARCH)),-mbranch-protection=standard)
comma := ,
LDFLAGS_WANTED := $(if $(WINDOWS),-static,-Wl$(comma)-z$(comma)noexecstack -Wl$(comma)-z$(comma)relro -Wl$(comma)-z$(comma)now)

FLAGS_FILE := $(BUILD)/flags.mk
$(FLAGS_FILE): scripts/probe-flags.sh Makefile
	@mkdir -p $(BUILD)
	@CC="$(CC)" sh scripts/probe-flags.sh "$(FLAGS_WANTED)" "$(HARDENING_WANTED)" "$(LDFLAGS_WANTED)" > $@.tmp && mv $@.tmp $@
NO_FLAGS_GOALS := help clean check-layers deps model format
ifneq ($(filter-out $(NO_FLAGS_GOALS),$(or $(MAKECMDGOALS),all)),)
-include $(FLAGS_FILE)
endif

ifdef SANITIZE
HARDENING := -fno-omit-frame-pointer -fsanitize=$(SANITIZE) -fno-sanitize-recover=all
LD_HARDENING := -fsanitize=$(SANITIZE)
else
HARDENING := $(HARDENING_FLAGS) $(if $(filter -O0,$(OPT)),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
LD_HARDENING := $(LINK_FLAGS)
endif

# Contraction would make bits depend on the compiler; FMA is asked for by name where it is wanted.
CFLAGS_ALL := -std=c11 $(OPT) -ffp-contract=off -fno-math-errno $(WARNING_FLAGS) $(HARDENING) $(CFLAGS)
CPPFLAGS_ALL := -Iinclude -Isrc -D_GNU_SOURCE $(if $(WINDOWS),-D__USE_MINGW_ANSI_STDIO=1) -MMD -MP $(CPPFLAGS)
LDLIBS_ALL := $(LDLIBS) -lm -lpthread

# --- The library --------------------------------------------------------------------------------------------------------------
find = $(sort $(shell find $(1) -name '$(2)' 2>/dev/null))
X86_ONLY := %_avx2.c %_avxvnni.c %_avx512.c %_avx512vnni.c %_amx.c
ARM_ONLY := %_neon.c %_neon_dotprod.c %_neon_i8mm.c
WASM_ONLY := %_wasm.c %_wasm_simd128.c %_wasm_relaxed_pairs.c %_wasm_relaxed.c
# GCC for Windows cannot assemble its own AMX intrinsics, and the tier is for Linux alone.
for_target = $(filter-out $(if $(WINDOWS),%_amx.c) $(if $(filter x86_64,$(ARCH)),,$(X86_ONLY)) $(if $(filter aarch64,$(ARCH)),,$(ARM_ONLY)) $(WASM_ONLY),$(1))
SRC := $(call for_target,$(call find,src,*.c))
OBJ := $(SRC:%.c=$(BUILD)/obj/%.o) $(BUILD)/obj/deps/yyjson.o
CLI_OBJ := $(patsubst %.c,$(BUILD)/obj/%.o,$(call find,cli,*.c))

# GCC for Windows spills vectors to a stack that is aligned to 16 bytes only (GCC bug 54412): the assembler makes such moves safe.
WIDE_SPILLS := $(if $(WINDOWS),$(if $(findstring clang,$(CC)),,-Wa$(comma)-muse-unaligned-vector-move))
ISA_avx2 := $(WIDE_SPILLS) -mavx2 -mfma
ISA_avxvnni := $(ISA_avx2) -mavxvnni
ISA_avx512 := $(WIDE_SPILLS) -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -mprefer-vector-width=512
ISA_avx512vnni := $(ISA_avx512) -mavx512vnni
ISA_amx := $(ISA_avx512vnni) -mamx-tile -mamx-int8
ISA_dotprod := -march=armv8.2-a+dotprod
ISA_i8mm := -march=armv8.2-a+dotprod+i8mm
isa_flags = $(ISA_$(lastword $(subst _, ,$(basename $(notdir $(1))))))

# yyjson, from the sources that a PyPI package carries; scripts/get-deps.sh pins and checks it.
DEPS := build/deps
YYJSON := $(DEPS)/yyjson/yyjson.c
$(YYJSON): scripts/get-deps.sh
	sh scripts/get-deps.sh $(DEPS)
$(DEPS)/yyjson/yyjson.h: $(YYJSON) ;
$(BUILD)/obj/deps/yyjson.o: $(YYJSON) Makefile
	@mkdir -p $(@D)
	$(call say,CC  $@)$(CC) -std=c11 $(OPT) $(HARDENING) $(CFLAGS) -fPIC -fvisibility=hidden -Dyyjson_api= -DYYJSON_DISABLE_NON_STANDARD=1 -DYYJSON_DISABLE_UTILS=1 -c $< -o $@

$(BUILD)/obj/%.o: %.c Makefile $(FLAGS_FILE) | $(YYJSON)
	@mkdir -p $(@D)
	$(call say,CC  $@)$(CC) $(CPPFLAGS_ALL) -isystem $(DEPS)/yyjson $(CFLAGS_ALL) $(call isa_flags,$<) -fPIC -fvisibility=hidden -c $< -o $@

$(BUILD)/libminnow.a: $(OBJ)
	@rm -f $@
	$(call say,AR  $@)$(AR) rcs $@ $^
$(BUILD)/libminnow.so.$(VERSION): $(OBJ)
	$(call say,LD  $@)$(CC) -shared -Wl,-soname,libminnow.so.$(SOVERSION) $(CFLAGS_ALL) $(LD_HARDENING) $(LDFLAGS) $^ -o $@ $(LDLIBS_ALL)
	@ln -sf libminnow.so.$(VERSION) $(BUILD)/libminnow.so.$(SOVERSION)
	@ln -sf libminnow.so.$(SOVERSION) $(BUILD)/libminnow.so
$(BUILD)/minnow$(EXE): $(CLI_OBJ) $(BUILD)/libminnow.a
	$(call say,LD  $@)$(CC) $(if $(WINDOWS),,-pie) $(CFLAGS_ALL) $(LD_HARDENING) $(LDFLAGS) $^ -o $@ $(LDLIBS_ALL)

.PHONY: all
all: $(BUILD)/minnow$(EXE) $(BUILD)/libminnow.a $(if $(WINDOWS)$(SANITIZE),,$(BUILD)/libminnow.so.$(VERSION)) ## the program and both libraries

# --- Tests --------------------------------------------------------------------------------------------------------------------
CHECK_KERNELS := $(BUILD)/tests/check_kernels$(EXE)
UNIT := $(patsubst tests/unit/%.c,$(BUILD)/tests/%$(EXE),$(call find,tests/unit,test_*.c)) $(CHECK_KERNELS)
FUZZ := $(patsubst tests/fuzz/%.c,%,$(call find,tests/fuzz,fuzz_*.c))
$(BUILD)/tests/%$(EXE): $(BUILD)/obj/tests/unit/%.o $(BUILD)/libminnow.a
	@mkdir -p $(@D)
	$(call say,LD  $@)$(CC) $(CFLAGS_ALL) $(LD_HARDENING) $(WRAPPED) $(LDFLAGS) $(filter %.o,$^) $(filter %.a,$^) -o $@ -lcmocka $(LDLIBS_ALL)
# The kernels that these test and no tier of the library has (see there).
ifeq ($(ARCH),x86_64)
TEST_TABLES := $(BUILD)/obj/tests/unit/avxvnni_avx512vnni.o $(BUILD)/obj/tests/unit/amx_avx512vnni.o
endif
$(foreach t,kernels engine engine_threads finite same_bytes,$(BUILD)/tests/test_$t$(EXE)): $(TEST_TABLES)
ifeq ($(ARCH),x86_64)
$(BUILD)/tests/test_int8$(EXE): $(BUILD)/obj/tests/unit/int8_avxvnni_avx512vnni.o
endif
# Every kernel against the reference, and its speed: no cmocka.
CHECK_OBJ := $(patsubst %.c,$(BUILD)/obj/%.o,$(call for_target,$(call find,tests/kernels,*.c)))
PEAKS := $(filter %/peak.o,$(CHECK_OBJ)) $(foreach o,$(CHECK_OBJ),$(if $(findstring /peak_,$o),$o))
$(CHECK_KERNELS): $(CHECK_OBJ) $(TEST_TABLES) $(BUILD)/libminnow.a
	@mkdir -p $(@D)
	$(call say,LD  $@)$(CC) $(CFLAGS_ALL) $(LD_HARDENING) $(LDFLAGS) $^ -o $@ $(LDLIBS_ALL)
# Counts the library's allocations.
$(BUILD)/tests/test_context$(EXE): private WRAPPED := $(foreach f,malloc calloc realloc aligned_alloc,-Wl$(comma)--wrap=$f)
# What tests/unit/failing_memory.h puts in front of libc.
TORTURED := $(BUILD)/tests/test_torture$(EXE) $(BUILD)/tests/test_torture_cli$(EXE)
$(TORTURED): private WRAPPED := $(foreach f,malloc calloc realloc aligned_alloc free mmap munmap pthread_create, \
    -Wl$(comma)--wrap=$f)
$(BUILD)/tests/test_torture_cli$(EXE): $(filter-out %/main.o,$(CLI_OBJ))
# A fuzz target outside libFuzzer: replays the files it is given.
$(BUILD)/fuzz/replay_%$(EXE): $(BUILD)/obj/tests/fuzz/fuzz_%.o $(BUILD)/obj/tests/fuzz/replay.o $(BUILD)/libminnow.a
	@mkdir -p $(@D)
	$(call say,LD  $@)$(CC) $(CFLAGS_ALL) $(LD_HARDENING) $(LDFLAGS) $^ -o $@ $(LDLIBS_ALL)
REPLAY := $(FUZZ:fuzz_%=$(BUILD)/fuzz/replay_%$(EXE))
.PRECIOUS: $(BUILD)/obj/%.o

.PHONY: unit test-programs
test-programs: all $(UNIT) $(REPLAY)
unit: run-unit ## unit tests alone

-include $(wildcard scripts/*.mk)

# --- Everything else ----------------------------------------------------------------------------------------------------------
.PHONY: deps debug check-layers clean help
deps: $(YYJSON) ## fetch the pinned third-party source
debug: ## build with ASan and UBSan, under $(BUILD)/debug
	$(MAKE) BUILD=$(BUILD)/debug SANITIZE=address,undefined OPT="-O1 -g" all test-programs
check-layers: $(YYJSON) ## includes point backwards on the road only
	@CC="$(CC)" python3 scripts/check_layers.py --compile
clean: ## remove what was built (fetched sources and models stay)
	find $(BUILD) -mindepth 1 -maxdepth 1 ! -name deps ! -name cache -exec rm -rf {} +
help: ## this list
	@grep -hE '^[a-z0-9-]+:.*##' Makefile $(wildcard scripts/*.mk) | sort | sed -E 's/^([a-z0-9-]+):.*## (.*)/  make \1\t\2/' | expand -t 24
	@echo '  Variables: V=1 (whole commands), CC, CFLAGS, BUILD, PREFIX, LIBDIR, DESTDIR, SANITIZE=address,undefined, RUNNER (a prefix for test programs)'

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
