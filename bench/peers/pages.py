"""What is known of each tracker's page: where its chart is, and how to ask it what it shows.

All that stands here is JavaScript that only looks; the pages are driven by mouse and by address, as people do it.
"""

from __future__ import annotations

import json
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Page:
    """Name what a page has: `chart` is a selector, the rest expressions of JavaScript.

    `newest` is the step of the newest point that the page has, and `moment` since when (in milliseconds), `lines` and
    `points` say what lies in the chart, `axis` is what its horizontal axis shows. `before` runs before the page's own
    scripts. `address` makes the path from the store and from how many runs are wanted, `loaded` waits until the server
    has read so many runs of so many points.
    """

    chart: str
    newest: str
    lines: str
    points: str
    axis: str
    moment: str = "performance.timeOrigin + performance.now()"
    before: str = ""
    address: Callable[[Path, int], str] = lambda folder, runs: ""
    loaded: Callable[[str, int, int], None] = lambda server, runs, points: None


def _agnez_address(folder: Path, runs: int) -> str:
    import agnez

    if runs == 0:
        return ""
    ids = [run.id for run in agnez.open(folder).runs()]
    return f"?run={ids[0]}" + (f"#v=1&over={','.join(ids[1:])}" if len(ids) > 1 else "")


def _tensorboard_loaded(server: str, runs: int, points: int) -> None:
    """Wait until TensorBoard has the last point of each run: it reads its files in the background."""
    names = [f"run-{run:02}" for run in range(runs)] if runs > 1 else ["main"]
    for name in names:
        query = urllib.parse.urlencode({"tag": "loss", "run": name})
        while True:
            try:
                with urllib.request.urlopen(f"{server}data/plugin/scalars/scalars?{query}", timeout=60) as answer:
                    if (found := json.load(answer)) and found[-1][1] == points - 1:
                        break
            except OSError:  # it knows nothing of the run yet
                pass
            time.sleep(0.2)


_KEEP = """
window.told = {};
window.keep = (text) => { window.told = { text, at: performance.timeOrigin + performance.now() }; };
window.read = (of) => (window.told.read ??= window.told.text === undefined ? [] : of(JSON.parse(window.told.text)));
"""

_TENSORBOARD = (
    _KEEP
    + """
localStorage.setItem("_tb_global_settings", JSON.stringify({ autoReload: true, autoReloadPeriodInMs: 30000 }));
const open = XMLHttpRequest.prototype.open;
XMLHttpRequest.prototype.open = function (method, url, ...rest) {
  if (String(url).includes("/timeSeries")) this.addEventListener("load", () => window.keep(this.responseText));
  return open.call(this, method, url, ...rest);
};
window.series = () => window.read((answers) => answers.flatMap(({ runToSeries }) =>
  Object.values(runToSeries ?? {}).map((points) => points.map(({ step, value }) => [step, value]))));
"""
)

_TRACKIO = (
    _KEEP
    + """
const asked = window.fetch;
window.fetch = async (...given) => {
  const answer = await asked(...given);
  if (String(given[0]?.url ?? given[0]).includes("get_logs_batch")) answer.clone().text().then(window.keep, () => {});
  return answer;
};
window.series = () => window.read(({ data }) =>
  data.map(({ logs }) => logs.map(({ step, loss }) => [step, loss])));
"""
)

_SERIES = {
    "newest": "Math.max(...window.series().map((points) => points.at(-1)?.[0] ?? -1))",
    "lines": "window.series().filter((points) => points.length > 0).length",
    "points": "window.series().reduce((sum, points) => sum + points.length, 0)",
}

_FRAME = 'JSON.parse(document.querySelector("[data-testid=chart]")?.dataset.frame ?? "{}")'
_GRAPH = 'document.querySelector(".plotly-graph-div")'

PAGES = {
    "agnez": Page(
        chart="[data-testid=chart]",
        newest='JSON.parse(document.querySelector("[data-testid=chart]")?.dataset.last ?? "{}").loss ?? -1',
        lines=f"{_FRAME}.lines ?? 0",
        points=f"{_FRAME}.points ?? 0",
        axis=f"{_FRAME}.x ?? null",
        address=_agnez_address,
    ),
    "tensorboard": Page(
        chart="line-chart",
        **_SERIES,
        axis='[...document.querySelectorAll("line-chart line-chart-axis.x-axis text, line-chart .x-axis text")]'
        ".map((text) => text.textContent.trim())",
        moment="window.told.at",  # it draws in a worker, which may be done before the page's next frame
        before=_TENSORBOARD,
        address=lambda folder, runs: "#timeseries",
        loaded=_tensorboard_loaded,
    ),
    "trackio": Page(
        chart=".plot-container[data-metric=loss] .plot",
        **{**_SERIES, "newest": "window.trackio?.getViewState?.().latest_x ?? -1"},
        axis="window.trackio?.getViewState?.().x_range ?? null",
        before=_TRACKIO,
        address=lambda folder, runs: "?project=bench",
    ),
    "visdom": Page(
        chart=".plotly-graph-div",
        newest=f"{_GRAPH}?.data?.[0]?.x.at(-1) ?? -1",
        lines=f"{_GRAPH}?.data?.length ?? 0",
        points=f"({_GRAPH}?.data ?? []).reduce((sum, line) => sum + line.x.length, 0)",
        axis=f"{_GRAPH}?.layout?.xaxis?.range ?? null",
    ),
}
