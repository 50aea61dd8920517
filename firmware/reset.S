// SPDX-License-Identifier: MIT
// From the reset vector to flat 32-bit C++, and from a CPU exception to its sentence.
//
// On entry, after power-on, reset, INIT or a jump to F000:FFF0 (Intel SDM volume 3, 10.1.4):
//   1. real mode; CS is FFFF0000 or, after such a jump, 000F0000 with this code copied there;
//   2. every other register, RAM, IVT and F segment: anything;
//   3. A20 open, as a reset leaves it.
// On leaving, at firmware_main:
//   1. protected mode, paging and caching restrictions off, interrupts off;
//   2. flat 4 GiB segments, CS 0x10 and the others 0x18, as Linux's 32-bit entry wants them;
//   3. the IDT below; ESP at stack_end, direction flag clear;
//   4. EDX:EAX: the time stamp counter at the first instructions.

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
    rdtsc                           // EDX:EAX stay, for firmware_main
    lgdtl %cs:gdt_pointer - start16 + 0xff00
    lidtl %cs:idt_pointer - start16 + 0xff00
    movl $CR0_PE, %ecx              // CD and NW, set by a reset, go too
    movl %ecx, %cr0
    ljmpl $CODE_SELECTOR, $start32

    .align 8
gdt_pointer:
    .word gdt_end - gdt - 1
    .long gdt
idt_pointer:
    .word idt_end - idt - 1
    .long idt

// Back to real mode and on at the far pointer in EAX. Called from C++ with nothing of its own to
// keep. The segments are as a reset leaves them, but for the stack, which stays ours.
    .globl enter_real_mode
enter_real_mode:
    .code32
    pushl %eax
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
    movw %ax, %ds                   // the limits stay
    movw %ax, %es
    movw %ax, %fs
    movw %ax, %gs
    movw $stack_segment, %ax        // with the same stack pointer the same place
    movw %ax, %ss
    lretw
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
    movl $DATA_SELECTOR, %ecx
    movl %ecx, %ds
    movl %ecx, %es
    movl %ecx, %fs
    movl %ecx, %gs
    movl %ecx, %ss
    movl $stack_end, %esp
    call firmware_main

// One entry a vector: which one it was is told by the return address that the call pushes.
VECTORS = 22                        // the last that a CPU without virtualisation raises is 21
    .globl exception_entries
exception_entries:
    .rept VECTORS
    call exception                  // 5 bytes
    .endr

exception:
    cld
    popl %eax
    subl $exception_entries + 5, %eax
    imull $205, %eax, %eax          // divided by 5, for up to 21 * 5
    shrl $10, %eax                  // vector
    xorl %ecx, %ecx
    btl %eax, %cs:with_error_code
    jnc 1f
    popl %ecx
1:  popl %edx                       // EIP
    movl $stack_end, %esp           // the one it came on may be the fault
    call firmware_exception         // regparm order: vector, EIP, error code

with_error_code:
    .long 1 << 8 | 1 << 10 | 1 << 11 | 1 << 12 | 1 << 13 | 1 << 14 | 1 << 17 | 1 << 21

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
    .rept VECTORS
    .word exception_entries_low + 5 * vector, CODE_SELECTOR, 0x8e00, 0xffff
    .set vector, vector + 1
    .endr
idt_end:
