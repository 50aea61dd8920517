# SPDX-License-Identifier: MIT
"""Says on stderr how far a run is."""

import sys
import threading
import time

REDRAW_SECONDS = 0.2
LOG_SECONDS = 30  # where lines cannot be rewritten
LINE = 79


class Progress:
    """Lines that stay, and one that says what is done now: on a terminal it is rewritten.

    Several threads may use it.
    """

    def __init__(self, stream=sys.stderr):
        self._stream = stream
        self._begin = time.monotonic()
        self._drawn = self._begin
        self._lock = threading.Lock()

    def _elapsed(self) -> str:
        minutes, seconds = divmod(int(time.monotonic() - self._begin), 60)
        return f"{minutes:2}:{seconds:02}"

    def _write(self, text: str, end: str) -> None:
        line = f"bench {self._elapsed()}  {text}"
        if self._stream.isatty():
            line = f"\r{line[:LINE]:{LINE}}"
        self._stream.write(line + end)
        self._stream.flush()

    def say(self, text: str) -> None:
        """A line that stays."""
        with self._lock:
            self._write(text, "\n")

    def passing(self, text: str) -> None:
        """What is being done now, not more often than one can read."""
        with self._lock:
            now = time.monotonic()
            terminal = self._stream.isatty()
            if now - self._drawn > (REDRAW_SECONDS if terminal else LOG_SECONDS):
                self._drawn = now
                self._write(text, "" if terminal else "\n")
