"""The browser's tab: opened once a process, by itself, where there is someone to see it."""

from __future__ import annotations

import threading
import webbrowser
from collections.abc import Callable
from urllib.parse import urlencode

from agnez.settings import Settings

_PATIENCE_SECONDS = 2.0
_TEXT_BROWSERS = ("www-browser", "links", "elinks", "lynx", "w3m", "browsh")


def open_tab(url: str, settings: Settings, *, unless: Callable[[float], bool] = lambda timeout: False) -> None:
    """Open a tab on a thread, unless a page that was open already reconnects meanwhile.

    Nothing is opened in an automated build, without a display, over ssh, or in a browser of text.
    """
    if settings.ci or not settings.display or settings.ssh is not None:
        return

    def wait_and_open() -> None:
        if unless(_PATIENCE_SECONDS):
            return
        browser = _graphical_browser()
        if browser is not None:
            browser.open(url, new=2)

    threading.Thread(target=wait_and_open, name="agnez-tab", daemon=True).start()


def link(url: str, token: str | None) -> str:
    """Return the address that opens a page, with the token that it asks for.

    >>> link("http://127.0.0.1:3000/", "a&b")
    'http://127.0.0.1:3000/?token=a%26b'
    """
    return f"{url}?{urlencode({'token': token})}" if token else url


def _graphical_browser() -> webbrowser.BaseBrowser | None:
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return None
    return None if any(name in _TEXT_BROWSERS for name in (browser.name, browser.basename)) else browser
