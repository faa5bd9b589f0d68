from __future__ import annotations

import io
import sys

import pytest

from agnez import notice


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notice, "_PATIENCE", 0.0)


def test_progress_writes_over_its_line_and_wipes_it(monkeypatch: pytest.MonkeyPatch, impatient: None) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    progress = notice.Progress()
    progress.show("1,000 left")
    progress.show("9 left")
    progress.end()
    progress.end()
    assert terminal.getvalue() == "\ragnez: 1,000 left\ragnez: 9 left    \r" + " " * 13 + "\r"


def test_progress_says_a_line_now_and_then_where_none_can_be_written_over(
    capsys: pytest.CaptureFixture[str], impatient: None
) -> None:
    progress = notice.Progress()
    for left in (1000, 9, 1):
        progress.show(f"{left} left")
    progress.end()
    assert capsys.readouterr().err == "agnez: 1000 left\n"


def test_what_is_quick_shows_no_progress(capsys: pytest.CaptureFixture[str]) -> None:
    progress = notice.Progress()
    progress.show("9 left")
    progress.end()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("stream", [None, io.StringIO()])
def test_without_a_terminal_nothing_fails(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO | None) -> None:
    if stream is not None:
        stream.close()
    monkeypatch.setattr(sys, "stderr", stream)
    notice.say("hello")
    notice.Progress().end()
