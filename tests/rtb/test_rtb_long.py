"""RLB in episodes twenty times as long as its table: mapped states, segments, and the network beyond its region.

Minutes, so run with the experiments; ``--junitxml`` keeps the numbers (properties ``clicks``, ``spent``: bidder, seed,
campaign).
"""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from equilibria.agents.bidding.linear import Lin, Mcpc
from equilibria.agents.bidding.long import RLBLong
from equilibria.agents.bidding.network import ValueNetwork
from equilibria.agents.bidding.settings import LongSettings
from equilibria.games.auctions.rtb.calibration import HEADLINE
from equilibria.games.auctions.rtb.requests import Training
from equilibria.games.auctions.rtb.rules import BidRule
from equilibria.games.auctions.rtb.settings import CampaignSettings
from equilibria.games.auctions.rtb.world import Campaign
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import FloatArray

BASE, LENGTH, EPISODES, STEPS = 5000, 100_000, 2, 400
SEEDS = (11, 12)
FRACTION = 1 / 16
MAPPINGS = ("action", "difference", "segment", "extrapolate")
NAMES = ("mcpc", "lin", *MAPPINGS)


class Mapped:
    """RLB of 5,000 requests in every mapping; the table is solved once."""

    def __init__(self) -> None:
        self.error = 0.0
        self._rule: BidRule | None = None

    def variant(self, mapping: str) -> Any:
        return SimpleNamespace(prepare=lambda training, seeds: self._prepare(mapping, training, seeds))

    def _prepare(self, mapping: Any, training: Training, seeds: SeedTree) -> BidRule:
        if self._rule is None:
            self._rule = RLBLong(LongSettings(base_requests=BASE, budget_stride=8)).prepare(training, seeds)
        if mapping != "extrapolate":
            return replace(self._rule, mapping=mapping)
        # Inside its region, in the last requests of an episode, the exact table saves a minute per fit.
        network = ValueNetwork(seeds.generator(), scale=training.theta_mean)
        self.error = network.fit(self._rule.table, STEPS)
        return replace(self._rule, mapping=mapping, network=network.packed())


def play(campaign: str, seed: int) -> FloatArray:
    """Return expected clicks and the share of the budget spent [2, bidders]; the last column: the network's error."""
    world = Campaign(
        CampaignSettings.model_validate(
            {"campaign": campaign, "budget_fraction": FRACTION, "episode_length": LENGTH, "train_requests": 400_000,
             "test_requests": LENGTH * EPISODES, "window": 1}
        )
    )  # fmt: skip
    rlb = Mapped()
    world.use({"mcpc": Mcpc(), "lin": Lin(), **{kind: rlb.variant(kind) for kind in MAPPINGS}})
    world.reset(SeedTree(seed))
    world.run(1, EPISODES)
    columns = {name: np.asarray(x, np.float64) for name, x in world.columns().items()}
    errors = np.full((2, 1), rlb.error)
    return np.hstack([[columns["expected_clicks"], columns["cost"] / columns["budget"]], errors])


@pytest.fixture(scope="module")
def clicks(record_testsuite_property: Any) -> dict[str, FloatArray]:
    """Expected clicks by bidder: float64 [seeds, campaigns]."""
    found = np.array([[play(campaign, seed) for campaign in HEADLINE] for seed in SEEDS])
    for k, label in enumerate(("clicks", "spent")):
        kept = {name: np.round(found[:, :, k, i], 4).tolist() for i, name in enumerate((*NAMES, "network_error"))}
        record_testsuite_property(label, json.dumps(kept))
    return {name: found[:, :, 0, i] for i, name in enumerate(NAMES)}


@pytest.mark.slow
def test_mapped_bids_and_mapped_differences_earn_alike_and_more_than_mcpc(clicks: dict[str, FloatArray]) -> None:
    total = {name: float(x.sum()) for name, x in clicks.items()}
    assert total["difference"] == pytest.approx(total["action"], rel=0.01)
    assert total["action"] > total["mcpc"]


@pytest.mark.slow
def test_the_network_beyond_its_region_earns_nearly_what_mapping_does(clicks: dict[str, FloatArray]) -> None:
    assert clicks["extrapolate"].sum() == pytest.approx(clicks["action"].sum(), rel=0.03)


@pytest.mark.slow
def test_segments_cannot_follow_bursts_as_long_as_themselves(clicks: dict[str, FloatArray]) -> None:
    assert clicks["segment"].sum() < 0.98 * clicks["action"].sum()
