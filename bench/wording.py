# SPDX-License-Identifier: MIT
"""How results are told in words and figures, the same in tables, pictures and verdicts."""

from . import results

NOTHING = "-"  # what was not measured

VERSION_NAMES = {"mayfly": "Mayfly", "qemu": "QEMU", "qboot": "qboot", "seabios": "SeaBIOS",
                 "ovmf": "OVMF", "kernel": "kernel", "compiler": "compiler"}
# What Mayfly did in the time before each mark.
STEPS = {"chipset": "identify", "platform": "prepare", "tables": "tables",
         "loading": "plan", "loaded": "load", "entry": "hand over"}


def count(value: int | None) -> str:
    """With commas."""
    return NOTHING if value is None else f"{value:,}"


def number(value: float) -> str:
    """Three digits, or all of those before the point; a measurement has no more to say."""
    for limit, places in ((10, 2), (100, 1)):
        if abs(round(value, places)) < limit:
            return f"{value:.{places}f}"
    return f"{value:.0f}"


def _span(low: str, high: str) -> str:
    return f"{low} to {high}" if "-" in low + high else f"{low}-{high}"


def time_above_floor(time: dict | None) -> str:
    """Median and quartiles in milliseconds."""
    if time is None:
        return NOTHING
    return interval(time["above_floor_ms"], *time["spread_ms"])


def interval(middle: float, low: float, high: float) -> str:
    """A figure and how far it is known."""
    return f"{number(middle)} ({_span(number(low), number(high))})"


def ratio(time: dict | None) -> str:
    """The ratio to qboot with its interval, where the rounds support one."""
    if time is None or "to_qboot" not in time:
        return NOTHING
    told = time["to_qboot"]
    if told["verdict"] == "no difference seen" or "low" not in told:
        return told["verdict"]
    return interval(told["ratio"], told["low"], told["high"])


def date(data: dict) -> str:
    """When the run began, for people."""
    return data["when"].replace("T", " ")[:16] + " UTC"


def rounds(data: dict) -> str:
    """How often each time was taken."""
    counts = sorted({len(floor["samples_ms"]) for floor in data["floor"]})
    if not counts:
        return "no times were measured"
    numbers = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    return f"{numbers} interleaved rounds a case"


def version(data: dict, key: str) -> str:
    """One version with its name, which some say themselves."""
    name, told = VERSION_NAMES[key], data["versions"][key]
    told = told.removeprefix("QEMU emulator version ").removeprefix(f"{key} ")
    return f"{name} {told}"


def versions(data: dict) -> str:
    """All versions in one line."""
    return ", ".join(version(data, key) for key in VERSION_NAMES if key in data["versions"])


def short_title(case: dict) -> str:
    """A case's title where its machine is said already."""
    return case["title"].removeprefix(f"{case['machine']}, ")


def host(data: dict) -> str:
    """The machine that ran it, in one line."""
    machine = data["host"]
    cores = "1 CPU" if machine["cores"] == 1 else f"{machine['cores']} CPUs"
    return f"{machine['cpu']}, {cores}, {machine['kernel']}"


def accelerator(data: dict) -> str:
    """What the times were taken under, and why."""
    machine = data["host"]
    name = machine["accelerator"].upper()
    if name == "KVM" and not is_kvm_hardware(data):
        name = "nested KVM" if machine.get("hypervisor") else "KVM, perhaps a nested one"
    return f"Times under {name} ({machine['why']}), {rounds(data)}."


def is_kvm_hardware(data: dict) -> bool:
    """Whether times are those of KVM on hardware: not where the host is a virtual machine."""
    return data["host"]["accelerator"] == "kvm" and data["host"].get("hypervisor") is False


def not_yet_measured(data: dict) -> str | None:
    """What nobody may conclude from these times."""
    return None if is_kvm_hardware(data) else "Time on KVM hardware: not yet measured."


def preamble(data: dict) -> list[str]:
    """What a reader has to know before the first figure."""
    lines = [f"Mayfly benchmark of {date(data)}", versions(data), f"Host: {host(data)}",
             accelerator(data)]
    if "selection" in data:
        lines.append(f"Only the chosen cases: {', '.join(data['selection'])}")
    missing = not_yet_measured(data)
    return lines + ([missing] if missing else [])


def step_times(timeline: dict) -> dict[str, int]:
    """Nanoseconds of each step, from marks that count from the first."""
    return {mark: timeline[mark] - timeline[before]
            for before, mark in zip(results.MARKS, results.MARKS[1:])}
