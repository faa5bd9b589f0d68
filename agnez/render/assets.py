"""The scripts that mpld3 installs, and references to them."""

from __future__ import annotations

import re
from pathlib import Path

ADDRESS = "/assets/mpld3/"
D3 = "d3.v5.min.js"
MPLD3 = "mpld3.js"

_HOSTS = r"https?:(?P<slashes>\\?/\\?/)(?:(?:www\.)?d3js\.org|mpld3\.github\.io|(?:www\.)?mpld3\.github\.com)"
_REMOTE = re.compile(_HOSTS + r"""(?:\\?/[\w.-]+)*?\\?/(?P<name>d3|mpld3)(?P<version>[\w.-]*)""", re.IGNORECASE)
_ABSOLUTE = re.compile(r"""(?P<quote>["'])(?P<address>\\?/assets\\?/mpld3\\?/)""")
_SCRIPT = re.compile(r"""<script[^>]*\ssrc=["']\.?/assets/mpld3/[\w.-]+["'][^>]*>\s*</script>""", re.IGNORECASE)


def asset_path(name: str) -> Path | None:
    """Give the installed file of `d3.v5.min.js` or `mpld3.js`, and None for any other name."""
    if name not in (D3, MPLD3):
        return None
    from mpld3 import urls

    path = Path(urls.D3_LOCAL if name == D3 else urls.MPLD3_LOCAL)
    return path if path.is_file() else None


def localise(html: str) -> str:
    r"""Let HTML that mpld3 made load its scripts from our server, instead of from the net.

    Covers every version's address, escaped slashes, and require.js' addresses without `.js`.

    >>> localise('<script src="https://d3js.org/d3.v5.js"></script>')
    '<script src="/assets/mpld3/d3.v5.min.js"></script>'
    >>> localise(r'"https:\/\/mpld3.github.io\/js\/mpld3.v0.5.12.js"')
    '"\\/assets\\/mpld3\\/mpld3.js"'
    """
    return _REMOTE.sub(_local, html)


def _local(match: re.Match[str]) -> str:
    name = D3 if match["name"].lower() == "d3" else MPLD3
    if not match["version"].endswith(".js"):  # require.js appends it
        name = name.removesuffix(".js")
    address = ADDRESS + name
    return address.replace("/", "\\/") if "\\" in match["slashes"] else address


def relative(html: str) -> str:
    r"""Let HTML load its scripts beside the document that it stands in, under whatever prefix that is.

    >>> relative('<script src="/assets/mpld3/mpld3.js"></script>')
    '<script src="./assets/mpld3/mpld3.js"></script>'
    """
    return _ABSOLUTE.sub(r"\g<quote>.\g<address>", html)


def inlined(html: str) -> str:
    """Let HTML that loads mpld3's scripts bring them along, for where it may fetch nothing.

    >>> "assets/mpld3" in inlined('<script src="./assets/mpld3/mpld3.js"></script>')
    False
    """
    if not _ABSOLUTE.search(html) and not _SCRIPT.search(html) and "./assets/mpld3/" not in html:
        return html
    paths = [path for path in (asset_path(D3), asset_path(MPLD3)) if path is not None]
    texts = (path.read_text("utf-8").replace("</script", "<\\/script") for path in paths)
    return "".join(f"<script>{text}</script>\n" for text in texts) + _SCRIPT.sub("", html)
