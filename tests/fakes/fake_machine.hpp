// SPDX-License-Identifier: MIT
// A machine that a test scripts: what may be read, and a record of everything that was done.
#pragma once

#include <cstdio>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "fakes/unexpected.hpp"
#include "hw/hardware.hpp"

namespace mayfly::fakes {

/// One access, in the words that a test compares: "out8 0x402 0x6d".
using access_log = std::vector<std::string>;

inline std::string hex(u64 value) {
    char buffer[20];
    std::snprintf(buffer, sizeof buffer, "0x%llx", static_cast<unsigned long long>(value));
    return buffer;
}

/// Satisfies hw::machine. A port, MSR or CPUID leaf that was not announced is unexpected.
class fake_machine {
  public:
    /// The next reads of `port` give `values`, in order; the last one for ever.
    void answer(u16 port, std::deque<u32> values) { reads_[port] = std::move(values); }
    /// Writes to `port` are recorded.
    void accept(u16 port) { writes_[port] = nullptr; }
    /// Writes to `port` are recorded and given to `device`.
    void accept(u16 port, std::function<void(u32)> device) { writes_[port] = std::move(device); }
    void accept_mmio() { mmio_ = true; }
    void set_cpuid(u32 leaf, u32 subleaf, hw::cpuid_registers registers) {
        cpuid_[{leaf, subleaf}] = registers;
    }
    void set_msr(u32 index, u64 value) { msrs_[index] = value; }
    /// Writes to an MSR are given to `hypervisor` as well.
    void accept_msr(u32 index, std::function<void(u64)> hypervisor) {
        msr_writes_[index] = std::move(hypervisor);
    }

    const access_log& log() const { return log_; }
    /// What was written to `port` a byte at a time, as text.
    std::string written(u16 port) const {
        const auto found = text_.find(port);
        return found == text_.end() ? "" : found->second;
    }

    u8 in8(u16 port) { return static_cast<u8>(in("in8", port)); }
    u16 in16(u16 port) { return static_cast<u16>(in("in16", port)); }
    u32 in32(u16 port) { return in("in32", port); }
    void out8(u16 port, u8 value) {
        text_[port] += static_cast<char>(value);
        out("out8", port, value);
    }
    void out32(u16 port, u32 value) { out("out32", port, value); }

    /// The next reads of memory-mapped registers give `values`, in order; the last one for ever.
    void answer_mmio(std::deque<u32> values) { mmio_reads_ = std::move(values); }
    u32 read_mmio32(u32 address) {
        log_.push_back("mmio32 " + hex(address));
        if (mmio_reads_.empty()) {
            unexpected(log_.back());
            return 0;
        }
        const u32 value = mmio_reads_.front();
        if (mmio_reads_.size() > 1)
            mmio_reads_.pop_front();
        return value;
    }
    void write_mmio32(u32 address, u32 value) {
        if (!mmio_)
            unexpected("write to memory-mapped register " + hex(address));
        log_.push_back("mmio32 " + hex(address) + " " + hex(value));
    }
    hw::cpuid_registers cpuid(u32 leaf, u32 subleaf) {
        const auto found = cpuid_.find({leaf, subleaf});
        if (found == cpuid_.end()) {
            unexpected("CPUID leaf " + hex(leaf) + ", subleaf " + hex(subleaf));
            return {};
        }
        return found->second;
    }
    u64 read_msr(u32 index) {
        const auto found = msrs_.find(index);
        if (found == msrs_.end()) {
            unexpected("read of MSR " + hex(index));
            return 0;
        }
        log_.push_back("rdmsr " + hex(index));
        return found->second;
    }
    void write_msr(u32 index, u64 value) {
        log_.push_back("wrmsr " + hex(index) + " " + hex(value));
        if (const auto found = msr_writes_.find(index); found != msr_writes_.end())
            found->second(value);
    }

    /// The next readings of the time stamp counter, in order; then it goes on as between the last
    /// two.
    void answer_tsc(std::deque<u64> values) { tsc_ = std::move(values); }
    u64 read_tsc() {
        if (tsc_.size() < 2) {
            unexpected("reading of the time stamp counter");
            return 0;
        }
        const u64 now = tsc_.front();
        if (tsc_.size() == 2)
            tsc_.push_back(2 * tsc_.back() - now);
        tsc_.pop_front();
        return now;
    }

    void pause() {}

  private:
    u32 in(const char* how, u16 port) {
        log_.push_back(std::string(how) + " " + hex(port));
        auto found = reads_.find(port);
        if (found == reads_.end() || found->second.empty()) {
            unexpected(log_.back());
            return 0;
        }
        const u32 value = found->second.front();
        if (found->second.size() > 1)
            found->second.pop_front();
        return value;
    }

    void out(const char* how, u16 port, u32 value) {
        log_.push_back(std::string(how) + " " + hex(port) + " " + hex(value));
        const auto found = writes_.find(port);
        if (found == writes_.end())
            unexpected(log_.back());
        else if (found->second)
            found->second(value);
    }

    std::map<u16, std::deque<u32>> reads_;
    std::map<u16, std::function<void(u32)>> writes_;
    std::map<std::pair<u32, u32>, hw::cpuid_registers> cpuid_;
    std::map<u32, u64> msrs_;
    std::map<u32, std::function<void(u64)>> msr_writes_;
    std::map<u16, std::string> text_;
    std::deque<u32> mmio_reads_;
    access_log log_;
    bool mmio_ = false;
    std::deque<u64> tsc_;
};

static_assert(hw::machine<fake_machine>);

}  // namespace mayfly::fakes
