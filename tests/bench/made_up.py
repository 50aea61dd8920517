# SPDX-License-Identifier: MIT
"""Results that nobody measured, for tests of what is made from results."""

import random

from bench import statistics

WHEN = "2026-01-02T03:04:05Z"
ROUNDS = 12
FLOOR_MS = 90.0

# Accesses by device, instructions, time above the floor.
FIRMWARES = {
    "mayfly": ("Mayfly", {"fwcfg.dma": 11, "pci-conf-idx": 6, "pci-conf-data": 6, "elcr": 1},
               24_000, 4.0),
    "mayfly-full": ("Mayfly, full", {"fwcfg.dma": 11, "pci-conf-idx": 60, "pci-conf-data": 60},
                    60_000, 9.0),
    "qboot": ("qboot", {"fwcfg": 160, "pci-conf-idx": 33, "pci-conf-data": 34}, 74_000, 10.0),
    "seabios": ("SeaBIOS", {"fwcfg": 700, "rtc": 40, "pci-conf-idx": 400, "ps2": 90},
                9_000_000, 160.0),
    "ovmf": ("OVMF", {"pflash": 90_000, "pci-conf-idx": 4_000}, 700_000_000, 1_900.0),
}
FACTORS = (("base", "", "bzImage stub, 8 MiB initrd, command line, no devices"),
           ("kernel", "debian-entry", "distribution kernel to its entry"),
           ("kernel", "pvh", "PVH vmlinux"),
           ("initrd", "0", "no initrd"),
           ("initrd", "100", "100 MiB of initrd"),
           ("initrd", "500", "500 MiB of initrd"),
           ("devices", "4", "4 virtio-pci devices"),
           ("devices", "16", "16 virtio-pci devices"),
           ("cpus", "4", "4 CPUs"),
           ("cpus", "64", "64 CPUs"))
SCALE = {"pc": 1.0, "q35": 1.15, "microvm": 0.3}


def case(machine: str, factor: str, value: str, title: str) -> dict:
    """One entry of `cases`."""
    name = machine if factor == "base" else f"{machine}-{factor}-{value}"
    return {"id": name, "machine": machine, "factor": factor, "value": value, "title": title}


def samples(generator, above: float, rounds: int = ROUNDS) -> list[float]:
    """Times of a firmware, some of them interrupted, as on a real host."""
    return [FLOOR_MS + above + generator.lognormvariate(0, 0.4) +
            (generator.random() < 0.08) * generator.expovariate(1 / 30) for _ in range(rounds)]


def row(case_id: str, firmware: str, generator, floor, reference, scale=1.0) -> dict:
    """One measured row."""
    _, accesses, instructions, above = FIRMWARES[firmware]
    taken = reference if firmware == "qboot" else samples(generator, above * scale, len(floor))
    result = {"case": case_id, "firmware": firmware, "status": "ok",
              "accesses": {"total": sum(accesses.values()), "by_device": dict(accesses)},
              "instructions": int(instructions * scale), "msr_writes": 12, "cpuid": 3,
              "pages_touched": 2_100, "ram_left": 536_000_000,
              "time": statistics.time_figures(
                  taken, floor, None if firmware == "qboot" else reference)}
    if firmware.startswith("mayfly"):
        marks = ("reset", "chipset", "platform", "tables", "loading", "loaded", "entry")
        times = (0, 21_000, 130_000, 900_000, 980_000, 3_400_000, 3_500_000)
        result["timeline"] = {mark: int(time * scale) for mark, time in zip(marks, times)}
    return result


def results(machines=("pc", "q35", "microvm"), factors=FACTORS, firmwares=tuple(FIRMWARES),
            rounds: int = ROUNDS, seed: int = 1) -> dict:
    """A whole file; OVMF refuses microvm, SeaBIOS fails with PVH, 64 CPUs are skipped there."""
    generator = random.Random(seed)
    data = {"schema": 1, "when": WHEN,
            "host": {"cpu": "Made-up CPU @ 2.50GHz", "cores": 2, "kernel": "Linux 6.1.0",
                     "accelerator": "tcg", "why": "/dev/kvm is not there"},
            "versions": {"mayfly": "v1.0-3-gabcdef0", "qemu": "7.2.22 (Debian 1:7.2+dfsg-7)",
                         "qboot": "qemu-system-data 7.2", "seabios": "1.16.2-1",
                         "ovmf": "2022.11-6", "kernel": "Linux 6.1.0-40-cloud-amd64",
                         "compiler": "g++ 12.2.0"},
            "firmwares": [{"id": one, "name": FIRMWARES[one][0], "file": f"{one}.bin",
                           "sha256": "0" * 64, "options": []} for one in firmwares],
            "cases": [case(machine, *factor) for machine in machines for factor in factors],
            "floor": [], "results": []}
    for one in data["cases"]:
        floor = samples(generator, 0, rounds)
        scale = SCALE[one["machine"]]
        reference = samples(generator, FIRMWARES["qboot"][3] * scale, rounds)
        data["floor"].append({"case": one["id"], "samples_ms": floor,
                              "median_ms": statistics.median(floor)})
        for firmware in firmwares:
            data["results"].append(
                unmeasured(one, firmware) or
                row(one["id"], firmware, generator, floor, reference, scale))
    return data


def unmeasured(one: dict, firmware: str) -> dict | None:
    """The rows that have nothing but a reason."""
    why = {("ovmf", "microvm"): ("refused", "OVMF has no build for microvm"),
           ("seabios", "pvh"): ("failed", "no exit within 60 s; the last line on the serial port "
                                          "was: Booting from ROM"),
           ("ovmf", "64"): ("skipped", "would take more than 2 GiB of RAM on this host")}
    key = next((key for key in ((firmware, one["machine"]), (firmware, one["value"]))
                if key in why), None)
    if key is None:
        return None
    return {"case": one["id"], "firmware": firmware, "status": why[key][0], "reason": why[key][1]}
