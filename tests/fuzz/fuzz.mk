# SPDX-License-Identifier: MIT
# Fuzzing of everything that reads what the host gives, with clang's libFuzzer and sanitizers.
# `fuzz-replay` runs the corpora once; `fuzz` tries each target for FUZZ_SECONDS.

fuzz_clang ?= clang++
FUZZ_SECONDS ?= 60
fuzz_out := build/tests/fuzz
fuzz_targets := $(patsubst tests/fuzz/fuzz_%.cpp,%,$(wildcard tests/fuzz/fuzz_*.cpp))
fuzz_rom := $(filter-out firmware/core/string.cpp,$(wildcard firmware/core/*.cpp)) \
    $(wildcard firmware/tables/*.cpp) $(wildcard firmware/boot/*.cpp firmware/pci/*.cpp)
fuzz_flags := -std=c++20 -O1 -g1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
    -fno-strict-aliasing -Iinclude -Itests

.PHONY: fuzz fuzz-replay fuzz-corpus
fuzz-replay: $(fuzz_targets:%=$(fuzz_out)/%)
	@for target in $(fuzz_targets); do \
	    $(fuzz_out)/$$target -runs=0 tests/fuzz/corpus/$$target > $(fuzz_out)/$$target.log 2>&1 || \
	        { cat $(fuzz_out)/$$target.log; exit 1; }; \
	    echo "  replayed $$target"; done

# New inputs go to a folder of the build; the seeds stay as they are.
fuzz: $(fuzz_targets:%=$(fuzz_out)/%)
	@for target in $(fuzz_targets); do mkdir -p $(fuzz_out)/corpus/$$target; \
	    $(fuzz_out)/$$target -max_total_time=$(FUZZ_SECONDS) -max_len=16384 -timeout=10 \
	        -verbosity=0 -artifact_prefix=$(fuzz_out)/$$target- $(fuzz_out)/corpus/$$target \
	        tests/fuzz/corpus/$$target || exit 1; done

# Makes the seeds from the captured bytes.
fuzz-corpus:
	python3 tests/fuzz/make_corpus.py

fuzz_objects := $(fuzz_rom:%.cpp=$(fuzz_out)/%.o)
.SECONDARY: $(fuzz_objects)

$(fuzz_out)/%: tests/fuzz/fuzz_%.cpp $(fuzz_objects)
	@echo "  c++ $<"
	@$(fuzz_clang) $(fuzz_flags) -MMD -MP -MF $@.d -o $@ $< $(fuzz_objects)

$(fuzz_out)/firmware/%.o: firmware/%.cpp
	@mkdir -p $(@D)
	@$(fuzz_clang) $(fuzz_flags) -MMD -MP -c -o $@ $<

-include $(fuzz_objects:.o=.d) $(fuzz_targets:%=$(fuzz_out)/%.d)
