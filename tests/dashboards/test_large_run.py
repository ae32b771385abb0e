"""A run of ten million rows: few points, few bytes, little memory.  Times are measured by ``equilibria bench dashboard``."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from equilibria.benchmarks.dashboard import LARGE, SMALL, browsing, serving, visit, write_run
from equilibria.dashboards import reader
from equilibria.sim.analysis.thinning import MAX_POINTS
from equilibria.sim.store import layout, open_run

MAX_SENT = 1_000_000
MAX_MEMORY = 1.5
CHROMIUM = any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome")))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A runs folder with a run of 1e4 and one of 1e7 rows."""
    made = tmp_path_factory.mktemp("large") / "runs"
    write_run(made / "small", SMALL)
    write_run(made / "large", LARGE)
    return made


def draw(root: str) -> None:
    from pathlib import Path

    from equilibria.dashboards.frame import Options, draw_page, load_pages

    draw_page(Options(Path(root), True), "run", load_pages()[0]["run"])


@pytest.mark.heavy
@pytest.mark.filterwarnings("ignore::DeprecationWarning:streamlit", "ignore::ResourceWarning")
def test_ten_million_rows_become_a_page_of_few_points(root: Path) -> None:
    sizes = {}
    for name, count in (("small", SMALL), ("large", LARGE)):
        at = AppTest.from_function(draw, args=(str(root),), default_timeout=120)
        at.query_params["run"] = name
        at.run()
        assert not at.exception
        assert not at.error
        specs = [element.proto.spec for element in at.get("plotly_chart")]
        assert all(len(json.dumps(json.loads(s)["data"])) < MAX_SENT / 2 for s in specs)
        sizes[name] = sum(map(len, specs))
        assert reader.row_count(open_run(root / name), layout.METRICS) == count
    assert 0 < sizes["large"] < MAX_SENT
    curve = reader.curve(open_run(root / "large"), "exploitability")
    assert len(curve) <= MAX_POINTS
    assert curve.rows == LARGE


@pytest.mark.browser
@pytest.mark.heavy
@pytest.mark.skipif(
    not CHROMIUM or importlib.util.find_spec("playwright") is None,
    reason="no Chromium with playwright: bytes sent and memory of the server are not covered",
)
def test_a_browser_gets_a_tenth_of_a_megabyte_and_the_server_stays_small(root: Path) -> None:
    with serving(root) as served, browsing() as browser:
        small = visit(browser, f"{served.address}run?run=small")
        large = visit(browser, f"{served.address}run?run=large")
        memory = served.peak_gigabytes()
    assert 0 < small.sent < MAX_SENT
    assert 0 < large.sent < MAX_SENT
    assert not memory >= MAX_MEMORY  # NaN where the system does not say
