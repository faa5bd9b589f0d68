"""Messages between the renderer and its helper process: a length, then a pickle."""

from __future__ import annotations

import pickle
import struct
from dataclasses import dataclass
from typing import BinaryIO

_LENGTH = struct.Struct("<Q")


@dataclass(frozen=True, slots=True)
class Reply:
    """Answer a job: its HTML, or an error, and the seconds of a core that it took.

    `foreign` says that only the user's own process can load the figure.
    """

    html: str | None = None
    error: str | None = None
    foreign: bool = False
    cpu: float = 0.0


def send(stream: BinaryIO, message: object) -> None:
    """Write one message; raises OSError when nobody reads."""
    data = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    stream.write(_LENGTH.pack(len(data)))
    stream.write(data)
    stream.flush()


def receive(stream: BinaryIO) -> object:
    """Read one message; raises EOFError when the other side ended."""
    (length,) = _LENGTH.unpack(_read(stream, _LENGTH.size))
    return pickle.loads(_read(stream, length))


def _read(stream: BinaryIO, count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise EOFError
    return data
