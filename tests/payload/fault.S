/* SPDX-License-Identifier: MIT */
/*
 * A stub that stops the machine by a triple fault: unlike isa-debug-exit that leaves a QEMU which
 * can still be asked (-no-reboot -no-shutdown). STUB_BITS chooses the entry: the interrupt table
 * without a single entry is made behind the setup sectors (16) or in the zero page (32), which
 * nobody reads any more. With STUB_ROM it is a ROM that faults at its reset vector.
 */
#define BUFFER 0x6000               /* offset in the segment, above 20 KiB of setup sectors */

.globl _start
_start:
.if STUB_ROM
.code16
    .org 0xffe0
    .skip 16, 0
    cs lidtw 0xffe0
    ud2
    .org 0x10000
.elseif STUB_BITS == 16
.code16
    xor %eax, %eax
    mov %eax, BUFFER
    mov %eax, BUFFER+4
    lidtl BUFFER
    ud2
.else
.code32
    xor %eax, %eax
    mov %eax, (%esi)
    mov %eax, 4(%esi)
    lidtl (%esi)
    ud2
.endif
