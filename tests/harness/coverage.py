# SPDX-License-Identifier: MIT
"""Whether every sentence of the firmware was provoked by a test."""

import re

from .paths import ROOT, SEEN

SENTENCES = ROOT / "include/core/sentences.hpp"
PLACEHOLDERS = {"%s": ".+", "%u": r"\d+", "%x": "0x[0-9a-f]+"}


def formats() -> dict[str, str]:
    """Every sentence in the source, by name."""
    source = SENTENCES.read_text(encoding="utf-8")
    return {name: "".join(re.findall(r'"([^"]*)"', literal)) for name, literal in
            re.findall(r"inline constexpr char (\w+)\[\] =(.*?);\n", source, re.DOTALL)}


def pattern(sentence: str) -> re.Pattern:
    """What the sentence looks like when it is said."""
    parts = re.split(r"(%[sux])", sentence)
    return re.compile("mayfly: " + "".join(
        PLACEHOLDERS.get(part, re.escape(part)) for part in parts))


def unseen() -> list[str]:
    """The names of the sentences that no test has seen in this run."""
    seen = {line for path in SEEN.rglob("*.txt")
            for line in path.read_text(encoding="utf-8").splitlines()}
    return [name for name, sentence in formats().items()
            if not any(pattern(sentence).fullmatch(line) for line in seen)]
