# Minnow - SPDX-License-Identifier: Apache-2.0
# The node tests that the onnx package carries, through the reader, shape inference and the interpreter
# (tests/conformance).

NODE_TESTS := build/cache/onnx-node-tests
CONFORMANCE := $(BUILD)/tests/conformance$(EXE)
CONFORMANCE_OBJ := $(patsubst %.c,$(BUILD)/obj/%.o,$(call find,tests/conformance,*.c))
$(CONFORMANCE): $(CONFORMANCE_OBJ) $(BUILD)/libminnow.a
	@mkdir -p $(@D)
	$(call say,LD  $@)$(CC) $(CFLAGS_ALL) $(LD_HARDENING) $(LDFLAGS) $^ -o $@ $(LDLIBS_ALL)
$(NODE_TESTS):
	@sh scripts/get-onnx-tests.sh $@

.PHONY: conformance check-conformance
conformance: $(CONFORMANCE) | $(NODE_TESTS) ## the onnx package's node tests; writes docs/CONFORMANCE.md
	@$(RUN_TESTS) '$(RUNNER) $(CONFORMANCE) $(NODE_TESTS) docs/CONFORMANCE.md'
check-conformance: $(CONFORMANCE) | $(NODE_TESTS) ## whether the onnx package's node tests pass, and docs/CONFORMANCE.md is what they say
	@$(RUN_TESTS) '$(RUNNER) $(CONFORMANCE) --check $(NODE_TESTS) docs/CONFORMANCE.md'
