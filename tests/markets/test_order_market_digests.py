"""The market gives the numbers that the first kernels gave (commit c829925, many arrays and a binary heap).

The digests were computed with those kernels before they were rewritten for speed.  They cover whole numbers only: every
event of the book, cash, shares and resting orders, prices and volumes; the fundamental value is compared to 1e-12,
because other builds of exp and log may differ in the last bit.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest

from equilibria.games.markets.settings import OrderMarketSettings
from equilibria.games.markets.world import OrderMarket
from equilibria.sim.seeds import SeedTree

FLOW = {"noise": 0, "value": 0, "momentum": 0, "makers": 0, "limit_rate": 0.3, "market_rate": 2.0, "cancel_rate": 0.1}
CROWDS: dict[str, tuple[dict[str, Any], int]] = {
    "noise and momentum": ({"makers": 0, "noise": 500, "session": 60.0, "momentum": 40, "momentum_rate": 0.3}, 150),
    "value": ({"makers": 0, "value_rate": 0.1, "shock_rate": 0.05, "session": 50.0}, 150),
    "latency": ({"makers": 0, "latency": 0.5, "value_rate": 0.05, "zero": 2, "limit_rate": 0.05}, 60),
    "zero": ({**FLOW, "zero": 2}, 60),
    "low": ({"makers": 0, "mean": 120, "volatility": 3.0, "session": 100.0, "value_rate": 0.05}, 150),
}


def digest(crowd: str, seed: int) -> tuple[str, float]:
    """Return a digest of all whole numbers of a run and the fundamental value at its end."""
    change, periods = CROWDS[crowd]
    world = OrderMarket(OrderMarketSettings.model_validate({"capacity": 20_000, **change}))
    world.reset(SeedTree(seed))
    world.keep_events(200_000)
    world.run(1, periods // 3)
    world.run(periods // 3 + 1, periods - periods // 3)
    columns = world.columns()
    parts = [np.rint(2 * world.rows[:, [0, 1, 3, 4]]), world.events(), *world.depth(), list(world.tally.values())]
    parts += [columns[name] for name in ("kind", "cash", "shares", "orders")]
    whole = np.concatenate([np.asarray(p).astype("<i8").ravel() for p in parts])
    return hashlib.sha256(whole.tobytes()).hexdigest()[:16], float(world.rows[-1, 2])


FOUND: dict[tuple[str, int], tuple[str, float]] = {
    ("noise and momentum", 1): ("3705f8cee1f1e2c2", 100011.25556112814),
    ("noise and momentum", 2): ("2d1e427b60fc9c57", 100018.51227703415),
    ("noise and momentum", 3): ("eefb32987ef27549", 100021.99882135847),
    ("value", 1): ("545e56c590344616", 102821.80480301028),
    ("value", 2): ("90af1a50c9f85c37", 98845.36939917832),
    ("value", 3): ("1955b0da890578ec", 103169.62356795679),
    ("latency", 1): ("ddc02471547bc577", 99989.75657446406),
    ("latency", 2): ("5319401b549881b4", 99989.77563931976),
    ("latency", 3): ("d8f7d3cb1711f7a6", 100010.83538344462),
    ("zero", 1): ("64f279efedd4c5ef", 99992.84456656821),
    ("zero", 2): ("ab2d64e7b99db3c0", 99988.58140634696),
    ("zero", 3): ("2b6267ec7c9886de", 100002.60594972654),
    ("low", 1): ("446b5f7690dcd51f", 145.9672071103234),
    ("low", 2): ("629f77ebeafdbe76", 86.97008145455742),
    ("low", 3): ("16451c8eb35dede5", 89.78134465788885),
}


@pytest.mark.parametrize(("crowd", "seed"), list(FOUND))
def test_the_market_repeats_its_first_numbers(crowd: str, seed: int) -> None:
    text, value = digest(crowd, seed)
    want, truth = FOUND[crowd, seed]
    assert value == pytest.approx(truth, rel=1e-12)
    assert text == want
