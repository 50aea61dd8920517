# SPDX-License-Identifier: MIT
#
# `make run`: sets up what is missing, builds the firmware, gets a distribution kernel, makes a
# small busybox initramfs, and boots it. On a terminal it ends in a shell inside the machine.
#
#   MACHINE=    argument for -machine                         (q35)
#   KERNEL=     kernel to boot                                (the distribution's cloud kernel)
#   INITRD=     initrd to boot with                           (one made here)
#   APPEND=     words added to the kernel's command line
#   ACCEL=      argument for -accel                           (KVM if it works, else TCG)
#   QEMU_ARGS=  arguments added to QEMU's command line
#   FIRMWARE=   firmware to boot with                         (build/fw.bin, built first)
#
# Included by the top Makefile; also works by itself: make -f tests/run/run.mk run

run_root := $(abspath $(dir $(lastword $(MAKEFILE_LIST)))/../..)
run_build := $(run_root)/build
# Empty unless the user chose a firmware.
run_firmware := $(if $(filter command environment,$(origin FIRMWARE)),$(FIRMWARE))

.PHONY: run
# A recipe in order, not prerequisites: the compiler may be installed by the first line, so the
# Makefile that looks for it has to be read after that.
run:
	@$(run_root)/tests/setup/setup.sh build run
	@$(if $(run_firmware),,$(MAKE) --no-print-directory -C $(run_root) build/fw.bin)
	@kernel='$(KERNEL)'; \
	if [ -z "$$kernel" ]; then \
	    kernel=$$($(run_root)/tests/setup/fetch_kernel.sh cloud $(run_build)/kernels) || exit 1; \
	fi; \
	exec python3 -B $(run_root)/tests/run/run.py --build $(run_build) \
	    --firmware '$(or $(run_firmware),$(run_build)/fw.bin)' --kernel "$$kernel" \
	    --machine '$(or $(MACHINE),q35)' --initrd '$(INITRD)' \
	    --append='$(APPEND)' --accel '$(ACCEL)' --qemu-args='$(QEMU_ARGS)'
