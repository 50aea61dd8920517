# SPDX-License-Identifier: MIT
# make           builds build/fw.bin; PREPARE=full one that prepares everything for every payload
# make run       boots a distribution kernel with it
# make test      builds and runs the tests; T=name runs one; make test-all runs the whole matrix
# make bench     measures it and its peers; make bench-compare BASE=old.json compares
# make clean

MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:
.DEFAULT_GOAL := build/fw.bin

# --- Flags. Small code; nothing of a hosted environment; no instruction newer than a Pentium's. The
# --- link sees all of the firmware at once, which makes it 4 % smaller.

FLAGS := -m32 -march=i586 -mtune=generic -mregparm=3 -freg-struct-return \
    -mpreferred-stack-boundary=2 -malign-data=abi -fomit-frame-pointer \
    -Oz -flto -fno-inline-functions-called-once -ffreestanding \
    -fno-pic -fno-pie -fno-asynchronous-unwind-tables -fno-stack-protector -fcf-protection=none \
    -fno-strict-aliasing -fno-delete-null-pointer-checks -ffunction-sections -fdata-sections \
    -fno-ident -mno-sse -mno-mmx -mno-80387 -Iinclude
CXXFLAGS := -std=c++20 -nostdinc++ -fno-exceptions -fno-rtti -fno-threadsafe-statics \
    -Wall -Wextra -Wconversion -Wshadow -Wcast-align -Waddress-of-packed-member \
    -Wold-style-cast -Wvla -Werror
LDFLAGS := -nostdlib -static -no-pie -Wl,--gc-sections -Wl,--orphan-handling=error \
    -Wl,--build-id=none -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments -Wl,-T,linker/rom.ld

# --- PREPARE=full builds an image that prepares everything, for who cannot give QEMU an option.

PREPARE ?= lean
ifeq ($(filter lean full,$(PREPARE)),)
$(error PREPARE is lean or full, not "$(PREPARE)")
endif
CXXFLAGS += $(if $(filter full,$(PREPARE)),-DMAYFLY_PREPARE_FULL)

# --- Compiler: CROSS_COMPILE if given, else the first that takes these flags. It needs no
# --- header and no library of a 32-bit user space.

# What only sets up or calls make again must be read without a compiler.
goals_without_compiler := run test test-all clean
ifneq ($(filter-out $(goals_without_compiler),$(or $(MAKECMDGOALS),build/fw.bin)),)
ifndef CROSS_COMPILE
can_compile = $(shell printf 'int f(int x) { return x; }' | \
    $(1)g++ $(FLAGS) $(CXXFLAGS) -x c++ -c -o /dev/null - 2>/dev/null && \
    echo yes)
ifeq ($(call can_compile,),yes)
CROSS_COMPILE :=
else
CROSS_COMPILE := $(firstword $(foreach prefix,i686-linux-gnu- x86_64-linux-gnu- i686-elf- \
    x86_64-elf-,$(if $(filter yes,$(call can_compile,$(prefix))),$(prefix))) none)
ifeq ($(CROSS_COMPILE),none)
$(error No compiler for 32-bit x86 found: install g++ 12 or newer (on another CPU g++-i686-linux-gnu) or set CROSS_COMPILE)
endif
endif
endif
endif
CXX := $(CROSS_COMPILE)g++
OBJCOPY := $(CROSS_COMPILE)objcopy
NM := $(CROSS_COMPILE)nm

SOURCES := $(sort $(wildcard firmware/*.cpp firmware/*/*.cpp))
ASSEMBLY := $(sort $(wildcard firmware/*.S))
OBJECTS := $(SOURCES:firmware/%.cpp=build/rom/%.o) $(ASSEMBLY:firmware/%.S=build/rom/%.o)

build/fw.bin: build/fw.elf linker/use.awk
	@$(OBJCOPY) -O binary --gap-fill 0xcc $< $@
	@$(NM) --print-size $< | awk -f linker/use.awk

build/fw.elf: $(OBJECTS) linker/rom.ld
	@$(CXX) $(FLAGS) $(LDFLAGS) -o $@ $(OBJECTS)

# Changes when PREPARE does.
build/rom/preparation.o: build/rom/prepared.$(PREPARE)
build/rom/prepared.$(PREPARE):
	@mkdir -p $(@D)
	@rm -f build/rom/prepared.*
	@touch $@

build/rom/%.o: firmware/%.cpp Makefile
	@mkdir -p $(@D)
	@echo "  c++ $<"
	@$(CXX) $(FLAGS) $(CXXFLAGS) -MMD -MP -c -o $@ $<

build/rom/%.o: firmware/%.S Makefile
	@mkdir -p $(@D)
	@echo "  as  $<"
	@$(CXX) $(FLAGS) -MMD -MP -c -o $@ $<

-include $(OBJECTS:.o=.d)

include tests/run/run.mk tests/test.mk bench/bench.mk

.PHONY: clean
clean:
	rm -rf build
