"""Where all of it rests."""

from agnez.store.catalog import Catalog
from agnez.store.cells import Cells, Change
from agnez.store.folder import Store
from agnez.store.reader import RunReader
from agnez.store.runfile import RunFile

__all__ = ["Catalog", "Cells", "Change", "RunFile", "RunReader", "Store"]
