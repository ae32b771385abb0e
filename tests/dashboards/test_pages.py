"""Every page on real runs, through Streamlit's own test harness: no exception, no error, the right numbers."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from equilibria.dashboards.frame import load_pages
from equilibria.sim.store import Run, layout, open_run

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:streamlit", "ignore::ResourceWarning")

CASES = [
    ("overview", {}, 0),
    ("run", {"run": "cfr_kuhn"}, 1),
    ("run", {"run": "psro"}, 1),
    ("run", {"run": "wealth", "metric": "gini", "logx": "true"}, 1),
    ("compare", {"a": "cfr_kuhn", "b": "vad_cfr_kuhn"}, 1),
    ("compare", {"a": "sweep", "b": "wealth"}, 0),
    ("sweep", {"sweep": "sweep"}, 4),
    ("launch", {"scenario": "quick/cfr_kuhn"}, 0),
    ("gallery", {"find": "poker"}, 0),
    ("convergence", {}, 2),
    ("policy", {"run": "mmd_kuhn", "by": "mixing"}, 1),
    ("policy", {"run": "cycle"}, 1),
    ("meta_game", {"run": "psro"}, 3),
    ("dynamics", {"run": "cycle"}, 2),
    ("dynamics", {"run": "tournament"}, 2),
    ("population", {"run": "wealth"}, 3),
    ("population", {"run": "wealth_grid"}, 4),
    ("population", {"run": "schelling"}, 5),
    ("population", {"run": "contagion"}, 5),
    ("tournament", {"run": "tournament"}, 2),
    ("auctions", {"run": "first_price", "at_bids": "200"}, 3),
    ("auctions", {"run": "rochet_net"}, 4),
    ("auctions", {"run": "auction_gym", "metric": "shading"}, 3),
    ("auctions", {"run": "auction_net", "quantity": "gain_of_best_reply"}, 2),
    ("bandits", {"run": "payments", "rate": "realised outcomes"}, 7),
    ("bandits", {"run": "payments_sweep", "only_agents.0.params.memory": "2"}, 7),
    ("bandits", {"run": "cascading"}, 3),
    ("bandits", {"run": "corestless"}, 3),
    ("bandits", {"run": "feed", "auxiliary": "likes"}, 2),
    ("market", {"run": "order_market"}, 11),
    ("market", {"run": "market_sweep", "by": "profit of a value trader [cents]"}, 7),
    ("gallery", {"topic": "bandits and decisions"}, 0),
    ("bidding", {"run": "rtb_market", "state": "25% of the budget, 50% of the time left"}, 7),
    ("cooperative", {"run": "team"}, 5),
    ("cooperative", {"game": "coordination_world", "run": "learner"}, 4),
    ("dag", {"run": "bn_climbing", "at_dag": "50"}, 4),
    ("policy", {"run": "team"}, 2),
    ("gains", {"run": "psro"}, 2),
    ("gains", {"run": "learner"}, 1),
    ("gains", {"run": "rtb_market"}, 1),
    ("gains", {"run": "team_sweep"}, 1),
]


def draw(name: str, root: str, read_only: bool) -> None:
    from pathlib import Path

    from equilibria.dashboards.frame import Options, draw_page, load_pages

    draw_page(Options(Path(root), read_only), name, load_pages()[0][name])


def opened(name: str, root: Path, query: dict[str, str] | None = None, *, read_only: bool = True) -> AppTest:
    at = AppTest.from_function(draw, args=(name, str(root), read_only), default_timeout=60)
    for key, value in (query or {}).items():
        at.query_params[key] = value
    return at.run()


def charts(at: AppTest) -> list[dict[str, Any]]:
    return [json.loads(element.proto.spec) for element in at.get("plotly_chart")]


def exports(at: AppTest) -> list[Any]:
    """Return the CSV buttons."""
    return [b for b in at.get("download_button") if b.proto.label.startswith("CSV")]


def numbers(values: Any) -> np.ndarray[Any, Any]:
    if isinstance(values, dict):
        return np.frombuffer(base64.b64decode(values["bdata"]), values["dtype"])
    return np.array(values)


def test_all_pages_load() -> None:
    pages, broken = load_pages()
    assert broken == []
    assert {case[0] for case in CASES} == set(pages)


@pytest.mark.parametrize(("name", "query", "count"), CASES, ids=lambda value: str(value))
def test_a_page_shows_a_real_run_without_an_error(runs: Path, name: str, query: dict[str, str], count: int) -> None:
    at = opened(name, runs, query)
    assert not at.exception
    if (name, query) != CASES[5][:2]:
        assert [e.value for e in at.error] == []
    assert len(charts(at)) >= count
    assert at.title[0].value
    assert len(exports(at)) == len(charts(at)) + len(at.dataframe), "every figure and every table has its CSV"


@pytest.mark.parametrize(
    "name", [case[0] for case in CASES[:1]] + ["run", "sweep", "compare", "convergence", "policy", "bandits", "market"]
)
def test_a_page_without_runs_says_what_to_do(tmp_path: Path, name: str) -> None:
    at = opened(name, tmp_path / "none")
    assert not at.exception
    assert not at.error
    assert at.info


def test_broken_neighbours_are_rows_and_messages_never_boxes(broken_runs: Path) -> None:
    at = opened("overview", broken_runs)
    assert not at.exception
    table = at.dataframe[0].value
    assert {"sound", "garbage", "list", "out"} <= set(table["run"])
    assert any("garbage" in e.value for e in at.error)
    for page in ("run", "convergence", "compare"):
        assert not opened(page, broken_runs).exception


def test_a_truncated_run_shows_its_error_in_place(broken_runs: Path) -> None:
    at = opened("run", broken_runs, {"run": "truncated"})
    assert not at.exception
    assert any("cannot be read" in e.value for e in at.error)


def vanished(root: str) -> None:
    from pathlib import Path
    from types import SimpleNamespace

    from equilibria.dashboards.jobs import Jobs
    from equilibria.dashboards.page import Context, Page

    page = Page(title="x", render=lambda context: None)
    context = Context(root=Path(root), page=page, name="x", mode="light", jobs=Jobs(Path(root)))
    run: Any = SimpleNamespace(path=Path(root) / "gone", state="running")
    context.follow(run, lambda run: None)


def test_a_run_in_progress_that_vanishes_is_a_message_in_its_place(tmp_path: Path) -> None:
    at = AppTest.from_function(vanished, args=(str(tmp_path),), default_timeout=60).run()
    assert not at.exception
    assert "gone" in at.error[0].value


@pytest.mark.parametrize("name", ["../secret", "/etc", "sweep/members/../../../x", "sweep/members/nope"])
def test_a_path_outside_the_runs_folder_cannot_be_opened_by_the_url(runs: Path, name: str) -> None:
    at = opened("run", runs, {"run": name})
    assert not at.exception
    if at.selectbox:
        assert at.selectbox(key="run").value != name
    else:
        assert len(at.error) == 1


def test_a_member_of_a_sweep_is_opened_by_the_url(runs: Path) -> None:
    member = min(p.name for p in (runs / "sweep" / "members").iterdir())
    at = opened("run", runs, {"run": f"sweep/members/{member}"})
    assert at.selectbox(key="run").value == f"sweep/members/{member}"
    assert charts(at)


def test_the_filter_of_the_overview_keeps_what_matches(runs: Path) -> None:
    at = opened("overview", runs, {"find": "kuhn vad"})
    assert list(at.dataframe[0].value["run"]) == ["vad_cfr_kuhn"]
    assert opened("overview", runs, {"find": "nothing like it"}).info


def test_the_run_page_shows_the_certificate_and_the_last_value_of_the_run(runs: Path) -> None:
    at = opened("run", runs, {"run": "cfr_kuhn"})
    certificate = open_run(runs / "cfr_kuhn").certificate
    assert certificate is not None
    assert at.metric[0].value == f"{certificate['value']:.4g}"
    chart = next(c for c in charts(at) if c["layout"]["yaxis"].get("type") == "log")
    assert numbers(chart["data"][-1]["y"])[-1] == pytest.approx(certificate["value"], rel=1e-6)


def test_the_alpha_rank_masses_come_from_the_recorded_payoffs(runs: Path) -> None:
    from equilibria.dashboards import reader
    from equilibria.dashboards.views.meta_game import better_replies, payoff_tensors

    first, second = payoff_tensors(reader.rows(open_run(runs / "psro"), "meta_game"))
    assert np.allclose(first, -second)  # Kuhn poker is zero-sum
    assert better_replies([np.array([[1.0, 0], [2, 3]]), np.array([[0.0, 1], [5, 4]])], [(0, 0), (1, 0)]) == [(0, 1)]


def test_scores_of_the_tournament_are_per_turn(runs: Path) -> None:
    at = opened("tournament", runs, {"run": "tournament"})
    scores = at.dataframe[-1].value["score"]
    assert scores.between(0, 5).all()
    assert scores.is_monotonic_decreasing


def test_the_policy_explorer_shows_distributions(runs: Path) -> None:
    table = opened("policy", runs, {"run": "mmd_kuhn"}).dataframe[-1].value
    assert table.groupby("infoset")["probability"].sum().round(9).eq(1).all()


def test_pasted_yaml_passes_the_reader_of_the_command_line(runs: Path) -> None:
    at = opened("launch", runs, read_only=False)
    box = at.text_area[0]
    box.set_value("version: 1\nname: x\ngame: !!python/object/apply:os.system ['true']\nrun: {budget: -1}\n").run()
    table = at.dataframe[0].value
    assert {"line", "column", "key"} <= set(table.columns)
    assert any("python" in message for message in table.iloc[:, 3])
    assert "start" not in {b.key for b in at.button}


def test_a_read_only_server_starts_nothing(runs: Path) -> None:
    at = opened("launch", runs, {"scenario": "quick/cfr_kuhn"}, read_only=True)
    assert at.button(key="start").disabled
    assert "read-only" in at.info[0].value


def test_the_market_page_shows_prices_and_what_was_conserved(runs: Path) -> None:
    at = opened("market", runs, {"run": "order_market"})
    assert [t["name"] for t in charts(at)[0]["data"]] == ["mid price", "fundamental value"]
    assert "Cash created: 0 cents" in " ".join(c.value for c in at.caption)


def cut(runs: Path, name: str, root: Path, *, tables: bool = True) -> None:
    """Copy a run as if it had been killed: no summary; without ``tables`` before anything was recorded."""
    shutil.copytree(runs / name, root / name)
    (root / name / layout.SUMMARY).unlink()
    status = json.loads((root / name / layout.STATUS).read_text())
    (root / name / layout.STATUS).write_text(json.dumps({**status, "status": "running"}))
    if not tables:
        shutil.rmtree(root / name / layout.METRICS)
        shutil.rmtree(root / name / layout.TABLES, ignore_errors=True)


CUT = [("bandits", "payments"), ("bandits", "corestless"), ("bandits", "feed"), ("market", "order_market"),
       ("auctions", "auction_gym")]  # fmt: skip


@pytest.mark.parametrize(("page", "name"), CUT)
@pytest.mark.parametrize("tables", [True, False])
def test_a_run_that_was_killed_shows_what_it_has(
    runs: Path, tmp_path: Path, page: str, name: str, tables: bool
) -> None:
    cut(runs, name, tmp_path, tables=tables)
    assert open_run(tmp_path / name).state == "killed"
    at = opened(page, tmp_path, {"run": name})
    assert not at.exception
    assert [e.value for e in at.error] == []
    assert at.info
    assert bool(charts(at)) is tables


@pytest.mark.parametrize(("page", "name"), CUT[:4:3])
def test_a_run_in_progress_is_followed(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: str, name: str
) -> None:
    cut(runs, name, tmp_path)
    monkeypatch.setattr(Run, "state", property(lambda self: str(self.status["status"])))
    at = opened(page, tmp_path, {"run": name})
    assert not at.exception
    assert [e.value for e in at.error] == []
    assert charts(at)


@pytest.mark.parametrize(("page", "name"), [("bandits", "payments"), ("market", "order_market")])
def test_a_truncated_table_is_an_error_in_its_place(runs: Path, tmp_path: Path, page: str, name: str) -> None:
    cut(runs, name, tmp_path)
    for part in (tmp_path / name / layout.METRICS).glob("*.parquet"):
        part.write_bytes(part.read_bytes()[:40])
    at = opened(page, tmp_path, {"run": name})
    assert not at.exception
    assert any("cannot be read" in e.value for e in at.error)


def test_a_sweep_without_a_complete_member_says_so(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "payments_sweep", tmp_path / "sweep")
    for member in (tmp_path / "sweep" / layout.MEMBERS).iterdir():
        (member / layout.SUMMARY).unlink()
        (member / layout.STATUS).write_text('{"status": "interrupted", "unit": 1}')
    at = opened("bandits", tmp_path, {"run": "sweep"})
    assert not at.exception
    assert [e.value for e in at.error] == []
    assert "No member is complete" in at.info[0].value
