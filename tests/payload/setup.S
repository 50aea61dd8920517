/* SPDX-License-Identifier: MIT */
/*
 * The 16-bit entry of the bzImages, as boot.rst's real-mode protocol calls it: DS = ES = SS = the
 * segment of the setup sectors. Makes a zero page from the setup header and INT 15h E820, then enters
 * the protected-mode part as a boot loader of the 32-bit protocol would.
 */

#define ZERO_PAGE 0x6000            /* offset in the segment, above 20 KiB of setup sectors */
#define HEADER 0x1f1
#define SMAP 0x534d4150

.code16
.globl _start
_start:
    cld
    cli
    xor %ax, %ax
    mov $ZERO_PAGE, %di
    mov $2048, %cx
    rep stosw
    mov $HEADER, %si
    mov $ZERO_PAGE+HEADER, %di
    movzbw 0x201, %cx
    add $0x202-HEADER, %cx
    rep movsb

    xor %ebx, %ebx
    mov $ZERO_PAGE+0x2d0, %di
1:  mov $0xe820, %eax
    mov $SMAP, %edx
    mov $20, %ecx
    int $0x15
    jc 2f
    cmp $SMAP, %eax
    jne 2f
    add $20, %di
    incb ZERO_PAGE+0x1e8
    cmpb $128, ZERO_PAGE+0x1e8
    je 2f
    test %ebx, %ebx
    jnz 1b
2:
    cli
    xor %esi, %esi
    mov %ds, %si
    shl $4, %esi
    movzwl %sp, %esp
    add %esi, %esp                  /* the same stack by its linear address */
    lea gdt(%esi), %eax
    mov %eax, gdt_pointer+2
    add $ZERO_PAGE, %esi
    mov 0x214, %ebp                 /* code32_start */
    lgdtl gdt_pointer
    mov %cr0, %eax
    or $1, %al
    mov %eax, %cr0
    mov $0x18, %ax
    mov %ax, %ds
    mov %ax, %es
    mov %ax, %fs
    mov %ax, %gs
    mov %ax, %ss
    mov %ebp, %eax
    xor %ebp, %ebp
    xor %edi, %edi
    xor %ebx, %ebx
    mov $0x36315245, %edx           /* "ER16": handover.cpp tells the entries apart by it */
    pushl $0x10
    pushl %eax
    lretl

.balign 8
gdt:
    .quad 0
    .quad 0
    .quad 0x00cf9b000000ffff
    .quad 0x00cf93000000ffff
gdt_pointer:
    .word 31
    .long 0
