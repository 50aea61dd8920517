/* SPDX-License-Identifier: MIT */
/*
 * The budget stubs, position independent and the same in 16-bit and 32-bit mode as far as the
 * assembler is concerned: STUB_BITS chooses. With STUB_TSC the time stamp counter at entry goes to
 * the report port, least significant byte first; without it the first instruction exits.
 */
.if STUB_BITS == 16
.code16
.else
.code32
.endif
.globl _start
_start:
.if STUB_TSC
    rdtsc
    .rept 4
    out %al, $0xe9
    shr $8, %eax
    .endr
    mov %edx, %eax
    .rept 4
    out %al, $0xe9
    shr $8, %eax
    .endr
    mov $0x10, %al
.endif
    out %al, $0xf4
1:  hlt
    jmp 1b
