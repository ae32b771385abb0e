"""AuctionNet's csv logs: round trip, checks of lines, replay by the published rules, certificate, learning, refusals."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from equilibria.agents.bidding.autobidding.bidders import ConstantBidder, OnlineProgramBidder, PIDBidder
from equilibria.agents.bidding.autobidding.settings import ConstantSettings
from equilibria.games.auctions.simulators import net_csv, net_replay_judging
from equilibria.games.auctions.simulators import net_replay_kernels as kernels
from equilibria.games.auctions.simulators.net import AuctionNet
from equilibria.games.auctions.simulators.net_bidders import NetView, score
from equilibria.games.auctions.simulators.net_csv import FIELDS, NetLog, Trajectory, read_csv
from equilibria.games.auctions.simulators.net_csv_write import write_days
from equilibria.games.auctions.simulators.net_replay import AuctionNetLog, step_of
from equilibria.games.auctions.simulators.net_settings import SHIPPED_LOG, AuctionNetLogSettings, AuctionNetSettings
from equilibria.sim.errors import EquilibriaError, GameFileError, InvalidValue, UnsupportedGame
from equilibria.sim.scenario import plan_from_bytes
from equilibria.sim.scenario.plan import Plan
from equilibria.sim.seeds import SeedTree
from equilibria.testing import check_engine, check_game

ROW = "7,3,0,100.0,50.0,{step},100.0,{pv},0.01,0.001,{bid},1,1,0.2,1,0,{least},0"


def rows(*lines: str, header: str = ",".join(FIELDS)) -> bytes:
    return ("\n".join([header, *lines]) + "\n").encode()


def row(step: int = 0, pv: int = 0, bid: str = "0.5", least: str = "0.2") -> str:
    return ROW.format(step=step, pv=pv, bid=bid, least=least)


@pytest.fixture(scope="module")
def market() -> AuctionNet:
    world = AuctionNet(AuctionNetSettings(impressions=1000, budget_scale=0.0015))
    world.use({f"b{i}": PIDBidder() if i % 2 else ConstantBidder() for i in range(48)})
    world.reset(SeedTree(4))
    return world


def test_a_day_written_and_read_is_the_day_that_was_played(market: AuctionNet, tmp_path: Path) -> None:
    file = tmp_path / "period-2.csv"
    assert write_days(market, file, (2,), advertisers=(0, 5, 17)) == 3 * market.episode(2).impressions.sum()
    seen: list[Any] = []
    totals = market.play(2, lambda predicted, bids, step, t: seen.append((predicted.copy(), bids.copy(), step)))
    found, report = read_csv(file)
    assert (report.broken, report.lines) == (0, 3 * market.episode(2).impressions.sum())
    assert [(t.period, t.advertiser, t.category) for t in found] == [(2, 0, 0), (2, 5, 0), (2, 17, 2)]
    for t in found:
        a = t.advertiser
        np.testing.assert_array_equal(t.predicted, np.concatenate([p[a] for p, _, _ in seen]))
        np.testing.assert_array_equal(t.bid, np.concatenate([b[a] for _, b, _ in seen]))
        np.testing.assert_array_equal(np.diff(t.start), market.episode(2).impressions)
        np.testing.assert_array_equal(t.slot, np.concatenate([s.slot(a) for _, _, s in seen]))
        np.testing.assert_array_equal(t.least, np.concatenate([np.maximum(s.top[3], s.reserve) for _, _, s in seen]))
        assert (t.budget, t.cpa_limit) == (market.budgets[a], market.limits[a])
        spent, converted, expected = t.logged
        assert spent == pytest.approx(totals[a, 0], abs=1e-9)
        assert (converted, (t.slot > 0).sum(), t.exposed.sum()) == (totals[a, 1], totals[a, 2], totals[a, 3])
        assert expected == pytest.approx(t.predicted[t.exposed].sum(dtype=np.float64))
        assert (t.sigma <= 0.3 * t.predicted + 1e-12).all()
    plain = read_csv(file)[0]
    with gzip.open(tmp_path / "again.csv.gz", "wb") as out:
        out.write(file.read_bytes())
    for one, two in zip(plain, read_csv(tmp_path / "again.csv.gz")[0], strict=True):
        np.testing.assert_array_equal(one.bid, two.bid)


def test_lines_give_remaining_money_and_the_end_of_a_day(market: AuctionNet, tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    write_days(market, file, (1,), advertisers=(4,))
    lines = [dict(zip(FIELDS, line.split(","), strict=True)) for line in file.read_text().splitlines()[1:]]
    left = market.budgets[4]
    for step in range(48):
        now = [x for x in lines if int(x["timeStepIndex"]) == step]
        np.testing.assert_allclose([float(x["remainingBudget"]) for x in now], left, atol=1e-9)
        assert {x["isEnd"] for x in now} == {"1" if step == 47 or left < 0.1 else "0"}
        left -= sum(float(x["cost"]) for x in now if x["isExposed"] == "1")
    assert [int(x["pvIndex"]) for x in lines] == list(range(len(lines)))


def test_blocks_orders_of_columns_and_further_columns_change_nothing(
    market: AuctionNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, other = tmp_path / "a.csv", tmp_path / "b.csv"
    write_days(market, file, (1, 3), advertisers=(1, 2))
    cells = [line.split(",") for line in file.read_text().splitlines()]
    rng = np.random.default_rng(1)
    body = [cells[k] for k in 1 + rng.permutation(len(cells) - 1)]
    other.write_text("\r\n".join(",".join(["x", *reversed(c)]) for c in [cells[0], *body]))
    expected = read_csv(file)[0]
    monkeypatch.setattr(net_csv, "BLOCK_BYTES", 5000)
    for found, _ in (read_csv(file), read_csv(other)):
        for one, two in zip(expected, found, strict=True):
            for name in ("predicted", "sigma", "least", "bid", "slot", "cost", "exposed", "converted", "start"):
                np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    only = read_csv(file, periods=(3,), advertisers=(2, 40))[0]
    assert [(t.period, t.advertiser) for t in only] == [(3, 2)]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (row(pv=1, bid="abc"), r"line 3: bid must be a number of at least 0, got 'abc'"),
        (row(pv=1, bid="nan"), "line 3: bid must be a number of at least 0, got 'nan'"),
        (row(pv=1, bid="-1"), "line 3: bid must"),
        (row(pv=1, least="inf"), "line 3: leastWinningCost must"),
        (row(step=48), r"line 3: timeStepIndex must be a whole number of 0..47, got '48'"),
        (row(pv=1).replace("0.01,", "1.01,"), r"line 3: pValue must lie in \[0, 1\]"),
        (row(pv=1).replace(",1,1,0.2,1,0", ",1,4,0.2,1,0"), r"line 3: adSlot must be a whole number of 0..3, got '4'"),
        (row(pv=1).replace(",1,1,0.2,1,0", ",2,1,0.2,1,0"), "line 3: xi must be 0 or 1"),
        (row(pv=1)[:-2], "line 3: has 17 fields, expected 18"),
        (row(pv=1) + ",9", "line 3: has 19 fields, expected 18"),
        ("", "line 3: has 0 fields, expected 18"),
        (row(pv=1).replace("100.0,50.0", "90.0,50.0"), "line 3: category, budget or CPAConstraint differs"),
        (row(pv=1).replace("7,3,0,100.0", "7,3,0,0"), "line 3: budget must be above 0, got '0'"),
    ],
)
def test_broken_lines_are_named_counted_and_can_be_skipped(line: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "period-7.csv"
    file.write_bytes(rows(row(), line, row(pv=2)))
    with pytest.raises(GameFileError, match=says) as caught:
        read_csv(file)
    assert caught.value.line == 3
    assert "1 of 3 lines are broken" in str(caught.value)
    found, report = read_csv(file, broken="skip")
    assert (report.broken, report.lines, found[0].predicted.size) == (1, 3, 2)


def test_line_numbers_count_over_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [row(pv=k) for k in range(2000)]
    for at in (700, 1500, 1501):
        lines[at] = "broken"
    file = tmp_path / "x.csv"
    file.write_bytes(rows(*lines))
    monkeypatch.setattr(net_csv, "BLOCK_BYTES", 3000)
    found, report = read_csv(file, broken="skip")
    assert [number for number, _ in report.first or []] == [702, 1502, 1503]
    assert (report.broken, report.lines, found[0].predicted.size) == (3, 2000, 1997)


def test_what_is_no_log_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(GameFileError, match="is no file or folder"):
        NetLog(tmp_path / "missing")
    with pytest.raises(GameFileError, match=r"holds no \*.csv"):
        NetLog(tmp_path)
    file = tmp_path / "period-1.csv"
    file.write_bytes(rows(row(), header=",".join(FIELDS[:-1])))
    with pytest.raises(GameFileError, match=r"header must name each of \['isEnd'\] once") as caught:
        read_csv(file)
    assert caught.value.line == 1
    file.write_bytes(rows())
    with pytest.raises(GameFileError, match="is empty"):
        read_csv(file)
    file.write_bytes(rows(row(), row()))
    with pytest.raises(GameFileError, match="impression 0 of step 0 stands there twice"):
        read_csv(file)
    file.write_bytes(rows(row(), row(pv=1)))
    with pytest.raises(GameFileError, match="none of the wanted"):
        list(NetLog(file, advertisers=(9,)))
    (tmp_path / "period-10.csv").write_bytes(file.read_bytes())
    with pytest.raises(GameFileError, match=r"stands in .*period-1\.csv too"):
        list(NetLog(tmp_path))
    monkeypatch.setattr(net_csv, "MOST_ROWS", 1)
    with pytest.raises(GameFileError, match="name fewer periods or advertisers"):
        read_csv(file)
    broken = tmp_path / "b.csv.gz"
    broken.write_bytes(gzip.compress(rows(row()))[:-9])
    with pytest.raises(GameFileError, match="cannot be read"):
        read_csv(broken)


def test_files_of_a_folder_come_by_number_and_one_at_a_time(tmp_path: Path) -> None:
    for period in (10, 9, 2):
        text = rows(*(row(pv=k).replace("7,3,0", f"{period},{a},0") for a in (1, 3) for k in range(2)))
        (tmp_path / f"period-{period}.csv").write_bytes(text)
    log = NetLog(tmp_path)
    first = log.at(0)
    assert first is not None
    assert (first.period, len(log.reports)) == (2, 1)
    assert [(t.period, t.advertiser) for t in log] == [(2, 1), (2, 3), (9, 1), (9, 3), (10, 1), (10, 3)]
    last, again = log.at(5), log.at(1)
    assert last is not None
    assert again is not None
    assert (last.period, again.period, again.advertiser, len(log.reports)) == (10, 2, 3, 3)
    assert log.at(6) is None
    with pytest.raises(InvalidValue, match="advertisers must lie in"):
        write_days(AuctionNet(), tmp_path / "x.csv", (1,), advertisers=(48,))


def replay(make: Any = PIDBidder, **settings: Any) -> AuctionNetLog:
    world = AuctionNetLog(AuctionNetLogSettings(**settings))
    world.use({"one": make()})
    world.reset(SeedTree(1))
    return world


def shipped() -> list[Trajectory]:
    return list(NetLog(SHIPPED_LOG))


def test_a_rich_constant_bidder_wins_by_the_published_rule() -> None:
    t = shipped()[0]
    n = t.predicted.size
    bids = np.full(n, 0.05)
    bids[:10] = 0.0
    won, converted, out = np.empty(n, np.bool_), np.empty(n, np.bool_), np.empty(4)
    kernels.replay_step(np.uint64(1), 5, 1e9, t.least, t.predicted, t.sigma, bids, won, converted, out)
    expected = (bids >= t.least) & (bids > 0.0)
    np.testing.assert_array_equal(won, expected)
    assert out[kernels.COST] == pytest.approx(t.least[expected].sum())
    assert (out[kernels.WINS], out[kernels.CONVERSIONS]) == (expected.sum(), converted.sum())
    assert out[kernels.EXPECTED] == pytest.approx(t.predicted[expected].sum(dtype=np.float64))
    assert not converted[~won].any()


def test_conversions_have_the_law_of_the_clipped_normal() -> None:
    n = 40_000
    won, converted, out = np.empty(n, np.bool_), np.empty(n, np.bool_), np.empty(4)
    ones = np.ones(n)
    patterns = []
    for step, (mean, sigma) in enumerate(((0.3, 0.1), (0.05, 0.2), (0.3, 0.0))):
        predicted = np.full(n, mean, np.float32)
        kernels.replay_step(np.uint64(3), step, 1e9, ones, predicted, sigma * ones, ones, won, converted, out)
        law = np.clip(np.random.default_rng(1).normal(mean, sigma, 10**6), 0.0, 1.0).mean() if sigma else mean
        assert abs(converted.mean() - law) < 4.5 * np.sqrt(law * (1 - law) / n) + 5e-4
        patterns.append(converted.copy())
    assert 0.3 < (patterns[0] != patterns[2]).mean() < 0.55  # steps are independent


def test_who_would_overspend_loses_random_wins_until_it_can_pay() -> None:
    n = 3000
    least = np.random.default_rng(2).uniform(0.5, 1.5, n)
    won, converted, out = np.empty(n, np.bool_), np.empty(n, np.bool_), np.empty(4)
    predicted = np.full(n, 0.1, np.float32)
    bids = np.full(n, 1.0)
    kernels.replay_step(np.uint64(1), 0, 300.0, least, predicted, np.zeros(n), bids, won, converted, out)
    reached = bids >= least
    assert not won[~reached].any()
    assert 250.0 < least[won].sum() <= 300.0
    assert least[won].sum() == pytest.approx(out[kernels.COST])
    assert abs(np.flatnonzero(won).mean() - n / 2) < 150  # at random, not the first ones
    assert abs(least[won].mean() - least[reached].mean()) < 0.03
    kernels.replay_step(np.uint64(1), 0, 0.0, least, predicted, np.zeros(n), bids, won, converted, out)
    assert out.tolist() == [0.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize("make", [PIDBidder, OnlineProgramBidder, ConstantBidder])
def test_bidders_keep_their_budgets_and_scores_are_the_formula(make: Any) -> None:
    w = replay(make)
    scores = []
    for k, t in enumerate(shipped()):
        w.run(k + 1, 1)
        c = {name: float(np.asarray(v, np.float64)[0]) for name, v in w.columns().items()}
        assert (c["budget"], c["cpa_limit"]) == (t.budget, t.cpa_limit)
        assert c["cost"] <= t.budget + 1e-9
        assert c["score"] == pytest.approx(float(score(c["conversions"], c["cost"], t.cpa_limit)))
        scores.append(c["score"])
        assert c["mean_score"] == pytest.approx(np.mean(scores))
    before = w.columns()
    w.run(7, 3)  # the log is over
    for name, values in w.columns().items():
        np.testing.assert_array_equal(values, before[name])


def test_bidders_see_the_log_and_only_their_own_results() -> None:
    t, seen = shipped()[1], list[NetView]()

    class Watching(ConstantBidder):
        def bid(self, view: NetView) -> Any:
            seen.append(view)
            return super().bid(view)

    w = replay(Watching, periods=(1,), advertisers=(30,))
    w.run(1, 1)
    for view in seen:
        part = slice(int(t.start[view.step]), int(t.start[view.step + 1]))
        np.testing.assert_array_equal(view.predicted, t.predicted[part])
        np.testing.assert_array_equal(view.sigma, t.sigma[part])
        if view.step:
            past = view.history[-1]
            before = slice(int(t.start[view.step - 1]), int(t.start[view.step]))
            np.testing.assert_array_equal(past.least_winning_cost, t.least[before])
            assert past.cost(0).sum() == pytest.approx(view.last_cost)
            assert (past.slot(0) > 0).sum() == past.totals[0, 2] == past.totals[0, 3]
    spent = sum(float(v.totals[0, 0]) for v in seen[-1].history)
    assert seen[-1].left == pytest.approx(t.budget - spent)


def test_a_logged_step_keeps_slots_exposure_and_prices() -> None:
    slot, exposed = np.array([0, 1, 3, 2]), np.array([False, True, False, True])
    step = step_of(
        np.array([0.1, 0.9, 0.5, 0.7]), np.full(4, 0.2), slot, np.array([0.0, 0.6, 0.3, 0.4]), exposed,
        np.array([False, True, False, False]),
    )  # fmt: skip
    np.testing.assert_array_equal(step.slot(0), slot)
    np.testing.assert_allclose(step.cost(0), [0.0, 0.6, 0.0, 0.4])
    np.testing.assert_allclose(step.totals, [[1.0, 1.0, 3.0, 2.0]])
    np.testing.assert_array_equal(step.least_winning_cost, np.full(4, 0.2))


def test_the_certificate_is_the_best_multiplier_of_the_grid_exactly() -> None:
    grid = net_replay_judging.multipliers(9)
    worlds = [replay(lambda g=g: ConstantBidder(ConstantSettings(multiplier=g)), grid=9) for g in grid.tolist()]
    best, own = [], []
    for number, t in enumerate(shipped(), start=1):
        found = []
        table = net_replay_judging.constants(worlds[0], number, t, grid)
        for k, w in enumerate(worlds):
            totals = w.play(number, 0)
            np.testing.assert_array_equal(table[k], totals[:4])  # costs, wins and conversions alike
            found.append(float(score(totals[kernels.EXPECTED], totals[kernels.COST], t.cpa_limit)))
        best.append(max(found))
        own.append(found[4])
    w = worlds[4]
    w.run(1, 6)
    made = w.certificate()
    assert made.value == pytest.approx(np.mean(best) - np.mean(own))
    assert made.details["mean_score_of_best_constant"] == pytest.approx(np.mean(best))
    assert made.details["trajectories_judged"] == 6
    logged = np.mean([score(t.logged[2], t.logged[0], t.cpa_limit) for t in shipped()])
    assert made.details["mean_score_logged"] == pytest.approx(logged)
    assert replay().certificate().warning == "no trajectory is complete"


def test_the_world_keeps_the_promises_of_a_population() -> None:
    check_game(lambda: replay(OnlineProgramBidder), steps=3)


def plan(agents: list[Any], **params: Any) -> Plan:
    scenario = {
        "version": 1,
        "name": "log",
        "game": {"use": "auction_net_log", "params": params},
        "agents": agents,
        "metrics": [{"use": m, "every": 1} for m in ("bidder_score", "expected_score", "mean_score", "budget_use")],
        "run": {"budget": 2, "seed": 1},
    }
    return plan_from_bytes(json.dumps(scenario).encode(), "log.yaml")


def test_the_engine_keeps_its_contract() -> None:
    check_engine(plan([{"use": "auto_pid"}, {"use": "auto_program"}, {"use": "auto_constant"}]).build)


@pytest.mark.parametrize(
    ("agents", "params", "says"),
    [
        ([{"use": "truthful_bidder"}], {}, "truthful_bidder"),
        ([{"use": "auto_pid"}], {"log": "no/such.csv"}, "no/such.csv: is no file or folder"),
        ([{"use": "auto_pid"}], {"periods": [99]}, "none of the wanted"),
        ([{"use": "auto_pid"}], {"broken": "ignore"}, "broken"),
    ],
)
def test_what_does_not_fit_is_refused(agents: list[Any], params: dict[str, Any], says: str) -> None:
    with pytest.raises(EquilibriaError, match=says):
        plan(agents, **params).build().start(SeedTree(1))


def test_bad_bids_name_bidder_trajectory_and_step() -> None:
    class Bad(PIDBidder):
        def bid(self, view: NetView) -> Any:
            return np.full(view.predicted.size, np.nan if view.step == 2 else 0.0)

    with pytest.raises(InvalidValue, match=r"one \(trajectory 1\), step 2: bid 0 must be a finite number"):
        replay(Bad).run(1, 1)


def test_bidders_learn_from_the_periods_that_are_not_evaluated() -> None:
    from equilibria.agents.bidding.autobidding.offline import OfflineBidder, learned_policy
    from equilibria.agents.bidding.autobidding.offline_log import replayed
    from equilibria.agents.bidding.autobidding.settings import OfflineSettings

    data = replayed(NetLog(SHIPPED_LOG))
    for k, t in enumerate(shipped()):
        spent, _, expected = t.logged
        assert data.rewards[k].sum() == pytest.approx(float(score(expected, spent, t.cpa_limit)), abs=1e-5)
        step = int(np.flatnonzero(data.live[k])[3])
        part = slice(int(t.start[step]), int(t.start[step + 1]))
        kept = t.bid[part] > 0.0
        np.testing.assert_allclose(
            t.bid[part][kept], np.exp(data.actions[k, step]) * t.cpa_limit * t.predicted[part][kept], rtol=1e-4
        )
    assert np.isfinite(data.states).all()
    small = OfflineSettings(method="bc", updates=5, batch=8, hidden=4)
    w = replay(periods=(3,))
    policy = learned_policy(w, small)
    assert len(policy.learner.data) == data.live[:4].sum()  # periods 1 and 2
    w.use({"learned": OfflineBidder(policy)})
    w.reset(SeedTree(1))
    w.run(1, 2)
    assert float(np.asarray(w.columns()["wins"], np.float64)[0]) > 0
    with pytest.raises(UnsupportedGame, match="nothing is left"):
        learned_policy(replay(), small)
    named = small.model_copy(update={"log": SHIPPED_LOG, "periods": (2,)})
    market = AuctionNet(AuctionNetSettings(impressions=1000))
    assert len(learned_policy(market, named).learner.data) == data.live[2:4].sum()
