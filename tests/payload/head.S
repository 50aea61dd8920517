/* SPDX-License-Identifier: MIT */
/*
 * The entry points of the reporting payload.
 *
 * On entry: whatever the boot protocol left. On exit: the entry state saved, the image where a kernel
 * with this setup header would run, relocated, .bss zero, our own GDT and IDT, stack, payload_main.
 */

#define ZP_SCRATCH 0x1e4    /* boot_params.scratch, the only memory a kernel may use before it knows where it is */
#define ZP_ALIGNMENT 0x230
#define ZP_RELOCATABLE 0x234
#define ZP_PREF_ADDRESS 0x258

#define KIND_BZIMAGE 0
#define KIND_PVH 1
#define KIND_MULTIBOOT 2

#define EXIT_PORT 0xf4
#define REPORT_PORT 0xe9

/* Offsets in entry_state, see struct entry_state in entry.hpp. */
#define S_KIND 0
#define S_LOAD 4
#define S_EAX 8
#define S_EBX 12
#define S_ECX 16
#define S_EDX 20
#define S_ESI 24
#define S_EDI 28
#define S_EBP 32
#define S_ESP 36
#define S_EFLAGS 40
#define S_CR0 44
#define S_CR3 48
#define S_CR4 52
#define S_CS 56
#define S_DS 60
#define S_ES 64
#define S_FS 68
#define S_GS 72
#define S_SS 76
#define S_TR 80
#define S_LDTR 84
#define S_GDTR 88
#define S_IDTR 96

.macro save_common state
    mov %eax, S_EAX+\state
    mov %ebx, S_EBX+\state
    mov %ecx, S_ECX+\state
    mov %edx, S_EDX+\state
    mov %esi, S_ESI+\state
    mov %edi, S_EDI+\state
    mov %cr0, %eax
    mov %eax, S_CR0+\state
    mov %cr3, %eax
    mov %eax, S_CR3+\state
    mov %cr4, %eax
    mov %eax, S_CR4+\state
    xor %eax, %eax
    mov %cs, %ax
    mov %eax, S_CS+\state
    mov %ds, %ax
    mov %eax, S_DS+\state
    mov %es, %ax
    mov %eax, S_ES+\state
    mov %fs, %ax
    mov %eax, S_FS+\state
    mov %gs, %ax
    mov %eax, S_GS+\state
    mov %ss, %ax
    mov %eax, S_SS+\state
    str %ax
    mov %eax, S_TR+\state
    sldt %ax
    mov %eax, S_LDTR+\state
    sgdt S_GDTR+\state
    sidt S_IDTR+\state
.endm

.section .head, "ax"
.code32
.globl image_start
entry32:
    jmp start_bzimage

.balign 16
/* Read by the image builders: magic, PVH entry, size in file, size in memory, multiboot entry. */
    .long 0x4d46504c
    .long start_pvh - entry32
    .long image_end - entry32
    .long memory_end - entry32
    .long start_multiboot - entry32

/* Room for a multiboot header, which the image builders write; here it is in the first 8 KiB. */
.org 0x40
    .fill 32

.org 0x200
.code64
entry64:                            /* the 64-bit entry of boot.rst; Mayfly must not use it */
    mov $'6', %al
    out %al, $REPORT_PORT
    mov $0x7f, %al
    out %al, $EXIT_PORT
1:  hlt
    jmp 1b

.code32
start_bzimage:
    mov %esp, %dr0
    mov %ebp, %dr1
    lea ZP_SCRATCH+4(%esi), %esp
    pushf
    pop %ebp
    mov %ebp, %dr2
    call 1f
1:  pop %ebp
    sub $(1b - entry32), %ebp       /* the load address */
#define STATE entry_state-entry32(%ebp)
    save_common STATE
    movl $KIND_BZIMAGE, S_KIND+STATE
    mov %ebp, S_LOAD+STATE
    mov %dr0, %eax
    mov %eax, S_ESP+STATE
    mov %dr1, %eax
    mov %eax, S_EBP+STATE
    mov %dr2, %eax
    mov %eax, S_EFLAGS+STATE

    /* Where a kernel with this header runs (boot.rst, "relocatable_kernel" and "init_size"). */
    mov ZP_PREF_ADDRESS(%esi), %ebx
    cmpb $0, ZP_RELOCATABLE(%esi)
    je 2f
    mov ZP_ALIGNMENT(%esi), %eax
    lea -1(%ebp,%eax), %ecx
    neg %eax
    and %ecx, %eax
    cmp %ebx, %eax
    jb 2f
    mov %eax, %ebx
2:  cmp %ebp, %ebx
    je moved
    mov $(image_end - entry32), %ecx
    lea -4(%ebp,%ecx), %esi
    lea -4(%ebx,%ecx), %edi
    shr $2, %ecx
    std                             /* upwards, so the copy must run backwards where the two overlap */
    rep movsl
    cld
    lea moved - entry32(%ebx), %eax
    jmp *%eax
moved:
    mov $(relocations - entry32), %esi
    mov $(relocations_end - entry32), %ecx
    add %ebx, %esi
    add %ebx, %ecx
3:  cmp %ecx, %esi
    jae 4f
    mov (%esi), %eax                /* R_386_RELATIVE; a program that links to nothing has no other */
    add %ebx, (%ebx,%eax)
    add $8, %esi
    jmp 3b
4:  lea started - entry32(%ebx), %eax
    jmp *%eax

/* Which entry it was says more than EAX, which a firmware may set for every protocol. */
start_multiboot:
    movl $KIND_MULTIBOOT, S_KIND+entry_state
    jmp 1f
start_pvh:
    movl $KIND_PVH, S_KIND+entry_state
1:  mov %esp, S_ESP+entry_state
    mov %ebp, S_EBP+entry_state
    mov $stack_top, %esp
    pushf
    popl S_EFLAGS+entry_state
    save_common entry_state
    movl $image_start, S_LOAD+entry_state

started:
    lgdt gdt_pointer
    ljmp $0x10, $1f
1:  mov $0x18, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %fs
    mov %eax, %gs
    mov %eax, %ss
    mov $stack_top, %esp
    cld
    mov $image_end, %edi
    mov $memory_end, %ecx
    sub %edi, %ecx
    shr $2, %ecx
    xor %eax, %eax
    rep stosl
    call payload_main
1:  hlt
    jmp 1b

/* Every CPU exception ends here with the stack as the CPU left it. */
.irp vector, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19
exception_\vector:
    push $\vector
    jmp exception
.endr
exception:
    mov %esp, %eax
    push %eax
    call payload_exception

.section .rodata
.globl exception_entries
exception_entries:
.irp vector, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19
    .long exception_\vector
.endr

.section .data
.balign 16
.globl entry_state
entry_state:
    .fill 104
.balign 8
.globl payload_gdt
payload_gdt:
gdt:
    .quad 0
    .quad 0
    .quad 0x00cf9b000000ffff        /* 0x10: flat code */
    .quad 0x00cf93000000ffff        /* 0x18: flat data */
    .quad 0x00009b000000ffff        /* 0x20: 16-bit code, base 0 */
    .quad 0x000093000000ffff        /* 0x28: 16-bit data, base 0 */
    .quad 0                         /* 0x30: code with a base of its own, see bios32.cpp */
gdt_end:
gdt_pointer:
    .word gdt_end - gdt - 1
    .long gdt

.section .bss
.balign 16
    .skip 16384
.globl stack_top
stack_top:
