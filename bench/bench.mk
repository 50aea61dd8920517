# SPDX-License-Identifier: MIT
#
# `make bench` measures build/fw.bin and its peers; `make bench-compare BASE=old.json` compares its
# results with those of an older run. See docs/benchmarking.md.
#
#   PEERS=   firmware images to add, "a.bin b.bin"
#   CASES=   shell patterns over case IDs, "q35 'pc-*'"        (all cases)
#   ROUNDS=  rounds of timed runs in each case                 (by case)
#   ACCEL=   argument for -accel, for the times                (KVM if it works, else TCG)
#   SLOW=1   slow firmwares in all cases                       (the base cases)
#   OUTPUT=  the file for the results                          (build/bench/results.json)

bench_out := build/bench
bench_python = PYTHONPATH=tests:. "$$(tests/setup/python.sh jsonschema matplotlib)" -B -m
# The plugin is loaded into QEMU: not for CROSS_COMPILE's target.
bench_host_gxx ?= g++
# Versions of QEMU's plugin interface: 1 up to 8.2, 2 in 9.0, 3 and more from 9.1 on.
bench_plugin_api = $(shell qemu-system-x86_64 --version | sed -n \
    's/.*version \([0-9]*\)\.\([0-9]*\).*/\1 \2/p' | \
    awk '{ v = $$1 * 100 + $$2; print v < 900 ? 1 : v < 901 ? 2 : 3 }')

.PHONY: bench bench-compare bench-build

# A recipe in order, as for `make test`: the first line may install what the rest needs.
bench:
	@tests/setup/setup.sh build run bench
	@$(MAKE) -s --no-print-directory bench-build
	@$(bench_python) bench --output '$(or $(OUTPUT),$(bench_out)/results.json)' \
	    $(if $(CASES),--cases $(CASES)) $(if $(PEERS),--peers $(PEERS)) \
	    $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(ACCEL),--accel '$(ACCEL)') $(if $(SLOW),--slow)

bench-compare:
	@tests/setup/setup.sh bench
	@$(bench_python) bench.compare $(if $(BASE),'$(BASE)',$(error BASE= names the older results)) \
	    '$(or $(OUTPUT),$(bench_out)/results.json)'

bench-build: build/fw.bin payloads $(bench_out)/init
	@$(MAKE) -s --no-print-directory $(bench_out)/executions-$(bench_plugin_api).so
	@ln -sf executions-$(bench_plugin_api).so $(bench_out)/executions.so

$(bench_out)/executions-%.so: bench/executions.cpp
	@mkdir -p $(@D)
	$(bench_host_gxx) -std=c++20 -O2 -fPIC -shared -fvisibility=hidden -Wall -Wextra -Werror \
	    -DPLUGIN_API=$* -o $@ $<

# A 32-bit program, as what the payloads' compiler makes; a distribution's 64-bit kernel runs it.
$(bench_out)/init: bench/init.S
	@mkdir -p $(@D)
	$(payload_gxx) -m32 -nostdlib -static -o $@ $<
