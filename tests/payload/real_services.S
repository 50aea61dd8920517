/* SPDX-License-Identifier: MIT */
/*
 * What a BIOS answers in real mode. Copied to 0x7000 and called there in 32-bit protected mode with
 * the payload's GDT; returns with the IDT of real mode. Results, all below 0x8000:
 *   0x7800  for each vector AX and the flags after INT, from AX 0 and no arithmetic flag
 *   0x7c00  ticks after one that ends a day, how often INT 1Ch came with it
 */
#define REAL_MODE_ADDRESS 0x7000
#define HERE(label) (REAL_MODE_ADDRESS + label - real_services_begin)
#define ANSWERS 0x7800
#define TICKS 0x46c
#define TICKS_SEEN 0x7c00
#define HOOK_CALLS 0x7c04
#define STACK 0x7000
#define REGISTER 0x1357             /* what a handler finds in those it has to keep */

.section .rodata
.globl real_services_begin, real_services_end, real_services_vectors
.code32
real_services_begin:
    pushal
    mov %esp, HERE(saved_esp)
    ljmp $0x20, $HERE(1f)
.code16
1:  mov $0x28, %ax
    mov %ax, %ds
    mov %ax, %es
    mov %ax, %ss
    lidtl HERE(vectors)
    mov %cr0, %eax
    and $~1, %al
    mov %eax, %cr0
    ljmp $0, $HERE(2f)
2:  xor %ax, %ax
    mov %ax, %ds
    mov %ax, %es
    mov %ax, %ss
    mov $STACK, %sp

    xor %cx, %cx
3:  mov %cl, HERE(4f) + 1
    jmp 5f                          /* so that the CPU sees the written instruction */
5:  mov $REGISTER, %bx
    mov %bx, %dx
    mov %bx, %si
    mov %bx, %di
    mov %bx, %bp
    push $0x0002
    popf
    mov $0, %ax
4:  int $0
    pushf
    cmp $REGISTER, %bx
    jne wrong
    cmp %bx, %dx
    jne wrong
    cmp %bx, %si
    jne wrong
    cmp %bx, %di
    jne wrong
    cmp %bx, %bp
    jne wrong
    mov %cx, %bx
    shl $2, %bx
    mov %ax, ANSWERS(%bx)
    popw ANSWERS + 2(%bx)
    cmp $STACK, %sp
    jne wrong
    inc %cx
    cmp HERE(real_services_vectors), %cx
    jne 3b

    pushl 4 * 0x1c
    movw $HERE(hook), 4 * 0x1c
    movw $0, 4 * 0x1c + 2
    movl $0, HOOK_CALLS
    movl $0x1800af, TICKS
    mov TICKS, %eax
    sti
6:  hlt
    cmp TICKS, %eax
    je 6b
    cli
    mov TICKS, %eax
    mov %eax, TICKS_SEEN
    popl 4 * 0x1c

wrong:                              /* then not every answer has been written */
    mov %cr0, %eax
    or $1, %al
    mov %eax, %cr0
    ljmpl $0x10, $HERE(7f)
hook:
    incl %cs:HOOK_CALLS
    iret
.code32
7:  mov $0x18, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov HERE(saved_esp), %esp
    popal
    ret

.balign 4
saved_esp:
    .long 0
real_services_vectors:              /* how many are called */
    .word 0
vectors:
    .word 0x3ff
    .long 0
real_services_end:
