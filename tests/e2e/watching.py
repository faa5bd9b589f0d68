"""What the tests of the page share: a page that is watched, how scripts are started, and how one talks with them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from urllib.parse import urlsplit

from playwright.sync_api import Page

Start = Callable[..., "subprocess.Popen[str]"]


class Watched:
    """A page, and all that went wrong on it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        self.hosts: set[str] = set()
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))
        page.on("websocket", lambda websocket: self.hosts.add(urlsplit(websocket.url).netloc))

    def open(self, url: str) -> Page:
        """Open an address."""
        self.page.goto(url)
        return self.page

    def cell(self, name: str) -> str:
        """Return the selector of a cell."""
        return f'[data-testid=cell][data-name="{name}"]'

    def value(self, selector: str, attribute: str) -> str:
        """Return an attribute of what a selector finds first."""
        return self.page.locator(selector).first.get_attribute(attribute) or ""


def line(process: subprocess.Popen[str]) -> str:
    """Return the next line that a script says."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def tell(process: subprocess.Popen[str], word: object) -> None:
    """Say a line to a script."""
    assert process.stdin is not None
    process.stdin.write(f"{word}\n")
    process.stdin.flush()
