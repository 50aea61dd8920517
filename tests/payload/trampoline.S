/* SPDX-License-Identifier: MIT */
/*
 * Where a processor begins that the payload has started, copied to TRAMPOLINE_ADDRESS before use.
 * On entry: real mode, CS that page. Takes a number from 0 on and the stack of that number, calls the
 * function with the number in flat 32-bit mode, and halts. Nothing waits for anything: many that spin
 * on few host CPUs take minutes.
 */
#define TRAMPOLINE_ADDRESS 0x6000
#define STACK_SIZE 256
#define HERE(label) (TRAMPOLINE_ADDRESS + label - trampoline_begin)

.section .rodata
.globl trampoline_begin, trampoline_function, trampoline_stacks, trampoline_end
.code16
trampoline_begin:
    cli
    lgdtl %cs:trampoline_gdt_pointer - trampoline_begin
    mov $1, %eax
    mov %eax, %cr0
    ljmpl $0x08, $HERE(1f)
.code32
1:  mov $0x10, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %fs
    mov %eax, %gs
    mov %eax, %ss
    mov $1, %eax
    lock xaddl %eax, HERE(trampoline_count)
    imul $STACK_SIZE, %eax, %esp
    add HERE(trampoline_stacks), %esp
    add $STACK_SIZE, %esp
    cld
    push %eax
    call *HERE(trampoline_function)
2:  cli
    hlt
    jmp 2b

.balign 8
trampoline_gdt:
    .quad 0
    .quad 0x00cf9b000000ffff
    .quad 0x00cf93000000ffff
trampoline_gdt_pointer:
    .word . - trampoline_gdt - 1
    .long HERE(trampoline_gdt)
.balign 4
trampoline_count:
    .long 0
trampoline_function:
    .long 0
trampoline_stacks:
    .long 0
trampoline_end:
