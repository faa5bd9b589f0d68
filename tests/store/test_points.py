from __future__ import annotations

from pathlib import Path

import pytest
from contract import PointsContract

from agnez.store import RunFile


class TestRunFile(PointsContract):
    @pytest.fixture(autouse=True)
    def path(self, tmp_path: Path) -> None:
        self._path = tmp_path / "run.db"

    def open(self) -> RunFile:
        return RunFile(self._path, create=not self._path.exists())
