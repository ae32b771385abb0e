"""Figures and numbers of the pages on order markets, bandits and simulated advertising markets."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from equilibria.dashboards import reader
from equilibria.dashboards.catalogue import entry_of
from equilibria.dashboards.figures import bars, markets, scatter
from equilibria.dashboards.figures.lines import log_ticks
from equilibria.dashboards.figures.regret import log_slope, regret
from equilibria.dashboards.frame import load_pages
from equilibria.dashboards.jobs import Jobs
from equilibria.dashboards.page import Context
from equilibria.dashboards.views import (
    ad_markets,
    bandit_payments,
    bandit_values,
    gallery,
    groups,
    market,
    price_changes,
)
from equilibria.dashboards.views.sweep import short_value
from equilibria.games.markets.world import OrderMarket
from equilibria.sim.analysis.samples import from_sweep
from equilibria.sim.analysis.thinning import Curve
from equilibria.sim.store import Run, open_run, open_sweep


def curve(name: str, unit: Any, mean: Any) -> Curve:
    y = np.asarray(mean, np.float64)
    return Curve(name=name, unit=np.asarray(unit, np.int64), mean=y, low=y, high=y, rows=len(y))


# --- regret ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
def test_the_slope_of_a_power_law_is_its_exponent_whatever_came_before(exponent: float) -> None:
    unit = np.arange(0, 10_001, 10)
    value = 3.0 * np.maximum(unit, 1.0) ** exponent
    value[unit < 900] = 7.0  # outside the last decade
    assert log_slope(unit, value) == pytest.approx(exponent, abs=1e-9)


@pytest.mark.parametrize(("unit", "value"), [([], []), ([1, 2], [1.0, 2.0]), ([1, 2, 3], [0.0, 0.0, 0.0])])
def test_too_few_points_have_no_slope(unit: list[int], value: list[float]) -> None:
    assert np.isnan(log_slope(np.array(unit, np.int64), np.array(value, np.float64)))


def test_regret_is_drawn_on_two_log_axes_beside_slopes_through_its_end() -> None:
    unit = np.arange(1, 1001)
    figure = regret([curve("a", unit, 2.0 * unit**0.5)], x_label="episode", y_label="regret [reward]")
    assert (figure.layout.xaxis.type, figure.layout.yaxis.type) == ("log", "log")
    assert [t.name for t in figure.data] == ["a", "slope 0.5", "slope 1"]
    for line, exponent in zip(figure.data[1:], (0.5, 1.0), strict=True):
        assert line.y[-1] == pytest.approx(2.0 * 1000**0.5)
        assert np.diff(np.log(line.y)) / np.diff(np.log(line.x)) == pytest.approx(exponent)


@pytest.mark.parametrize(("high", "expected"), [(5.0, "nticks"), (20.0, "D2"), (1e6, 1), (1e16, 2)])
def test_ticks_of_a_log_axis_suit_its_span(high: float, expected: Any) -> None:
    found = log_ticks([np.array([1.0, high, 0.0, np.nan])])
    assert (expected in found) if expected == "nticks" else found == {"dtick": expected}
    assert log_ticks([np.array([0.0])]) == {}


# --- points and frontiers -------------------------------------------------------------------------------


def test_a_cloud_is_its_mean_and_its_runs_and_the_window_shows_the_frontier_above() -> None:
    cloud = scatter.Cloud(x=np.array([1.0, 3.0]), y=np.array([4.0, 6.0]), path=(np.array([0.5, 1]), np.array([2.0, 4])))
    frontier = (np.array([0.0, 2.0, 100.0]), np.array([10.0, 9.0, 0.0]))
    figure = scatter.clouds({"a": cloud}, x_label="likes", y_label="watch", frontier=frontier)
    names = [t.name for t in figure.data]
    assert names == ["out of reach", "frontier", "a over training", "a, runs", "a"]
    assert (figure.data[-1].x[0], figure.data[-1].y[0]) == (2.0, 5.0)
    assert figure.layout.xaxis.range[1] < 5.0
    assert figure.layout.yaxis.range[1] > 9.0
    alone = scatter.clouds({"a": cloud}, x_label="x", y_label="y", log_x=True)
    assert alone.layout.xaxis.type == "log"


def test_a_goal_is_a_line_with_its_name() -> None:
    figure = bars.intervals(["a"], [0.5], [0.4], [0.6], x_label="share", goal=1.0, goal_label="optimum")
    assert (figure.layout.shapes[0].x0, figure.layout.annotations[0].text) == (1.0, "optimum")


# --- markets --------------------------------------------------------------------------------------------


def test_depth_adds_up_from_the_best_price_outwards() -> None:
    buy = (np.array([98.0, 99.0]), np.array([5.0, 1.0]))
    sell = (np.array([101.0, 103.0]), np.array([2.0, 4.0]))
    figure = markets.depth(buy, sell)
    assert (list(figure.data[0].x), list(figure.data[0].y)) == ([99.0, 98.0], [1.0, 6.0])
    assert (list(figure.data[1].x), list(figure.data[1].y)) == ([101.0, 103.0], [2.0, 6.0])


def test_heavy_tails_lie_above_the_normal_density_and_the_histogram_has_mass_one() -> None:
    draws = np.random.default_rng(1).standard_t(3, 20_000)
    middle, density, normal = markets.change_density(draws)
    assert density.sum() * (middle[1] - middle[0]) == pytest.approx(1.0)
    far = (np.abs(middle) > 4) & (density > 0)
    assert far.any()
    assert np.all(density[far] > normal[far])
    figure = markets.changes((middle, density, normal), count=len(draws))
    assert figure.layout.yaxis.type == "log"
    assert [t.name for t in figure.data] == ["normal", "recorded changes"]


def test_autocorrelations_of_known_series() -> None:
    noise = np.random.default_rng(2).normal(size=50_000)
    smooth = noise[1:] + noise[:-1]  # moving average: 1/2 at lag 1, 0 beyond
    assert markets.autocorrelation(smooth, 3) == pytest.approx([0.5, 0.0, 0.0], abs=0.02)
    assert np.isnan(markets.autocorrelation(np.zeros(5), 3)).all()
    found = markets.autocorrelation(np.array([1.0, -1.0, 1.0, -1.0]), 5)
    assert found[0] == pytest.approx(-1.0)
    assert np.isnan(found[2:]).all()
    figure = markets.memory({"changes": found}, band=0.1, step="10 s")
    assert (figure.layout.shapes[0].y0, figure.layout.shapes[0].y1) == (-0.1, 0.1)


def test_a_running_total_becomes_a_rate_per_second() -> None:
    found = market.rate(curve("trades", [0, 10, 30], [0.0, 50.0, 90.0]), 2.0)
    assert found.unit.tolist() == [10, 30]
    assert found.mean.tolist() == [2.5, 1.0]


def test_prices_at_equal_steps_are_the_longest_stretch_without_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    unit = np.array([10, 20, 40, 50, 60, 70])
    monkeypatch.setattr(reader, "series", lambda run, metric, key: (unit, unit * 1.0))
    step, price = price_changes.mid_prices(None)
    assert step == 10
    assert price.tolist() == [40.0, 50.0, 60.0, 70.0]


def test_price_changes_are_described_from_the_recorded_prices(monkeypatch: pytest.MonkeyPatch) -> None:
    walk = np.cumsum(np.random.default_rng(3).normal(size=5001))
    monkeypatch.setattr(reader, "series", lambda run, metric, key: (np.arange(5001) * 10, walk))
    found = price_changes.changes_of(None)
    assert found is not None
    assert (found.count, found.step) == (5000, 10)
    assert abs(found.kurtosis) < 0.3
    assert np.abs(found.memory).max() < 0.06
    for short in (np.zeros(500), walk[:20]):
        monkeypatch.setattr(reader, "series", lambda run, metric, key, y=short: (np.arange(len(y)), y))
        assert price_changes.changes_of(None) is None


def test_kinds_of_traders_have_the_names_of_the_world() -> None:
    assert OrderMarket.kinds == market.KINDS
    frame = pl.DataFrame({"kind": [0] * 101 + [3], "profit": [*range(101), -7]})
    rows = market.people_rows(frame, "profit")
    assert rows.rows() == [("noise", 101, 50.0, 5.0, 95.0), ("maker", 1, -7.0, -7.0, -7.0)]


def test_activity_by_kind_is_that_of_the_recorded_metric(runs: Path) -> None:
    run = open_run(runs / "order_market")
    rows = market.activity_rows(run)
    assert rows["kind"].to_list() == ["noise", "value", "momentum", "maker"]
    trades = next(v.value for v in reader.values(run) if (v.metric, v.key) == ("market_activity", "trades"))
    assert rows["trades"].sum() == 2 * trades


def test_the_whole_series_of_a_metric_is_read(runs: Path) -> None:
    run = open_run(runs / "order_market")
    _, mid = reader.series(run, "market_price", "mid")
    rows = run.metrics().filter((pl.col("metric") == "market_price") & (pl.col("key") == "mid")).collect()
    assert mid.tolist() == rows["value"].to_list()


# --- bandits --------------------------------------------------------------------------------------------


def payments_groups(runs: Path, memory: str = "2") -> groups.Groups:
    source = from_sweep(open_sweep(runs / "payments_sweep"))
    kept = [s for s in source.samples if str(s.overrides["agents.0.params.memory"]) == memory]
    return groups.Groups(groups.labelled(kept), sweep=True)


def test_settings_are_named_by_what_differs(runs: Path) -> None:
    found = payments_groups(runs)
    assert list(found.samples) == ["uniform", "epsilon_greedy", "square_cb"]
    assert {len(s) for s in found.samples.values()} == {2}
    assert found.band == "range"
    assert short_value({"use": "cascading_vi", "params": {"scale": 0.1}}) == "cascading_vi scale 0.1"
    assert short_value(30.0, "gamma") == "gamma 30"
    source = from_sweep(open_sweep(runs / "market_sweep"))
    assert list(groups.labelled(source.samples)) == ["value 0", "value 40"]


def test_uniform_actions_gain_nothing_over_themselves_and_the_best_bound_all(runs: Path) -> None:
    found = payments_groups(runs)
    for label, samples in found.samples.items():
        for s in samples:
            gain, best = (bandit_payments.gained(s.run, key) for key in ("policy", "best"))
            assert np.all(gain.mean <= best.mean + 1e-12)
            if label == "uniform":
                assert gain.mean == pytest.approx(0.0, abs=1e-12)
    assert (bandit_payments.mean_gain(found.samples["square_cb"][0].run) or 0.0) > 0


def test_the_swing_is_the_deviation_of_changes_after_the_first_generation(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = curve("policy", [1, 2, 3, 4], [0.0, 0.5, 0.6, 0.5])
    monkeypatch.setattr(reader, "curve", lambda run, metric, key: steps)
    assert bandit_payments.swing(None) == pytest.approx(np.std([0.1, -0.1], ddof=1))
    monkeypatch.setattr(reader, "curve", lambda run, metric, key: curve("policy", [1, 2, 3], [0.0, 1.0, 2.0]))
    assert bandit_payments.swing(None) is None


def test_a_reference_is_drawn_only_when_all_settings_share_it() -> None:
    short, long = curve("a", [1, 2], [0.5, 0.6]), curve("b", [1, 2, 3], [0.5, 0.6, 0.7])
    (found,) = bandit_payments.shared([short, long], "best")
    assert (found.name, found.mean.tolist()) == ("best", [0.5, 0.6, 0.7])
    assert bandit_payments.shared([short, curve("c", [1, 2], [0.5, 0.61])], "best") == []
    assert bandit_payments.shared([], "best") == []


def test_a_restless_rule_is_compared_with_the_optimum_of_its_certificate(runs: Path) -> None:
    run = open_run(runs / "corestless")
    details = run.certificate["details"]
    found = bandit_values.outcome(run)
    assert found is not None
    assert found["goal_is"] == "optimum"
    assert (found["value"], found["goal"]) == (details["value"], details["optimal_value"])
    rows = bandit_values.share_rows(groups.of_run(run))
    assert rows["share"][0] == pytest.approx(details["share_of_optimum"])
    assert rows["low"][0] == pytest.approx(rows["share"][0])


def test_a_simulated_rule_keeps_its_interval_and_its_bound() -> None:
    certificate = {"value": 30.0, "low": 25.0, "high": 35.0, "details": {"simulated": 70.0, "relaxed_bound": 100.0}}
    found = bandit_values.outcome(SimpleNamespace(certificate=certificate))
    assert found is not None
    assert (found["value"], found["low"], found["high"]) == (70.0, 65.0, 75.0)
    assert found["goal_is"] == "relaxed bound"
    assert bandit_values.outcome(SimpleNamespace(certificate={"value": 1.0})) is None
    assert bandit_values.outcome(SimpleNamespace(certificate=None)) is None


def test_the_frontier_of_the_feed_lies_above_the_policy(runs: Path) -> None:
    run = open_run(runs / "feed")
    last = {v.key: v.value for v in reader.values(run) if v.metric == "session_return"}
    for auxiliary, level in (("likes", last["likes"]), ("likes and shares", last["likes"] + last["shares"])):
        found = bandit_values.frontier_of(run, auxiliary)
        assert found is not None
        at = np.searchsorted(found[0], level, side="right") - 1
        assert last["watch_time"] <= found[1][at] + 1e-9
    assert bandit_values.frontier_of(open_run(runs / "payments"), "likes") is None


def test_certificates_of_settings_have_intervals_over_seeds(runs: Path) -> None:
    rows = groups.certificate_rows(payments_groups(runs))
    assert rows["setting"].to_list() == ["uniform", "epsilon_greedy", "square_cb"]
    assert (rows["low"] <= rows["value"]).all()
    assert (rows["value"] <= rows["high"]).all()
    one = groups.certificate_rows(groups.of_run(open_run(runs / "payments")))
    certificate = open_run(runs / "payments").certificate
    assert certificate is not None
    assert one.select("low", "high").row(0) == (certificate["low"], certificate["high"])


# --- advertising markets --------------------------------------------------------------------------------


def test_bidders_are_grouped_by_kind(runs: Path) -> None:
    assert [ad_markets.kind_of(n) for n in ("auto_pid_12", "bidder", "x_1_2")] == ["auto_pid", "bidder", "x_1"]
    rows = ad_markets.bidder_rows(open_run(runs / "auction_net"))
    assert len(rows) == 48
    kinds = ad_markets.kind_rows(rows, "gain_of_best_reply")
    assert kinds["bidders"].to_list() == [48]
    assert kinds["low"][0] <= kinds["median"][0] <= kinds["high"][0] == rows["gain_of_best_reply"].max()
    merged = ad_markets.by_kind([curve("a_1", [1, 2], [0, 2]), curve("a_2", [1, 2], [4, 4]), curve("b_1", [1], [9])])
    assert [c.name for c in merged] == ["a", "b"]
    assert (merged[0].mean.tolist(), merged[0].low.tolist(), merged[0].high.tolist()) == ([2, 3], [0, 2], [4, 4])


# --- links and states -----------------------------------------------------------------------------------


def context(root: Path) -> Context:
    pages, _ = load_pages()
    return Context(root=root, page=pages["run"], name="run", mode="light", jobs=Jobs(root), pages=pages)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("payments", {"bandits"}),
        ("feed", {"bandits"}),
        ("order_market", {"market", "population"}),
        ("cascading", {"bandits", "policy"}),
        ("auction_gym", {"auctions"}),
    ],
)
def test_the_run_page_links_to_the_pages_made_for_a_run(runs: Path, name: str, expected: set[str]) -> None:
    found = context(runs)
    run = open_run(runs / name)
    assert expected <= set(found.pages_for(run))
    assert not {"run", "compare", "overview"} & set(found.pages_for(run))
    assert found.title_of(run) == name


def test_a_member_of_a_sweep_has_links_too(runs: Path) -> None:
    member = open_sweep(runs / "payments_sweep").members[0]
    assert isinstance(member, Run)
    assert entry_of(runs, member).name.startswith("payments_sweep/members/")
    assert "bandits" in context(runs).pages_for(member)


def test_scenarios_stand_under_their_topic() -> None:
    topics = {card.name: card.topic for card in gallery.cards()}
    assert topics["quick/payments"] == topics["corestless_path"] == topics["feed_tscac"] == "bandits and decisions"
    assert topics["order_market_rmsc04"] == "order markets"
    assert topics["quick/auction_net"] == "auctions and bidding"
    assert gallery.OTHER not in topics.values()
    assert gallery.topic_of("game: {use: no_such_game}") == gallery.OTHER
    assert gallery.topic_of("name: nothing") == gallery.OTHER
