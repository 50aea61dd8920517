# SPDX-License-Identifier: MIT
#
# `make test` and `make test-all`. A recipe in order, because the first line may install what the
# rest is built with.

include tests/payload/payload.mk
include tests/unit/unit.mk tests/fuzz/fuzz.mk
unit_programs := build/tests/unit/32/host_tests build/tests/unit/64/host_tests

.PHONY: test test-all test-build

# T= is an expression over test names, as pytest's -k takes it: make test T=test_no_kernel
T ?=

test:
	@tests/setup/setup.sh build run test bench
	@$(MAKE) -s --no-print-directory test-build
	@tests/run_tests.sh $(if $(T),-k '$(T)')

# The whole matrix, in parts that end within an hour each.
test-all:
	@tests/setup/setup.sh build run test bench
	@$(MAKE) -s --no-print-directory test-build
	@tests/run_tests.sh
	@tests/run_tests.sh --wide=only tests/guest
	@tests/run_tests.sh --wide=only tests/boots

test-build: build/fw.bin payloads bench-build $(unit_programs) $(fuzz_targets:%=$(fuzz_out)/%)
