"""A fit that is left by an exception: noticed, though Keras calls no hook for it.

While a fit runs, a thread looks four times a second whether the frame of `fit` is still on the stack of its thread
(10 µs a look, and nothing for the training itself). When it is gone without its end, the exception is looked for, by
the frame in its traceback:

* where it is being handled, which also is where a notebook, or an unhandled error of a script, keeps the last one;
* at the end of a notebook's cell, which tells its error;
* else among all living exceptions, for some code keeps it, as `pytest.raises` does.

An exception that was caught and dropped within a moment cannot be found any more. Then the run is "interrupted", with
a reason that says as much as is known.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
import weakref
from collections.abc import Callable
from types import CodeType, FrameType, TracebackType
from typing import Any, TypeGuard

from agnez.record import State
from agnez.run import outcome

LOOK_SECONDS = 0.25
UNKNOWN = "fit was left before its last epoch"


class FitWatch:
    """Watch the fit that is being begun on this thread, and call `left` with state and reason if an exception ends it.

    `owner` is what lives as long as the fit does, and `frame` is the outermost one of the framework. Neither is kept
    alive: they hold the user's data. `left` may be called on any thread.
    """

    def __init__(self, owner: object, frame: FrameType, left: Callable[[State, str | None], None]) -> None:
        self._owner = weakref.ref(owner)
        self._frame, self._code = id(frame), frame.f_code
        self._thread = threading.get_ident()
        self._left: Callable[[State, str | None], None] | None = left
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._forget_cell = _at_end_of_cell(self._cell_ended)
        self._looker = threading.Thread(target=self._look, name="agnez-fit-watch", daemon=True)
        self._looker.start()

    @classmethod
    def begin(cls, package: str, hook: CodeType, left: Callable[[State, str | None], None]) -> FitWatch | None:
        """Watch the fit that called us through `hook`, a method of what lives as long as the fit. None if it did not.

        `package` is the folder of the framework.
        """
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and frame.f_code is not hook:
            frame = frame.f_back
        if frame is None or frame.f_back is None:
            return None
        owner, frame = frame.f_locals["self"], frame.f_back
        # The outermost, for Keras takes its other frames out of the tracebacks of exceptions.
        while frame.f_back is not None and frame.f_back.f_code.co_filename.startswith(package + os.sep):
            frame = frame.f_back
        return cls(owner, frame, left)

    def end(self) -> None:
        """Stop watching: the fit has come to its end. Ending twice does no harm."""
        self._finish()
        if threading.current_thread() is not self._looker:
            self._looker.join()

    def check(self) -> None:
        """Look now whether the fit has been left."""
        if not self._is_running():
            self._leave(self._cause())

    def leave(self) -> None:
        """Say that the fit has been left: another one begins."""
        self._leave(self._cause())

    def _look(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            self.check()

    def _cell_ended(self, result: Any) -> None:
        if not self._is_running():
            self._leave(getattr(result, "error_in_exec", None))

    def _finish(self) -> Callable[[State, str | None], None] | None:
        """Return whom to tell: to one caller only."""
        with self._lock:
            left, self._left = self._left, None
        self._over.set()
        self._forget_cell()
        return left

    def _leave(self, cause: BaseException | None) -> None:
        told = isinstance(cause, Exception | KeyboardInterrupt | SystemExit)
        state, reason = outcome(cause) if told else ("interrupted", UNKNOWN)
        left = self._finish()
        if left is not None:
            left(state, reason)

    def _is_running(self) -> bool:
        if self._over.is_set():
            return True  # it is nobody's business any more
        frame = sys._current_frames().get(self._thread)
        while frame is not None and id(frame) != self._frame:
            frame = frame.f_back
        # Another frame may have got the same place in memory. The owner tells, for it died with ours.
        return frame is not None and frame.f_code is self._code and self._owner() is not None

    def _cause(self) -> BaseException | None:
        likely = (_handled(self._thread), getattr(sys, "last_value", None))
        found = next((each for each in likely if self._passed(each)), None)
        return found or next((each for each in gc.get_objects() if self._passed(each)), None)

    def _passed(self, error: object) -> TypeGuard[BaseException]:
        """Tell whether something is an exception that left the fit."""
        # By its class, for `isinstance` would ask objects of any kind, among them proxies that do work when asked.
        if not issubclass(type(error), BaseException):
            return False
        trace: TracebackType | None = error.__traceback__  # type: ignore[attr-defined]
        while trace is not None:
            if id(trace.tb_frame) == self._frame and trace.tb_frame.f_code is self._code:
                return True
            trace = trace.tb_next
        return False


def _handled(thread: int) -> object:
    """Return the exception that a thread is handling, if it is."""
    found = sys._current_exceptions().get(thread)
    return found[1] if isinstance(found, tuple) else found  # a tuple in Python 3.11


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
