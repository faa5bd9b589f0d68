"""A fit that is left by an exception: noticed, though Keras calls no hook for it.

What Keras makes for each fit, its list of callbacks, is held by nothing but the frame of `fit`, so it dies with that
frame, and a finalizer tells us. Where the cause is found:

* An `Exception` passes Keras' filter of tracebacks, which lets go of the frame while the exception is being handled:
  the finalizer sees it.
* A KeyboardInterrupt is not filtered. Its traceback holds the frame until the user's `except` block ends; then it is
  gone and no cause is found. That is what makes "interrupted" the right word for an unknown cause. (An exception whose
  last trace dies on a thread of Keras' pool, or with the filter switched off, ends the same way.)
* A notebook keeps the last exception, and the frame with it, for as long as nothing else fails. There the end of the
  cell tells.
* In a script that nobody saved, the session finds the exception when the process ends.

Where the list of callbacks is the user's own it outlives the fit; then the next use of the callback tells.
"""

from __future__ import annotations

import os
import sys
import threading
import weakref
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

from agnez.record import State
from agnez.run import outcome

UNKNOWN = "fit was left before its last epoch"


class FitWatch:
    """Watch the fit that is being begun on this thread, and call `left` with state and reason if an exception ends it.

    Nothing here keeps a frame alive: frames hold the user's data.
    """

    def __init__(self, owner: object, frame: FrameType, left: Callable[[State, str | None], None]) -> None:
        self._left = left
        self._thread = threading.get_ident()
        self._frame, self._code = id(frame), frame.f_code
        self._finalizer = weakref.finalize(owner, self._owner_died)
        self._finalizer.atexit = False  # the session knows better what ended the process
        self._leave_cell = _at_end_of_cell(self._cell_ended)
        self._over = False

    @classmethod
    def begin(cls, package: str, hook: CodeType, left: Callable[[State, str | None], None]) -> FitWatch | None:
        """Watch the fit that called us through `hook`, a method of what lives as long as the fit. None if it did not.

        `package` is the folder of the framework, whose outermost frame is the one to watch.
        """
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and frame.f_code is not hook:
            frame = frame.f_back
        if frame is None or frame.f_back is None:
            return None
        owner, frame = frame.f_locals["self"], frame.f_back
        while frame.f_back is not None and frame.f_back.f_code.co_filename.startswith(package + os.sep):
            frame = frame.f_back
        return cls(owner, frame, left)

    def end(self) -> None:
        """Stop watching: the fit has come to its end."""
        self._over = True
        self._finalizer.detach()
        self._leave_cell()

    def check(self) -> None:
        """Look now whether the fit has been left."""
        if not self._over and not self._on_stack():
            self._leave(self._cause())

    def _owner_died(self) -> None:
        if not self._over:
            self._leave(self._cause())

    def _cell_ended(self, result: Any) -> None:
        if not self._over and not self._on_stack():
            self._leave(getattr(result, "error_in_exec", None))

    def _leave(self, cause: BaseException | None) -> None:
        self.end()
        state, reason = outcome(cause) if isinstance(cause, Exception | KeyboardInterrupt) else ("interrupted", UNKNOWN)
        self._left(state, reason)

    def _cause(self) -> BaseException | None:
        handled = _handled(self._thread)
        if handled is not None and (self._on_stack() or self._is_in(handled)):
            return handled
        last = getattr(sys, "last_value", None)  # what an interpreter keeps of the last fault that nobody handled
        return last if isinstance(last, BaseException) and self._is_in(last) else None

    def _is_in(self, error: BaseException) -> bool:
        trace = error.__traceback__
        while trace is not None:
            if id(trace.tb_frame) == self._frame:
                return True
            trace = trace.tb_next
        return False

    def _on_stack(self) -> bool:
        frame = sys._current_frames().get(self._thread)
        while frame is not None:
            if id(frame) == self._frame and frame.f_code is self._code:
                return True
            frame = frame.f_back
        return False


def _handled(thread: int) -> BaseException | None:
    """Return the exception that a thread is handling."""
    found = sys._current_exceptions().get(thread)
    error = found[1] if isinstance(found, tuple) else found  # a tuple in Python 3.11
    return error if isinstance(error, BaseException) else None


def _at_end_of_cell(call: Callable[[Any], None]) -> Callable[[], None]:
    """Have `call` called with the result of a notebook's cell when it ends; return what takes that back."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None:
        return lambda: None
    shell.events.register("post_run_cell", call)

    def unregister() -> None:
        if call in shell.events.callbacks["post_run_cell"]:
            shell.events.unregister("post_run_cell", call)

    return unregister
