# SPDX-License-Identifier: MIT
# The guest payloads of the tests. Included by the top Makefile; needs nothing of it but, if set,
# CROSS_COMPILE. They share no source with the firmware.

payload_dir := tests/payload
payload_out := build/tests/payload
payload_gxx ?= $(CROSS_COMPILE)g++
payload_ld ?= $(CROSS_COMPILE)ld
payload_objcopy ?= $(CROSS_COMPILE)objcopy

payload_flags := -m32 -march=i486 -std=c++20 -O2 -ffreestanding -fno-exceptions -fno-rtti \
    -fno-threadsafe-statics -fno-pic -fno-stack-protector -fno-asynchronous-unwind-tables \
    -fcf-protection=none -fno-tree-loop-distribute-patterns -mno-sse -mno-mmx \
    -Wall -Wextra -Wconversion -Wshadow -Wold-style-cast -Werror --param=min-pagesize=0
payload_sources := head.S real_mode.S real_services.S bios_call.S interrupt_entries.S trampoline.S \
    main.cpp bios32.cpp buses.cpp handover.cpp initrd.cpp interrupts.cpp machine.cpp processors.cpp \
    reboot.cpp report.cpp sleep.cpp tables.cpp wake.S words.cpp
payload_objects := $(payload_sources:%=$(payload_out)/%.o)

# bzImage, PVH and multiboot images are one program at several addresses. The one below 640 KiB must
# do with a smaller report, which it sends in pieces.
pvh_base := 0x1000000
low_base := 0x8000
low_report_capacity := 0x20000
payload_low_objects := $(filter-out %/report.cpp.o,$(payload_objects)) $(payload_out)/report-low.o

payload_images := payload.bin payload-pvh.bin payload-low.bin setup.bin exit_rom.bin \
    stub_exit16.bin stub_exit32.bin stub_tsc16.bin stub_tsc32.bin \
    stub_map16.bin stub_map32.bin stub_mappvh.bin \
    stub_fault16.bin stub_fault32.bin fault_rom.bin

.PHONY: payloads
payloads: $(payload_images:%=$(payload_out)/%)

$(payload_out)/%.cpp.o: $(payload_dir)/%.cpp $(wildcard $(payload_dir)/*.hpp)
	@mkdir -p $(@D)
	$(payload_gxx) $(payload_flags) -c $< -o $@

$(payload_out)/report-low.o: $(payload_dir)/report.cpp $(wildcard $(payload_dir)/*.hpp)
	@mkdir -p $(@D)
	$(payload_gxx) $(payload_flags) -DREPORT_CAPACITY=$(low_report_capacity) -c $< -o $@

$(payload_out)/%.S.o: $(payload_dir)/%.S
	@mkdir -p $(@D)
	$(payload_gxx) -m32 -fno-pic -c $< -o $@

$(payload_out)/payload.elf: $(payload_objects) $(payload_dir)/payload.ld
	$(payload_ld) -m elf_i386 -pie --no-dynamic-linker -z notext -z norelro -z noexecstack --no-warn-rwx-segments --hash-style=sysv \
	    --build-id=none --defsym=BASE=0 -T $(payload_dir)/payload.ld $(payload_objects) -o $@

fixed_link = $(payload_ld) -m elf_i386 -z norelro -z noexecstack --no-warn-rwx-segments \
    --build-id=none --defsym=BASE=$(1) -T $(payload_dir)/payload.ld $(2) -o $@

$(payload_out)/payload-pvh.elf: $(payload_objects) $(payload_dir)/payload.ld
	$(call fixed_link,$(pvh_base),$(payload_objects))
$(payload_out)/payload-low.elf: $(payload_low_objects) $(payload_dir)/payload.ld
	$(call fixed_link,$(low_base),$(payload_low_objects))

$(payload_out)/payload%.bin: $(payload_out)/payload%.elf
	$(payload_objcopy) -O binary $< $@
$(payload_out)/payload.bin: $(payload_out)/payload.elf
	$(payload_objcopy) -O binary $< $@

flat_link = $(payload_ld) -m elf_i386 --oformat binary -Ttext $(1) $< -o $@

$(payload_out)/setup.bin: $(payload_out)/setup.S.o
	$(call flat_link,0x300)
$(payload_out)/exit_rom.bin: $(payload_out)/exit_rom.S.o
	$(call flat_link,0)
$(payload_out)/fault_rom.bin: $(payload_out)/fault_rom.o
	$(call flat_link,0)
$(payload_out)/stub_%.bin: $(payload_out)/stub_%.o
	$(call flat_link,0)

stub = $(payload_gxx) -m32 -Wa,--defsym,STUB_BITS=$(1),--defsym,STUB_TSC=$(2) -c $< -o $@
$(payload_out)/stub_exit16.o: $(payload_dir)/stub.S ; $(call stub,16,0)
$(payload_out)/stub_exit32.o: $(payload_dir)/stub.S ; $(call stub,32,0)
$(payload_out)/stub_tsc16.o: $(payload_dir)/stub.S ; $(call stub,16,1)
$(payload_out)/stub_tsc32.o: $(payload_dir)/stub.S ; $(call stub,32,1)

variant = $(payload_gxx) -m32 $(addprefix -Wa$(comma)--defsym$(comma),$(1)) -c $< -o $@
comma := ,
$(payload_out)/stub_map16.o: $(payload_dir)/map.S ; $(call variant,STUB_BITS=16 STUB_PVH=0)
$(payload_out)/stub_map32.o: $(payload_dir)/map.S ; $(call variant,STUB_BITS=32 STUB_PVH=0)
$(payload_out)/stub_mappvh.o: $(payload_dir)/map.S ; $(call variant,STUB_BITS=32 STUB_PVH=1)
$(payload_out)/stub_fault16.o: $(payload_dir)/fault.S ; $(call variant,STUB_BITS=16 STUB_ROM=0)
$(payload_out)/stub_fault32.o: $(payload_dir)/fault.S ; $(call variant,STUB_BITS=32 STUB_ROM=0)
$(payload_out)/fault_rom.o: $(payload_dir)/fault.S ; $(call variant,STUB_BITS=16 STUB_ROM=1)
