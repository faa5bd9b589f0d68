"""The environment, read in this one place."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from agnez.errors import BadValueError

DEFAULT_PORT = 3000


@dataclass(frozen=True, slots=True)
class Settings:
    """Hold what the environment says.

    `directory` is where the store rests; `port` the first port to try; `ci` tells an automated build; `display` tells
    that a window can open; `ssh` is `user@host` of this machine when the session came by ssh, else None. `token` is
    what a server on this machine asks for, and what is shown to servers that ask for one, `read_token` what a server
    here asks of those who only look.
    """

    directory: Path
    port: int
    ci: bool
    display: bool
    ssh: str | None
    token: str | None = None
    read_token: str | None = None


def read(directory: str | os.PathLike[str] | None = None, port: int | None = None) -> Settings:
    """Read the environment; arguments win over it.

    Raises:
        BadValueError: a port is no number between 1 and 65535.
    """
    environ = os.environ
    return Settings(
        directory=_directory(directory or environ.get("AGNEZ_DIR")),
        port=_port(port if port is not None else environ.get("AGNEZ_PORT", DEFAULT_PORT)),
        ci=environ.get("CI", "").lower() not in ("", "0", "false"),
        display=_has_display(),
        ssh=_ssh_target(),
        token=environ.get("AGNEZ_TOKEN") or None,
        read_token=environ.get("AGNEZ_READ_TOKEN") or None,
    )


def _directory(given: str | os.PathLike[str] | None) -> Path:
    if given is not None and not isinstance(given, str | os.PathLike):
        raise BadValueError(f"dir={given!r} is no folder: give a path")
    if given:
        return Path(given).expanduser().absolute()
    import platformdirs  # 10 ms that only this case needs

    return Path(platformdirs.user_data_dir("agnez", appauthor=False))


def _port(given: int | str) -> int:
    try:
        port = int(given)
    except (TypeError, ValueError):
        raise BadValueError(f"port {given!r} is not a number: give one between 1 and 65535") from None
    if not 1 <= port <= 65535:
        raise BadValueError(f"port {port} does not exist: give one between 1 and 65535")
    return port


def _has_display() -> bool:
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _ssh_target() -> str | None:
    connection = os.environ.get("SSH_CONNECTION", "").split()
    if len(connection) != 4:
        return None
    user = os.environ.get("USER") or os.environ.get("LOGNAME") or "you"
    return f"{user}@{connection[2]}"
