import mpld3
import pytest
from matplotlib.figure import Figure

from agnez.render import asset_path, localise


def test_only_the_two_scripts_of_mpld3_have_a_file() -> None:
    for name in ("d3.v5.min.js", "mpld3.js"):
        path = asset_path(name)
        assert path is not None and path.stat().st_size > 10_000
    for name in ("", "d3.v3.min.js", "../__init__.py", "/etc/passwd", "mpld3.v0.5.12.js", "D3.V5.MIN.JS"):
        assert asset_path(name) is None


@pytest.mark.parametrize("template", ["general", "simple", "notebook"])
@pytest.mark.parametrize("use_http", [False, True])
def test_what_mpld3_itself_writes_asks_no_other_host(template: str, use_http: bool) -> None:
    figure = Figure()
    figure.add_subplot().plot([1, 2, 3])
    html = localise(mpld3.fig_to_html(figure, template_type=template, use_http=use_http))
    assert "http://" not in html and "https://" not in html
    assert "/assets/mpld3/mpld3.js" in html


@pytest.mark.parametrize(
    ("remote", "local"),
    [
        ("https://d3js.org/d3.v5", "/assets/mpld3/d3.v5.min"),  # require.js appends .js
        ("https://d3js.org/d3.v5.min.js", "/assets/mpld3/d3.v5.min.js"),
        ("http://d3js.org/d3.v3.min.js", "/assets/mpld3/d3.v5.min.js"),
        ("https://mpld3.github.io/js/d3.v3.min.js", "/assets/mpld3/d3.v5.min.js"),
        ("https://mpld3.github.io/js/mpld3.v0.3.min.js", "/assets/mpld3/mpld3.js"),
        (r"https:\/\/mpld3.github.io\/js\/mpld3.v0.5.8.js", r"\/assets\/mpld3\/mpld3.js"),
        ("https://mpld3.github.io/examples/", "https://mpld3.github.io/examples/"),
        ("https://example.org/d3.v5.js", "https://example.org/d3.v5.js"),
    ],
)
def test_only_addresses_of_mpld3s_scripts_become_ours(remote: str, local: str) -> None:
    assert localise(f'<script src="{remote}"></script>') == f'<script src="{local}"></script>'
    assert localise(f'<script src="{remote}?v=1"></script>') == f'<script src="{local}?v=1"></script>'
