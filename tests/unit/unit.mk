# SPDX-License-Identifier: MIT
# Tests of the firmware's own sources on the host, for 32 and 64 bits, with sanitizers; hardware is
# a fake. Included by the top Makefile, and usable as `make -f tests/unit/unit.mk host-tests`.

unit_gxx ?= g++
unit_out := build/tests/unit
unit_googletest ?= /usr/src/googletest/googletest

unit_flags := -std=c++20 -g1 -fsanitize=address,undefined -fno-sanitize-recover=all \
    -fno-strict-aliasing -Wall -Wextra -Iinclude -Itests -isystem $(unit_googletest)/include
unit_rom := $(filter-out firmware/core/string.cpp,$(wildcard firmware/core/*.cpp)) \
    $(wildcard firmware/tables/*.cpp) $(wildcard firmware/boot/*.cpp firmware/pci/*.cpp) firmware/low_memory.cpp
unit_tests := $(wildcard tests/unit/*.cpp)
unit_seen ?= build/tests/seen

.PHONY: host-tests host-tests-32 host-tests-64
host-tests: host-tests-32 host-tests-64

define unit_for
unit_objects_$(1) := $$(unit_rom:%.cpp=$(unit_out)/$(1)/%.o) \
    $$(unit_tests:%.cpp=$(unit_out)/$(1)/%.o) $(unit_out)/$(1)/gtest.o

host-tests-$(1): $(unit_out)/$(1)/host_tests
	MAYFLY_SEEN=$$(unit_seen) UBSAN_OPTIONS=print_stacktrace=1 \
	    $(unit_out)/$(1)/host_tests --gtest_brief=1

$(unit_out)/$(1)/host_tests: $$(unit_objects_$(1))
	@echo "  ld  $$@"
	@$$(unit_gxx) -m$(1) -fsanitize=address,undefined -o $$@ $$^ -pthread

$(unit_out)/$(1)/gtest.o: $$(unit_googletest)/src/gtest-all.cc
	@mkdir -p $$(@D)
	@echo "  c++ $$<"
	@$$(unit_gxx) -m$(1) $$(unit_flags) -I$$(unit_googletest) -c -o $$@ $$<

$(unit_out)/$(1)/%.o: %.cpp tests/unit/unit.mk
	@mkdir -p $$(@D)
	@echo "  c++ $$< ($(1) bits)"
	@$$(unit_gxx) -m$(1) $$(unit_flags) -MMD -MP -c -o $$@ $$<

-include $$(unit_objects_$(1):.o=.d)
endef
$(foreach bits,32 64,$(eval $(call unit_for,$(bits))))
