"""The browser that benchmarks drive."""

from __future__ import annotations

import shutil


def installed() -> str | None:
    """Return the machine's Chromium; None is Playwright's own."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
