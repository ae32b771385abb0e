"""The claims of the bidding page on ten seeds; minutes, so run with the experiments.

Every test replays nothing of its own: a fixture per kind of traffic plays all bidders once, and
``--junitxml`` keeps the numbers (property ``clicks``: bidder, budget, seed, campaign).
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from scipy import stats

from equilibria.agents.bidding.linear import Lin, Mcpc
from equilibria.agents.bidding.rlb import RLB, SSMDP, RLBTheta
from equilibria.agents.bidding.settings import ValueSettings
from equilibria.games.auctions.rtb import kernels
from equilibria.games.auctions.rtb.calibration import HEADLINE
from equilibria.games.auctions.rtb.requests import training
from equilibria.games.auctions.rtb.rules import LINEAR, MAX_PRICE, pack
from equilibria.games.auctions.rtb.synthetic import Mode, Source
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import FloatArray

T = 1000
SEEDS = range(30, 40)
FRACTIONS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2)
PLAIN: dict[str, Any] = {"rlb": RLB(ValueSettings(budget_stride=8)), "lin": Lin()}
ALL: dict[str, Any] = {
    **PLAIN,
    "rlb_theta": RLBTheta(),
    "mcpc": Mcpc(),
    "ss_mdp": SSMDP(ValueSettings(budget_stride=8)),
}

Clicks = dict[str, FloatArray]
"""Expected clicks by bidder: float64 [budgets, seeds, campaigns]."""


def play(mode: Mode, campaigns: tuple[str, ...], bidders: dict[str, Any]) -> Clicks:
    """Replay every bidder alone on the same requests."""
    found = {name: np.zeros((len(FRACTIONS), len(SEEDS), len(campaigns))) for name in bidders}
    for s, seed in enumerate(SEEDS):
        for c, campaign in enumerate(campaigns):
            source = Source(campaign, mode, SeedTree(seed))
            train, r = source.train(400_000), source.test(200_000)
            out = np.zeros((r.count // T, 5))
            for f, fraction in enumerate(FRACTIONS):
                plan = training(train, length=T, budget_fraction=fraction, expected=True)
                stream = (r.theta, r.price, r.click, r.truth, T, plan.budget)
                for name, bidder in bidders.items():
                    rule = bidder.prepare(plan, SeedTree(seed))
                    p = pack((rule,))
                    if rule.kind == LINEAR:
                        kernels.replay_linear(*stream, rule.scale, MAX_PRICE, out)
                    else:
                        kernels.replay_table(*stream, p.integers[0], p.reals[0], p.tables, out)
                    found[name][f, s, c] = out[:, kernels.VALUE].sum()
    return found


def kept(found: Clicks, record: Any, name: str) -> Clicks:
    record(f"clicks {name}", json.dumps({k: np.round(v, 3).tolist() for k, v in found.items()}))
    return found


@pytest.fixture(scope="module")
def headline(record_testsuite_property: Any) -> Clicks:
    return kept(play("burst", HEADLINE, ALL), record_testsuite_property, "burst headline")


@pytest.fixture(scope="module")
def stationary(record_testsuite_property: Any) -> Clicks:
    return kept(play("stationary", HEADLINE, PLAIN), record_testsuite_property, "stationary headline")


def lift(found: Clicks, a: str, b: str, fraction: float) -> FloatArray:
    """Return by how many per cent a is above b, by seed, clicks summed over campaigns."""
    k = FRACTIONS.index(fraction)
    over: FloatArray = 100.0 * (found[a][k].sum(axis=1) / found[b][k].sum(axis=1) - 1.0)
    return over


def lower_bound(values: FloatArray) -> float:
    """Return the lower end of the 95 % t-interval."""
    half = stats.t.ppf(0.975, values.size - 1) * values.std(ddof=1) / np.sqrt(values.size)
    return float(values.mean() - half)


@pytest.mark.slow
@pytest.mark.parametrize("fraction", FRACTIONS)
def test_rlb_is_within_three_per_cent_of_lin_in_stationary_traffic(stationary: Clicks, fraction: float) -> None:
    assert abs(lift(stationary, "rlb", "lin", fraction).mean()) <= 3.0


@pytest.mark.slow
@pytest.mark.parametrize("fraction", FRACTIONS[1:])
def test_rlb_is_above_lin_above_mcpc_above_ss_mdp_in_bursts(headline: Clicks, fraction: float) -> None:
    mean = [headline[name][FRACTIONS.index(fraction)].sum(axis=1).mean() for name in ("rlb", "lin", "mcpc", "ss_mdp")]
    assert mean == sorted(mean, reverse=True)
    assert lower_bound(lift(headline, "rlb", "lin", fraction)) > 0.0


@pytest.mark.slow
@pytest.mark.parametrize("fraction", FRACTIONS)
def test_request_aware_rlb_is_above_lin_and_not_below_rlb_in_bursts(headline: Clicks, fraction: float) -> None:
    promised = 3.0 if fraction <= 1 / 16 else 0.0
    assert lower_bound(lift(headline, "rlb_theta", "lin", fraction)) > promised
    assert lift(headline, "rlb_theta", "rlb", fraction).mean() >= 0.0
