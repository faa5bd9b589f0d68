"""What a store is called, and how a file of it comes to be: whole, and by one process alone."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable
from pathlib import Path

from agnez.errors import StoreError

FORMAT = 1


def identify(directory: Path, create: bool) -> str:
    """Return the id of the store, which its first user gives it."""
    path = directory / "store.json"
    try:
        if not path.exists():
            if not create:
                raise StoreError(f"there is no store in {directory}: check the folder, or record a run into it first")
            directory.mkdir(parents=True, exist_ok=True)
            _write_once(path, json.dumps({"id": uuid.uuid4().hex, "format": FORMAT}))
        facts = json.loads(path.read_text("utf-8"))
        id, found = str(facts["id"]), int(facts["format"])
    except OSError as error:
        raise StoreError(
            f"{directory} cannot be used as a store ({error.strerror}): choose another with dir="
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path} is damaged, or is not a file of Agnez: move it away") from error
    if found > FORMAT:
        raise StoreError(f"{directory} was written by a newer Agnez (format {found}): pip install --upgrade agnez")
    return id


def _write_once(path: Path, text: str) -> None:
    """Write a file that appears whole, and that of several processes just one writes."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{uuid.uuid4().hex[:6]}")
    draft.write_text(text, "utf-8")
    try:
        appear(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def appear(draft: Path, path: Path) -> bool:
    """Have a file appear in its place, whole. Tell whether it did: of several that try, one does."""
    link: Callable[[Path, Path], None] = os.link
    try:
        link(draft, path)
    except FileExistsError:
        return False
    except OSError:  # a file system without links
        if path.exists():
            return False
        draft.rename(path)
    return True
