"""A user's matplotlib figure, recognised and copied without being touched."""

from __future__ import annotations

import copyreg
import io
import pickle
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeGuard

from agnez.errors import AgnezError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class FrozenFigure:
    """Hold the bytes that `freeze` made of a figure, and the epoch it belongs to."""

    data: bytes
    epoch: int | None = None


@dataclass(frozen=True, slots=True)
class Thawed:
    """Hold a figure of our own, and its artists by the ids that the user's mpld3 plugins know them by."""

    figure: Figure
    artists: dict[str, Any]


def is_figure(value: object) -> TypeGuard[Figure]:
    """Tell whether a value is a matplotlib figure, without importing matplotlib.

    >>> is_figure(3.0)
    False
    """
    return any(base.__name__ == "Figure" and base.__module__ == "matplotlib.figure" for base in type(value).__mro__)


def freeze(figure: object) -> bytes:
    """Copy a figure into bytes on the caller's thread, and leave it as it was.

    Raises:
        AgnezError: it is no figure, or something in it can't be pickled (a lambda as a tick formatter, for example).
    """
    if not is_figure(figure):
        raise AgnezError(f"a matplotlib figure is needed, not {type(figure).__name__}: pass what plt.figure() returned")
    buffer = io.BytesIO()
    try:
        _FigurePickler(buffer, protocol=pickle.HIGHEST_PROTOCOL).dump((figure, _plugin_artists(figure)))
    except Exception as error:  # pickling runs the code of whatever hangs on the figure, which may raise anything
        raise AgnezError(
            f"this figure can't be copied for the page ({type(error).__name__}: {error}); "
            "replace what can't be pickled in it, such as a lambda or a local function, by a function of a module"
        ) from error
    return buffer.getvalue()


def thaw(data: bytes) -> Thawed:
    """Make a figure of our own from the bytes of `freeze`; raises whatever unpickling raises."""
    figure, artists = pickle.loads(data)
    return Thawed(figure, artists)


class _FigurePickler(pickle.Pickler):
    """Pickle figures so that loading them doesn't open them in pyplot again."""

    def reducer_override(self, obj: object) -> Any:
        if not is_figure(obj):
            return NotImplemented
        # matplotlib notes that pyplot managed the figure, and would register the copy with pyplot (and with its
        # windows) wherever it is loaded
        state: dict[str, Any] = obj.__getstate__()  # type: ignore[assignment]
        state.pop("_restore_to_pylab", None)
        create: Callable[..., object] = copyreg.__newobj__  # type: ignore[attr-defined]
        return create, (type(obj),), state


def _plugin_artists(figure: Figure) -> dict[str, Any]:
    """Map mpld3's ids to the artists, for a figure that has plugins: a copy's ids are new ones."""
    mpld3 = sys.modules.get("mpld3")
    if mpld3 is None or not getattr(figure, "mpld3_plugins", None):
        return {}
    return {mpld3.utils.get_id(artist): artist for artist in figure.findobj()}
