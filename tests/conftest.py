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

KVM_TRIAL_SECONDS = 20
KVM_ANSWER = "MAYFLY_KVM_ANSWERS"  # the workers of xdist inherit what the first process found


def kvm_answers() -> bool:
    """True if the payload reports under KVM with a firmware that is not under test."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    with tempfile.TemporaryDirectory() as directory:
        try:
            report = guest.boot(Path(directory), "pc", words="keep", accel="kvm",
                                firmware=paths.QBOOT, timeout=KVM_TRIAL_SECONDS)
        except (GuestFailure, ConnectionError, OSError):
            return False
    return report.register("cr0") & 1 == 1


def pytest_addoption(parser):
    parser.addoption("--wide", choices=("without", "with", "only"),
                     default=os.environ.get("MAYFLY_WIDE", "without"),
                     help="run the tests marked wide too, or only them")


def pytest_configure():
    if (KVM_ANSWER not in os.environ and paths.QBOOT.exists()
            and (paths.PAYLOADS / "payload.bin").exists()):
        os.environ[KVM_ANSWER] = "yes" if kvm_answers() else "no"


def pytest_report_header():
    answer = os.environ.get(KVM_ANSWER, "not tried")
    without = "" if answer == "yes" else " (tests that need it are left out)"
    return [f"firmware: {paths.firmware()}", f"a payload runs under KVM: {answer}{without}"]


def is_chosen(item, choice: str) -> bool:
    """By --wide, and for tests under KVM by whether it answers."""
    if item.get_closest_marker("kvm") and os.environ.get(KVM_ANSWER) != "yes":
        return False
    wide = item.get_closest_marker("wide") is not None
    return choice == "with" or wide == (choice == "only")


def pytest_collection_modifyitems(config, items):
    choice = config.getoption("--wide")
    chosen = [i for i in items if is_chosen(i, choice)]
    dropped = [i for i in items if not is_chosen(i, choice)]
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = chosen


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
    """Prints what tests measured, and names the sentences that no test has seen."""
    for report in terminalreporter.stats.get("passed", []):
        for name, value in report.user_properties:
            if name == "figures":
                terminalreporter.write_line(value)
    if is_whole_run(config):
        for name in coverage.unseen():
            terminalreporter.write_line(f"no test has seen the sentence `{name}`", red=True)
