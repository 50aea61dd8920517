// SPDX-License-Identifier: MIT
// What interrupt vectors lead to, for a guest in real mode that has none of its own. It is part of
// the last 256 bytes of the image, which are at F000:FF00 on every machine, behind the reset code.
    .section .reset16.vectors, "ax"
    .code16
    .globl vector_handlers
vector_handlers:
timer:                              // IRQ 0: ticks since midnight at 0040:006C
    pushw %ax
    pushw %dx
    pushw %ds
    pushw $0
    popw %ds
    incl 0x46c
    cmpl $0x1800b0, 0x46c           // ticks of a day
    jb 1f
    andl $0, 0x46c
    incb 0x470                      // midnights
1:  int $0x1c                       // for whom it may concern; may take AX, DX and DS
    popw %ds
    popw %dx
    jmp 2f
second_controller:                  // IRQ 8 to 15
    pushw %ax
    movb $0x20, %al                 // end of interrupt
    outb %al, $0xa0
    jmp 2f
first_controller:                   // IRQ 1 to 7
    pushw %ax
2:  movb $0x20, %al
    outb %al, $0x20
    popw %ax
nothing:
    iretw

equipment:
    pushw %ds
    pushw $0
    popw %ds
    movw 0x410, %ax                 // of the BIOS data area
    popw %ds
    iretw
base_memory:                        // in KiB
    pushw %ds
    pushw $0
    popw %ds
    movw 0x413, %ax
    popw %ds
    iretw

no_service:                         // AH 0x86, CF, and ZF for who asks for a key
    movb $0x86, %ah
    pushw %bp
    movw %sp, %bp
    orb $0x41, 6(%bp)
    popw %bp
    iretw

    .section .rodata.vectors, "a"
    .globl vector_ranges, vector_ranges_end
.macro vectors count, handler
    .byte \count, \handler - vector_handlers
.endm
vector_ranges:                      // from vector 0 on: how many lead where
    vectors 0x08, nothing
    vectors 0x01, timer
    vectors 0x07, first_controller
    vectors 0x01, nothing           // display: there is none
    vectors 0x01, equipment
    vectors 0x01, base_memory
    vectors 0x05, no_service        // disks, serial ports, system, keyboard, printers
    vectors 0x02, nothing           // BASIC, boot
    vectors 0x01, no_service        // clock and PCI
    vectors 0x55, nothing
    vectors 0x08, second_controller
    vectors 0x88, nothing
vector_ranges_end:
