"""Write the golden points messages that both languages read: `python tests/wire/make.py`.

Only `struct` and `json` are used, so that the messages do not depend on the code that they test.
`expected.json` says of each file which messages a reader must find in it, or `"refused"` where it must refuse.
"""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
Columns = tuple[list[float], ...]  # steps, values, times, and where the metric has an axis of its own: x

MESSAGES: dict[str, tuple[str, str, bool, dict[str, Columns]]] = {
    "plain": (
        "20260101-brave-heron",
        "5",
        False,
        {
            "train/loss": ([0, 1, 2], [2.302585092994046, 1.5, 0.1], [1767225600.0, 1767225600.25, 1767225600.5]),
            "val/loss": ([1, 2], [1.75, 0.30000000000000004], [1767225600.25, 1767225600.5]),
        },
    ),
    "empty": ("quiet", "0", False, {}),
    "no-points": ("quiet", "7", False, {"loss": ([], [], [])}),
    "non-finite": (
        "diverged",
        "4",
        False,
        {"loss": ([10, 11, 12, 13], [1.0, math.nan, math.inf, -math.inf], [1.0, 2.0, 3.0, 4.0])},
    ),
    "decimated": (
        "long",
        "9007199254740993",
        True,
        {"batch/loss": ([0, 999_999, 1_000_000], [9.5, -1e-300, 1.7976931348623157e308], [0.0, 1.5, 3.0])},
    ),
    "out-of-order": ("rewound", "3", False, {"loss": ([5, 3, 5], [0.5, 0.3, 0.25], [1.0, 2.0, 3.0])}),
    "with-after": ("followed", "5", False, {"loss": ([3, 4], [0.75, 0.5], [1.0, 1.25])}),
    "nothing-new": ("followed", "9", False, {"loss": ([], [], []), "val/loss": ([], [], [])}),
    "several-files": ("forked", "12,process-71-0a1b=4", False, {"loss": ([0], [1.0], [2.0])}),
    "with-axes": (
        "declared",
        "8",
        False,
        {
            "train/loss": ([0, 1], [2.0, 1.0], [10.0, 11.0]),
            "val/loss": ([4, 5, 9], [1.5, 1.25, 1.0], [12.0, 13.0, 14.0], [math.nan, 1.0, 2.5]),
            "val/größe": ([4], [7.0], [12.0], [1.5]),
        },
    ),
    "other-alphabets": ("λάμδα", "1", False, {"Verlust/größe π": ([0], [3.141592653589793], [1.0])}),
}


FOLLOWED = {"with-after": "3", "nothing-new": "5"}
"""Messages of the socket, which name the cursor that they follow."""

AXES = {"val/loss": "epoch", "val/größe": "relative"}
"""The axes of the metrics that have a fourth column."""


BUNDLES = {"bundle": ("with-after", "nothing-new", "with-axes", "non-finite")}
"""Messages that stand one behind the other in one."""


def message(
    run: str, cursor: str, decimated: bool, series: dict[str, Columns], version: int = 2, after: str | None = None
) -> bytes:
    """Write one points message, column by column."""
    facts: dict[str, object] = {"run": run, "cursor": cursor} | ({} if after is None else {"after": after})
    facts["series"] = [[name, len(columns[0]), *axis(name, columns)] for name, columns in series.items()]
    header = json.dumps(facts, ensure_ascii=False, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    numbers = [number for columns in series.values() for column in columns for number in column]
    head = struct.pack("<BBHI8x", version, int(decimated), 0, len(header))
    return head + header + struct.pack(f"<{len(numbers)}d", *numbers)


def axis(name: str, columns: Columns) -> list[str]:
    """Return the axis of a series in a list, empty where it has none of its own."""
    return [AXES[name]] if len(columns) > 3 else []


def said(number: float) -> float | str:
    """Say a number in JSON, as the wire does: non-finite ones by name."""
    if math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def main() -> None:
    """Write the messages and what is in them."""
    expected: dict[str, Any] = {}
    for name, (run, cursor, decimated, series) in MESSAGES.items():
        (HERE / f"{name}.bin").write_bytes(message(run, cursor, decimated, series, after=FOLLOWED.get(name)))
        columns = [
            [metric, *([said(number) for number in column] for column in each), *axis(metric, each)]
            for metric, each in series.items()
        ]
        facts = {"run": run, "cursor": cursor, "after": FOLLOWED.get(name), "decimated": decimated}
        expected[name] = [{**facts, "series": columns}]
    for name, parts in BUNDLES.items():
        (HERE / f"{name}.bin").write_bytes(b"".join((HERE / f"{part}.bin").read_bytes() for part in parts))
        expected[name] = [message for part in parts for message in expected[part]]
    plain = message(*MESSAGES["plain"])
    refused = {
        "refused-later-version": message(*MESSAGES["plain"], version=3),
        "refused-cut-short": plain[:-8],
        "refused-cut-in-the-head": plain[:10],
        "refused-too-long": plain + bytes(8),
        "refused-bundle-cut-short": plain + plain[:-8],
    }
    for name, broken in refused.items():
        (HERE / f"{name}.bin").write_bytes(broken)
        expected[name] = "refused"
    (HERE / "expected.json").write_text(json.dumps(expected, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
