# Minnow - SPDX-License-Identifier: Apache-2.0
# Benchmarks; each prints JSON lines.
BENCH_LIBRARY := $(BUILD)/libminnow.a
$(BUILD)/bench/%$(EXE): $(BUILD)/obj/bench/%.o $(BENCH_LIBRARY)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) $(LD_HARDENING) $(LDFLAGS) $^ -o $@ $(LDLIBS_ALL)

.PHONY: bench bench-math
bench: bench-math ## all benchmarks (each bench-*.mk adds its own)
bench-math: $(BUILD)/bench/bench_math$(EXE) ## speed of the float kernels, tier by tier (TIER=avx2: one)
	@$(RUNNER) $< $(TIER)
