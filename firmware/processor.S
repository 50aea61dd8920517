// SPDX-License-Identifier: MIT
// What every processor but the boot CPU runs: writes the model-specific registers listed behind it
// and counts itself in. No stack, no lock, no table: any number may run it at once.
//
// On entry, by a SIPI (Intel SDM volume 3, 9.4.4): real mode, CS the page that this was copied to,
// interrupts off, direction flag clear. It does not leave: an INIT ends it.

PROCESSOR_ANSWERS = 0x28            // firmware/processors.cpp has these places too
PROCESSOR_LIST = 0x2c

    .section .rodata.processor, "a"
    .code16
    .globl processor_code
    .balign 4
processor_code:
    movw %cs, %ax
    movw %ax, %ds
    movw $PROCESSOR_LIST, %si
1:  lodsl                           // an entry: index, low half, high half; index 0 is the end
    xchgl %eax, %ecx
    jcxz 2f
    lodsl
    xchgl %eax, %ebx
    lodsl
    xchgl %eax, %edx
    xchgl %eax, %ebx
    wrmsr
    jmp 1b
2:  lock incl PROCESSOR_ANSWERS
3:  cli
    hlt
    jmp 3b

    .org processor_code + PROCESSOR_ANSWERS
