// SPDX-License-Identifier: MIT
// The 32-bit BIOS: service directory (Standard BIOS 32-bit Service Directory Proposal 0.4) and PCI
// BIOS (PCI BIOS Specification 2.1). Copied below 1 MiB, where guests look for it, so it names no
// address of its own; called far, in protected mode, with any base of CS and the caller's stack.
// The base it tells is 0xf0000 and its length 64 KiB, which holds the slots of `$PIR` too.
//
// Every register is kept but those that bring a result; so are the flags but the arithmetic ones.

#define BASE 0xf0000
#define OFFSET 0x400                // of this code from BASE; include/low_memory.hpp has it too
#define SLOTS 0x70                  // of the entries of $PIR
#define SLOTS_SIZE (32 * 16)
#define EXCLUSIVE 0x0c00            // interrupts of PCI alone: 10 and 11

#define SUCCESSFUL 0x00
#define FUNC_NOT_SUPPORTED 0x81
#define BAD_VENDOR_ID 0x83
#define DEVICE_NOT_FOUND 0x86
#define BAD_REGISTER_NUMBER 0x87
#define BUFFER_TOO_SMALL 0x89

// What `pushal` leaves on the stack.
#define SAVED_NOTHING 12            // ESP, which `popal` drops
#define SAVED_EBX 16
#define SAVED_ECX 24
#define SAVED_AH 29

    .section .rodata.bios32, "a"
    .code32
    .globl bios32_begin, bios32_end, bios32_last_bus
bios32_begin:                       // EAX: service; BL: 0, the only function
    testb %bl, %bl
    jnz 1f
    cmpl $0x49435024, %eax          // "$PCI"
    jne 2f
    movb $0, %al
    movl $BASE, %ebx
    movl $0x10000, %ecx
    movl $OFFSET + pci_bios - bios32_begin, %edx
    lret
1:  movb $0x81, %al                 // no such function
    lret
2:  movb $0x80, %al                 // no such service
    lret

pci_bios:                           // AH: 0xb1; AL: function
    pushal
    cmpb $0xb1, %ah
    jne unsupported
    decb %al
    jz present
    movl $-1, %ebp                  // the bits that find_function compares
    decb %al
    jz find_device
    decb %al
    jz find_class
    subb $8 - 3, %al
    cmpb $6, %al
    jb access
    je routing_options
unsupported:
    movb $FUNC_NOT_SUPPORTED, %ah
    jmp done

present:
    popal
    call last_bus
    movl $0x20494350, %edx          // "PCI "
    movw $0x0210, %bx               // version 2.10
    movw $0x0001, %ax               // mechanism 1, no special cycles
    clc
    lret

last_bus:
    movb $0, %cl                    // its last byte is the number, put in where it is copied to
    .set bios32_last_bus, . - 1 - bios32_begin
    ret

find_device:                        // DX: vendor, CX: device, SI: which one of them
    cmpw $-1, %dx
    movb $BAD_VENDOR_ID, %ah
    je done
    shll $16, %ecx
    movw %dx, %cx
    xorl %edi, %edi                 // register 0
    jmp find_function

find_class:                         // ECX: class, subclass and interface; SI: which one of them
    shll $8, %ecx
    movl $8, %edi
    movb $0, %cl
    shll $8, %ebp

find_function:                      // ECX: what register EDI holds in the bits of EBP
    movl %ecx, %eax
    call last_bus
    movb %cl, SAVED_NOTHING(%esp)
    movl %eax, %ecx
    xorl %ebx, %ebx                 // bus, device, function
1:  call select
    inl %dx, %eax
    cmpl $-1, %eax
    jne 2f
    testb $7, %bl
    jnz 3f
    orb $7, %bl                     // a device without function 0 has none
    jmp 3f
2:  xorl %ecx, %eax
    testl %ebp, %eax
    jnz 3f
    subw $1, %si
    jc found
3:  incw %bx
    jz 4f
    cmpb %bh, SAVED_NOTHING(%esp)
    jae 1b
4:  movb $DEVICE_NOT_FOUND, %ah
    jmp done
found:
    movw %bx, SAVED_EBX(%esp)
    jmp good

// Goes to register DI of function BX and leaves EDX the port of its data; takes EAX.
select:
    movl %ebx, %eax
    shll $16, %eax
    shrl $8, %eax
    movl %edi, %edx
    movb %dl, %al
    andb $0xfc, %al
    btsl $31, %eax
    andl $3, %edx
    orw $0xcfc, %dx
    pushl %edx
    movw $0xcf8, %dx
    outl %eax, %dx
    popl %edx
    ret

access:                             // AL: reading 1, 2, 4 bytes, writing them; BX, DI, CL to ECX
    cmpb $3, %al
    sbbl %ebp, %ebp                 // not 0: reading
    jnz 1f
    subb $3, %al
1:  movzbl %al, %esi                // how often a byte is doubled
    shrb $1, %al
    addl %esi, %eax                 // the bits that are 0 in a good register
    movb $0xff, %ah
    testw %di, %ax
    movb $BAD_REGISTER_NUMBER, %ah
    jnz done
    call select
    testl %ebp, %ebp
    jz 5f
    shrl $1, %esi                   // CF: 2 bytes; not ZF: 4
    jc 2f
    jnz 3f
    inb %dx, %al
    movb %al, SAVED_ECX(%esp)
    jmp good
2:  inw %dx, %ax
    movw %ax, SAVED_ECX(%esp)
    jmp good
3:  inl %dx, %eax
    movl %eax, SAVED_ECX(%esp)
    jmp good
5:  movl %ecx, %eax
    shrl $1, %esi
    jc 6f
    jnz 7f
    outb %al, %dx
    jmp good
6:  outw %ax, %dx
    jmp good
7:  outl %eax, %dx
    jmp good

routing_options:                    // ES:EDI: size of a buffer, far pointer to it
    cmpw $SLOTS_SIZE, %es:(%edi)
    movw $SLOTS_SIZE, %es:(%edi)
    movb $BUFFER_TOO_SMALL, %ah
    jb done
    movw $EXCLUSIVE, SAVED_EBX(%esp)
    pushfl
    cld
    pushl %es
    call 1f
1:  popl %esi
    addl $SLOTS - OFFSET - (1b - bios32_begin), %esi
    lesl %es:2(%edi), %edi
    movl $SLOTS_SIZE / 4, %ecx
    rep movsl %cs:(%esi), %es:(%edi)
    popl %es
    popfl
good:
    movb $SUCCESSFUL, %ah
done:
    movb %ah, SAVED_AH(%esp)
    popal
    cmpb $1, %ah
    cmc                             // CF: AH is not 0
    lret
bios32_end:
