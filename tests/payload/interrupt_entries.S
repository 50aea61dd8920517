/* SPDX-License-Identifier: MIT */
/*
 * One entry for each vector from 0 on, 16 bytes each: calls interrupt_taken(vector), and goes back
 * without IRET, which a KVM that emulates instructions may lack for protected mode.
 */
.section .text
.balign 16
.globl interrupt_entries
interrupt_entries:
.set vector, 0
.rept 256
    .balign 16
    pushl $vector
    jmp interrupt_entry
    .set vector, vector + 1
.endr

interrupt_entry:
    pushal
    cld
    pushl 32(%esp)
    call interrupt_taken
    add $4, %esp
    popal
    add $4, %esp
    /* EIP, CS and flags become what POPF and RET take; a nested interrupt finds nothing half done. */
    push %eax
    mov 4(%esp), %eax
    xchg %eax, 12(%esp)
    mov %eax, 8(%esp)
    pop %eax
    add $4, %esp
    popf
    ret
