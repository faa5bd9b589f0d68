"""What a page showed and when: the frames of a browser's screencast, and what can be told from their pixels."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, TypeAlias

import numpy as np
from PIL import Image
from playwright.sync_api import Error

Box: TypeAlias = tuple[int, int, int, int]
"""Left, top, right and bottom of a part of the page, in its pixels."""

NOTICEABLE = 16  # of 255: what the compression of a still picture does not reach
COLOURED = 20  # of 255 between the channels of a pixel: lines are coloured (some hardly), text and axes are grey
FEW = 0.2  # of the columns in which a spike may be seen


class Film:
    """Record each frame that the browser shows of a page, with its moment by the clock of the machine."""

    def __init__(self, page: Any) -> None:
        self.frames: list[tuple[float, bytes]] = []
        self._session = page.context.new_cdp_session(page)
        self._session.on("Page.screencastFrame", self._keep)
        self._session.send("Page.startScreencast", {"format": "jpeg", "quality": 90})

    def _keep(self, frame: dict[str, Any]) -> None:
        self.frames.append((float(frame["metadata"]["timestamp"]), base64.b64decode(frame["data"])))
        with suppress(Error):  # the page is gone
            self._session.send("Page.screencastFrameAck", {"sessionId": frame["sessionId"]})

    def stop(self) -> None:
        """End the recording."""
        self._session.send("Page.stopScreencast")

    def last(self, box: Box) -> np.ndarray | None:
        """Return a part of the newest frame."""
        return pixels(self.frames[-1][1], box) if self.frames else None

    def changes(self, box: Box) -> list[float]:
        """Return when a part of the page changed."""
        moments, before, known = [], None, b""
        for moment, data in self.frames:
            if data == known:
                continue
            now = pixels(data, box)
            if before is not None and differ(before, now):
                moments.append(moment)
            before, known = now, data
        return moments

    def at_rest_since(self, box: Box) -> float | None:
        """Return when a part of the page came to look as it does in the newest frame."""
        final, since = self.last(box), None
        for moment, data in reversed(self.frames):
            if final is None or differ(final, pixels(data, box)):
                break
            since = moment
        return since


def pixels(data: bytes, box: Box) -> np.ndarray:
    """Return a part of a picture: rows, columns, channels."""
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture.convert("RGB").crop(box), dtype=np.int16)


def differ(before: np.ndarray, now: np.ndarray) -> bool:
    """Tell whether two pictures differ so that one could see it."""
    return before.shape != now.shape or bool((np.abs(before - now) >= NOTICEABLE).any())


def shows_spike(picture: np.ndarray) -> bool:
    """Tell whether a line that keeps to the bottom has a spike: colour in the upper half, in few columns only.

    Without the spike the axis fits the rest, which then fills all columns.
    """
    upper = picture[: len(picture) // 2]
    columns = ((upper.max(axis=2) - upper.min(axis=2)) > COLOURED).any(axis=0)
    return 0 < columns.mean() < FEW


def first_shown(known: Sequence[tuple[float, float]], changes: Sequence[float]) -> list[list[float]]:
    """Return when pixels first changed after each moment at which the page knew of a newer step, and that step.

    >>> first_shown([(1.0, 0), (2.0, 3), (9.0, 4)], [0.9, 1.1, 2.2, 2.3])
    [[1.1, 0], [2.2, 3]]
    """
    moments = sorted(changes)
    places = np.searchsorted(moments, [moment for moment, _ in known])
    return [[moments[place], step] for place, (_, step) in zip(places, known, strict=True) if place < len(moments)]
