# SPDX-License-Identifier: MIT
"""What all tests share: the choice of tests and the check that their parts were built."""

import os
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from harness import coverage, guest, paths  # noqa: E402  (needs the path above)
from harness.qemu import GuestFailure  # noqa: E402

KVM_DEVICE = "/dev/kvm"
KVM_TRIALS = 2  # a busy host may be late once
KVM_TRIAL_SECONDS = 20
KVM_ANSWER = "MAYFLY_KVM_ANSWERS"  # the workers of xdist inherit what the first process found
LEFT_OUT = "left out"  # by which name a worker says it

left_out: set[str] = set()  # the tests that would have run if a payload ran under KVM


def reports_under_kvm() -> bool:
    """True if the payload does, once, with a firmware that is not under test."""
    with tempfile.TemporaryDirectory() as directory:
        try:
            report = guest.boot(Path(directory), "pc", words="keep", accel="kvm",
                                firmware=paths.QBOOT, timeout=KVM_TRIAL_SECONDS)
        except (GuestFailure, ConnectionError, OSError):
            return False
    return report.register("cr0") & 1 == 1


def kvm_answer() -> str:
    """Whether a payload runs under KVM: yes, or no and why."""
    if not os.path.exists(KVM_DEVICE):
        return f"no, there is no {KVM_DEVICE}"
    if not os.access(KVM_DEVICE, os.R_OK | os.W_OK):
        return f"no, {KVM_DEVICE} may not be opened"
    if any(reports_under_kvm() for _ in range(KVM_TRIALS)):
        return "yes"
    return f"no, it did not report in {KVM_TRIALS} trials of {KVM_TRIAL_SECONDS} s"


def pytest_addoption(parser):
    parser.addoption("--wide", choices=("without", "with", "only"),
                     default=os.environ.get("MAYFLY_WIDE", "without"),
                     help="run the tests marked wide too, or only them")


def pytest_configure():
    if (KVM_ANSWER not in os.environ and paths.QBOOT.exists()
            and (paths.PAYLOADS / "payload.bin").exists()):
        os.environ[KVM_ANSWER] = kvm_answer()


def said_of_kvm() -> str:
    """What the first process found, as a sentence."""
    return f"a payload runs under KVM: {os.environ.get(KVM_ANSWER, 'not tried')}"


def pytest_report_header():
    return [f"firmware: {paths.firmware()}", said_of_kvm()]


def is_chosen(item, choice: str) -> bool:
    """By --wide."""
    wide = item.get_closest_marker("wide") is not None
    return choice == "with" or wide == (choice == "only")


def is_without_kvm(item) -> bool:
    """True for a test that needs KVM where it does not answer."""
    return item.get_closest_marker("kvm") is not None and os.environ.get(KVM_ANSWER) != "yes"


@pytest.hookimpl(trylast=True)  # -k and -m have chosen: what is counted would run
def pytest_collection_modifyitems(config, items):
    choice = config.getoption("--wide")
    chosen = [i for i in items if is_chosen(i, choice)]
    able = [i for i in chosen if not is_without_kvm(i)]
    left_out.update(i.nodeid for i in chosen if is_without_kvm(i))
    if hasattr(config, "workeroutput"):
        config.workeroutput[LEFT_OUT] = sorted(left_out)
    dropped = set(items) - set(able)
    if dropped:
        config.hook.pytest_deselected(items=list(dropped))
        items[:] = able


@pytest.hookimpl(optionalhook=True)  # of xdist, whose workers collect the same each
def pytest_testnodedown(node):
    output = getattr(node, "workeroutput", None) or {}
    left_out.update(output.get(LEFT_OUT, []))


@pytest.fixture(scope="session", autouse=True)
def built_parts():
    """Fails at once, in one line, where something was not built."""
    for path in (paths.firmware(), paths.PAYLOADS / "payload.bin", paths.QBOOT):
        assert path.exists(), f"{path} is missing: run make first"


def is_whole_run(config) -> bool:
    """True in the process that sees all tests end, if none was left out by name or folder."""
    is_worker = hasattr(config, "workerinput")
    return not is_worker and not config.getoption("keyword") and config.args == ["tests"]


def pytest_sessionfinish(session, exitstatus):
    """A sentence that no test has seen fails the tests."""
    if is_whole_run(session.config) and exitstatus == 0 and coverage.unseen():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter, config):
    """Prints what tests measured, and names the sentences that no test has seen; says what was left
    out, because the header is not printed with -q."""
    for report in terminalreporter.stats.get("passed", []):
        for name, value in report.user_properties:
            if name == "figures":
                terminalreporter.write_line(value)
    if left_out:
        terminalreporter.write_line(
            f"{said_of_kvm()}; {len(left_out)} tests that need it are left out", yellow=True)
    if is_whole_run(config):
        for name in coverage.unseen():
            terminalreporter.write_line(f"no test has seen the sentence `{name}`", red=True)
