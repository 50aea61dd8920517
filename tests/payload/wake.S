/* SPDX-License-Identifier: MIT */
/*
 * Where the firmware goes on after S3, copied to WAKE_ADDRESS before the sleep: not the beginning of
 * a paragraph, so that the instruction pointer says something. Entered in real mode with no stack.
 * Notes the state it finds, then waits, with nothing else of the memory changed, until the power
 * button is pressed, and goes on at wake32 with the payload's own GDT.
 */
#define WAKE_SEGMENT 0x700
#define WAKE_OFFSET 8
#define HERE(label) (WAKE_OFFSET + label - wake_begin)
#define STATE 0x800                 /* struct state in sleep.cpp */
#define PM1_STATUS 0x600
#define PM1_ENABLE 0x602
#define POWER_BUTTON 0x100
#define REPORT_PORT 0xe9

.section .rodata
.globl wake_begin, wake_end, wake_gdt_pointer, wake_jump
.code16
wake_begin:
    mov %eax, %cs:STATE
    mov %cr0, %eax
    mov %eax, %cs:STATE+4
    mov %cs, %cs:STATE+8
    mov %ds, %cs:STATE+10
    mov %es, %cs:STATE+12
    mov %fs, %cs:STATE+14
    mov %gs, %cs:STATE+16
    mov %cs, %ax
    mov %ax, %ds
    mov %ax, %ss
    mov $STATE+0x80, %esp
    pushfl
    popl STATE+20
    sidtl STATE+24

    /* Before the word for which the harness waits with the button. */
    mov $PM1_STATUS, %dx
    mov $POWER_BUTTON, %ax
    out %ax, %dx                    /* a 1 clears it: QEMU says that the button woke us */
    mov $PM1_ENABLE, %dx
    out %ax, %dx
    mov $'W', %al
    out %al, $REPORT_PORT
    mov $'\n', %al
    out %al, $REPORT_PORT
    mov $PM1_STATUS, %dx
1:  in %dx, %ax
    test $POWER_BUTTON, %ax
    jz 1b
    mov $POWER_BUTTON, %ax
    out %ax, %dx
    mov $PM1_ENABLE, %dx
    xor %ax, %ax
    out %ax, %dx

    lgdtl HERE(wake_gdt_pointer)
    mov %cr0, %eax
    or $1, %al
    mov %eax, %cr0
    .byte 0x66, 0xea                /* ljmpl $0x10, $wake32; the address is filled in */
wake_jump:
    .long 0
    .word 0x10
wake_gdt_pointer:
    .word 0
    .long 0
wake_end:

.section .text
.globl wake32
.code32
wake32:
    mov $0x18, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %fs
    mov %eax, %gs
    mov %eax, %ss
    mov $stack_top, %esp
    cld
    call payload_woken
1:  hlt
    jmp 1b
