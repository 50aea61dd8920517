/* SPDX-License-Identifier: MIT */
/* void bios_call(struct bios_registers*): a far call with these registers, see bios32.hpp. */
.section .text
.globl bios_call
bios_call:
    push %ebp
    push %ebx
    push %esi
    push %edi
    mov 20(%esp), %eax
    push %eax
    mov 32(%eax), %ecx
    mov %ecx, target
    mov 36(%eax), %ecx
    mov %cx, target + 4
    mov 4(%eax), %ebx
    mov 8(%eax), %ecx
    mov 12(%eax), %edx
    mov 16(%eax), %esi
    mov 20(%eax), %edi
    mov 24(%eax), %ebp
    mov (%eax), %eax
    lcall *target
    push %eax
    pushf
    mov 8(%esp), %eax
    popl 28(%eax)
    popl (%eax)
    mov %ebx, 4(%eax)
    mov %ecx, 8(%eax)
    mov %edx, 12(%eax)
    mov %esi, 16(%eax)
    mov %edi, 20(%eax)
    mov %ebp, 24(%eax)
    pop %eax
    pop %edi
    pop %esi
    pop %ebx
    pop %ebp
    ret

.section .data
.balign 8
target:
    .long 0, 0
