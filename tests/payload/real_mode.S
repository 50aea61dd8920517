/* SPDX-License-Identifier: MIT */
/*
 * Code that runs in real mode, copied to REAL_MODE_ADDRESS before use. Entered in 32-bit protected
 * mode with the payload's GDT: leaves protected mode and jumps to F000:FFF0, as DOS-time software
 * reboots. The second half is where the firmware resumes for CMOS shutdown code 05h or 0Ah: it says
 * so, and sets the code and sends itself an INIT again as often as real_mode_left says.
 */
#define REAL_MODE_ADDRESS 0x7000
#define HERE(label) (REAL_MODE_ADDRESS + label - real_mode_begin)

#define APIC_ID 0xfee00020
#define APIC_ICR_LOW 0xfee00300
#define APIC_ICR_HIGH 0xfee00310
#define ICR_INIT_ASSERT 0x4500

.section .rodata
.globl real_mode_begin, real_mode_end, real_mode_resume
.globl real_mode_left, real_mode_code, real_mode_gdt
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
    xor %ax, %ax
    mov %ax, %ds
    mov $'R', %al
    out %al, $0xe9
    decl HERE(real_mode_left)
    jnz 4f
    mov $'\n', %al
    out %al, $0xe9
    mov $0x10, %al
    out %al, $0xf4
3:  hlt
    jmp 3b
4:  lgdtl HERE(real_mode_gdt)
    mov %cr0, %eax
    or $1, %al
    mov %eax, %cr0
    ljmpl $0x10, $HERE(5f)
.code32
5:  mov $0x18, %eax
    mov %eax, %ds
    mov $0x0f, %al
    out %al, $0x70
    mov HERE(real_mode_code), %al
    out %al, $0x71
    mov APIC_ID, %eax
    and $0xff000000, %eax
    mov %eax, APIC_ICR_HIGH
    movl $ICR_INIT_ASSERT, APIC_ICR_LOW
6:  jmp 6b                          /* QEMU's TCG wakes no CPU by INIT that halts right behind it */

real_mode_left:
    .long 0
real_mode_gdt:
    .word 0
    .long 0
real_mode_code:
    .byte 0
real_mode_idt:
    .word 0x3ff
    .long 0
real_mode_end:
