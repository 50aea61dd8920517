# SPDX-License-Identifier: MIT
"""The verdict on two result files, in both directions."""

import copy
import subprocess
import sys

import pytest

import made_up
from bench import compare, results, shares, statistics
from bench.finding import Kind
from harness.paths import ROOT

FACTORS = made_up.FACTORS[:2]
BASE = made_up.results(machines=("q35", "microvm"), factors=FACTORS)


def changed(change, data=BASE) -> dict:
    """A copy after a change."""
    data = copy.deepcopy(data)
    change(data)
    results.validate(data)
    return data


def row(data: dict, firmware="mayfly", case="q35") -> dict:
    """One row, to change."""
    return results.find_row(data, case, firmware)


def lines(base: dict, new: dict) -> list[str]:
    """All findings as they are printed."""
    return [str(finding) for finding in compare.compare(base, new)]


def status(base: dict, new: dict) -> int:
    """What CI sees."""
    return compare.exit_status(compare.compare(base, new))


def grown(field: str, by: int, firmware="mayfly"):
    """A change of one exact figure."""
    def change(data):
        row(data, firmware)[field] += by
    return change


def test_equal():
    """The same counts, and times of another day."""
    assert lines(BASE, copy.deepcopy(BASE)) == []
    other_day = made_up.results(machines=("q35", "microvm"), factors=FACTORS, seed=99)
    assert lines(BASE, other_day) == []


@pytest.mark.parametrize("firmware", ["mayfly", "mayfly-full"])
@pytest.mark.parametrize("field, what", [("instructions", "guest instructions"),
                                         ("msr_writes", "MSR writes"), ("cpuid", "CPUIDs"),
                                         ("pages_touched", "pages touched")])
def test_counts(field, what, firmware):
    """One more fails, one less is told as better."""
    worse, better = (changed(grown(field, by, firmware)) for by in (1, -1))
    was = row(BASE, firmware)[field]
    name = {"mayfly": "Mayfly", "mayfly-full": "Mayfly, full"}[firmware]
    assert lines(BASE, worse) == [f"worse: q35, {name}: {what} {was:,} -> {was + 1:,}"]
    assert status(BASE, worse) == 1
    assert lines(BASE, better) == [f"better: q35, {name}: {what} {was:,} -> {was - 1:,}"]
    assert status(BASE, better) == 0


def test_ram_left():
    """More is better here."""
    worse, better = (changed(grown("ram_left", by)) for by in (-4096, 4096))
    assert lines(BASE, worse) == [
        "worse: q35, Mayfly: bytes of RAM left 536,000,000 -> 535,995,904"]
    assert status(BASE, worse) == 1
    assert lines(BASE, better)[0].startswith("better: q35, Mayfly: bytes of RAM left")
    assert status(BASE, better) == 0


def accesses(**changes):
    """A change of accesses by device; dashes for underscores."""
    def change(data):
        figures = row(data)["accesses"]
        for device, by in changes.items():
            device = device.replace("_", "-")
            figures["by_device"][device] = figures["by_device"].get(device, 0) + by
            if figures["by_device"][device] == 0:
                del figures["by_device"][device]
            figures["total"] += by
    return change


def test_accesses():
    assert lines(BASE, changed(accesses(elcr=1))) == [
        "worse: q35, Mayfly: device accesses 24 -> 25",
        "worse: q35, Mayfly: accesses to elcr 1 -> 2"]
    assert lines(BASE, changed(accesses(elcr=-1))) == [
        "better: q35, Mayfly: device accesses 24 -> 23",
        "better: q35, Mayfly: accesses to elcr 1 -> 0"]


def test_accesses_that_moved():
    """The same sum, but a device is asked more often: that fails."""
    moved = changed(accesses(elcr=-1, rtc_index=1))
    assert lines(BASE, moved) == ["worse: q35, Mayfly: accesses to rtc-index 0 -> 1",
                                  "better: q35, Mayfly: accesses to elcr 1 -> 0"]
    assert status(BASE, moved) == 1


@pytest.mark.parametrize("field", ["accesses", "instructions", "msr_writes", "cpuid",
                                   "pages_touched", "ram_left"])
def test_figure_that_vanished(field):
    """What is not measured any more may have grown; what is measured now has no base."""
    without = changed(lambda data: row(data).pop(field))
    assert len(lines(BASE, without)) == 1 and "not measured any more" in lines(BASE, without)[0]
    assert status(BASE, without) == 1
    assert lines(without, BASE) == []


@pytest.mark.parametrize("now", ["failed", "refused", "skipped"])
def test_row_that_was_ok(now):
    bad = changed(lambda data: row(data).update(status=now, reason="no exit"))
    assert lines(BASE, bad) == [f"worse: q35, Mayfly: ok -> {now} (no exit)"]
    assert status(BASE, bad) == 1
    assert lines(bad, BASE) == [f"better: q35, Mayfly: {now} -> ok"]
    assert status(bad, BASE) == 0


def test_row_that_never_was_ok():
    bad = changed(lambda data: row(data).update(status="failed", reason="no exit"))
    other = changed(lambda data: row(data).update(status="refused", reason="too large"))
    assert lines(bad, bad) == []
    assert lines(bad, other) == ["note: q35, Mayfly: failed -> refused (too large)"]


def without_case(data: dict) -> None:
    """Without q35's base case."""
    data["cases"] = [case for case in data["cases"] if case["id"] != "q35"]
    data["floor"] = [floor for floor in data["floor"] if floor["case"] != "q35"]
    data["results"] = [one for one in data["results"] if one["case"] != "q35"]


def test_case_that_vanished():
    gone = changed(without_case)
    assert lines(BASE, gone) == ["worse: q35: the case has vanished"]
    assert status(BASE, gone) == 1
    assert lines(gone, BASE) == ["note: cases: new, with nothing to compare: q35"]


@pytest.mark.parametrize("selection, kind", [
    (["microvm*", "q35-*"], Kind.TOLD), (["q35"], Kind.WORSE), (["q3?"], Kind.WORSE)])
def test_case_that_was_not_selected(selection, kind):
    def change(data):
        without_case(data)
        data["selection"] = selection
    findings = compare.compare(BASE, changed(change))
    assert [finding.kind for finding in findings] == [kind]


def test_row_that_vanished():
    def change(data):
        data["results"].remove(row(data))
    assert lines(BASE, changed(change)) == ["worse: q35, Mayfly: the row: not measured any more"]


def test_firmware_that_vanished():
    def change(data):
        data["firmwares"] = [one for one in data["firmwares"] if one["id"] != "mayfly-full"]
        data["results"] = [one for one in data["results"] if one["firmware"] != "mayfly-full"]
    gone = changed(change)
    assert set(lines(BASE, gone)) == {
        f"worse: {case}, Mayfly, full: the row: not measured any more"
        for case in ("q35", "q35-kernel-debian-entry", "microvm", "microvm-kernel-debian-entry")}
    assert lines(gone, BASE) == []


# --- Times.

def timed(mayfly: float, seed: int = 1, rounds: int = 12, slower_host: float = 1.0) -> dict:
    """Results where Mayfly takes this many milliseconds on q35, a tenth of which is noise."""
    data = copy.deepcopy(BASE)
    generator = made_up.random.Random(seed)
    floor = [slower_host * (90 + generator.random()) for _ in range(rounds)]
    reference = [slower_host * (100 + generator.random()) for _ in range(rounds)]
    ours = [slower_host * (90 + mayfly + generator.random()) for _ in range(rounds)]
    floors = results.find_floor(data, "q35")
    floors.update(samples_ms=floor, median_ms=statistics.median(floor))
    for one in data["results"]:
        if one["case"] == "q35":
            one.pop("time", None)
    row(data)["time"] = statistics.time_figures(ours, floor, reference)
    row(data, "qboot")["time"] = statistics.time_figures(reference, floor)
    results.validate(data)
    return data


def test_slower_for_sure():
    findings = lines(timed(4), timed(8, seed=2))
    assert len(findings) == 1
    assert findings[0].startswith("worse: q35, Mayfly: slower: time / qboot's 0.38 (")
    assert status(timed(4), timed(8, seed=2)) == 1


def test_faster_for_sure():
    findings = lines(timed(8), timed(4, seed=2))
    assert len(findings) == 1 and findings[0].startswith("better: q35, Mayfly: faster: time / ")
    assert status(timed(8), timed(4, seed=2)) == 0


def test_slower_within_the_noise():
    """A tenth more, where the rounds leave more than that to chance."""
    assert lines(timed(4), timed(4.4, seed=2)) == []


def test_rounds_of_two_days_are_no_pairs():
    """Each round a fifth slower than the same round of another day, where rounds differ more."""
    floor = [90.0] * 12
    qboot = [190.0] * 12
    was = [10.0 + 5 * n for n in range(12)]
    first = shares.Timed([90 + time for time in was], qboot, floor)
    second = shares.Timed([90 + 1.2 * time for time in was], qboot, floor)
    assert shares.verdict_on(first, second, 0.05, 0.95) == "no difference seen"


def test_slower_host():
    """Everything takes twice as long: a share of qboot's time stays what it is."""
    assert lines(timed(4), timed(4, seed=2, slower_host=2.0)) == []


def test_slower_within_the_tolerance():
    """Surely slower, by 3 %, which no one can do anything with."""
    def exact(mayfly):
        data = timed(mayfly)
        floor = results.find_floor(data, "q35")["samples_ms"]
        reference = [sample + 100 for sample in floor]
        row(data)["time"] = statistics.time_figures([sample + mayfly for sample in floor], floor,
                                                    reference)
        row(data, "qboot")["time"] = statistics.time_figures(reference, floor)
        return data
    assert lines(exact(40), exact(41.2)) == []
    assert lines(exact(40), exact(42.5)) != []
    findings = compare.compare(exact(40), exact(41.2), tolerance=0.01)
    assert [finding.kind for finding in findings] == [Kind.WORSE]


def test_too_few_rounds():
    assert lines(timed(4), timed(8, seed=2, rounds=5)) == [
        "note: q35, Mayfly: time is not compared: fewer than 6 rounds"]
    assert lines(timed(4, rounds=5), timed(8, seed=2)) == []


def without_time(*firmwares):
    """A change that drops the times of these in all cases."""
    def change(data):
        for one in data["results"]:
            if one["firmware"] in firmwares:
                one.pop("time", None)
    return change


def test_times_that_vanished():
    """As a count that is not measured any more; times that are new have nothing to be judged by."""
    gone = changed(without_time("mayfly"))
    assert set(lines(BASE, gone)) == {
        f"worse: {case['id']}, Mayfly: time is not measured any more" for case in BASE["cases"]}
    assert status(BASE, gone) == 1
    assert lines(gone, BASE) == []


def test_one_time_that_vanished():
    gone = changed(lambda data: row(data).pop("time"))
    assert lines(BASE, gone) == ["worse: q35, Mayfly: time is not measured any more"]
    assert status(BASE, gone) == 1 and status(gone, BASE) == 0


def test_times_without_those_of_the_peer():
    """Nothing that Mayfly does."""
    gone = changed(without_time("qboot"))
    assert len(lines(BASE, gone)) == 2 * len(BASE["cases"])
    assert lines(BASE, gone)[0].endswith("time is not compared: qboot has none here any more")
    assert status(BASE, gone) == 0

    def change(data):
        for key, name in (("firmwares", "id"), ("results", "firmware")):
            data[key] = [one for one in data[key] if one[name] != "qboot"]
    nowhere = changed(change)
    assert "note: times: told, not judged: qboot was not measured" in lines(BASE, nowhere)
    assert status(BASE, nowhere) == 0


def test_times_that_vanished_with_the_accelerator():
    gone = changed(lambda data: (without_time("mayfly")(data),
                                 data["host"].update(accelerator="kvm")))
    assert "note: q35, Mayfly: time is not measured any more" in lines(BASE, gone)
    assert status(BASE, gone) == 0


def test_qboot_in_the_noise():
    """A share of nothing says nothing."""
    data = timed(4)
    floor = results.find_floor(data, "q35")["samples_ms"]
    row(data, "qboot")["time"] = statistics.time_figures(
        [sample + (-1) ** n for n, sample in enumerate(floor)], floor)
    assert lines(timed(4), data) == []
    assert lines(data, timed(8)) == []


@pytest.mark.parametrize("change, reason", [
    (lambda data: data["host"].update(cpu="Other CPU"),
     "the CPU was Made-up CPU @ 2.50GHz, is Other CPU"),
    (lambda data: data["host"].update(cores=64), "CPUs were 2, are 64"),
    (lambda data: data["host"].update(accelerator="kvm"), "the accelerator was tcg, is kvm"),
    (lambda data: data["host"].update(hypervisor=True),
     "one of the hosts is a virtual machine, or may be"),
    (lambda data: data["firmwares"][2].update(sha256="1" * 64), "qboot is another image")])
def test_times_that_are_only_told(change, reason):
    findings = lines(timed(4), changed(change, timed(8, seed=2)))
    assert findings[0] == f"note: times: told, not judged: {reason}"
    assert findings[1].startswith("note: q35, Mayfly: slower: ")
    assert status(timed(4), changed(change, timed(8, seed=2))) == 0


@pytest.mark.parametrize("field, value", [("cpu", "Other CPU"), ("accelerator", "kvm")])
def test_counts_are_judged_on_another_host(field, value):
    """They are TCG's always."""
    def change(data):
        data["host"][field] = value
        row(data)["instructions"] += 1
    assert status(BASE, changed(change)) == 1
    assert status(changed(change), BASE) == 0


def test_few_false_alarms():
    """20 pairs of runs of the same firmware, 4 rows each: one alarm is what chance may do."""
    days = [made_up.results(machines=("q35", "microvm"), factors=FACTORS, seed=seed,
                            firmwares=("mayfly", "qboot")) for seed in range(21)]
    alarms = sum(status(base, new) for base, new in zip(days, days[1:]))
    assert alarms <= 2


# --- What is told and never fails.

@pytest.mark.parametrize("change, line", [
    (grown("instructions", 10, "qboot"),
     "note: q35, qboot: guest instructions 85,100 -> 85,110"),
    (grown("ram_left", -4096, "seabios"),
     "note: q35, SeaBIOS: bytes of RAM left 536,000,000 -> 535,995,904"),
    (lambda data: row(data, "seabios").update(status="failed", reason="no exit"),
     "note: q35, SeaBIOS: ok -> failed (no exit)")])
def test_peers(change, line):
    new = changed(change)
    assert lines(BASE, new) == [line]
    assert status(BASE, new) == 0


def test_peer_that_vanished():
    def change(data):
        data["firmwares"] = [one for one in data["firmwares"] if one["id"] != "ovmf"]
        data["results"] = [one for one in data["results"] if one["firmware"] != "ovmf"]
    assert lines(BASE, changed(change)) == ["note: OVMF: not measured any more"]


def test_another_compiler():
    def change(data):
        data["versions"]["compiler"] = "g++ 14.1.0"
        row(data)["instructions"] += 1
    findings = lines(BASE, changed(change))
    assert findings[0].startswith("worse: q35, Mayfly: guest instructions")
    assert findings[1].startswith("note: compiler: g++ 12.2.0 -> g++ 14.1.0")


def test_another_kernel():
    """Rows that boot the distribution's kernel are about another one; the others are judged."""
    def change(data):
        data["versions"]["kernel"] = "Linux 6.12"
        row(data, case="q35-kernel-debian-entry")["pages_touched"] += 100
    new = changed(change)
    assert lines(BASE, new) == ["note: q35-kernel-debian-entry, Mayfly: pages touched "
                                "2,100 -> 2,200 (another kernel)"]
    row(new)["pages_touched"] += 1
    assert status(BASE, new) == 1


# --- The command.

def run(tmp_path, base: dict, new: dict, *options) -> subprocess.CompletedProcess:
    """The command, as people and CI call it."""
    for name, data in (("base", base), ("new", new)):
        results.save(data, tmp_path / f"{name}.json")
    return subprocess.run([sys.executable, "-B", "-m", "bench.compare", *options,
                           tmp_path / "base.json", tmp_path / "new.json"], cwd=ROOT,
                          capture_output=True, text=True, check=False)


def test_command_equal(tmp_path):
    ended = run(tmp_path, BASE, BASE)
    assert ended.returncode == 0
    assert ended.stdout.endswith("Mayfly is not worse: 0 worse, 0 better, 0 notes\n")


def test_command_worse_first(tmp_path):
    """One line a finding, the worst first, the verdict last."""
    def change(data):
        row(data, "qboot")["instructions"] += 1
        row(data)["instructions"] -= 1
        row(data)["msr_writes"] += 1
    ended = run(tmp_path, BASE, changed(change))
    _, *found, verdict = ended.stdout.splitlines()
    assert [line.split(":")[0] for line in found] == ["worse", "better", "note"]
    assert verdict == "Mayfly is worse: 1 worse, 1 better, 1 notes"


def test_command_markdown(tmp_path):
    ended = run(tmp_path, BASE, changed(grown("msr_writes", 1)), "--markdown")
    assert ended.returncode == 1
    assert ended.stdout.startswith("### Mayfly is worse: 1 worse, 0 better, 0 notes\n")
    assert "\n- worse: q35, Mayfly: MSR writes 12 -> 13\n" in ended.stdout


def test_command_not_comparable(tmp_path):
    ended = run(tmp_path, BASE, changed(lambda data: data["versions"].update(qemu="8.0.0")))
    assert ended.returncode == 2
    assert "QEMU was 7.2.22 (Debian 1:7.2+dfsg-7), is 8.0.0" in ended.stdout
    assert ended.stdout.endswith("The runs cannot be compared\n")


def test_command_another_accelerator(tmp_path):
    """Counts are judged; times are told."""
    under_kvm = changed(lambda data: data["host"].update(accelerator="kvm", hypervisor=False))
    ended = run(tmp_path, BASE, under_kvm)
    assert ended.returncode == 0
    assert "times: told, not judged: the accelerator was tcg, is kvm" in ended.stdout
    assert ended.stdout.splitlines()[-1].startswith("Mayfly is not worse: 0 worse")
    row(under_kvm)["msr_writes"] += 1
    assert run(tmp_path, BASE, under_kvm).returncode == 1
    assert run(tmp_path, under_kvm, BASE).returncode == 0


def only(*machines) -> dict:
    """The results of a run with CASES= for these machines."""
    def change(data):
        data["selection"] = [f"{machine}*" for machine in machines]
        data["cases"] = [one for one in data["cases"] if one["machine"] in machines]
        kept = [one["id"] for one in data["cases"]]
        for part in ("floor", "results"):
            data[part] = [one for one in data[part] if one["case"] in kept]
    return changed(change)


@pytest.mark.parametrize("base, new", [
    (only("q35"), only("microvm")),
    (changed(lambda data: data["results"].clear()), BASE),
    (changed(lambda data: [one.update(status="failed", reason="x") for one in data["results"]]),
     changed(lambda data: [one.update(status="refused", reason="x") for one in data["results"]])),
])
def test_command_nothing_in_common(tmp_path, base, new):
    """Nothing is worse, and nothing was found to be no worse."""
    ended = run(tmp_path, base, new)
    assert ended.returncode == 2
    assert ended.stdout.splitlines()[-1].startswith("There is nothing to compare: ")


def test_command_something_in_common(tmp_path):
    """One machine is enough; rows that should be there are worse, not incomparable."""
    assert run(tmp_path, only("q35"), only("q35", "microvm")).returncode == 0
    assert run(tmp_path, BASE, only("microvm")).returncode == 0
    nothing = changed(lambda data: data["results"].clear())
    ended = run(tmp_path, BASE, nothing)
    assert ended.returncode == 1 and "the row: not measured any more" in ended.stdout


def test_command_bad_file(tmp_path):
    results.save(BASE, tmp_path / "base.json")
    (tmp_path / "new.json").write_text("{}")
    ended = subprocess.run([sys.executable, "-B", "-m", "bench.compare", tmp_path / "base.json",
                            tmp_path / "new.json"], cwd=ROOT, capture_output=True, text=True,
                           check=False)
    assert ended.returncode == 2 and "new.json" in ended.stderr
