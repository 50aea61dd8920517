# SPDX-License-Identifier: MIT
"""Reads, checks and writes results.json, whose fields results.schema.json describes.

As a command, checks files and prints what is wrong with them:

    python3 -m bench.results FILE ...
"""

import json
import math
import sys
from pathlib import Path

import jsonschema

from . import statistics

SCHEMA = Path(__file__).with_name("results.schema.json")
MARKS = ("reset", "chipset", "platform", "tables", "loading", "loaded", "entry")
OURS = ("mayfly", "mayfly-full")
REFERENCE = "qboot"
MEDIAN_TOLERANCE_MS = 0.01  # files may round


class Invalid(Exception):
    """Not the results of a run; the text has one line for each thing that is wrong."""


def _schema_faults(data) -> list[str]:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    faults = jsonschema.Draft202012Validator(schema).iter_errors(data)
    return [f"{fault.json_path}: {fault.message}" for fault in sorted(faults, key=str)]


def _repeated(values) -> list:
    values = list(values)
    return sorted({str(value) for value in values if values.count(value) > 1})


def _row_faults(row: dict, rounds: dict[str, int]) -> list[str]:
    name = f"{row['case']}, {row['firmware']}"
    faults = []
    accesses = row.get("accesses")
    if accesses and accesses["total"] != sum(accesses["by_device"].values()):
        faults.append(f"{name}: accesses by device do not add up to {accesses['total']}")
    if "time" in row:
        samples = len(row["time"]["samples_ms"])
        if samples > rounds.get(row["case"], 0):
            faults.append(f"{name}: {samples} rounds, but its floor has "
                          f"{rounds.get(row['case'], 'none')}")
    times = [row["timeline"][mark] for mark in MARKS] if "timeline" in row else []
    if times != sorted(times):
        faults.append(f"{name}: the timeline goes backwards")
    return faults


def _reference_faults(data: dict) -> list[str]:
    """What the schema cannot say: that names and numbers agree with each other."""
    cases = [case["id"] for case in data["cases"]]
    firmwares = [firmware["id"] for firmware in data["firmwares"]]
    floors = [floor["case"] for floor in data["floor"]]
    rows = [(row["case"], row["firmware"]) for row in data["results"]]
    faults = [f"{what} {one} is there twice"
              for what, ids in (("case", cases), ("firmware", firmwares), ("floor of", floors),
                                ("row", rows))
              for one in _repeated(ids)]
    faults += [f"floor of an unknown case {case}" for case in floors if case not in cases]
    faults += [f"row of an unknown case {case}" for case, _ in rows if case not in cases]
    faults += [f"row of an unknown firmware {one}" for _, one in rows if one not in firmwares]
    for floor in data["floor"]:
        if not math.isclose(floor["median_ms"], statistics.median(floor["samples_ms"]),
                            abs_tol=MEDIAN_TOLERANCE_MS):
            faults.append(f"floor of {floor['case']}: median_ms is not the median of its samples")
    rounds = {floor["case"]: len(floor["samples_ms"]) for floor in data["floor"]}
    for row in data["results"]:
        faults += _row_faults(row, rounds)
    return faults


def validate(data) -> None:
    """Raises Invalid unless this is what the schema describes and it agrees with itself."""
    faults = _schema_faults(data) or _reference_faults(data)
    if faults:
        raise Invalid("\n".join(faults))


def _refuse_constant(name: str):
    raise ValueError(f"{name} is no figure")


def load(path) -> dict:
    """The results in a file."""
    try:
        text = Path(path).read_text(encoding="utf-8")
        data = json.loads(text, parse_constant=_refuse_constant)
    except (OSError, ValueError) as error:
        raise Invalid(f"{path}: {error}") from error
    try:
        validate(data)
    except Invalid as error:
        raise Invalid("\n".join(f"{path}: {line}" for line in str(error).splitlines())) from error
    return data


def save(data: dict, path) -> None:
    """Writes valid results; the file is there whole or not at all."""
    validate(data)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f"{path.name}.part")
    half.write_text(json.dumps(data, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    half.replace(path)


def find_row(data: dict, case: str, firmware: str) -> dict | None:
    """The row of a case and a firmware."""
    return next((row for row in data["results"]
                 if (row["case"], row["firmware"]) == (case, firmware)), None)


def find_floor(data: dict, case: str) -> dict | None:
    """The floor of a case."""
    return next((floor for floor in data["floor"] if floor["case"] == case), None)


def main() -> int:
    """Checks the files named on the command line."""
    status = 0
    for path in sys.argv[1:]:
        try:
            load(path)
            print(f"{path}: valid")
        except Invalid as error:
            print(error)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
