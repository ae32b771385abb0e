"""AuctionGym's model: known answers with oracles, a plain Python copy, learning, refusals."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from scipy.special import ndtri

from equilibria.agents.bidding.contextual.allocator import LogisticAllocator, maximum_a_posteriori
from equilibria.agents.bidding.contextual.bidders import PolicyBidder, ShadingBidder, TruthfulBidder, ValueBidder
from equilibria.agents.bidding.contextual.settings import (
    PolicySettings,
    ShadingSettings,
    TruthfulSettings,
    ValueSettings,
)
from equilibria.games.auctions.simulators import gym_kernels as kernels
from equilibria.games.auctions.simulators.draws import normal
from equilibria.games.auctions.simulators.environments import AuctionGymEnv
from equilibria.games.auctions.simulators.gym import AuctionGym, Catalogue
from equilibria.games.auctions.simulators.gym_bidders import GymRule
from equilibria.games.auctions.simulators.gym_settings import AuctionGymSettings
from equilibria.sim.errors import EquilibriaError, GameTooLarge, IllegalAction, InvalidValue, UnsupportedGame
from equilibria.sim.philox import words
from equilibria.sim.scenario import plan_from_bytes
from equilibria.sim.scenario.plan import Plan
from equilibria.sim.seeds import SeedTree
from equilibria.testing import check_engine, check_env, check_game


def oracle() -> TruthfulBidder:
    return TruthfulBidder()


def world(make: Any = oracle, seed: int = 1, **settings: Any) -> AuctionGym:
    made = AuctionGym(AuctionGymSettings(**settings))
    made.use({f"b{i}": make() for i in range(made.agents)})
    made.reset(SeedTree(seed))
    return made


def column(w: AuctionGym, name: str) -> Any:
    return np.asarray(w.columns()[name], np.float64)


def test_normal_words_follow_the_inverse_distribution_function() -> None:
    drawn = np.random.default_rng(1).integers(0, 2**32, 5000, dtype=np.uint64)
    ours = np.array([normal.py_func(w) for w in drawn])  # type: ignore[attr-defined]
    np.testing.assert_allclose(ours, ndtri((drawn + 0.5) / 2**32), atol=1e-6)


def plain_play(w: AuctionGym, first: int, rounds: int) -> Any:
    """Play by plain Python; returns the totals of oracles who bid truthfully."""
    s, c = w.settings, w.catalogue
    assert c is not None
    totals = np.zeros((s.agents, kernels.FIELDS))
    for number in range(first, first + rounds):
        stream = [x for b in range(4) for x in words.py_func(w._key, number, 0, b)]  # type: ignore[attr-defined]
        x = [s.embedding_var * normal.py_func(v) for v in stream[: s.embedding_size]] + [1.0]  # type: ignore[attr-defined]
        order = list(range(s.agents))
        offers = []
        for p in range(s.participants):
            j = p + int((int(stream[s.embedding_size + p]) * (s.agents - p)) >> 32)
            order[p], order[j] = order[j], order[p]
            i = order[p]
            rates = 1.0 / (1.0 + np.exp(-c.weights[i] @ np.array(x)))
            k = int((rates * c.values[i]).argmax())
            offers.append((float(rates[k] * c.values[i, k]), i, float(rates[k]), float(c.values[i, k])))
            totals[i, kernels.PLAYED] += 1
        ranked = sorted(offers, key=lambda o: -o[0])
        value, i, rate, worth = ranked[0]
        price = ranked[1][0] if s.pricing == "second" else value
        click = (float(stream[s.embedding_size + s.participants]) + 0.5) / 2**32 < rate
        totals[i, kernels.WON] += 1
        totals[i, kernels.PAID] += price
        totals[i, kernels.GROSS] += worth * click
        totals[i, kernels.EXPECTED] += value
        totals[i, kernels.NET] += worth * click - price
    return totals


@pytest.mark.parametrize("pricing", ["second", "first"])
@pytest.mark.parametrize("participants", [2, 5])
def test_the_compiled_auctions_equal_plain_python(pricing: str, participants: int) -> None:
    w = world(rounds=150, pricing=pricing, participants=participants)
    w.run(1, 1)
    w.run(2, 1)
    plain = plain_play(w, 150, 150)
    for field, name in ((kernels.PLAYED, "auctions"), (kernels.WON, "won")):
        np.testing.assert_array_equal(column(w, name), plain[:, field])
    for field, name in (
        (kernels.PAID, "paid"), (kernels.GROSS, "gross_utility"), (kernels.EXPECTED, "expected_gross_utility"),
        (kernels.NET, "net_utility"),
    ):  # fmt: skip
        np.testing.assert_allclose(column(w, name), plain[:, field], rtol=1e-9, atol=1e-9)


def test_oracles_at_second_prices_have_no_regret_and_nothing_to_gain() -> None:
    w = world(rounds=20_000, participants=3)
    w.run(1, 1)
    for name in ("allocation_regret", "estimation_regret", "overbid_regret", "underbid_regret"):
        assert (column(w, name) == 0.0).all(), name
    certificate = w.certificate()
    assert certificate.value == 0.0


def test_welfare_is_the_mean_of_the_best_value_in_the_room() -> None:
    w = world(rounds=200_000)
    w.run(1, 1)
    c = w.catalogue
    assert c is not None
    rng = np.random.default_rng(5)
    x = np.concatenate([rng.normal(size=(40_000, 5)), np.ones((40_000, 1))], axis=1)
    best = (1.0 / (1.0 + np.exp(-np.einsum("nkd,rd->rnk", c.weights, x))) * c.values).max(axis=2)
    room = np.argsort(rng.random((40_000, 6)), axis=1)[:, :2]
    expected = np.take_along_axis(best, room, axis=1).max(axis=1)
    error = expected.std() * math.sqrt(1 / 40_000 + 1 / 200_000)
    assert column(w, "expected_gross_utility").sum() / 200_000 == pytest.approx(expected.mean(), abs=4 * error)
    clicks = 4 * math.sqrt(column(w, "gross_utility").sum() * 3.0) / 200_000
    assert column(w, "gross_utility").sum() / 200_000 == pytest.approx(expected.mean(), abs=4 * error + clicks)


def test_more_participants_raise_revenue_and_welfare_and_lower_surplus() -> None:
    revenue, welfare, surplus = [], [], []
    for participants in range(2, 7):
        w = world(rounds=100_000, participants=participants)
        w.run(1, 1)
        revenue.append(column(w, "paid").sum())
        welfare.append(column(w, "expected_gross_utility").sum())
        surplus.append(welfare[-1] - revenue[-1])
    assert (np.diff(revenue) > 0).all()
    assert (np.diff(welfare) > 0).all()
    assert (np.diff(surplus) < 0).all()


def test_unshaded_bids_at_first_prices_earn_nothing() -> None:
    w = world(rounds=50_000, pricing="first")
    nets = []
    for iteration in range(1, 21):
        w.run(iteration, 1)
        nets.append(column(w, "net_utility").sum())
    assert abs(np.mean(nets)) < 4 * np.std(nets, ddof=1) / math.sqrt(len(nets))


def test_rounds_do_not_depend_on_how_they_are_cut() -> None:
    whole, pieces = world(rounds=600), world(rounds=200)
    whole.run(1, 1)
    parts = []
    for iteration in (1, 2, 3):
        pieces.run(iteration, 1)
        parts.append(column(pieces, "won"))
    np.testing.assert_array_equal(column(whole, "won"), sum(parts))


def test_the_certificate_is_the_gain_of_the_best_factor_on_the_grid() -> None:
    w = world(rounds=400, pricing="first", grid=15)
    w.run(1, 1)
    log, who, _, _ = w._play(1, np.zeros((6, kernels.FIELDS)), logged=True)
    best = 0.0
    for i in range(6):
        mine = log[who == i]
        own = sum(r[kernels.L_TRUE] * r[kernels.L_VALUE] - r[kernels.L_BID] for r in mine if r[kernels.L_WON])
        for factor in np.arange(16) / 10:
            total = 0.0
            for r in mine:
                bid = factor * r[kernels.L_CTR] * r[kernels.L_VALUE]
                total += (r[kernels.L_TRUE] * r[kernels.L_VALUE] - bid) * (bid > r[kernels.L_RIVAL])
            best = max(best, (total - own) / len(mine))
    assert w.certificate().value == pytest.approx(best, rel=1e-9)
    assert best > 0.01


def test_logistic_fits_are_the_minimum() -> None:
    rng = np.random.default_rng(2)
    x = np.concatenate([rng.normal(size=(500, 3)), np.ones((500, 1))], axis=1)
    y = (rng.random(500) < 1 / (1 + np.exp(-x @ [1.0, -0.5, 0.2, -1.0]))).astype(np.float64)
    prior, precision = np.array([0.1, 0.0, 0.0, -0.3]), np.array([1.0, 2.0, 0.5, 1.0])
    w = maximum_a_posteriori(x, y, prior, precision)
    gradient = (1 / (1 + np.exp(-x @ w)) - y) @ x + precision * (w - prior)
    assert np.abs(gradient).max() < 1e-4
    allocator = LogisticAllocator(2, 3, 1.0)
    allocator.learn(x, np.zeros(500, np.int64), y)
    assert (allocator.spread[0] < allocator.spread[1]).all()


def test_learned_click_rates_approach_the_truth() -> None:
    w = world(lambda: TruthfulBidder(TruthfulSettings(allocator="logistic")), rounds=3000, items=4)
    errors = []
    for iteration in range(1, 9):
        w.run(iteration, 1)
        errors.append(column(w, "ctr_rmse").mean())
        assert (column(w, "overbid_regret") == 0.0).all()
    assert errors[0] > 0.3
    assert errors[-1] < 0.2
    assert column(w, "allocation_regret").min() >= 0.0


@pytest.mark.parametrize(
    "make",
    [
        lambda: ShadingBidder(ShadingSettings(gamma_sigma=0.05)),
        lambda: ValueBidder(ValueSettings(epochs=10)),
        lambda: PolicyBidder(PolicySettings(loss="doubly_robust", epochs=10, gamma_sigma=0.05)),
        lambda: PolicyBidder(PolicySettings(loss="ips", gamma_sigma=0.05)),
        lambda: PolicyBidder(PolicySettings(loss="ppo", gamma_sigma=0.05)),
        lambda: PolicyBidder(PolicySettings(loss="reinforce", gamma_sigma=0.05)),
    ],
    ids=["shading", "value", "doubly_robust", "ips", "ppo", "reinforce"],
)
def test_learners_shade_at_first_prices_and_earn_more(make: Any) -> None:
    w = world(make, rounds=2500, pricing="first", grid=30)
    w.run(1, 1)
    earned = [column(w, "net_utility").sum()]
    for iteration in range(2, 7):
        w.run(iteration, 1)
        earned.append(column(w, "net_utility").sum())
    assert max(earned[1:]) > earned[0] + 0.02 * column(w, "gross_utility").sum()
    assert column(w, "shading").mean() < 0.99


def mixed() -> AuctionGym:
    makers: list[Any] = [oracle, lambda: TruthfulBidder(TruthfulSettings(allocator="logistic")), ShadingBidder,
              lambda: ValueBidder(ValueSettings(epochs=2)), lambda: PolicyBidder(PolicySettings(epochs=2)),
              lambda: PolicyBidder(PolicySettings(loss="ppo", allocator="logistic"))]  # fmt: skip
    w = AuctionGym(AuctionGymSettings(rounds=200, items=3, pricing="first", grid=10))
    w.use({f"b{i}": make() for i, make in enumerate(makers)})
    return w


def test_the_world_keeps_the_promises_of_a_population() -> None:
    check_game(mixed, steps=5)


def plan(agents: list[Any], **params: Any) -> Plan:
    scenario = {
        "version": 1,
        "name": "gym",
        "game": {"use": "auction_gym", "params": {"rounds": 200, "items": 3, "grid": 10, **params}},
        "agents": agents,
        "metrics": [{"use": m, "every": 2} for m in ("market_totals", "net_utility", "ctr_bias", "shading")],
        "tables": [{"name": "agents", "every": 3}],
        "run": {"budget": 5, "seed": 1},
    }
    return plan_from_bytes(json.dumps(scenario).encode(), "gym.yaml")


def test_the_engine_keeps_its_contract() -> None:
    check_engine(plan([{"use": "shading_bidder", "params": {"allocator": "logistic"}}], pricing="first").build)


@pytest.mark.parametrize(
    ("agents", "params", "says"),
    [
        ([{"use": "truthful_bidder"}] * 2, {}, "one entry for all bidders or 6 entries"),
        ([{"use": "truthful_bidder", "role": "seller"}], {}, "role must be 'bidder'"),
        ([{"use": "value_bidder"}], {}, "pricing: first"),
        ([{"use": "auto_pid"}], {}, "auto_pid"),
        ([{"use": "truthful_bidder"}], {"participants": 7}, "participants must be at most agents"),
        ([{"use": "truthful_bidder"}], {"observed_size": 6}, "observed_size must be at most"),
        ([], {}, "needs bidders|one entry"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(agents: list[Any], params: dict[str, Any], says: str) -> None:
    with pytest.raises(EquilibriaError, match=says):
        plan(agents, **params).build().start(SeedTree(1))


def test_broken_numbers_are_named() -> None:
    good = Catalogue.draw(AuctionGymSettings(), SeedTree(1))
    broken = good.weights.copy()
    broken[1, 2, 3] = math.nan
    with pytest.raises(InvalidValue, match=r"weights\[1, 2, 3\]"):
        Catalogue(broken, good.values)
    with pytest.raises(InvalidValue, match=r"values\[0, 1\].*above 0"):
        Catalogue(good.weights, np.where(np.arange(12) == 1, -1.0, good.values))
    with pytest.raises(GameTooLarge, match="bytes"):
        world(rounds=10_000_000, participants=6)

    class Broken(TruthfulBidder):
        def rule(self) -> GymRule:
            return GymRule(centre=math.inf)

    with pytest.raises(InvalidValue, match="bidder 0"):
        world(Broken, rounds=10).run(1, 1)
    with pytest.raises(UnsupportedGame, match="needs 6 bidders"):
        AuctionGym().use({"a": oracle()})


def test_the_pettingzoo_view_plays_whole_episodes() -> None:
    check_env(lambda: AuctionGymEnv(AuctionGymSettings(rounds=6)))
    env = AuctionGymEnv(AuctionGymSettings(rounds=6, participants=6))
    env.reset(seed=3)
    act = {"item": 0, "bid": np.array([1.0])}
    with pytest.raises(IllegalAction, match="no action of bidder_0"):
        env.step({})
    with pytest.raises(IllegalAction, match="bidder_2"):
        env.step(dict.fromkeys(env.agents, act) | {"bidder_2": {"item": 0, "bid": np.array([-1.0])}})
    _, rewards, *_, infos = env.step(dict.fromkeys(env.agents, act))
    assert infos["bidder_0"]["price"] == 1.0
    assert sum(r != 0.0 for r in rewards.values()) == 1
