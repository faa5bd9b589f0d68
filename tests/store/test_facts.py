from __future__ import annotations

from agnez.record import Finding, Progress, RunInfo
from agnez.store import Store


def info(id: str = "abc", **facts: object) -> RunInfo:
    return RunInfo(**{"id": id, "project": "digits", "name": "calm-ibis-1", "created": 1, **facts})  # type: ignore[arg-type]


def test_facts_and_findings_come_back_whole(store: Store) -> None:
    full = info(
        config={"lr": 0.1, "layers": [1, 2]},
        tags=("a", "b"),
        state="failed",
        reason="ValueError: no",
        progress=Progress(1, 2, 3, 4),
        problems=("full",),
        host="h",
        pid=7,
    )
    finding = Finding("abc", "non_finite", "error", "s", "a", "loss", 1, 2)
    with store.create_run(full) as file, file.transaction():
        file.write_findings([finding])
    with store.open_run("abc") as file:
        assert file.info() == full and file.findings() == [finding]
    assert store.runs() == [full] and store.runs("another") == []
