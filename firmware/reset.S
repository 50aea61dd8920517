// SPDX-License-Identifier: MIT
// From the reset vector to flat 32-bit C++, and from a CPU exception to its sentence.
//
// On entry, after power-on, reset, INIT or a jump to F000:FFF0 (Intel SDM volume 3, 10.1.4):
//   1. real mode; CS is FFFF0000 or, after such a jump, 000F0000 with this code copied there;
//   2. every other register, RAM, IVT and F segment: anything.
// On leaving, at firmware_main:
//   1. protected mode, paging and caching restrictions off, interrupts off;
//   2. flat 4 GiB segments, CS 0x10 and the others 0x18, as Linux's 32-bit entry wants them;
//   3. the IDT below; ESP at stack_end, direction flag clear.

CODE_SELECTOR = 0x10
DATA_SELECTOR = 0x18
REAL_CODE_SELECTOR = 0x20
REAL_DATA_SELECTOR = 0x28
CR0_PE = 1

// The last 256 bytes of the image; main copies them to 0xfff00. They use no address but offsets
// from CS and flat ones in the ROM.
    .section .reset16, "ax"
    .code16
start16:
    cli
    cld
    lgdtl %cs:gdt_pointer - start16 + 0xff00
    lidtl %cs:idt_pointer - start16 + 0xff00
    movl $CR0_PE, %eax              // CD and NW, set by a reset, go too
    movl %eax, %cr0
    ljmpl $CODE_SELECTOR, $start32

    .align 8
gdt_pointer:
    .word gdt_end - gdt - 1
    .long gdt
idt_pointer:
    .word idt_end - idt - 1
    .long idt

// After an INIT with a shutdown code (IBM AT, CMOS 0x0f): back to real mode and on at the far pointer
// at 0040:0067. Called from C++ with nothing of its own to keep; the segments are left as a reset
// leaves them.
    .globl resume_real_mode
resume_real_mode:
    .code32
    ljmpl $REAL_CODE_SELECTOR, $0xff00 + (1f - start16)
    .code16
1:  movw $REAL_DATA_SELECTOR, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %fs
    movw %ax, %gs
    movw %ax, %ss
    lidtl %cs:real_idt_pointer - start16 + 0xff00
    xorl %eax, %eax
    movl %eax, %cr0
    ljmpw *0x467
real_idt_pointer:
    .word 0x3ff
    .long 0

    .section .reset_vector, "ax"
    .globl reset_vector
reset_vector:
    .byte 0xe9                      // jmp start16, near: the linker cannot see 16-bit offsets
    .word 0xff00 - 0xfff3
    .fill 13, 1, 0x90

    .section .text.start32, "ax"
    .code32
start32:
    movl $DATA_SELECTOR, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %fs
    movl %eax, %gs
    movl %eax, %ss
    movl $stack_end, %esp
    call firmware_main

// One entry a vector, 16 bytes each; a vector without an error code gets a 0.
    .align 16
    .globl exception_entries
exception_entries:
    .set vector, 0
    .rept 32
    .align 16
    .if (vector == 8) || (vector >= 10 && vector <= 14) || (vector == 17) || (vector == 21) || (vector == 29) || (vector == 30)
    .else
    push $0
    .endif
    push $vector
    jmp exception
    .set vector, vector + 1
    .endr

exception:
    popl %eax                       // vector
    popl %edx                       // error code
    popl %ecx                       // EIP
    movl $stack_end, %esp           // the one it came on may be the fault
    xchgl %edx, %ecx                // regparm order: vector, EIP, error code
    call firmware_exception

    .section .rodata.descriptors, "a"
    .align 8
gdt:                                // accessed bits set: the ROM cannot take the CPU's write
    .quad 0
    .quad 0
    .quad 0x00cf9b000000ffff        // 0x10: code
    .quad 0x00cf93000000ffff        // 0x18: data
    .quad 0xff009bff0000ffff        // 0x20: code as real mode has it, base 0xffff0000
    .quad 0x000093000000ffff        // 0x28: data as real mode has it
gdt_end:

    .align 8
idt:                                // 32-bit interrupt gates; all entries lie in 0xffffxxxx
    .set vector, 0
    .rept 32
    .word exception_entries_low + 16 * vector, CODE_SELECTOR, 0x8e00, 0xffff
    .set vector, vector + 1
    .endr
idt_end:
