# SPDX-License-Identifier: MIT
"""Starts one QEMU for one guest and ends it, whatever happens."""

import json
import os
import shlex
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from . import paths

PROGRAM = os.environ.get("MAYFLY_QEMU", "qemu-system-x86_64")
FIRMWARE_PORT = 0x402
REPORT_PORT = 0xE9
EXIT_PORT = 0xF4

# isa-debug-exit ends QEMU with (value << 1) | 1.
PAYLOAD_GOOD = 0x10 << 1 | 1
PAYLOAD_EXCEPTION = 0x11 << 1 | 1

POLL = 0.005
PATIENCE = float(os.environ.get("MAYFLY_TIMEOUT", "60"))  # seconds, on a busy host
LAST_ANSWER_SECONDS = 5  # for QMP at the time limit


class GuestFailure(AssertionError):
    """The guest did not do what a test waited for."""


class Qmp:
    """A client of the QEMU Machine Protocol."""

    def __init__(self, address: Path, deadline: float):
        self._socket = self._connect(address, deadline)
        self._lines = self._socket.makefile("r", encoding="utf-8")
        self._events: list[dict] = []
        json.loads(self._lines.readline())
        self.command("qmp_capabilities")

    @staticmethod
    def _connect(address: Path, deadline: float) -> socket.socket:
        while True:
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(max(deadline - time.monotonic(), LAST_ANSWER_SECONDS))
            try:
                connection.connect(str(address))
                return connection
            except OSError:
                connection.close()
                if time.monotonic() > deadline:
                    raise
                time.sleep(POLL)

    def _receive(self) -> dict:
        line = self._lines.readline()
        if not line:
            raise ConnectionError("QEMU closed the QMP connection")
        return json.loads(line)

    def command(self, name: str, **arguments):
        """Executes a command and returns its result."""
        message = {"execute": name, "arguments": arguments} if arguments else {"execute": name}
        self._socket.sendall(json.dumps(message).encode() + b"\n")
        while True:
            answer = self._receive()
            if "event" in answer:
                self._events.append(answer)
            elif "error" in answer:
                raise GuestFailure(f"QMP {name}: {answer['error']['desc']}")
            else:
                return answer["return"]

    def wait_event(self, name: str) -> dict:
        """Returns the first event of this name that was not yet returned."""
        while True:
            for event in self._events:
                if event["event"] == name:
                    self._events.remove(event)
                    return event
            self._events.append(self._receive())

    def close(self) -> None:
        """Ends the connection."""
        self._lines.close()
        self._socket.close()


class Qemu:
    """One QEMU process.

    `firmware_as` is "bios" or "pflash"; without `debug_port` there is no port 0x402, and without
    `exit_size` no isa-debug-exit, which else takes so many ports from 0xf4 on. `program` is the
    QEMU, if not the installed one.
    """

    def __init__(self, machine, args=(), firmware: Path | None = None, accel: str = "tcg",
                 timeout: float = PATIENCE, firmware_as: str = "bios",
                 debug_port: bool = True, exit_size: int = 4, program: str | Path = PROGRAM):
        self.machine = machine if isinstance(machine, str) else ",".join(machine)
        self.accel = accel
        self.timeout = timeout
        self._firmware = firmware or paths.firmware()
        self._firmware_as = firmware_as
        self._debug_port = debug_port
        self._exit_size = exit_size
        self._program = str(program)
        self._args = [str(a) for a in args]
        self._process: subprocess.Popen | None = None
        self._qmp: Qmp | None = None
        self._deadline = 0.0

    def _command(self) -> list[str]:
        d = self.directory
        firmware = (["-bios", str(self._firmware)] if self._firmware_as == "bios" else
                    ["-drive", f"if=pflash,format=raw,readonly=on,file={self._firmware}"])
        debug_port = ["-chardev", f"file,id=firmware,path={d / 'debug'}",
                      "-device", f"isa-debugcon,iobase={FIRMWARE_PORT:#x},chardev=firmware"]
        exit_port = ["-device",
                     f"isa-debug-exit,iobase={EXIT_PORT:#x},iosize={self._exit_size}"]
        return [self._program, "-nodefaults", "-no-user-config", "-display", "none",
                "-machine", self.machine, "-accel", self.accel, *firmware,
                *(debug_port if self._debug_port else []),
                "-chardev", f"file,id=report,path={d / 'report'}",
                "-device", f"isa-debugcon,iobase={REPORT_PORT:#x},chardev=report",
                *(exit_port if self._exit_size else []),
                "-serial", f"file:{d / 'serial'}",
                "-qmp", f"unix:{d / 'qmp'},server=on,wait=off",
                *self._args]

    def __enter__(self) -> "Qemu":
        # Not pytest's tmp_path: the name of a socket may have at most 107 characters.
        self.directory = Path(tempfile.mkdtemp(prefix="mayfly-"))
        for name in ("debug", "report", "serial"):
            (self.directory / name).touch()
        self.command_line = self._command()
        self._deadline = time.monotonic() + self.timeout
        with open(self.directory / "errors", "wb") as errors:
            try:
                self._process = subprocess.Popen(self.command_line, stdin=subprocess.DEVNULL,
                                                 stdout=errors, stderr=errors)
            except OSError:
                shutil.rmtree(self.directory)
                raise
        return self

    def __exit__(self, *_) -> None:
        if self._qmp:
            self._qmp.close()
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        shutil.rmtree(self.directory)

    def _text(self, name: str) -> str:
        return (self.directory / name).read_text(encoding="latin-1")

    @property
    def debug(self) -> str:
        """What the firmware wrote to port 0x402."""
        return self._text("debug")

    @property
    def serial(self) -> str:
        """What the guest wrote to COM1."""
        return self._text("serial")

    @property
    def report(self) -> bytes:
        """What the payload wrote to its port."""
        return (self.directory / "report").read_bytes()

    @property
    def errors(self) -> str:
        """What QEMU itself said."""
        return self._text("errors")

    @property
    def pid(self) -> int:
        """The process id of QEMU."""
        return self._process.pid

    def fail(self, reason: str) -> GuestFailure:
        """A failure with everything that is known about this guest."""
        report = self.report[-2000:].decode("latin-1")
        return GuestFailure(
            f"{reason}\ncommand line: {shlex.join(self.command_line)}\n"
            f"QEMU: {self.errors}\ndebug: {self.debug[-2000:]}\nserial: {self.serial[-2000:]}\n"
            f"report (end): {report}")

    def exit_status(self) -> int | None:
        """The exit status of QEMU, None while it runs."""
        return self._process.poll()

    def wait(self) -> int:
        """Waits until QEMU exits and returns its status."""
        try:
            return self._process.wait(max(self._deadline - time.monotonic(), POLL))
        except subprocess.TimeoutExpired:
            raise self.fail(f"QEMU did not exit within {self.timeout} s") from None

    def wait_until(self, condition, what: str):
        """Waits until `condition()` is true and returns it; fails if QEMU exits before or hangs."""
        while True:
            exited = self._process.poll() is not None
            result = condition()
            if result:
                return result
            if exited:
                raise self.fail(f"QEMU exited ({self._process.returncode}) before {what}")
            if time.monotonic() > self._deadline:
                raise self.fail(f"no {what} within {self.timeout} s")
            time.sleep(POLL)

    def _connection(self) -> Qmp:
        if self._qmp is None:
            self._qmp = Qmp(self.directory / "qmp", self._deadline)
        return self._qmp

    def qmp(self, command: str, **arguments):
        """Executes a QMP command."""
        return self._connection().command(command, **arguments)

    def hmp(self, line: str) -> str:
        """Executes a line of the human monitor."""
        return self.qmp("human-monitor-command", **{"command-line": line})

    def wait_event(self, name: str) -> dict:
        """Waits for a QMP event."""
        try:
            return self._connection().wait_event(name)
        except (OSError, ConnectionError) as error:
            raise self.fail(f"no QMP event {name}: {error}") from None

    def instruction_pointers(self) -> list[str]:
        """Where each CPU is, and whether it is halted (HLT=1); or that QEMU does not say it."""
        try:
            lines = self.hmp("info registers -a").splitlines()
        except (OSError, ValueError, GuestFailure) as error:
            return [f"QMP does not answer: {error}"]
        return [line.strip() for line in lines if line.startswith(("RIP=", "EIP="))]

    def read_memory(self, address: int, size: int) -> bytes:
        """Guest-physical memory."""
        target = self.directory / "memory"
        self.qmp("pmemsave", val=address, size=size, filename=str(target))
        return target.read_bytes()
