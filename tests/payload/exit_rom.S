/* SPDX-License-Identifier: MIT */
/* A ROM whose reset vector exits: what every machine costs before its firmware does anything. */
.code16
.globl _start
_start:
    .org 0xfff0
    out %al, $0xf4
1:  hlt
    jmp 1b
    .org 0x10000
