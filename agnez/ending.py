"""How this process ends: what is called then, and the signal by which it is asked to."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType


def at_exit(call: Callable[[], None]) -> None:
    """Have `call` called when this process ends in order. It may be called twice.

    A child that `multiprocessing` forked runs no exit handlers, but finalizers of its own; while they run, the
    exception that ends the child is `sys.exception()`.
    """
    atexit.register(call)
    processes = sys.modules.get("multiprocessing.process")  # not loaded: then nobody made this process with it
    if processes is not None and processes.parent_process() is not None:
        from multiprocessing.util import Finalize

        Finalize(None, call, exitpriority=10)


def on_sigterm(call: Callable[[], None], within: float) -> bool:
    """Have `call` called when the process is asked to end, which it then does with the status it would have had.

    After `within` seconds it ends in any case. Nothing is done, and False returned, where anybody has a say on the
    signal already, or outside the main thread. Children inherit none of it: they end at once, as if nobody had asked
    for more.
    """
    if threading.current_thread() is not threading.main_thread():
        return False
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        return False

    def end(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN)  # those who ask twice, as schedulers do, must not cut it short
        try:
            _call(call, within)
        finally:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    signal.signal(signal.SIGTERM, end)
    _keep_from_children(end)
    return True


def _call(call: Callable[[], None], within: float) -> None:
    """Call on a thread: the main one may hold any lock where the signal found it, and must not wait for itself."""
    worker = threading.Thread(target=call, name="agnez-ending", daemon=True)
    try:
        worker.start()
    except RuntimeError:  # the interpreter is about to end, and starts no thread any more
        call()
        return
    worker.join(within)


def _keep_from_children(handler: Callable[[int, FrameType | None], None]) -> None:
    """Have forked children end at once when they are asked to, as if nobody had installed anything.

    One that sits in C code, as a data loader's may, would otherwise never get to the handler. Until the child has put
    the default back the signal is held up: Python drops one that came for a handler which has gone meanwhile.
    """
    if not hasattr(os, "register_at_fork"):  # Windows forks nothing
        return
    masks = threading.local()

    def hold() -> None:
        masks.before = None
        if signal.getsignal(signal.SIGTERM) is handler:
            masks.before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    def release() -> None:
        if masks.before is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, masks.before)

    def forget() -> None:
        if masks.before is not None:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        release()

    os.register_at_fork(before=hold, after_in_parent=release, after_in_child=forget)
