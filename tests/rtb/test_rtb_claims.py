"""The claims of the bidding page on ten seeds; minutes, so run with the experiments."""

from __future__ import annotations

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

T = 1000
SEEDS = range(10)


def clicks(mode: Mode, fraction: float, seed: int, bidders: dict[str, Any]) -> dict[str, float]:
    """Return expected clicks by bidder, summed over the headline campaigns."""
    total = dict.fromkeys(bidders, 0.0)
    for campaign in HEADLINE:
        source = Source(campaign, mode, SeedTree(seed))
        r = source.test(200_000)
        plan = training(source.train(400_000), length=T, budget_fraction=fraction, expected=True)
        out = np.zeros((r.count // T, 5))
        stream = (r.theta, r.price, r.click, r.truth, T, plan.budget)
        for name, bidder in bidders.items():
            rule = bidder.prepare(plan, SeedTree(seed))
            p = pack((rule,))
            if rule.kind == LINEAR:
                kernels.replay_linear(*stream, rule.scale, MAX_PRICE, out)
            else:
                kernels.replay_table(*stream, p.integers[0], p.reals[0], p.tables, out)
            total[name] += float(out[:, kernels.VALUE].sum())
    return total


def interval(values: list[float]) -> tuple[float, float]:
    """Return the ends of the 95 % t-interval."""
    x = np.asarray(values)
    half = stats.t.ppf(0.975, x.size - 1) * x.std(ddof=1) / np.sqrt(x.size)
    return float(x.mean() - half), float(x.mean() + half)


def lift(runs: list[dict[str, float]], a: str, b: str) -> list[float]:
    return [100.0 * (run[a] / run[b] - 1.0) for run in runs]


PLAIN = {
    "rlb": RLB(ValueSettings(budget_stride=8)),
    "lin": Lin(),
    "mcpc": Mcpc(),
    "ss_mdp": SSMDP(ValueSettings(budget_stride=8)),
}


@pytest.mark.slow
@pytest.mark.parametrize("fraction", [1 / 16, 1 / 8, 1 / 4, 1 / 2])
def test_rlb_is_above_lin_above_mcpc_above_ss_mdp_in_bursts(fraction: float) -> None:
    runs = [clicks("burst", fraction, seed, PLAIN) for seed in SEEDS]
    assert interval(lift(runs, "rlb", "lin"))[0] > 0.0
    mean = {name: np.mean([run[name] for run in runs]) for name in PLAIN}
    assert mean["rlb"] > mean["lin"] > mean["mcpc"] > mean["ss_mdp"]


@pytest.mark.slow
@pytest.mark.parametrize("fraction", [1 / 32, 1 / 16])
def test_request_aware_rlb_is_three_per_cent_above_lin_in_bursts(fraction: float) -> None:
    bidders = {"rlb_theta": RLBTheta(), "rlb": PLAIN["rlb"], "lin": Lin()}
    runs = [clicks("burst", fraction, seed, bidders) for seed in SEEDS]
    assert interval(lift(runs, "rlb_theta", "lin"))[0] > 3.0
    assert np.mean(lift(runs, "rlb_theta", "rlb")) >= 0.0


@pytest.mark.slow
@pytest.mark.parametrize("fraction", [1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2])
def test_rlb_is_within_three_per_cent_of_lin_in_stationary_traffic(fraction: float) -> None:
    bidders = {"rlb": PLAIN["rlb"], "lin": Lin()}
    runs = [clicks("stationary", fraction, seed, bidders) for seed in SEEDS]
    assert abs(np.mean(lift(runs, "rlb", "lin"))) <= 3.0
