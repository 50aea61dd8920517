// SPDX-License-Identifier: MIT
// What PCI devices want of the address space, and the buses they want it on.
#pragma once

#include "core/span.hpp"

namespace mayfly::pci {

/// Registers of configuration space (PCI 3.0, 6.1; PCI-to-PCI bridges 1.2, 3.2).
inline constexpr u32 reg_identity = 0x00;
inline constexpr u32 reg_command = 0x04;
inline constexpr u32 reg_class = 0x08;
inline constexpr u32 reg_header = 0x0c;
inline constexpr u32 reg_bar_0 = 0x10;
inline constexpr u32 reg_buses = 0x18;        ///< bridge: primary, secondary, subordinate
inline constexpr u32 reg_io_window = 0x1c;    ///< bridge
inline constexpr u32 reg_low_window = 0x20;   ///< bridge: memory, 32 bits
inline constexpr u32 reg_high_window = 0x24;  ///< bridge: prefetchable memory, 64 bits
inline constexpr u32 reg_rom = 0x30;
inline constexpr u32 reg_capabilities = 0x34;
inline constexpr u32 reg_bridge_rom = 0x38;
inline constexpr u32 reg_interrupt = 0x3c;

/// In the command register: I/O, memory, SERR#.
inline constexpr u32 decode = 1u << 0 | 1u << 1 | 1u << 8;

inline constexpr u32 bus_limit = 256;

/// Where a resource is looked for room.
enum class pool : u8 {
    io,
    low,   ///< memory below 4 GiB; of a bridge: its memory window
    high,  ///< memory above 4 GiB; of a bridge: its prefetchable window, wherever that is
    none,  ///< nowhere
};

/// I/O is counted in bytes, memory in pages: 32 bits do, and are half the code.
inline constexpr u32 page_shift = 12;

/// No memory is planned at or above this: 8 TiB. What is above 4 GiB counts from a base that
/// assign() adds.
inline constexpr u32 end_of_pages = 1u << 31;
inline constexpr u32 high_shift = 32 - page_shift;  ///< from units of 4 GiB to pages

/// More finds no room anywhere, and this does not either: a MiB less than all addresses, so that 32
/// bits hold what it is added to.
inline constexpr u32 most_spare = end_of_pages - (mib >> page_shift);

/// [begin, end), in bytes of I/O or pages of memory.
struct extent {
    u32 begin;
    u32 end;
};

/// What is noted of a bridge's high window: a link is behind it; its spare room is to be below 4
/// GiB.
inline constexpr u8 note_link = 1u << 0;
inline constexpr u8 note_low_spare = 1u << 1;

/// A BAR, an expansion ROM or a window of a bridge.
struct resource {
    u32 size;      ///< 0 for a window that is closed
    u32 address;   ///< what plan() gives; 0: none
    u32 spare;     ///< window: room for what may come later, at most `most_spare`
    u16 function;  ///< bus in bits 15:8, device in 7:3, function in 2:0
    u8 reg;        ///< where in configuration space
    pool from;
    u8 shift;        ///< of the alignment, 1 << shift, at most 31
    u8 child;        ///< window: the bus behind it, 0 where that has no number; else 0
    u8 note;         ///< I/O window: how many buses to keep; high window: as above
    bool is_window;  ///< of a bridge: io, low and high stand one behind the other
    bool is_io;
    bool is_on_root;      ///< on a bus that no bridge leads to
    bool is_wide;         ///< a register of 64 bits
    bool may_be_high;     ///< may lie above 4 GiB
    bool is_reservation;  ///< window: the bridge wants more to be spare than others get
    bool is_dropped;      ///< no room was found; of a window, for what is to be spare

    u32 bus() const { return function >> 8u; }
    /// For itself, or where it is a window, for its reservation.
    u32 wanted() const { return !is_window ? size : is_reservation ? spare : 0; }
    u64 bytes() const { return u64{wanted()} << (is_io ? 0 : page_shift); }
};

struct bus {
    u16 first = 0;  ///< its resources
    u16 count = 0;
    u16 windows = 0;  ///< the three of the bridge it is behind
    u8 last = 0;      ///< the highest bus behind it
    u8 turn = 0;      ///< what its devices' interrupt pins are turned by, besides their number
    bool exists = false;
    bool is_root = false;
    bool has_one_slot = false;  ///< the other end of a PCI Express link
    bool has_io = false;        ///< I/O reaches it
    bool has_high = false;      ///< a 64-bit prefetchable window leads to it, or it is a root
};

/// Everything that is there. In the order of the scan: a bus stands behind its bridge's bus.
struct tree {
    span<resource> room;
    u32 count = 0;
    u16 vga = bus_limit;        ///< the bus of the first VGA display
    bool is_cut_short = false;  ///< not everything had room
    bus buses[bus_limit];

    span<resource> resources() const { return {room.data(), count}; }
    span<resource> on(const bus& which) const { return {room.data() + which.first, which.count}; }
};

}  // namespace mayfly::pci
