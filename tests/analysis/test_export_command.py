"""``equilibria export``: CSV that can be read back, pages that ask nobody for anything."""

from __future__ import annotations

import re
import resource
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from equilibria.sim.analysis.colours import PALETTE
from equilibria.sim.analysis.export import wide_metrics
from equilibria.sim.analysis.svg import line_chart
from equilibria.sim.analysis.thinning import Curve

Cli = Callable[..., tuple[int, str, str]]
VOID = {"meta", "link", "br", "img", "input", "line", "polyline", "polygon"}


class Checked(HTMLParser):
    """Fails on unbalanced tags; collects tags, attributes and visible text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(k, v or "") for k, v in attrs]
        if tag not in VOID or (tag == "polyline"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(k, v or "") for k, v in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def parsed(path: Path) -> Checked:
    page = Checked()
    page.feed(path.read_text(encoding="utf-8"))
    assert page.open == []
    return page


def test_csv_holds_what_the_tables_hold(make_run: Any, cli: Cli, tmp_path: Path) -> None:
    run = make_run(values=[2.0, 0.5, 1 / 3], gains={"0": [1.0, 0.5, 0.1]}, table=True)
    code, out, _ = cli("export", run.path, "--format", "csv", "--out", tmp_path / "out")
    assert code == 0
    assert [Path(line).name for line in out.split()] == ["metrics.csv", "metrics_wide.csv", "agents.csv"]
    long = pl.read_csv(tmp_path / "out" / "metrics.csv", schema_overrides={"key": pl.String})
    assert long.with_columns(pl.col("key").fill_null("")).equals(run.metrics().collect())
    wide = pl.read_csv(tmp_path / "out" / "metrics_wide.csv")
    assert wide.columns == ["unit", "exploitability", "gains[0]"]
    assert wide["exploitability"].to_list() == [2.0, 0.5, 1 / 3]
    assert pl.read_csv(tmp_path / "out" / "agents.csv").equals(run.table("agents").collect())


def test_a_page_is_self_contained_and_complete(make_run: Any, cli: Cli, tmp_path: Path) -> None:
    run = make_run(values=[2.0, 0.5, 0.25], table=True)
    assert cli("export", run.path, "--format", "html", "--out", tmp_path / "run.html")[0] == 0
    text = (tmp_path / "run.html").read_text(encoding="utf-8")
    page = parsed(tmp_path / "run.html")
    assert not set(page.tags) & {"script", "link", "img", "iframe", "object", "form"}
    assert not [v for k, v in page.attributes if k in ("src", "href", "action") or k.startswith("on")]
    assert "http" not in re.sub("http-equiv", "", text)
    assert "url(" not in text
    assert "prefers-color-scheme:dark" in text
    for part in (
        "exploitability = 0.25 game payoff, exact",
        "equilibria run scenario.yaml --seed 7",
        "leduc_poker",
        "numpy",
    ):
        assert part in page.text
    assert "svg" in page.tags


def test_nothing_of_a_run_is_taken_as_markup(make_run: Any, cli: Cli, tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>\"'&"
    run = make_run(name=evil, agent=evil, game=evil, metric=evil, gains={evil: [1.0, 0.5, 0.2]})
    assert cli("export", run.path, "--format", "html", "--out", tmp_path / "evil.html")[0] == 0
    page = parsed(tmp_path / "evil.html")
    assert "script" not in page.tags
    assert evil in page.text


def test_a_sweep_becomes_one_page_and_one_folder_per_member(make_sweep: Any, cli: Cli, tmp_path: Path) -> None:
    sweep = make_sweep("sw", {"cfr": [0.5, 0.6], "dcfr": [0.1, 0.2]}, missing=1)
    assert cli("export", sweep.path, "--format", "html", "--out", tmp_path / "s.html")[0] == 0
    page = parsed(tmp_path / "s.html")
    assert "agents.0.useseeds" in page.text
    assert "dcfr20.15" in page.text
    assert "not begun" in page.text
    assert cli("export", sweep.path, "--format", "csv", "--out", tmp_path / "s")[0] == 0
    assert (tmp_path / "s" / "dcfr-s1" / "metrics.csv").is_file()


def test_unfinished_runs_are_exported_and_say_so(make_run: Any, cli: Cli, tmp_path: Path) -> None:
    run = make_run(values=[1.0, 0.5, 0.2], fail_at=20)
    assert cli("export", run.path, "--format", "html", "--out", tmp_path / "f.html")[0] == 0
    assert "none yet, the run is failed" in parsed(tmp_path / "f.html").text


def test_nothing_is_overwritten_and_nothing_enters_the_run(make_run: Any, cli: Cli, tmp_path: Path) -> None:
    run = make_run()
    before = sorted(p.name for p in run.path.iterdir())
    target = tmp_path / "page.html"
    target.write_text("mine")
    code, _, err = cli("export", run.path, "--format", "html", "--out", target)
    assert code == 2
    assert "--force replaces it" in err
    assert target.read_text() == "mine"
    assert cli("export", run.path, "--format", "html", "--out", target, "--force")[0] == 0
    for kind, inside in (("html", run.path / "page.html"), ("csv", run.path / "csv"), ("csv", run.path)):
        code, _, err = cli("export", run.path, "--format", kind, "--out", inside)
        assert code == 2
        assert "lies inside the run" in err
    assert sorted(p.name for p in run.path.iterdir()) == before
    assert cli("export", run.path, "--format", "html", "--out", tmp_path)[0] == 2
    assert cli("export", run.path, "--format", "csv", "--out", target)[0] == 2


@pytest.mark.parametrize("kind", ["html", "csv"])
def test_a_place_that_takes_no_more_bytes_gives_exit_code_5_and_no_half_file(
    make_run: Any, cli: Cli, tmp_path: Path, kind: str
) -> None:
    run = make_run(values=[1.0 / (1 + i) for i in range(200)])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        code, _, err = cli("export", run.path, "--format", kind, "--out", tmp_path / "out" / "x")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert code == 5, err
    assert "cannot be written" in err
    assert [p for p in (tmp_path / "out").rglob("*") if p.is_file()] == []
    assert cli("export", run.path, "--format", kind, "--out", f"/dev/full/{kind}")[0] == 5


def test_wide_columns_have_one_row_per_unit() -> None:
    rows = pl.DataFrame({"unit": [0, 0, 2], "metric": ["a", "b", "a"], "key": ["", "x", ""], "value": [1.0, 2.0, 3.0]})
    wide = wide_metrics(rows.lazy())
    assert wide is not None
    assert wide.collect().rows() == [(0, 1.0, 2.0), (2, 3.0, None)]
    assert wide_metrics(rows.lazy().filter(pl.col("unit") > 9)) is None


def curve(values: list[float], low: list[float], high: list[float]) -> Curve:
    data = [np.array(v, dtype=np.float64) for v in (values, low, high)]
    return Curve(name="m", unit=np.arange(len(values)), mean=data[0], low=data[1], high=data[2], rows=99)


def test_a_chart_draws_line_and_band_in_palette_classes() -> None:
    chart = line_chart([curve([1.0, 2.0], [0.5, 1.0], [2.0, 3.0])], title="t", x_label="x", y_label="y")
    assert f'class="curve {PALETTE[0].name}"' in chart
    assert 'class="band' in chart
    assert "NaN" not in chart
    assert "nan" not in chart


@pytest.mark.parametrize("values", [[], [0.0], [0.0, 0.0], [1.0, 0.0], [1e300, 1e-300]])
def test_degenerate_charts_have_finite_coordinates(values: list[float]) -> None:
    for log in (False, True):
        chart = line_chart([curve(values, values, values)], title="t", x_label="x", y_label="y", log=log, goal=0.0)
        assert "nan" not in chart
        assert "inf" not in chart
