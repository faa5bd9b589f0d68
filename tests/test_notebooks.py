from __future__ import annotations

import socket
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from agnez.store import Store

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


@pytest.fixture(autouse=True)
def free_port(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AGNEZ_PORT", str(probe.getsockname()[1]))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_records_and_keeps_its_cells_clean(path: Path, store: Store, tmp_path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in code for output in cell.outputs]
    assert any("<iframe" in output.get("data", {}).get("text/html", "") for output in outputs)
    said = "".join(output.text for output in outputs if output.output_type == "stream")
    assert "GET /" not in said and "Traceback" not in said  # no request is logged between the lines
    (run,) = store.runs()
    assert run.state == "finished" and run.project == "notebook"
    assert {"weights/global"} < set(run.summary)
