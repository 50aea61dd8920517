# SPDX-License-Identifier: MIT
"""What every processor is given, and how it is left: MTRRs, feature control, waiting for a SIPI.

The payload starts the others by a SIPI alone, which does nothing to one that does not wait for it,
and then by INIT and SIPI. An INIT clears the MTRRs under TCG (QEMU target/i386/helper.c,
do_cpu_init), so that what they were given shows under KVM, and under TCG in the log of QEMU.
"""

import functools
import tempfile
from pathlib import Path

import pytest

from harness import debian_qemu, execution, gdb, multiboot, paths, sleeping
from harness.accesses import device_accesses
from harness.guest import boot, booted, linux_like, pvh_kernel, sent_reports, write_kernel
from harness.qemu import Qemu
from harness.sentences import expect_sentence

WIDE = pytest.mark.wide

MACHINES = ["pc", "q35", "microvm"]
FULL = ["-fw_cfg", "name=opt/org.mayfly/prepare,string=full"]
LEAN = ["-fw_cfg", "name=opt/org.mayfly/prepare,string=lean"]
X2APIC = ["-device", "intel-iommu,intremap=on,eim=on"]

# What has the processors prepared, by protocol: a kernel and what else must be asked for.
KERNELS = {
    "bzimage": (linux_like, FULL),
    "pvh": (functools.partial(pvh_kernel, linux=False), []),
    "multiboot": (lambda: multiboot.elf(multiboot.Program.reporting()), []),
}
ON_MACHINES = [(machine, protocol) for machine in MACHINES for protocol in KERNELS]

# The page that the others begin in, and where they count themselves.
START, ANSWERS = 0xEC000, 0xEC028
CODE_SIZE, PAGE = 0x28, 0x1000
GIVE_ORDERS = "11give_orders"

APIC_COMMAND = 0xFEE00300
FEATURE_CONTROL = 0x3A
LOCKED, LMCE = 1 << 0, 1 << 20
# QEMU makes etc/msr_feature_control for a CPU that has it, under TCG too (hw/i386/fw_cfg.c).
WITH_LMCE = ["-cpu", "max,lmce=on"]
MTRRS = [0x250, 0x258, 0x259, *range(0x268, 0x270), 0x2FF]


def start_all(tmp_path, machine, count, args=(), **options):
    """The report of a guest that started all its processors."""
    args = ["-smp", str(count), *args]
    with booted(tmp_path, machine, args, words=f"brief processors={count:x}", **options) as guest:
        assert guest.vm.debug == ""
        return guest.report


def split(report):
    """The boot processor, those that a SIPI alone started, those that INIT and SIPI started."""
    groups = [[p for p in report.processors if p.started == way] for way in range(3)]
    assert len(groups[0]) == 1
    return groups[0][0], groups[1], groups[2]


def check_complete(report, count: int) -> None:
    """Both ways started every processor but the first, once."""
    first, by_sipi, by_init = split(report)
    assert (len(by_sipi), len(by_init)) == (count - 1, count - 1)
    for group in by_sipi, by_init:
        ids = {p.apic_id for p in group}
        assert len(ids) == count - 1
        assert first.apic_id not in ids


@pytest.mark.parametrize("count", [1, 2, 3, 8, 64, 255])
@pytest.mark.parametrize("machine", MACHINES)
def test_all_wait_for_a_sipi(tmp_path, machine, count):
    """From one CPU to TCG's limit: all others are started and wait again."""
    args = ["-smp", str(count), *FULL]
    with booted(tmp_path, machine, args, words=f"brief processors={count:x}") as guest:
        check_complete(guest.report, count)
        answers = int.from_bytes(guest.vm.read_memory(ANSWERS, 4), "little")
        assert answers == count - 1, "the firmware has started them"
        assert guest.vm.debug == ""


@pytest.mark.parametrize("topology", ["6,cores=3,sockets=2", "2,maxcpus=6,sockets=6"])
def test_unusual_topologies(tmp_path, topology):
    """APIC IDs with gaps, and fewer CPUs than there may be."""
    count = int(topology[0])
    args = ["-smp", topology, *FULL]
    check_complete(boot(tmp_path, "q35", args, words=f"brief processors={count:x}"), count)


@pytest.mark.parametrize("machine, protocol", ON_MACHINES)
def test_who_has_them_prepared(tmp_path, machine, protocol):
    """A kernel that is not Linux has, a Linux kernel has not and finds the page empty."""
    image = KERNELS[protocol][0]()
    with booted(tmp_path, machine, ["-smp", "2"], kernel=image, words="brief") as guest:
        page = guest.vm.read_memory(START, PAGE)
        assert any(page) == (protocol != "bzimage")


@pytest.mark.kvm
@pytest.mark.parametrize("machine, protocol, count", [
    pytest.param(*names, count, marks=() if "bzimage" in names or count == 3 else WIDE)
    for names in ON_MACHINES for count in (2, 3, 16)])
def test_same_memory_types(tmp_path, machine, protocol, count):
    """KVM keeps MTRRs over an INIT: those of all processors are the boot processor's."""
    kernel, args = KERNELS[protocol]
    report = start_all(tmp_path, machine, count, args, kernel=kernel(), accel="kvm")
    check_complete(report, count)
    first = split(report)[0].msr
    assert first[0x2FF] == 0xC06 and first[0x201] != 0
    for processor in report.processors:
        assert processor.msr == first, processor.apic_id


@pytest.mark.kvm
@pytest.mark.parametrize("machine", MACHINES)
def test_lean_leaves_them_alone(tmp_path, machine):
    """Under KVM a processor that got no INIT does not hear a SIPI, and its MTRRs are off."""
    first, by_sipi, by_init = split(start_all(tmp_path, machine, 2, accel="kvm"))
    assert first.msr[0x2FF] == 0xC06
    assert by_sipi == [] and len(by_init) == 1
    assert by_init[0].msr[0x2FF] == 0


@pytest.mark.kvm
def test_x2apic_ids(tmp_path):
    """More processors than an xAPIC can name, which is QEMU's limit."""
    report = start_all(tmp_path, "q35,kernel-irqchip=split", 288, [*FULL, *X2APIC], accel="kvm")
    check_complete(report, 288)
    assert max(p.apic_id for p in report.processors) == 287
    assert all(p.msr == report.processors[0].msr for p in report.processors)


@WIDE
@pytest.mark.parametrize("suite", ["trixie", "sid"])
@pytest.mark.parametrize("machine, count", [("q35", 300), ("microvm", 288)])
def test_x2apic_ids_by_newer_qemus(tmp_path, machine, count, suite):
    """The same under TCG, whose x2APIC QEMU 7.2 has not yet."""
    args = ["-smp", str(count), "-cpu", "qemu64,+x2apic", *FULL]
    with booted(tmp_path, machine, args, words=f"brief processors={count:x}", timeout=300,
                program=debian_qemu.program(suite)) as guest:
        check_complete(guest.report, count)
        assert max(p.apic_id for p in guest.report.processors) == count - 1
        answers = int.from_bytes(guest.vm.read_memory(ANSWERS, 4), "little")
        assert answers == count - 1, "the firmware has started them"
        assert guest.vm.debug == ""


def watched(log: Path) -> list[str]:
    """What has QEMU log give_orders() and what the others run."""
    return execution.arguments(log, [execution.function(GIVE_ORDERS), (START, CODE_SIZE)])


def writes_in(log: Path, page: bytes) -> dict[int, dict[int, int]]:
    """What each CPU wrote to which register; `page` is what the others run.

    Of the boot CPU, feature control alone: a jump past the WRMSR comes to the same place.
    """
    address, size = execution.function(GIVE_ORDERS)
    image = paths.firmware().read_bytes()
    writes = execution.written(log, {START: page[:CODE_SIZE],
                                     address: image[address - execution.IMAGE :][:size]})
    of_boot_cpu = writes.pop(0, {})
    if FEATURE_CONTROL in of_boot_cpu:
        writes[0] = {FEATURE_CONTROL: of_boot_cpu[FEATURE_CONTROL]}
    return writes


def logged(tmp_path, machine, args, **options) -> tuple[dict[int, dict[int, int]], bytes]:
    """What each CPU wrote to which register, and the page of the others."""
    log = tmp_path / "log"
    with booted(tmp_path, machine, [*args, *watched(log)], words="brief", accel=execution.ACCEL,
                **options) as guest:
        assert guest.vm.debug == ""
        page = guest.vm.read_memory(START, PAGE)
    return writes_in(log, page), page


def check_memory_types(registers: dict[int, int], first: dict[int, int]) -> None:
    """Every MTRR that the boot CPU has was written, with the boot CPU's value."""
    written = {index: value for index, value in registers.items() if index != FEATURE_CONTROL}
    assert written[0x2FF] == 0xC06
    assert set(MTRRS) < set(written)
    assert written == {index: first[index] for index in written}
    assert all(index in written for index in first if 0x200 <= index < 0x210)


@pytest.mark.parametrize("machine, protocol", ON_MACHINES)
def test_memory_types_in_the_log(tmp_path, machine, protocol):
    """Under TCG, that every processor is given the boot processor's, before the last INIT."""
    kernel, args = KERNELS[protocol]
    first = boot(tmp_path, machine, args, kernel=kernel()).msr
    writes, _ = logged(tmp_path, machine, ["-smp", "4", *args], kernel=kernel())
    assert set(writes) == {1, 2, 3}
    for registers in writes.values():
        check_memory_types(registers, first)


@pytest.mark.parametrize("machine", ["pc", "q35"])
@pytest.mark.parametrize("choice", ["full", "not Linux", "not Linux, lean"])
def test_feature_control(tmp_path, machine, choice):
    """Where QEMU names features, every CPU gets them, whatever else is prepared."""
    kernel = linux_like() if choice == "full" else pvh_kernel(linux=False)
    args = {"full": FULL, "not Linux": [], "not Linux, lean": LEAN}[choice]
    writes, _ = logged(tmp_path, machine, ["-smp", "3", *WITH_LMCE, *args], kernel=kernel)
    assert set(writes) == {0, 1, 2}
    for registers in writes.values():
        assert registers[FEATURE_CONTROL] == LMCE | LOCKED


def test_feature_control_of_a_single_cpu(tmp_path):
    """The boot CPU gets it too where it is alone, and nobody is counted in."""
    writes, page = logged(tmp_path, "q35", [*WITH_LMCE, *FULL])
    assert writes == {0: {FEATURE_CONTROL: LMCE | LOCKED}}
    assert not any(page[0x28:0x2C])


@pytest.mark.parametrize("kernel", ["bzimage", "pvh"])
def test_linux_sets_feature_control_itself(tmp_path, kernel):
    """For Linux it is left alone, as are the other processors."""
    image = pvh_kernel() if kernel == "pvh" else linux_like()
    for args in ([], LEAN):
        writes, page = logged(tmp_path, "pc", ["-smp", "2", *WITH_LMCE, *args], kernel=image)
        assert writes == {} and not any(page)


def test_all_64_bits_of_feature_control(tmp_path):
    """As the file has them; a short file says nothing."""
    content = tmp_path / "features"
    given = ["-smp", "2", *FULL, "-fw_cfg", f"name=etc/msr_feature_control,file={content}"]
    content.write_bytes(bytes(range(1, 9)))
    writes, _ = logged(tmp_path, "q35", given)
    assert {w[FEATURE_CONTROL] for w in writes.values()} == {0x0807060504030201}
    assert len(writes) == 2
    content.write_bytes(bytes(range(1, 8)))
    writes, _ = logged(tmp_path, "q35", given)
    assert set(writes) == {1} and FEATURE_CONTROL not in writes[1]


def test_cpus_without_memory_types(tmp_path):
    """They are started all the same, and nothing is written."""
    writes, page = logged(tmp_path, "pc", ["-smp", "3", "-cpu", "qemu64,-mtrr", *FULL])
    assert writes == {}
    assert page[0x28:0x30] == bytes([2, 0, 0, 0, 0, 0, 0, 0])


@pytest.mark.parametrize("machine", MACHINES)
def test_accesses(machine):
    """One for the number of CPUs; three to the local APIC, if there is more than one."""
    def to_apic(args):
        accesses = device_accesses(machine, [*FULL, *args])
        return [a.value for a in accesses if a.address == APIC_COMMAND], len(accesses)

    none, alone = to_apic([])
    commands, together = to_apic(["-smp", "8"])
    assert none == [] and together == alone + 3
    assert commands == [0xC4500, 0xC4600 | START // PAGE, 0xC4500]


@pytest.mark.parametrize("machine", MACHINES)
def test_no_local_apic(tmp_path, machine):
    """A CPU without one is alone whatever its number, and the boot goes on."""
    report = boot(tmp_path, machine, ["-cpu", "qemu64,-apic", *FULL], words="brief")
    assert report.entry


@pytest.mark.parametrize("kind", ["cf9", "triple"])
@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_reboot_with_all_running(tmp_path, machine, kind):
    """After a reset by one of several running processors it is the same again."""
    words = f"brief processors=3 boots=3 reboot={kind} scribble"
    with booted(tmp_path, machine, ["-smp", "3", *FULL], words=words, boots=3) as guest:
        assert len(guest.reports) == 3 and guest.vm.debug == ""
        for report in guest.reports:
            check_complete(report, 3)


@pytest.mark.kvm
@pytest.mark.parametrize("prepare", ["full", "lean"])
@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_after_a_sleep(tmp_path, machine, prepare):
    """S3 resets every processor; all are as the boot left them when the guest goes on."""
    args = ["-smp", "3", *(FULL if prepare == "full" else LEAN)]
    first, naps = sleeping.naps(tmp_path, machine, args, count=2, words="brief processors=3",
                                accel="kvm")
    for report in (first, *(nap.report for nap in naps)):
        by_sipi, by_init = split(report)[1:]
        assert len(by_init) == 2
        assert len(by_sipi) == (2 if prepare == "full" else 0)
        for processor in by_sipi:
            assert processor.msr == first.processors[0].msr


@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_feature_control_after_a_sleep(tmp_path, machine):
    """Every CPU is given it again, after the sleep's reset has taken it, and each but the first the
    memory types that the first had."""
    before, after, pages = tmp_path / "before", tmp_path / "after", []

    def watch_anew(vm):
        """Leaves what was logged before the sleep."""
        pages.append(vm.read_memory(START, PAGE))
        vm.hmp(f"logfile {after}")

    first, _ = sleeping.naps(tmp_path, machine, ["-smp", "3", *WITH_LMCE, *FULL, *watched(before)],
                             change=watch_anew, accel=execution.ACCEL)
    writes = writes_in(after, pages[0])
    assert {cpu: w.get(FEATURE_CONTROL) for cpu, w in writes.items()} == \
        dict.fromkeys(range(3), LMCE | LOCKED)
    for registers in (writes[1], writes[2]):
        check_memory_types(registers, first.msr)


@pytest.mark.parametrize("machine, running, missing", [("pc", [1], 3), ("q35", [1, 2, 4], 1),
                                                       ("microvm", [1, 3], 2)])
def test_processors_that_do_not_answer(tmp_path, machine, running, missing):
    """CPUs that the host does not run: the boot goes on with one sentence."""
    kernel = write_kernel(tmp_path, linux_like())
    with tempfile.TemporaryDirectory(prefix="mayfly-") as name:
        directory = Path(name)
        args = ["-kernel", kernel, "-append", "wait brief", "-smp", "4", *FULL]
        with Qemu(machine, [*args, *gdb.arguments(directory)]) as vm:
            with gdb.run_only(vm, directory, running):
                sent_reports(vm, 1)
            expect_sentence(vm.debug,
                            f"mayfly: cpu: processors do not answer ({missing} of 3)")
