# SPDX-License-Identifier: MIT
"""Why rows have no figures, told once for all rows of a firmware with the same reason."""

FEW = 4  # cases whose IDs are listed; of more there is the number


def has_figures(row: dict) -> bool:
    """False for a row that only says why there is nothing."""
    return bool(row.keys() - {"case", "firmware", "status", "reason"})


def complaint(row: dict) -> str | None:
    """What a row that is not ok has to say."""
    return None if row.get("status", "ok") == "ok" else f"{row['status']}: {row['reason']}"


class Repeated:
    """The rows without figures whose words are those of another row too."""

    def __init__(self, data: dict):
        self._names = {firmware["id"]: firmware["name"] for firmware in data["firmwares"]}
        groups: dict[tuple, list[str]] = {}
        for row in data["results"]:
            if not has_figures(row) and complaint(row):
                groups.setdefault(self._key(row), []).append(row["case"])
        self._groups = {key: cases for key, cases in groups.items() if len(cases) > 1}

    @staticmethod
    def _key(row: dict) -> tuple:
        return row["firmware"], complaint(row)

    def has(self, row: dict) -> bool:
        """Whether `sentences` tells of this row."""
        return self._key(row) in self._groups and not has_figures(row)

    def sentences(self) -> list[str]:
        """One for each reason."""
        return [f"{self._names[firmware]}: {told} "
                f"({', '.join(cases) if len(cases) <= FEW else f'{len(cases)} cases'})"
                for (firmware, told), cases in self._groups.items()]
