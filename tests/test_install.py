"""What a user installs: sdist, wheel and editable tree, each built from a clean copy of the sources without Node."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent
PYTHON = sys.executable
OFFLINE = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]


@pytest.fixture(scope="module", autouse=True)
def no_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Leave two programs on the PATH, and neither node nor npm."""
    programs = tmp_path_factory.mktemp("programs")
    for name in ("sh", "git"):
        (programs / name).symlink_to(shutil.which(name) or pytest.fail(f"these tests need {name}"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(programs))
        patch.delenv("PYTHONPATH", raising=False)
        yield


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command and return what it wrote; it has to succeed."""
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build(kind: str, tree: Path) -> Path:
    """Build `kind` ("sdist" or "wheel") of a tree, as `python -m build` does, and return the file."""
    run(PYTHON, "-m", "build", f"--{kind}", "--no-isolation", tree, cwd=tree)
    [file] = (tree / "dist").glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return file


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the sources as a clone would have them: no page, no node_modules."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = run(*listing, cwd=ROOT)
    tree = tmp_path_factory.mktemp("clone") / "agnez"
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():  # not one that was deleted, and is in the index still
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)
    assert not (tree / "agnez/server/assets").exists()
    return tree


@pytest.fixture(scope="module")
def sdist(tree: Path) -> Path:
    return build("sdist", tree)


@pytest.fixture(scope="module")
def unpacked(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    [tree] = folder.iterdir()
    return tree


@pytest.fixture(scope="module")
def wheel(unpacked: Path) -> Path:
    return build("wheel", unpacked)


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """Return a new environment that borrows the packages of this one, but not its Agnez."""
    folder = tmp_path / "environment"
    venv.create(folder, with_pip=False)
    [site_packages] = folder.glob("[Ll]ib/**/site-packages")
    (site_packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return folder / ("Scripts" if os.name == "nt" else "bin")


def install(environment: Path, *what: str | Path) -> None:
    run(environment / "python", "-m", "pip", "install", *OFFLINE, "--ignore-installed", *what, cwd=environment)


def test_the_wheel_of_an_sdist_needs_no_npm(unpacked: Path, wheel: Path) -> None:
    assert wheel.is_file()
    assert not (unpacked / "frontend/node_modules").exists()


def test_the_wheel_holds_the_page_that_its_manifest_names(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        manifest = json.loads(archive.read("agnez/server/assets/manifest.json"))
    assert any(chunk.get("isEntry") for chunk in manifest.values())
    files = {file for chunk in manifest.values() for file in [chunk["file"], *chunk.get("css", [])]}
    assert {f"agnez/server/assets/{file}" for file in files} <= names


def test_the_wheel_holds_every_file_of_the_package(tree: Path, wheel: Path) -> None:
    ours = {file.relative_to(tree).as_posix() for file in (tree / "agnez").rglob("*") if file.is_file()}
    ours |= {f"agnez/{file.relative_to(tree).as_posix()}" for file in (tree / "templates").iterdir() if file.is_file()}
    ours = {name for name in ours if "__pycache__" not in name and not name.endswith("/.stamp")}
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if not name.startswith("agnez-")}
    assert packed == ours


def test_an_old_build_is_not_packed_again(unpacked: Path, wheel: Path) -> None:
    stale = unpacked / "build/lib/agnez/server/assets/stale.js"
    stale.parent.mkdir(parents=True, exist_ok=True)
    stale.write_text("", encoding="utf-8")
    with zipfile.ZipFile(build("wheel", unpacked)) as archive:
        assert not [name for name in archive.namelist() if "stale" in name]


def test_importing_an_installed_agnez_loads_nothing_heavy(wheel: Path, environment: Path) -> None:
    install(environment, wheel)
    script = "import agnez, json, sys; print(json.dumps([agnez.__file__, agnez.__version__, *sys.modules]))"
    file, version, *modules = json.loads(run(environment / "python", "-c", script, cwd=environment))
    assert Path(file).is_relative_to(environment.parent)
    assert version in wheel.name
    heavy = {
        "keras",
        "torch",
        "tensorflow",
        "jax",
        "flask",
        "flask_socketio",
        "socketio",
        "matplotlib",
        "mpld3",
        "numpy",
    }
    assert not heavy & set(modules)


def test_an_installed_agnez_has_its_command(wheel: Path, environment: Path) -> None:
    install(environment, wheel)
    told = run(environment / "agnez", "--help", cwd=environment)
    assert "demo" in told
    assert "server" in told


def test_an_editable_install_finds_page_and_templates(tree: Path, sdist: Path, environment: Path) -> None:
    install(environment, "--editable", tree)
    script = (
        "import agnez.server, importlib.resources as resources; "
        "print(resources.files('agnez.templates')); print(resources.files('agnez.server'))"
    )
    templates, server = map(Path, run(environment / "python", "-c", script, cwd=environment).splitlines())
    assert templates == tree / "templates"
    assert (server / "assets/manifest.json").samefile(tree / "agnez/server/assets/manifest.json")
