"""What `log` takes beside numbers and figures, and keeps step by step: one module for each kind.

A kind is one file here, one in the page's `frontend/src/cells/`, and one word on the wire: the type of its cells.
"""

from __future__ import annotations

from agnez.media.audio import Audio
from agnez.media.frozen import Frozen, Media
from agnez.media.histogram import Histogram
from agnez.media.html import Html
from agnez.media.image import Image
from agnez.media.images import Images
from agnez.media.table import Table
from agnez.media.text import Text
from agnez.media.video import Video

KINDS: tuple[type[Media], ...] = (Image, Images, Video, Audio, Text, Table, Histogram, Html)

__all__ = ["KINDS", "Audio", "Frozen", "Histogram", "Html", "Image", "Images", "Media", "Table", "Text", "Video"]
