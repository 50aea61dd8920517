# SPDX-License-Identifier: MIT
"""One line of a verdict, and what it means for the whole."""

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What a finding means for the verdict; only the first fails."""

    WORSE = "worse"
    BETTER = "better"
    TOLD = "note"


@dataclass(frozen=True)
class Finding:
    """One line of the verdict."""

    kind: Kind
    subject: str
    text: str

    def __str__(self) -> str:
        return f"{self.kind.value}: {self.subject}: {self.text}"
