/* SPDX-License-Identifier: MIT */
/*
 * A stub that sends the memory map it was given to the report port, entries of 20 bytes as E820
 * has them, and exits. STUB_BITS and STUB_PVH choose where it looks, as Linux does: INT 15h at the
 * 16-bit entry, the zero page at the 32-bit one (ESI), start_info by PVH (EBX).
 */
.if STUB_BITS == 16

#define BUFFER 0x6000               /* offset in the segment, above 20 KiB of setup sectors */
#define SMAP 0x534d4150

.code16
.globl _start
_start:
    cld
    xor %ebx, %ebx
1:  mov $0xe820, %eax
    mov $SMAP, %edx
    mov $20, %ecx
    mov $BUFFER, %di
    int $0x15
    jc 2f
    cmp $SMAP, %eax
    jne 2f
    mov $BUFFER, %si
    mov $20, %cx
    mov $0xe9, %dx
    rep outsb
    test %ebx, %ebx
    jnz 1b
2:

.else

#define ZERO_PAGE_COUNT 0x1e8
#define ZERO_PAGE_TABLE 0x2d0
#define START_INFO_TABLE 40
#define START_INFO_COUNT 48

.code32
.globl _start
_start:
    cld
    mov $0xe9, %edx
.if STUB_PVH
    mov START_INFO_TABLE(%ebx), %esi
    mov START_INFO_COUNT(%ebx), %eax
.else
    movzbl ZERO_PAGE_COUNT(%esi), %eax
    add $ZERO_PAGE_TABLE, %esi
.endif
1:  test %eax, %eax
    jz 2f
    mov $20, %ecx
    rep outsb
.if STUB_PVH
    add $4, %esi
.endif
    sub $1, %eax
    jmp 1b
2:
.endif

    mov $0x10, %al
    out %al, $0xf4
1:  hlt
    jmp 1b
