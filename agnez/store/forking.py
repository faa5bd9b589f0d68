"""SQLite after a fork: its locks as they are in a process that has nothing but the thread that forked."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable

_LOCKS = range(2, 14)
"""SQLite's static mutexes, from SQLITE_MUTEX_STATIC_MAIN to SQLITE_MUTEX_STATIC_VFS3."""


@functools.cache  # once a process
def free_locks_in_children() -> None:
    """Have processes that are forked from this one use SQLite, whatever other threads were doing in it at that moment.

    SQLite guards its statistics and its list of open files by locks of the whole process, for fractions of a
    microsecond that add up where a thread commits or reads. A child that was forked then would wait for a thread which
    it has not got. What those locks guard is not of use in a child, that opens files of its own; so it lets go of them.
    """
    if not hasattr(os, "register_at_fork"):  # Windows forks nothing
        return
    free = _freer()
    if free is not None:
        os.register_at_fork(after_in_child=free)


def _freer() -> Callable[[], None] | None:
    """Return what lets go of SQLite's locks; None where the library cannot be reached from Python."""
    try:
        import _sqlite3
        import ctypes

        library = ctypes.PyDLL(getattr(_sqlite3, "__file__", None))  # finds what the module is linked with, too
        lock_of, attempt, leave = library.sqlite3_mutex_alloc, library.sqlite3_mutex_try, library.sqlite3_mutex_leave
    except (ImportError, OSError, AttributeError):
        return None
    lock_of.restype = ctypes.c_void_p  # of a static one it makes nothing, and takes no lock
    attempt.argtypes = leave.argtypes = (ctypes.c_void_p,)
    locks = [lock for lock in map(lock_of, _LOCKS) if lock]

    def free() -> None:
        for lock in locks:
            attempt(lock)  # whoever has it now, it is left after this
            leave(lock)

    return free
