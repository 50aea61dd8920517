/* SPDX-License-Identifier: MIT */
/*
 * Code that runs in real mode, copied to REAL_MODE_ADDRESS before use. Entered in 32-bit protected
 * mode with the payload's GDT: leaves protected mode and jumps to F000:FFF0, as DOS-time software
 * reboots. The second half is where the firmware resumes for CMOS shutdown code 05h or 0Ah.
 */
#define REAL_MODE_ADDRESS 0x7000
#define HERE(label) (REAL_MODE_ADDRESS + label - real_mode_begin)

.section .rodata
.globl real_mode_begin, real_mode_end, real_mode_resume
.code32
real_mode_begin:
    ljmp $0x20, $HERE(1f)
.code16
1:  mov $0x28, %ax
    mov %ax, %ds
    mov %ax, %es
    mov %ax, %ss
    lidtl HERE(real_mode_idt)
    mov %cr0, %eax
    and $~1, %al
    mov %eax, %cr0
    ljmp $0, $HERE(2f)
2:  xor %ax, %ax
    mov %ax, %ds
    mov %ax, %es
    mov %ax, %ss
    ljmp $0xf000, $0xfff0

real_mode_resume:
    mov $'R', %al
    out %al, $0xe9
    mov $'\n', %al
    out %al, $0xe9
    mov $0x10, %al
    out %al, $0xf4
3:  hlt
    jmp 3b

real_mode_idt:
    .word 0x3ff
    .long 0
real_mode_end:
