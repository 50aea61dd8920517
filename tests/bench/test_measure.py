# SPDX-License-Identifier: MIT
"""The measuring side of `make bench`, against other ways to know the same figures."""

import collections
import dataclasses
import struct
import threading
import types

import pytest

from bench import cases, counts, exits, firmwares, host, kernels, results, run, timeline, times
from harness import accesses, bzimage, guest, memory, paths
from harness.qemu import GuestFailure

ROM_SIZE = 0x10000
RESET_AT = 0xFFF0
MEMORY = ["-m", f"{run.MEMORY_MIB}M"]

CASES = {case.id: case for case in cases.all_cases()}
FIRMWARES = {firmware.id: firmware for firmware in firmwares.find([])}

needs_pages = pytest.mark.skipif(bool(counts.why_no_pages()), reason=counts.why_no_pages())


@pytest.fixture(name="made", scope="module")
def made_kernels(tmp_path_factory):
    """Kernels in a folder of the tests'."""
    return kernels.Kernels(tmp_path_factory.mktemp("kernels"))


def rom(code: bytes) -> bytes:
    """A ROM that runs 16-bit code at F000:0 after reset."""
    jump = b"\xea" + struct.pack("<2H", 0, 0xF000)
    return code.ljust(RESET_AT, b"\xf4") + jump.ljust(ROM_SIZE - RESET_AT, b"\xf4")


def guest_of_rom(tmp_path, code: bytes, limit: float = 20) -> run.Guest:
    """A microvm that runs such a ROM."""
    path = tmp_path / "rom"
    path.write_bytes(rom(code))
    return run.Guest("microvm", ("-bios", path), limit=limit)


EXIT = b"\xe6\xf4"  # out %al, $0xf4


# --- Counts.

@pytest.mark.parametrize("firmware", ["mayfly", "qboot"])
def test_counts_are_those_of_the_harness(made, firmware):
    """The base case on microvm: the same accesses as the budget tests count, and with the serial
    port that those have (and QEMU's tables describe) the same instructions."""
    case, image = CASES["microvm"], FIRMWARES[firmware]
    row = counts.measure(case, image, made, counts.floor(case, made))
    listed = accesses.device_accesses("microvm", MEMORY, image.file("microvm"))
    assert row["accesses"]["total"] == len(listed) > 0
    assert row["accesses"]["by_device"] == collections.Counter(one.device for one in listed)
    with_serial = dataclasses.replace(case, arguments=("-serial", "null"))
    counted = counts.instructions(counts.guest_of(with_serial, image, made, "tsc"))
    assert counted == accesses.guest_instructions("microvm", MEMORY, image.file("microvm"))
    assert 1000 < row["instructions"] < counted


@pytest.mark.parametrize("firmware", ["mayfly", "qboot"])
def test_counts_repeat(made, firmware):
    """All figures of a row, pages of RAM too."""
    case = CASES["microvm"]
    first, second = (counts.measure(case, FIRMWARES[firmware], made, counts.floor(case, made))
                     for _ in range(2))
    assert first == second
    pages = set() if counts.why_no_pages() else {"pages_touched"}
    assert {"accesses", "instructions", "msr_writes", "cpuid", "ram_left"} | pages == set(first)


def test_no_room_for_pages(made, monkeypatch):
    """Where shared memory is small, all else is counted; also if it is so in one run of two."""
    case, image = CASES["microvm"], FIRMWARES["mayfly"]
    whole = counts.floor(case, made)
    monkeypatch.setattr(counts.shutil, "disk_usage",
                        lambda _: types.SimpleNamespace(free=64 << 20))
    assert "less than 2048 MiB free" in counts.why_no_pages()
    for floor in (whole, counts.floor(case, made)):
        assert set(counts.measure(case, image, made, floor)) == {
            "accesses", "instructions", "msr_writes", "cpuid", "ram_left"}


@needs_pages
def test_the_pages_of_an_initrd_are_counted_once(made):
    """8 MiB of initrd touch as many pages as they have, DMA or not."""
    pages = [counts.measure(CASES[case], FIRMWARES["mayfly"], made,
                            counts.floor(CASES[case], made))["pages_touched"]
             for case in ("microvm-initrd-0", "microvm-initrd-8")]
    assert pages[1] - pages[0] == 8 * cases.MIB // counts.PAGE


@needs_pages
@pytest.mark.parametrize("touch, pages", [
    (b"", 0),
    (b"\xa1\x00\x10", 1),  # mov 0x1000, %ax
    (b"\xa3\x00\x10", 1),  # mov %ax, 0x1000
    (b"\xa3\x00\x10\xa3\xfc\x1f\xa3\xfe\x2f", 2),  # the same page twice, then another
])
def test_pages_are_those_that_a_rom_touches(tmp_path, touch, pages):
    """Reads and writes, each page once."""
    plain, touching = (counts.exact(guest_of_rom(tmp_path, code + EXIT)).pages
                       for code in (b"", touch))
    assert touching - plain == pages


def test_the_plugin_counts_executions(tmp_path):
    """5 CPUIDs in a loop, 1 with a prefix; 2 MSR writes and 1 read; none where only bytes are."""
    loop = (b"\xbe\x05\x00"  # mov $5, %si
            b"\x0f\xa2"  # 1: cpuid
            b"\x4e\x75\xfb")  # dec %si; jnz 1b
    msr = b"\x66\xb9\x10\x00\x00\x00"  # mov $0x10, %ecx: the time stamp counter
    code = (loop + b"\x66\x0f\xa2" + msr + b"\x0f\x30\x0f\x32\x0f\x30"
            + b"\xb8\x0f\x30"  # mov $0x300f, %ax
            + EXIT + b"\x0f\xa2\x0f\x30")
    counted = counts.exact(guest_of_rom(tmp_path, code)).executions
    assert counted == {"cpuid": 6, "msr_writes": 2, "msr_reads": 1}


@pytest.mark.parametrize("firmware", ["mayfly", "qboot"])
@pytest.mark.parametrize("case", ["pc", "microvm-kernel-pvh"])
def test_ram_left_is_what_a_whole_payload_is_told(made, tmp_path, case, firmware):
    """The reporting payload reads the same map, in code of its own."""
    image = FIRMWARES[firmware]
    told = counts.ram_left(counts.guest_of(CASES[case], image, made, "map"))
    is_pvh = CASES[case].kernel == cases.PVH
    report = guest.boot(tmp_path, CASES[case].machine, MEMORY,
                        kernel=guest.pvh_kernel() if is_pvh else guest.linux_like(),
                        firmware=image.file(CASES[case].machine), words="keep")
    usable = memory.of_type(memory.firmware_map(report), memory.RAM)
    assert told == sum(piece.size for piece in usable) > 1000 * cases.MIB


# --- Ends that no case asks for.

@pytest.mark.parametrize("code, limit, reason", [
    (b"\xfa\xf4\xeb\xfd", 1, "did not end within 1 s"),  # cli; 1: hlt; jmp 1b
    (b"\xb0\xfe\xba\x00\x02\x66\x0f\x01\x1e\x00\x00\x0f\x0b", 20, "reset the machine"),
])
def test_a_guest_that_does_not_arrive_says_why(tmp_path, code, limit, reason):
    """One that hangs is ended; one that resets the machine does not go on for ever."""
    lost = guest_of_rom(tmp_path, code, limit)
    with pytest.raises(run.NotReached, match=reason):
        run.finish(lost, run.command(lost))


def test_qemus_own_refusal_is_not_an_end():
    """Its exit status is that of a payload which writes 0."""
    absent = run.Guest("microvm", ("-bios", "/private/folder/nonexistent.rom"), limit=20)
    with pytest.raises(run.NotReached, match="nonexistent.rom") as refusal:
        run.finish(absent, run.command(absent))
    assert "folder" not in str(refusal.value)  # results are for others to read


def test_last_words_are_the_firmwares_own(tmp_path):
    """A kernel that Mayfly refuses: its sentence is the reason in the results."""
    kernel = tmp_path / "old"
    kernel.write_bytes(bzimage.build(bzimage.Program.stub("exit"), protocol=0x209))
    refused = run.Guest("microvm", FIRMWARES["mayfly"].arguments("microvm"),
                        ("-kernel", kernel), 3)
    assert run.last_words(refused).startswith("its last words: mayfly: ")
    arrives = run.Guest("microvm", FIRMWARES["qboot"].arguments("microvm"),
                        ("-kernel", kernel), 20)
    assert run.last_words(arrives) == "tried again with a serial port, it arrived"


# --- Times.

def test_rounds_hold_everything_once(made):
    """The floor and each firmware have a sample a round; one that fails has none, and a reason."""
    case = CASES["microvm"]
    broken = firmwares.Firmware("broken", "broken", {"": paths.PAYLOADS / "setup.bin"})
    chosen = [FIRMWARES["mayfly"], FIRMWARES["qboot"], broken]
    seen = []
    samples, failed = times.take(case, chosen, made.arguments(case), run.TCG, 3, seen.append)
    assert {name: len(values) for name, values in samples.items()} == {
        times.FLOOR: 3, "mayfly": 3, "qboot": 3}
    assert set(failed) == {"broken"}
    assert all(value > 1 for values in samples.values() for value in values)
    rounds = [seen[at : at + 3] for at in range(4, 13, 3)]
    assert all(sorted(names) == ["floor", "mayfly", "qboot"] for names in rounds)


def test_slow_firmwares_take_part_in_the_first_rounds():
    """Never in more rounds than there are."""
    slow = firmwares.Firmware("slow", "slow", {}, slow=True)
    assert times.rounds_of(slow, 40) == firmwares.SLOW_ROUNDS
    assert times.rounds_of(slow, 2) == 2
    assert times.rounds_of(FIRMWARES["mayfly"], 40) == 40


def test_a_run_is_timed_from_start_to_end(tmp_path):
    """A watchdog that does not bite costs nothing and leaves no thread."""
    quick = guest_of_rom(tmp_path, EXIT)
    before = threading.active_count()
    ended = run.finish(quick, run.command(quick))
    assert 0.001 < ended.seconds < quick.limit
    assert threading.active_count() <= before + 1


@pytest.mark.parametrize("asked, sentence", [
    ("kvmm", "it is neither tcg nor kvm"), ("qtest", "it is neither tcg nor kvm"),
    ("tcg,thread=sometimes", "thread"), ("tcg,no-such-option=on", "no-such-option")])
def test_an_accelerator_that_does_not_work_is_told(asked, sentence):
    """By a trial of what QEMU makes of it."""
    assert sentence in run.why_not_accelerator("microvm", asked)


@pytest.mark.parametrize("asked", ["tcg", run.TCG])
def test_an_accelerator_that_works(asked):
    """The other way round."""
    assert run.why_not_accelerator("microvm", asked) == ""


# --- Cases, kernels and firmwares.

def test_each_case_differs_from_the_base_in_one_factor():
    """All but what follows from the factor is as in the machine's base case."""
    fields = {"kernel": ["kernel"], "initrd": ["initrd"], "devices": ["arguments"],
              "cpus": ["arguments"], "base": []}
    for case in CASES.values():
        base = CASES[case.machine]
        differing = [name for name in ("kernel", "initrd", "arguments")
                     if getattr(case, name) != getattr(base, name)]
        assert differing == fields[case.factor], case.id
    assert len(CASES) == len(cases.all_cases()) == 38


def test_cases_are_chosen_by_patterns():
    """As a shell matches names."""
    assert [case.id for case in cases.select(["q35", "*-cpus-64"])] == [
        "pc-cpus-64", "q35", "q35-cpus-64", "microvm-cpus-64"]
    assert cases.select(["nothing"]) == []


def test_a_kernel_ends_at_all_its_entries():
    """32-bit, 64-bit and EFI; all else stays."""
    image = bytearray(bzimage.build(bzimage.Program.stub("exit"), padding=0x4000))
    pe_header, efi_entry = 0x40, 0x6000
    struct.pack_into("<I", image, 0x3C, pe_header)
    image[pe_header : pe_header + 4] = b"PE\0\0"
    struct.pack_into("<I", image, pe_header + 0x28, efi_entry)
    stub = bytes(range(1, 30))
    result = kernels.ending_at_entry(bytes(image), stub)
    code = (image[0x1F1] + 1) * 512
    places = [code, code + 0x200, efi_entry]
    assert all(result[place : place + len(stub)] == stub for place in places)
    changed = {at for at, (new, old) in enumerate(zip(result, image)) if new != old}
    assert changed <= {at for place in places for at in range(place, place + len(stub))}
    assert len(result) == len(image)


def test_peers_get_names_of_their_own(tmp_path):
    """Files of the same stem, and stems that are no IDs."""
    files = []
    for name in ("qboot.rom", "a b.bin", "sub/a b.bin"):
        files.append(tmp_path / name)
        files[-1].parent.mkdir(exist_ok=True)
        files[-1].write_bytes(b"x")
    found = firmwares.find(files)
    assert [firmware.id for firmware in found[-3:]] == ["qboot-2", "a-b", "a-b-2"]


def test_full_is_measured_where_the_image_knows_it(tmp_path, monkeypatch):
    """By the name of the option in the image."""
    image = tmp_path / "fw.bin"
    monkeypatch.setenv("MAYFLY_FIRMWARE", str(image))
    image.write_bytes(b"nothing")
    assert "mayfly-full" not in [firmware.id for firmware in firmwares.find([])]
    image.write_bytes(b"..opt/org.mayfly/prepare..")
    full = {firmware.id: firmware for firmware in firmwares.find([])}["mayfly-full"]
    assert full.arguments("pc")[-2:] == (
        "-fw_cfg", "name=opt/org.mayfly/prepare,string=full")


def test_no_row_is_dropped_silently():
    """What is not tried has a reason."""
    slow = firmwares.Firmware("slow", "slow", {"pc": paths.QBOOT}, slow=True)
    assert "no image" in slow.why_not(CASES["microvm"], False)
    assert "base cases" in slow.why_not(CASES["pc-cpus-4"], False)
    assert not slow.why_not(CASES["pc-cpus-4"], True)
    assert not slow.why_not(CASES["pc"], False)


# --- What the host, QEMU and the firmware tell.

@pytest.mark.parametrize("info, told", [
    ("model name\t: A CPU\nflags\t\t: fpu vme hypervisor lahf_lm\n", {"hypervisor": True}),
    ("model name\t: A CPU\nflags\t\t: fpu vme nohypervisor\n", {"hypervisor": False}),
    ("processor\t: 0\nFeatures\t: fp asimd\n", {})])
def test_a_virtual_host_is_told(info, told):
    """By the CPU's own flag; nothing, where it has none to tell."""
    facts = host.facts("kvm", "it works", info)
    assert {name: facts[name] for name in facts if name == "hypervisor"} == told
    assert facts["accelerator"] == "kvm"


def test_a_timeline_is_read():
    """The lines of trace=timeline, among others."""
    marks = dict(zip(results.MARKS, range(0, 700, 100)))
    lines = [f"mayfly: timeline: {name} {value} ns, TSC {value * 3:#x}"
             for name, value in marks.items()]
    head = "mayfly: timeline: TSC runs at 2500000 kHz (PM timer)\n"
    assert timeline.parse(head + "\n".join(lines) + "\n") == marks
    assert timeline.parse(head + "\n".join(lines[:-1]) + "\n") == {}
    assert timeline.parse("mayfly: timeline: TSC frequency is unknown\n"
                          "mayfly: timeline: chipset TSC 0x12\n") == {}


class FakeQmp:
    """Answers query-stats."""

    def __init__(self, answer):
        self.answer = answer

    def command(self, name, **arguments):
        """The answer, or a refusal as of a QEMU before 7.1."""
        assert (name, arguments) == ("query-stats", {"target": "vcpu"})
        if self.answer is None:
            raise GuestFailure("The command query-stats has not been found")
        return self.answer


def test_exits_are_summed_over_cpus():
    """Only counts of exits, from whatever is offered."""
    cpu = {"stats": [{"name": "exits", "value": 7}, {"name": "io_exits", "value": 3},
                     {"name": "guest_mode", "value": False}, {"name": "l1d_flush", "value": 9},
                     {"name": "halt_wait_hist", "value": [1, 2]}]}
    assert exits._statistics(FakeQmp([cpu, cpu])) == {"exits": 14, "io_exits": 6}
    for nothing in (None, [], [{"stats": []}]):
        with pytest.raises(exits.NotOffered):
            exits._statistics(FakeQmp(nothing))


@pytest.mark.kvm
def test_exits_of_a_boot_are_counted(made):
    """Under any KVM, though only those of a real one mean something."""
    counted = exits._until_fault(
        counts.guest_of(CASES["microvm"], FIRMWARES["mayfly"], made, "fault"))
    assert counted["exits"] > 0
