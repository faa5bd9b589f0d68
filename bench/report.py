"""docs/benchmarks.md, made of what the benchmarks found: tables between its markers, and charts beside it.

    python -m bench.report [--take log loop …]

What stands between `<!-- begin: name -->` and `<!-- end: name -->` is written anew from bench/results/, all else stays.
`--take` runs these benchmarks first and keeps what they print (bench/results/<name>.md).
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench import charts
from bench.charts import Mark, Panel, Spot
from bench.peers.catalogue import PEERS, Peer
from bench.record import RESULTS, ROOT

PAGE = ROOT / "docs" / "benchmarks.md"
NOTHING = 1.0  # ms: where "nothing lost" stands on a logarithmic axis
LEAST = 50_000
Measure = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Entry:
    """Hold what was found of a tracker."""

    peer: Peer
    versions: Mapping[str, str]
    error: str | None
    measures: Mapping[str, Measure]
    least: float
    """How many points are enough to speak of a million."""

    @property
    def kind(self) -> str:
        """Return what it counts as on a chart."""
        return "own" if self.peer.name == "agnez" else "floor" if self.peer.floor else "peer"

    def middle(self, measure: str, key: str) -> float | None:
        """Return the median over the rounds; of a list, its median stands for the round."""
        found = [each[key] for each in self.measures.get(measure, ()) if each.get(key) is not None]
        return median(median(each) if isinstance(each, list) else each for each in found) if found else None

    def why(self, measure: str) -> str | None:
        """Return why there is no figure."""
        found = self.measures.get(measure) or [{}]
        return self.error or next((each["error"] for each in found if "error" in each), None)

    def million(self, measure: str) -> float | None:
        """Return seconds a million points, where enough were measured for fixed costs not to matter."""
        seconds, points = self.middle(measure, "seconds"), self.middle(measure, "points")
        return seconds / points * 1e6 if seconds and points and points >= self.least else None

    def oldest_lost(self) -> float | None:
        """Return the age of the oldest lost point in seconds, the median over the kills."""
        return self.middle("kill", "oldest_lost")


def main() -> None:
    """Write the page's tables and its charts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--take", nargs="+", default=[], metavar="BENCH", help="run these first, and keep their tables")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--page", type=Path, default=PAGE)
    arguments = parser.parse_args()
    for name in arguments.take:
        taken = subprocess.run([sys.executable, "-m", f"bench.{name}"], stdout=subprocess.PIPE, text=True, cwd=ROOT)
        if taken.returncode:
            sys.exit(f"bench.{name} ended with {taken.returncode}:\n{taken.stdout}")
        (arguments.results / f"{name}.md").write_text(fenced(taken.stdout.strip()) + "\n")
    pictures = arguments.page.parent / "pictures"
    arguments.page.write_text(renewed(arguments.page.read_text(), texts(arguments.results, pictures)))


def fenced(text: str) -> str:
    """Return what a benchmark printed as Markdown: tables are some already, columns of text become a block.

    >>> fenced("| a |"), fenced("a  1")
    ('| a |', '```text\\na  1\\n```')
    """
    return text if text.startswith("|") else f"```text\n{text}\n```"


def renewed(page: str, found: Mapping[str, str]) -> str:
    r"""Return the page with the text of each marker that is known.

    >>> renewed("<!-- begin: a -->\nold\n<!-- end: a -->", {"a": "new"})
    '<!-- begin: a -->\nnew\n<!-- end: a -->'
    """
    for name, text in found.items():
        pattern = re.compile(rf"(<!-- begin: {re.escape(name)} -->\n).*?(<!-- end: {re.escape(name)} -->)", re.DOTALL)
        page = pattern.sub(lambda match, text=text: f"{match[1]}{text.strip()}\n{match[2]}", page)
    return page


def texts(results: Path, pictures: Path) -> dict[str, str]:
    """Return the text for each marker, from those results that are there; draw the charts too."""
    found = {path.stem: path.read_text() for path in sorted(results.glob("*.md"))}
    makers: dict[str, Callable[[Any, Path], dict[str, str]]] = {"peers": of_peers, "kill": of_kills, "soak": of_soak}
    makers |= {"processes": of_processes, "viewers": of_viewers, "browsers": of_browsers}
    for name, maker in makers.items():
        path = results / f"{name}.json"
        if path.exists():
            found |= maker(json.loads(path.read_text()), pictures)
    return found


# --- the peers -------------------------------------------------------------------------------------------------------


def of_peers(record: Mapping[str, Any], pictures: Path) -> dict[str, str]:
    """Return the texts about the peers, and draw their charts."""
    known, least = record["peers"], LEAST * record["scale"]
    entries = [
        Entry(peer, each["versions"], each["error"], each["measures"], least)
        for peer in PEERS
        if (each := known.get(peer.name))
    ]
    draw_peers(entries, pictures)
    return {
        "peers": conditions(record, entries),
        "goals": goals(entries),
        "calls": picture("call", "What one log call costs, median and 99th percentile") + calls(entries),
        "ingest": picture("ingest", "Durable points a second of each tracker") + ingest(entries),
        "losses": picture("kill", "What a call costs against what a kill takes, a dot a tracker") + lost(entries),
        "reading": picture("read", "Seconds to read a million points, and bytes a point on disk") + reading(entries),
    }


def picture(name: str, says: str) -> str:
    """Return a chart's place in the page; `says` is for who can't see it."""
    return f"![{says}](pictures/bench-{name}.svg)\n\n"


def conditions(record: Mapping[str, Any], entries: Sequence[Entry]) -> str:
    """Tell where and with what it was measured, and which trackers could not be."""
    machine = record["machine"]
    versions = sorted({f"{name} {version}" for entry in entries for name, version in entry.versions.items()})
    text = (
        f"Taken on {record['taken']}: {machine['processor']}, {machine['cores']} cores, {machine['system']}, "
        f"Python {machine['python']}; {record['rounds']} rounds over all of them in turns, medians over the rounds. "
        f"{', '.join(versions)}."
    )
    if record["scale"] != 1:
        text += f" **A trial: all sizes were scaled by {record['scale']:g}, so do not quote these figures.**"
    failed = [f"- {entry.peer.title} could not be measured: `{entry.error}`" for entry in entries if entry.error]
    failed += [
        f"- {entry.peer.title}, {name}: `{entry.why(name)}`"
        for entry in entries
        for name in entry.measures
        if not entry.error and entry.why(name)
    ]
    wrong = [
        f"- {entry.peer.title}: {entry.middle(name, 'missing'):,.0f} points were missing and "
        f"{entry.middle(name, 'wrong'):,.0f} wrong when they were read back ({name})."
        for entry in entries
        for name in ("check-1", "check-100")
        if (entry.middle(name, "missing") or 0) + (entry.middle(name, "wrong") or 0)
    ]
    return "\n".join([text, *([""] if failed or wrong else []), *failed, *wrong])


def goals(entries: Sequence[Entry]) -> str:
    """Compare Agnez with what it promises and with the best peer."""
    return table(
        ["measure", "goal", "Agnez", "best peer", "Agnez is better by"],
        [_compared(entries, goal) for goal in GOALS],
    )


@dataclass(frozen=True, slots=True)
class Goal:
    """Hold a line of the goals: its figure of an entry, and how that is written.

    Where `gathered` is False those peers are left out whose calls only fill a list of the user's.
    """

    name: str
    promise: str
    figure: Callable[[Entry], float | None]
    write: Callable[[float], str]
    more_is_better: bool = False
    gathered: bool = True


def _compared(entries: Sequence[Entry], goal: Goal) -> list[str]:
    own = next((goal.figure(entry) for entry in entries if entry.kind == "own"), None)
    peers = [entry for entry in entries if entry.kind == "peer" and (goal.gathered or not entry.peer.gathers)]
    known = [(value, entry.peer.title) for entry in peers if (value := goal.figure(entry)) is not None]
    if own is None:
        return [goal.name, goal.promise, "–", "–", "–"]
    if not known:
        return [goal.name, goal.promise, f"**{goal.write(own)}**", "none has it", "–"]
    best, title = max(known) if goal.more_is_better else min(known)
    ratio = own / best if goal.more_is_better else best / own
    return [goal.name, goal.promise, f"**{goal.write(own)}**", f"{goal.write(best)} ({title})", times(ratio)]


def calls(entries: Sequence[Entry]) -> str:
    """Tell what a call costs."""
    rows = []
    for entry in entries:
        figures = [entry.middle(f"call-{n}", q) for n in (1, 100) for q in ("p50", "p99")]
        rows.append([_titled(entry), *(cell(value, micro) for value in figures)])
    return table(["", "one metric, p50", "p99", "100 metrics, p50", "p99"], rows)


def ingest(entries: Sequence[Entry]) -> str:
    """Tell how fast numbers reach the disk, and what they take there."""
    rows = []
    for entry in entries:
        if entry.middle("ingest-1", "points_per_s") is None and entry.middle("ingest-100", "points_per_s") is None:
            continue
        one, many = (
            f"{cell(entry.middle(name, 'points_per_s'), rate)}{of_points(entry, name)}"
            for name in ("ingest-1", "ingest-100")
        )
        size = cell(entry.middle("ingest-1", "bytes_per_point"), plain)
        size += " (no wall times)" if entry.peer.timeless else ""
        rows.append([_titled(entry), one, many, size])
    return table(["", "1 metric a call", "100 metrics a call", "bytes a point"], rows)


def lost(entries: Sequence[Entry]) -> str:
    """Tell what a kill takes."""
    rows = []
    for entry in entries:
        kills = [each for each in entry.measures.get("kill", ()) if "lost" in each]
        if kills:
            points, ages = [each["lost"] for each in kills], [each["oldest_lost"] for each in kills]
            reached = f"{median(each['rate'] for each in kills):,.0f}"
            worst = f"{median(points):,.0f}, {max(points):,}" if max(points) else "none"
            oldest = f"{seconds(median(ages))}, {seconds(max(ages))}" if max(points) else "–"
            rows.append([_titled(entry), reached, str(len(kills)), worst, oldest])
    head = ["", "steps/s reached", "kills", "points lost: median, most", "age of the oldest lost: median, most"]
    return table(head, rows)


def reading(entries: Sequence[Entry]) -> str:
    """Tell how fast series and lists come back."""
    rows = []
    for entry in entries:
        if entry.middle("read", "seconds") is None:
            continue
        read, view = (
            f"{cell(entry.middle(name, 'seconds'), seconds)}{of_points(entry, name)}" for name in ("read", "view")
        )
        runs = entry.middle("list", "runs")
        listed = f"{cell(entry.middle('list', 'seconds'), seconds)}{f' ({runs:,.0f} runs)' if runs else ''}"
        rows.append([_titled(entry), read, view, listed])
    return table(["", "read 1 M points", "view 1 M points in 2,000", "list runs of 50 metrics"], rows)


def listing(entry: Entry) -> float | None:
    """Return seconds a thousand runs."""
    seconds_, runs = entry.middle("list", "seconds"), entry.middle("list", "runs")
    return seconds_ / runs * 1000 if seconds_ and runs else None


def bytes_per_point(entry: Entry) -> float | None:
    """Return what a point takes on disk, with its wall time."""
    return None if entry.peer.timeless else entry.middle("ingest-1", "bytes_per_point")


def of_points(entry: Entry, measure: str) -> str:
    """Name the size where it is not the common one."""
    points = entry.middle(measure, "points")
    return f" (of {points:,.0f})" if points and points != 1_000_000 else ""


def draw_peers(entries: Sequence[Entry], pictures: Path) -> None:
    """Draw the charts of the peers."""

    def marks(measure: str, key: str, write: Callable[[float], str], far: str | None = None) -> list[Mark]:
        found = []
        for entry in entries:
            value = entry.middle(measure, key)
            if value is None or (measure.startswith("call") and entry.peer.gathers):
                continue
            if key == "bytes_per_point" and entry.peer.timeless:
                continue
            end = entry.middle(measure, far) if far else None
            written = f"{write(value)}, p99 {write(end)}" if end else write(value)
            found.append(Mark(entry.peer.title, value, written, entry.kind, end))
        return found

    def million(measure: str) -> list[Mark]:
        pairs = [(entry, entry.million(measure)) for entry in entries]
        return [Mark(e.peer.title, value, seconds(value), e.kind) for e, value in pairs if value is not None]

    one, many = marks("call-1", "p50", micro, "p99"), marks("call-100", "p50", micro, "p99")
    panels = [Panel("one metric", one, micro, goal=1.5), Panel("100 metrics", many, micro, goal=15)]
    _ranked(pictures, "call", "What one log call costs the loop", panels)
    panels = [
        Panel("1 metric a call", marks("ingest-1", "points_per_s", rate), charts.short, 250_000, True),
        Panel("100 metrics a call", marks("ingest-100", "points_per_s", rate), charts.short, 1_500_000, True),
    ]
    _ranked(pictures, "ingest", "Durable points a second, from the first log to finish", panels)
    panels = [
        Panel("a million points read", million("read"), seconds, goal=0.05),
        Panel("bytes a point on disk", marks("ingest-1", "bytes_per_point", plain), plain, goal=12),
    ]
    _ranked(pictures, "read", "Reading a series, and what it takes on disk", panels)
    spots = []
    for entry in entries:
        cost, age = entry.middle("call-1", "p50"), entry.oldest_lost()
        if cost is not None and age is not None and not entry.peer.gathers:
            spots.append(Spot(entry.peer.title, cost, max(age * 1e3, NOTHING), entry.kind))
    if spots:
        charts.plane(
            pictures / "bench-kill.svg",
            "What a call costs, and what kill -9 takes",
            spots,
            x="one log call, p50, µs",
            y="age of the oldest point lost, ms",
            bottom=(NOTHING, "nothing lost"),
        )


def _ranked(pictures: Path, name: str, title: str, panels: Sequence[Panel]) -> None:
    drawn = [panel for panel in panels if panel.marks]
    if drawn:
        charts.ranked(pictures / f"bench-{name}.svg", title, drawn)


# --- Agnez alone -----------------------------------------------------------------------------------------------------


def of_kills(record: Mapping[str, Any], pictures: Path) -> dict[str, str]:
    """Return the table of bench/kill.py."""
    from bench.kill import table as kill_table

    return {"kill": kill_table(record["kills"])}


def of_processes(record: Mapping[str, Any], pictures: Path) -> dict[str, str]:
    """Return the table of bench/processes.py."""
    from bench.processes import table as processes_table

    return {"processes": processes_table(record)}


def of_viewers(record: Mapping[str, Any], pictures: Path) -> dict[str, str]:
    """Return the tables of bench/viewers.py."""
    from bench.viewers import table as viewers_table

    return {"viewers": viewers_table(record)}


def of_browsers(record: Mapping[str, Any], pictures: Path) -> dict[str, str]:
    """Return the table of bench/peers/browsers.py."""
    from bench.peers.browsers import table as browsers_table

    return {"browsers": browsers_table(record)}


def of_soak(record: Mapping[str, Any], pictures: Path) -> dict[str, str]:
    """Return the table of bench/soak.py, and draw its memory."""
    from bench.soak import table as soak_table

    memory = record["memory"]
    charts.course(
        pictures / "bench-memory.svg",
        f"Memory of a process that logs {record['points'] / record['seconds']:,.0f} points a second",
        record["seconds"],
        memory,
        unit="MB",
        written=f"{memory[-1]:.0f} MB",
    )
    return {"soak": picture("memory", "Memory of the process over the time") + soak_table(record)}


# --- words for figures -----------------------------------------------------------------------------------------------


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def cell(value: float | None, write: Callable[[float], str]) -> str:
    """Write a figure that may not be there."""
    return "–" if value is None else write(value)


def micro(value: float) -> str:
    """Write microseconds.

    >>> micro(0.06), micro(6.21), micro(127.4), micro(8161)
    ('0.06 µs', '6.2 µs', '127 µs', '8.2 ms')
    """
    if value >= 1e6:
        return f"{digits(value / 1e6)} s"
    if value >= 1000:
        return f"{digits(value / 1000)} ms"
    return f"{digits(value)} µs"


def seconds(value: float) -> str:
    """Write seconds.

    >>> seconds(2.21), seconds(0.0213), seconds(0.00031), seconds(0)
    ('2.2 s', '21 ms', '0.31 ms', '0 ms')
    """
    return f"{digits(value)} s" if value >= 1 else f"{digits(value * 1e3)} ms"


def rate(value: float) -> str:
    """Write points a second.

    >>> rate(49_123), rate(1_512_345), rate(239.6)
    ('49,000/s', '1,510,000/s', '240/s')
    """
    size = 1000 if value >= 10_000 else 10 if value >= 100 else 1
    size = 10_000 if value >= 1e6 else size
    return f"{round(value / size) * size:,}/s"


def plain(value: float) -> str:
    """Write a number that has no unit."""
    return digits(value)


def digits(value: float) -> str:
    """Write two digits, or all that stand before the point.

    >>> digits(0.062), digits(6.21), digits(21.3), digits(1234.5)
    ('0.06', '6.2', '21', '1,234')
    """
    if value >= 10:
        return f"{value:,.0f}"
    return f"{value:.2g}" if value >= 1 else f"{value:.2f}".rstrip("0").rstrip(".") or "0"


def times(ratio: float) -> str:
    """Write a ratio.

    >>> times(4.13), times(44.8), times(0.8)
    ('4.1×', '45×', '0.8×')
    """
    return f"{digits(ratio)}×"


def _titled(entry: Entry) -> str:
    marks = {"own": "**", "floor": "*", "peer": ""}
    return f"{marks[entry.kind]}{entry.peer.title}{marks[entry.kind]}"


GOALS = (
    Goal("one `log` of one metric, p50", "≤ 1.5 µs", lambda e: e.middle("call-1", "p50"), micro, gathered=False),
    Goal("the same, p99", "≤ 10 µs", lambda e: e.middle("call-1", "p99"), micro, gathered=False),
    Goal("one `log` of 100 metrics, p50", "≤ 15 µs", lambda e: e.middle("call-100", "p50"), micro, gathered=False),
    Goal(
        "durable ingest, 1 metric a call",
        "≥ 250,000/s",
        lambda e: e.middle("ingest-1", "points_per_s"),
        rate,
        more_is_better=True,
    ),
    Goal(
        "durable ingest, 100 metrics a call",
        "≥ 1,500,000/s",
        lambda e: e.middle("ingest-100", "points_per_s"),
        rate,
        more_is_better=True,
    ),
    Goal("read 1 M points of one metric", "≤ 50 ms", lambda e: e.million("read"), seconds),
    Goal("2,000-point view of 1 M points", "", lambda e: e.million("view"), seconds),
    Goal("2,000-point view of 10 M points", "≤ 20 ms", lambda e: e.middle("wide", "seconds"), seconds),
    Goal("list 1,000 runs of 50 metrics", "≤ 100 ms", listing, seconds),
    Goal("bytes a point", "≤ 12", bytes_per_point, plain),
)


if __name__ == "__main__":
    main()
